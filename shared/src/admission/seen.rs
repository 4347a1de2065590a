//! What rules look up, together with what has to be read again before a request is refused because of it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use super::{
    lookup::{Found, Looked, Lookup, Namespace, NamespaceFound, Need, Query, Selection},
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

    /// The same look-up with another value.
    pub fn map<U>(self, form: impl FnOnce(T) -> U) -> Seen<U> {
        Seen { value: form(self.value), needs: self.needs, unknown: self.unknown }
    }

    /// Lets `check` add problems that rest on what was seen, each of one of `rules`. If it adds any, what was
    /// looked at is read again before they are believed, as far as a [`Need`] can name it. What could not be looked up is an
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
    pub fn by_name(self) -> Self {
        self.named_by(|objects| &objects[..objects.len().min(FEW)])
    }
}

impl Seen<Users> {
    /// The same of those that a denial names, or of a few others when it names none.
    pub(super) fn by_name(self) -> Self {
        self.named_by(|users| if users.own.is_empty() { &users.others } else { &users.own })
    }
}

impl<T> Seen<T> {
    fn named_by(mut self, few: impl FnOnce(&T) -> &[Stored]) -> Self {
        let named: Vec<_> = few(&self.value).iter().map(need).collect();
        if self.unknown.is_none() && !named.is_empty() {
            self.needs.retain(|need| {
                !matches!(need, Need::List { .. }) || !named.iter().any(|one| one.kind() == need.kind())
            });
            let missing = named.into_iter().filter(|need| !self.needs.contains(need)).collect::<Vec<_>>();
            self.needs.extend(missing);
        }
        self
    }
}

/// Who uses an object, as far as it is told: nobody learns the names of what is in other namespaces, which he may not be
/// allowed to see.
#[derive(Clone, Debug, Default)]
pub struct Users {
    /// The first few in the object's own namespace.
    own: Vec<Stored>,
    /// A few in others.
    others: Vec<Stored>,
    /// How many there are in the object's own namespace.
    own_count: usize,
    /// How many there are in others.
    other_count: usize,
    /// Whether there are more than were counted.
    more: bool,
    /// Whether there are objects that nobody looked at, and that may be users.
    unseen: bool,
}

/// How many users are counted. Looking at all of them would cost the more, the more there are.
const COUNTED: usize = 500;

impl Users {
    /// Those of `users` that are not being deleted; `first` finds the first few of them in a namespace, or in all
    /// when it is empty.
    pub(super) fn of(own: &str, first: impl Fn(&str, usize) -> Looked) -> Self {
        let Looked { found: mut all, unseen, .. } = first("", COUNTED + 1);
        let more = all.len() > COUNTED;
        all.truncate(COUNTED);
        let (mut owned, mut others): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|user| user.namespace() == own);
        // Those of other namespaces may come first.
        if (more || unseen) && owned.len() < FEW {
            owned = first(own, FEW).found;
        }
        let (own_count, other_count) = (owned.len(), others.len());
        owned.truncate(FEW);
        others.truncate(FEW);
        Self { own: owned, others, own_count, other_count, more, unseen }
    }

    /// True when nobody uses it.
    pub fn is_empty(&self) -> bool {
        self.is_any_known() == Some(false)
    }

    /// Whether somebody uses it; `None` when nobody was found among those that were looked at, and there are others.
    pub fn is_any_known(&self) -> Option<bool> {
        match self.own.is_empty() && self.others.is_empty() {
            true if self.unseen => None,
            is_none => Some(!is_none),
        }
    }
}

