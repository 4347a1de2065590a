//! What rules look up, together with what has to be read again before a request is refused because of it.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    lookup::{Found, Lookup, Namespace, Need, Selection},
    problem::Problems,
    rule::AdmissionRule,
};
use crate::{field::FieldPath, index::Stored};

/// How many objects a denial names, and how many of those that it rests on are read again one by one.
pub const FEW: usize = 5;

/// What a look-up showed.
///
/// A cache may be behind, or not be believed at all. So the content can only be reached through [`Seen::check`],
/// which notes what to read before a problem that rests on it is believed. What could not be looked up is
/// noted there as unresolved: a request is never admitted because nothing was seen.
#[derive(Clone, Debug)]
#[must_use = "nothing follows from a look-up before it is checked"]
pub struct Seen<T> {
    value: T,
    needs: Vec<Need>,
    /// What nobody here can tell. Then the value means nothing.
    unknown: Option<Need>,
}

impl<T> Seen<T> {
    /// What `look` sees through the lookup that it is given.
    pub(super) fn new(lookup: &dyn Lookup, look: impl FnOnce(&dyn Lookup) -> T) -> Self {
        let recorder = Recorder { behind: lookup, saw: Mutex::default() };
        let value = look(&recorder);
        let Saw { needs, unknown } = recorder.saw.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self { value, needs, unknown }
    }

    /// The same, brought into another form.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Seen<U> {
        Seen { value: form(self.value), needs: self.needs, unknown: self.unknown }
    }

    /// Lets `check` add problems that rest on what was seen, each of one of `rules`. If it adds any, everything
    /// that was looked at is read again before they are believed. What could not be looked up is an
    /// unresolved problem of `field` with each of `rules`.
    pub fn check(
        self,
        problems: &mut Problems,
        field: impl Into<FieldPath>,
        rules: &[&'static AdmissionRule],
        check: impl FnOnce(T, &mut Problems),
    ) {
        if let Some(unknown) = self.unknown {
            return problems.add_unresolved(field.into(), rules, &unknown, &self.needs);
        }
        problems.resting_on(&self.needs, rules, |problems| check(self.value, problems));
    }
}

impl Seen<Vec<Stored>> {
    /// For problems that rest on these objects being there: the first few are read again by name, instead of all
    /// of their kind. More than a few can't all have been seen wrongly.
    pub fn by_name(mut self) -> Self {
        if self.unknown.is_none() {
            let named = few(&mut self.value).iter().map(need).collect::<Vec<_>>();
            let is_named = |need: &Need| self.value.iter().any(|object| object.kind() == need.kind());
            self.needs.retain(|need| matches!(need, Need::Object { .. }) || !is_named(need));
            self.needs.extend(named);
        }
        self
    }
}

/// The first few of `objects`, by kind, namespace and name, brought to the front.
pub fn few(objects: &mut [Stored]) -> &[Stored] {
    fn order(a: &Stored, b: &Stored) -> std::cmp::Ordering {
        (a.kind(), a.namespace(), a.name()).cmp(&(b.kind(), b.namespace(), b.name()))
    }
    if objects.len() > FEW {
        objects.select_nth_unstable_by(FEW, order);
    }
    let (first, _) = objects.split_at_mut(objects.len().min(FEW));
    first.sort_unstable_by(order);
    first
}

pub(super) fn need(object: &Stored) -> Need {
    Need::Object { kind: object.kind(), namespace: object.namespace().into(), name: object.name().into() }
}

/// Notes what is looked up in the lookup behind.
struct Recorder<'a> {
    behind: &'a dyn Lookup,
    saw: Mutex<Saw>,
}

#[derive(Default)]
struct Saw {
    needs: Vec<Need>,
    unknown: Option<Need>,
}

impl Recorder<'_> {
    fn note(&self, need: Need, known: bool) {
        let mut saw = self.saw.lock().unwrap_or_else(PoisonError::into_inner);
        if !known && saw.unknown.is_none() {
            saw.unknown = Some(need.clone());
        }
        if !saw.needs.contains(&need) {
            saw.needs.push(need);
        }
    }

    /// More objects than one list brings can't be counted again by it, so they are believed.
    fn note_list(&self, kind: &'static str, namespace: &str, known: Option<usize>) {
        if known.is_none_or(|count| count <= Need::LIMIT as usize) {
            self.note(Need::List { kind, namespace: namespace.to_owned() }, known.is_some());
        }
    }
}

impl Lookup for Recorder<'_> {
    fn find(&self, kind: &'static str, namespace: &str, name: &str) -> Found {
        let found = self.behind.find(kind, namespace, name);
        let need = Need::Object { kind, namespace: namespace.to_owned(), name: name.to_owned() };
        self.note(need, !matches!(found, Found::Unknown));
        found
    }

    fn select(&self, kind: &'static str, key: &str) -> Selection {
        self.select_in(kind, "", key)
    }

    fn select_in(&self, kind: &'static str, namespace: &str, key: &str) -> Selection {
        let selection = self.behind.select_in(kind, namespace, key);
        self.note_list(kind, namespace, selection.complete.then_some(selection.objects.len()));
        selection
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        self.count_in(kind, "", key)
    }

    fn count_in(&self, kind: &'static str, namespace: &str, key: &str) -> Option<usize> {
        let count = self.behind.count_in(kind, namespace, key);
        self.note_list(kind, namespace, count);
        count
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.behind.namespace(name)
    }
}
