//! Things of one account, some of which cannot be seen yet.

use jiff::{SignedDuration, Timestamp};

use crate::faults::Hidden;

/// Things in the order they were made.
#[derive(Debug)]
pub(super) struct Table<T> {
    rows: Vec<Row<T>>,
}

#[derive(Debug)]
struct Row<T> {
    id: String,
    thing: T,
    cover: Option<Cover>,
}

#[derive(Clone, Copy, Debug)]
enum Cover {
    Lists(u32),
    Until(Timestamp),
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { rows: Vec::new() }
    }
}

impl<T: Clone> Table<T> {
    pub(super) fn add(&mut self, id: &str, thing: T, hidden: Option<Hidden>, at: Timestamp) {
        let cover = hidden.map(|hidden| match hidden {
            Hidden::Lists(lists) => Cover::Lists(lists),
            Hidden::For(time) => {
                let time = SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX);
                Cover::Until(at.saturating_add(time).unwrap_or(Timestamp::MAX))
            }
        });
        self.rows.push(Row { id: id.to_owned(), thing, cover });
    }

    /// What a list call shows. It counts as one look for everything it does not show.
    pub(super) fn list(&mut self, at: Timestamp) -> Vec<T> {
        let mut seen = Vec::new();
        for row in &mut self.rows {
            if row.is_covered(at) {
                row.look();
            } else {
                seen.push(row.thing.clone());
            }
        }
        seen
    }

    /// What a look at one thing shows.
    pub(super) fn get(&self, id: &str, at: Timestamp) -> Option<T> {
        let row = self.rows.iter().find(|row| row.id == id)?;
        (!row.is_covered(at)).then(|| row.thing.clone())
    }

    /// Everything, seen or not.
    pub(super) fn all(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().map(|row| &row.thing)
    }

    /// One thing, seen or not.
    pub(super) fn find(&mut self, id: &str) -> Option<&mut T> {
        self.rows.iter_mut().find(|row| row.id == id).map(|row| &mut row.thing)
    }

    /// The first thing that fits, seen or not.
    pub(super) fn find_by(&mut self, fits: impl Fn(&T) -> bool) -> Option<&mut T> {
        self.rows.iter_mut().map(|row| &mut row.thing).find(|thing| fits(thing))
    }

    /// Takes one thing away. False if it was not there.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        let before = self.rows.len();
        self.rows.retain(|row| row.id != id);
        self.rows.len() < before
    }
}

impl<T> Row<T> {
    fn is_covered(&self, at: Timestamp) -> bool {
        match self.cover {
            Some(Cover::Lists(lists)) => lists > 0,
            Some(Cover::Until(until)) => at < until,
            None => false,
        }
    }

    fn look(&mut self) {
        if let Some(Cover::Lists(lists)) = &mut self.cover {
            *lists -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOON: Timestamp = Timestamp::UNIX_EPOCH;

    #[test]
    fn a_thing_hidden_for_two_lists_shows_in_the_third() {
        let mut table = Table::default();
        table.add("a", 'a', None, NOON);
        table.add("b", 'b', Some(Hidden::Lists(2)), NOON);
        assert_eq!(table.get("b", NOON), None);
        assert_eq!(table.list(NOON), ['a']);
        assert_eq!(table.list(NOON), ['a']);
        assert_eq!(table.list(NOON), ['a', 'b']);
        assert_eq!(table.get("b", NOON), Some('b'));
    }

    #[test]
    fn a_thing_hidden_for_a_time_shows_after_it() {
        let mut table = Table::default();
        table.add("a", 'a', Some(Hidden::For(Duration::from_secs(5))), NOON);
        let later = |seconds| NOON.saturating_add(SignedDuration::from_secs(seconds)).unwrap();
        assert!(table.list(later(4)).is_empty());
        assert_eq!(table.list(later(5)), ['a']);
        assert_eq!(table.all().count(), 1);
    }
}