/// `Pet zoo/rex, Pet zoo/tom and 2 in other namespaces`
impl fmt::Display for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.own.iter().map(|one| format!("{} {}/{}", one.kind(), one.namespace(), one.name()));
        let mut parts: Vec<_> = names.collect();
        let unnamed = self.own_count - self.own.len();
        match (unnamed, self.other_count) {
            _ if self.more && parts.is_empty() => {
                parts.push(format!("more than {COUNTED} objects in other namespaces"))
            }
            _ if self.is_any_known().is_none() => {
                parts.push("objects that are too many to be looked at".to_owned())
            }
            _ if self.more => parts.push(format!("more than {} others", COUNTED - self.own.len())),
            (0, 0) => {}
            (more, 0) => parts.push(format!("{more} more")),
            (0, 1) if parts.is_empty() => parts.push("an object in another namespace".to_owned()),
            (0, others) if parts.is_empty() => parts.push(format!("{others} objects in other namespaces")),
            (0, others) => parts.push(format!("{others} in other namespaces")),
            (more, others) => parts.push(format!("{more} more, and {others} in other namespaces")),
        }
        let counted = self.more || unnamed + self.other_count > 0;
        match parts.split_last() {
            Some((last, names)) if counted && !names.is_empty() => {
                write!(f, "{} and {last}", names.join(", "))
            }
            _ => f.write_str(&parts.join(", ")),
        }
    }
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

    /// Nothing follows from a list that ends before all objects were read. Where there are more, a few that were `found` are read again by name;
    /// more than a few can't all have been seen wrongly, and how many there are, or that there is none, is believed.
    fn note_list(&self, kind: &'static str, namespace: &str, known: bool, found: &[Stored]) {
        let listed = self.behind.count_all(kind, namespace);
        if !known || listed.is_none_or(|count| count <= Need::LIMIT as usize) {
            return self.note(Need::List { kind, namespace: namespace.to_owned() }, known);
        }
        if found.len() <= FEW {
            found.iter().for_each(|object| self.note(need(object), true));
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
        self.note_list(kind, namespace, selection.complete, &selection.objects);
        selection
    }

    fn first(&self, query: Query<'_>, limit: usize, wanted: &dyn Fn(&Stored) -> bool) -> Selection {
        let selection = self.behind.first(query, limit, wanted);
        self.note_list(query.kind, query.namespace, selection.complete, &selection.objects);
        selection
    }

    fn count(&self, kind: &'static str, key: &str) -> Option<usize> {
        self.count_in(kind, "", key)
    }

    fn count_in(&self, kind: &'static str, namespace: &str, key: &str) -> Option<usize> {
        let count = self.behind.count_in(kind, namespace, key);
        self.note_list(kind, namespace, count.is_some(), &[]);
        count
    }

    fn namespace(&self, name: &str) -> Arc<Namespace> {
        self.behind.namespace(name)
    }

    fn find_namespace(&self, name: &str) -> NamespaceFound {
        let found = self.behind.find_namespace(name);
        let known = !matches!(found, NamespaceFound::Unknown);
        self.note(Need::Namespace { name: name.to_owned() }, known);
        found
    }

    fn may_read(&self, kind: &'static str, namespace: &str, name: &str) -> Option<bool> {
        let may = self.behind.may_read(kind, namespace, name);
        let need = Need::Permission { kind, namespace: namespace.to_owned(), name: name.to_owned() };
        self.note(need, may.is_some());
        may
    }
}

#[cfg(test)]
mod tests {
    use super::{super::lookup::World, *};
    use crate::{kind::store, pets::Pet};

    #[test]
    fn where_too_many_are_there_to_be_listed_the_few_that_were_found_are_read_by_name() {
        let pet = |id: u32| {
            let json = serde_json::json!({
                "apiVersion": "petstore.example.com/v1", "kind": "Pet",
                "metadata": {"namespace": "zoo", "name": format!("pet-{id}")},
                "spec": {"id": id, "name": "Pet"},
            });
            store(Arc::new(serde_json::from_value::<Pet>(json).unwrap()))
        };
        let key = "claim:pets.pet.unique-id=7";
        let mut world = World::default();
        (0..Need::LIMIT).for_each(|id| world.insert(pet(id)));
        let needs = |world: &World| Seen::new(world, |lookup| lookup.select_in("Pet", "zoo", key)).needs;
        assert_eq!(needs(&world), [Need::List { kind: "Pet", namespace: "zoo".into() }]);
        world.insert(pet(Need::LIMIT));
        assert_eq!(needs(&world), [need(&pet(7))]);
        assert_eq!(Seen::new(&world, |lookup| lookup.count_in("Pet", "zoo", key)).needs, []);
        let free = crate::pets::free_pets_key("zoo");
        assert_eq!(Seen::new(&world, |lookup| lookup.select_in("Pet", "zoo", &free)).needs, []);
    }
}
