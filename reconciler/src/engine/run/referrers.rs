//! The users of an object, which keep it from being deleted.

use std::ops::ControlFlow::{Break, Continue};

use concierge_shared::{
    admission::{
        lookup::Query,
        reference::{ALLOWED_NAMESPACES_ANNOTATION, implied_referrers_key, permits, referrers_key},
        seen::FEW,
    },
    index::Stored,
    kind::Kind,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::engine::{
    cluster::{ClusterError, Target},
    kinds::reconcile::Reconcile,
    retry::Failure,
    run::{End, Flow, Run},
};

/// The index keys under which an object's users are found.
struct Users {
    /// The index key of those that refer to it by name.
    naming: String,
    /// The index key of those that use it without naming it.
    implicit: Option<String>,
    /// Whether there may be users in other namespaces.
    everywhere: bool,
    /// Whether everything that has a key is a user, so that it need only be counted.
    countable: bool,
}

impl Users {
    fn of<R: Reconcile>(run: &Run<R>) -> Self {
        let implicit = run.reconciler.implicit_users(&run.ctx, &run.object);
        // Objects of other namespaces refer to this one only if it allows that, or a rule of theirs says so.
        let allows = run.annotation(ALLOWED_NAMESPACES_ANNOTATION).is_some() || R::Kind::IMPLIED_REFERRERS;
        Self {
            naming: referrers_key(R::Kind::NAME, &run.target.namespace, &run.target.name),
            everywhere: allows || implicit.as_ref().is_some_and(|users| users.everywhere),
            countable: !implicit.as_ref().is_some_and(|users| users.everywhere),
            implicit: implicit.map(|users| users.key),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &String> {
        [&self.naming].into_iter().chain(&self.implicit)
    }

    /// Whether `user` is one of them. The object's own children are not: they go with it, and it would wait for ever for those that it has
    /// to delete itself.
    fn has<R: Reconcile>(&self, run: &Run<R>, user: &Stored) -> bool {
        if is_child(run.meta(), user.meta()) || R::Kind::IMPLIED_REFERRERS && !is_permitted(run, user) {
            return false;
        }
        let is_implicit = || self.implicit.as_ref().is_some_and(|key| user.has_key(key));
        user.has_key(&self.naming) || is_implicit() && run.reconciler.is_used_by(&run.ctx, &run.object, user)
    }
}

/// Whether `user` may refer to the object of this run: anybody can write its name.
fn is_permitted<R: Reconcile>(run: &Run<R>, user: &Stored) -> bool {
    let Target { namespace, name, .. } = &run.target;
    user.namespace() == namespace
        || user.has_key(&implied_referrers_key(R::Kind::NAME, namespace, name))
        || permits(run.meta().annotations.as_ref(), user.namespace())
}

/// Whether a text anywhere in `value` is `name`, perhaps behind a namespace: what can't be read may refer to an object of that name.
fn names(value: &Value, name: &str) -> bool {
    match value {
        Value::String(text) => text.rsplit('/').next() == Some(name),
        Value::Array(items) => items.iter().any(|item| names(item, name)),
        Value::Object(fields) => fields.values().any(|field| names(field, name)),
        _ => false,
    }
}

/// Ends the run when a kind can't be read: some of its objects may be users.
fn not_told<T>(kind: &str, why: &str) -> Flow<T> {
    let message = format!("it can't be told whether a {kind} uses the object: {why}");
    Break(End::Failed(Failure::Transient(message)))
}

/// Whether the object with the metadata `child` belongs to the one with `owner`.
fn is_child(owner: &ObjectMeta, child: &ObjectMeta) -> bool {
    let owners = child.owner_references.iter().flatten();
    owner.uid.as_deref().is_some_and(|uid| owners.map(|one| one.uid.as_str()).any(|one| one == uid))
}

impl<R: Reconcile> Run<R> {
    /// True when the cache knows of a user of the object.
    pub(super) fn is_referred_to(&self) -> bool {
        !self.known_referrers(&Users::of(self), 1).is_empty()
    }

    /// How many objects may not lose this one, and the first of them. That the cache knows of none is no proof: then they are read.
    pub(crate) async fn referrers(&self) -> Flow<(usize, Vec<Stored>)> {
        let users = Users::of(self);
        let known = self.known_referrers(&users, if users.countable { FEW } else { usize::MAX });
        if !known.is_empty() || (R::Kind::IN_USE.is_none() && users.implicit.is_none()) {
            // Fewer than were asked for are all that there are; the index counts own children too.
            let more = users.countable && known.len() >= FEW;
            let count = if more { self.count_referrers(&users) } else { 0 };
            return Continue((count.max(known.len()), known));
        }
        self.stored_referrers(&users).await
    }

    /// The first objects of each kind that may not lose this one, as far as the cache knows.
    fn known_referrers(&self, users: &Users, limit: usize) -> Vec<Stored> {
        let lookup = self.ctx.lookup();
        let is_one = |user: &Stored| users.has(self, user);
        let first = |kind| {
            users.keys().flat_map(move |key| lookup.first(Query::all(kind, "", key), limit, &is_one).objects)
        };
        self.kinds_of_the_group().into_iter().flat_map(first).collect()
    }

    fn count_referrers(&self, users: &Users) -> usize {
        let lookup = self.ctx.lookup();
        let count = |kind| users.keys().filter_map(|key| lookup.count(kind, key)).sum::<usize>();
        self.kinds_of_the_group().into_iter().map(count).sum()
    }

    async fn stored_referrers(&self, users: &Users) -> Flow<(usize, Vec<Stored>)> {
        let namespace = if users.everywhere { "" } else { self.target.namespace.as_str() };
        let mut referrers = Vec::new();
        for kind in self.kinds_of_the_group() {
            let Some(reader) = self.shared.kinds.get(kind) else { continue };
            let uses = |user: &Stored| user.meta().uid != self.meta().uid && users.has(self, user);
            let mut unreadable = 0;
            let mut visit = |object: Value| {
                let may_use = users.implicit.is_some() || names(&object["spec"], &self.target.name);
                match reader.read(object) {
                    Some(object) => referrers.extend(Some(object).filter(uses)),
                    None => unreadable += usize::from(may_use),
                }
            };
            match self.shared.cluster.for_each(&reader.resource(), namespace, &mut visit).await {
                // Without its CustomResourceDefinition there are no objects of a kind.
                Ok(()) | Err(ClusterError::NotFound) => {}
                Err(error) => return not_told(kind, &error.to_string()),
            }
            if unreadable > 0 {
                return not_told(kind, &format!("{unreadable} of them can't be read"));
            }
        }
        Continue((referrers.len(), referrers))
    }

    /// Groups do not refer to each other, so one that is not installed hinders no other.
    fn kinds_of_the_group(&self) -> Vec<&'static str> {
        let group = &self.target.resource.group;
        let kinds = self.shared.kinds.iter().filter(|(_, reader)| reader.resource().group == *group);
        kinds.map(|(kind, _)| *kind).collect()
    }
}
