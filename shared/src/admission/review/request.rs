//! What is asked, what it is asked against, and what a kind's rules see of both.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    admission::{
        defaults::Defaulted,
        envelope::{Operation, UserInfo},
        lookup::{Found, Looked, Lookup, LookupExt, Query},
        object::Raw,
        reference::{self, ALLOWED_NAMESPACES_ANNOTATION, Reference, implied_referrers_key, referrers_key},
        rule::Enforcement,
        seen::{Seen, Users},
    },
    group::Settings,
    index::Stored,
    kind::{KINDS, Kind},
};

/// Which of the two admission calls this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Fill in defaults; no rule is looked at.
    Mutate,
    /// Decide.
    Validate,
}

impl Stage {
    /// The spelling in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Mutate => "mutate",
            Stage::Validate => "validate",
        }
    }
}

/// A request about an object.
#[derive(Debug)]
pub struct Request<'a> {
    /// Which call.
    pub stage: Stage,
    /// What is to be done.
    pub operation: Operation,
    /// The object's namespace; empty for a cluster-scoped object.
    pub namespace: &'a str,
    /// Who asks; `None` when nobody does, and a stored object is judged once more.
    pub user: Option<&'a UserInfo<'a>>,
    /// The object; absent on deletion.
    pub object: Option<&'a Raw<'a>>,
    /// The stored object; absent on creation.
    pub old: Option<&'a Raw<'a>>,
}

/// What a request is evaluated against.
pub struct Context<'a> {
    /// The objects around.
    pub lookup: &'a dyn Lookup,
    /// The operator's levels for the whole cluster.
    pub enforcement: &'a Enforcement,
    /// The operator's settings.
    pub settings: &'a Settings,
}

/// What a kind's rules see.
pub struct Review<'a, K> {
    /// What is to be done.
    pub operation: Operation,
    /// The object, with its status as it is stored; on deletion, the one to be deleted.
    pub object: &'a Defaulted<K>,
    /// The stored object, on update.
    pub old: Option<&'a K>,
    pub namespace: &'a str,
    /// Who asks; `None` when nobody does.
    pub user: Option<&'a UserInfo<'a>>,
    /// The operator's settings.
    pub settings: &'a Settings,
    /// The objects around. Rules look at them through [`Review::look_up`] alone.
    pub(super) lookup: &'a dyn Lookup,
}

/// Among how many objects of a kind that have a key those are looked for that use an object. Of more it can't be told that none does.
const LOOKED_AT: usize = 1000;

impl<K: Kind> Review<'_, K> {
    /// Asks about other objects. The answer can be read only by [`Seen::check`], which notes what has to be read live.
    pub fn look_up<T>(&self, ask: impl FnOnce(&dyn Lookup) -> T) -> Seen<T> {
        Seen::new(self.lookup, ask)
    }

    /// The target of `reference`, which is as good as absent when the kind's own rule says where it is and whoever asks may not
    /// read it there.
    pub fn find(&self, lookup: &dyn Lookup, reference: &Reference) -> Found {
        let Reference { kind, name, .. } = reference;
        let namespace = reference.namespace.as_deref().unwrap_or(self.namespace);
        let asks = reference.implied && namespace != self.namespace && self.user.is_some();
        match asks && lookup.may_read(kind, namespace, name) == Some(false) {
            true => Found::Absent,
            false => lookup.find(kind, namespace, name),
        }
    }

    /// The objects, of any kind of the group, that protect the object under review from deletion: those that refer to it
    /// and may. What was made for it goes with it, and protects nothing. Groups do not refer to each other.
    pub fn referrers(&self) -> Seen<Users> {
        let name = self.object.meta().name.as_deref().unwrap_or_default();
        let key = referrers_key(K::NAME, self.namespace, name);
        let implied = implied_referrers_key(K::NAME, self.namespace, name);
        let permits = |user: &Stored| {
            user.namespace() == self.namespace
                || user.has_key(&implied)
                || reference::permits(self.object.meta().annotations.as_ref(), user.namespace())
        };
        // Those of other namespaces that may not are not looked at: anybody can write a name.
        let everywhere =
            K::IMPLIED_REFERRERS || annotation(&**self.object, ALLOWED_NAMESPACES_ANNOTATION).is_some();
        let wanted = |user: &Stored| permits(user) && !self.is_child(user);
        self.using(|lookup, namespace, limit| {
            let namespace = if everywhere { namespace } else { self.namespace };
            first_users::<K>(lookup, Query::alive("", namespace, &key), limit, &wanted)
        })
    }

    /// The objects, of any kind of the group, that have an index key and, as far as `uses` can see, use the object
    /// under review.
    pub fn users(&self, key: &str, uses: impl Fn(&dyn Lookup, &Stored) -> bool) -> Seen<Users> {
        let wanted = |user: &Stored| uses(self.lookup, user);
        self.using(|lookup, namespace, limit| {
            first_users::<K>(lookup, Query::alive("", namespace, key), limit, &wanted)
        })
    }

    /// The objects of which `first` finds the first few in a namespace, or in all when it is empty.
    pub fn using(&self, first: impl Fn(&dyn Lookup, &str, usize) -> Looked) -> Seen<Users> {
        let seen = self
            .look_up(|lookup| Users::of(self.namespace, |namespace, limit| first(lookup, namespace, limit)));
        seen.by_name()
    }

    /// True when `other` was made for the object under review: that is its owner.
    pub fn is_child(&self, other: &Stored) -> bool {
        let uid = self.object.meta().uid.as_deref();
        let mut owners = other.meta().owner_references.iter().flatten();
        owners.any(|owner| uid == Some(&*owner.uid))
    }

    /// True when `other` goes first with what only one of the two may have. Whoever has it already (`keeps`) gives way to an older
    /// object alone; whoever asks for it now gives way to all.
    pub fn gives_way(&self, other: &ObjectMeta, keeps: bool) -> bool {
        let asks = self.operation == Operation::Create || !keeps;
        match (age(self.object.meta()), age(other)) {
            (Some(own), Some(other)) if !asks => other < own,
            // Objects in files have no age that could speak for one of them.
            _ => true,
        }
    }

    /// True when `other` is the object under review, or its stored version.
    pub fn is_self(&self, other: &Stored) -> bool {
        other.kind() == K::NAME
            && other.namespace() == self.namespace
            && self.object.meta().name.as_deref() == Some(other.name())
    }
}

/// The first objects that are `wanted`, of each kind of the group of `K`, that the query finds.
fn first_users<K: Kind>(
    lookup: &dyn Lookup,
    query: Query<'_>,
    limit: usize,
    wanted: &dyn Fn(&Stored) -> bool,
) -> Looked {
    let group = K::group(&());
    let kinds = KINDS.iter().filter(|kind| (kind.group)() == group);
    let queries = kinds.map(|kind| Query { kind: kind.name, ..query });
    queries.map(|query| lookup.first_among(query, LOOKED_AT, limit, wanted)).collect()
}

/// What objects are ordered by: the smaller is older. What was never stored has none.
fn age(meta: &ObjectMeta) -> Option<(jiff::Timestamp, &str)> {
    Some((meta.creation_timestamp.as_ref()?.0, meta.uid.as_deref()?))
}

/// The value of an annotation of `object`.
pub fn annotation<'a, K: Kind>(object: &'a K, key: &str) -> Option<&'a str> {
    object.meta().annotations.as_ref()?.get(key).map(String::as_str)
}
