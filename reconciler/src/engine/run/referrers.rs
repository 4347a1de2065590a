//! The users of an object, which keep it from being deleted.

use std::{
    ops::ControlFlow::{Break, Continue},
    sync::Arc,
};

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
use kube::Resource;
use parking_lot::Mutex;
use serde_json::Value;

use crate::engine::{
    cluster::objects::ObjectKey,
    context::Context,
    kinds::reconcile::Reconcile,
    retry::Failure,
    run::{End, Flow, Run},
};

/// Who uses the object of a run: the index keys under which they are found, and what tells them from others that have one.
struct Users<R: Reconcile> {
    reconciler: Arc<R>,
    ctx: Context,
    object: Arc<R::Kind>,
    /// The index key of those that refer to it by name.
    naming: String,
    /// The index key of those that use it without naming it.
    implicit: Option<String>,
    /// Whether there may be users in other namespaces.
    everywhere: bool,
    /// Whether everything that has a key is a user, so that it need only be counted.
    countable: bool,
}

/// What a list shows of users.
#[derive(Default)]
struct Shown {
    users: Vec<Stored>,
    /// How many objects can't be read and may be users.
    unreadable: usize,
}

impl<R: Reconcile> Users<R> {
    fn of(run: &Run<R>) -> Self {
        let implicit = run.reconciler.implicit_users(&run.ctx, &run.object);
        // Objects of other namespaces refer to this one only if it allows that, or a rule of theirs says so.
        let allows = run.annotation(ALLOWED_NAMESPACES_ANNOTATION).is_some() || R::Kind::IMPLIED_REFERRERS;
        Self {
            reconciler: run.reconciler.clone(),
            ctx: run.ctx.clone(),
            object: run.object.clone(),
            naming: referrers_key(R::Kind::NAME, &run.target.namespace, &run.target.name),
            everywhere: allows || implicit.as_ref().is_some_and(|users| users.everywhere),
            countable: implicit.as_ref().is_none_or(|users| users.all),
            implicit: implicit.map(|users| users.key),
        }
    }

    fn keys(&self) -> impl Iterator<Item = &String> {
        [&self.naming].into_iter().chain(&self.implicit)
    }

    /// Whether `user` is one of them. The object's own children are not: they go with it, and it would wait for ever for those that it has
    /// to delete itself.
    fn has(&self, user: &Stored) -> bool {
        if is_child(self.object.meta(), user.meta()) || R::Kind::IMPLIED_REFERRERS && !self.is_permitted(user)
        {
            return false;
        }
        let is_implicit = || self.implicit.as_ref().is_some_and(|key| user.has_key(key));
        user.has_key(&self.naming)
            || is_implicit() && self.reconciler.is_used_by(&self.ctx, &self.object, user)
    }

    /// Whether `user` may refer to the object: anybody can write its name.
    fn is_permitted(&self, user: &Stored) -> bool {
        let ObjectKey { namespace, name, .. } = self.ctx.key();
        user.namespace() == namespace
            || user.has_key(&implied_referrers_key(R::Kind::NAME, namespace, name))
            || permits(self.object.meta().annotations.as_ref(), user.namespace())
    }

    /// Whether an object with this JSON, which can't be read, may be one of them. Of one that is nested too deep there is no spec to look
    /// at.
    fn may_have(&self, object: &Value) -> bool {
        let spec = &object["spec"];
        self.implicit.is_some() || spec.is_null() || names(spec, &self.ctx.key().name)
    }

    /// Adds an object of a list to `shown`.
    fn note(&self, read: Result<&Stored, &Value>, shown: &mut Shown) {
        let is_self = |user: &Stored| user.meta().uid == self.object.meta().uid;
        match read {
            Ok(user) if !is_self(user) && self.has(user) => shown.users.push(user.clone()),
            Ok(_) => {}
            Err(object) => shown.unreadable += usize::from(self.may_have(object)),
        }
    }
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
        self.stored_referrers(users).await
    }

    /// The first objects of each kind that may not lose this one, as far as the cache knows.
    fn known_referrers(&self, users: &Users<R>, limit: usize) -> Vec<Stored> {
        let lookup = self.ctx.lookup();
        let is_one = |user: &Stored| users.has(user);
        let first = |kind| {
            users.keys().flat_map(move |key| {
                let find = |namespace| lookup.first(Query::all(kind, namespace, key), limit, &is_one).objects;
                let (own, found) = (self.target.namespace.as_str(), find(""));
                if found.len() < limit {
                    return found;
                }
                // Those of other namespaces may come first, and only its own are told by name.
                let others = found.into_iter().filter(|user| user.namespace() != own);
                find(own).into_iter().chain(others).take(limit).collect()
            })
        };
        self.kinds_of_the_group().into_iter().flat_map(first).collect()
    }

    fn count_referrers(&self, users: &Users<R>) -> usize {
        let lookup = self.ctx.lookup();
        let count = |kind| users.keys().filter_map(|key| lookup.count(kind, key)).sum::<usize>();
        self.kinds_of_the_group().into_iter().map(count).sum()
    }

    async fn stored_referrers(&self, users: Users<R>) -> Flow<(usize, Vec<Stored>)> {
        let users = Arc::new(users);
        let namespace = if users.everywhere { "" } else { self.target.namespace.as_str() };
        let mut referrers = Vec::new();
        for kind in self.kinds_of_the_group() {
            let shown = Arc::new(Mutex::new(Shown::default()));
            let (users, noted) = (users.clone(), shown.clone());
            let visit = Box::new(move |read: Result<&Stored, &Value>| users.note(read, &mut noted.lock()));
            if let Err(error) = self.shared.list(kind, namespace, visit).await {
                return not_told(kind, &error.to_string());
            }
            let Shown { users, unreadable } = std::mem::take(&mut *shown.lock());
            if unreadable > 0 {
                return not_told(kind, &format!("{unreadable} of them can't be read"));
            }
            referrers.extend(users);
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
