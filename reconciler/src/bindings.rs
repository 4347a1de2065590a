//! The RoleBindings that give us our rights in a namespace last as long as our objects there.
//!
//! When a namespace is deleted, its RoleBindings go at once, together with everything else that has no finalizer. Without
//! them we could no longer read the credentials with which remote things are removed, nor take our finalizers off: the
//! namespace would never end. So the bindings bear a finalizer as long as any object in their namespace bears ours. It is
//! ours to take off again: an update that changes finalizers alone gives nobody more rights, and is allowed.

use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use concierge_runtime::cache::Cache;
use concierge_shared::{
    admission::lookup::Lookup,
    index::Stored,
    kind::{Kind, Visitor, visit_kinds},
};
use k8s_openapi::{api::rbac::v1::RoleBinding, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use serde_json::json;
use tokio::{
    sync::watch,
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;

use crate::engine::{annotation::FINALIZER, lease::Term};

/// How often the cache is asked whether objects came or went.
const LOOK: Duration = Duration::from_secs(1);
/// How often a binding is read although nothing changed: somebody may have deleted it.
const READ: Duration = Duration::from_secs(10);

/// A RoleBinding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Binding {
    namespace: String,
    name: String,
}

impl FromStr for Binding {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('/') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self { namespace: namespace.to_owned(), name: name.to_owned() })
            }
            _ => Err("write a namespace and a name, as in shop/concierge-secrets"),
        }
    }
}

pub(crate) struct Bindings {
    client: Client,
    cache: Arc<Cache>,
    term: watch::Receiver<Option<Term>>,
    /// Each with whether it was last seen to be needed, and when.
    bindings: BTreeMap<Binding, Option<(bool, Instant)>>,
}

/// The namespaces with objects that bear our finalizer.
struct Occupied<'a> {
    cache: &'a Cache,
    namespaces: BTreeSet<String>,
    /// False while objects of some kind can't be seen.
    complete: bool,
}

impl Visitor for Occupied<'_> {
    fn visit<K: Kind>(&mut self) {
        self.complete &= self.cache.believes(K::NAME);
        let all = self.cache.all(K::NAME);
        let ours = all.iter().map(Stored::meta).filter(|meta| bears_finalizer(meta));
        self.namespaces.extend(ours.filter_map(|meta| meta.namespace.clone()));
    }
}

impl Bindings {
    pub(crate) fn new(
        client: Client,
        cache: Arc<Cache>,
        term: watch::Receiver<Option<Term>>,
        bindings: Vec<Binding>,
    ) -> Self {
        let bindings = bindings.into_iter().map(|binding| (binding, None)).collect();
        Self { client, cache, term, bindings }
    }

    /// Looks after the bindings while this process leads, until `closed`.
    pub(crate) async fn keep(mut self, closed: CancellationToken) {
        if self.bindings.is_empty() {
            return;
        }
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while closed.run_until_cancelled(look.tick()).await.is_some() {
            if self.term.borrow().is_some() {
                self.look().await;
            }
        }
    }

    async fn look(&mut self) {
        let mut occupied = Occupied { cache: &self.cache, namespaces: BTreeSet::new(), complete: true };
        visit_kinds(&mut occupied);
        let Occupied { namespaces, complete, .. } = occupied;
        for (binding, seen) in &mut self.bindings {
            let needed = namespaces.contains(&binding.namespace);
            let fresh = seen.is_some_and(|(before, at)| before == needed && at.elapsed() < READ);
            // Objects that can't be seen may be there.
            if fresh || !needed && !complete {
                continue;
            }
            let ending = self.cache.namespace(&binding.namespace).terminating;
            match settle(&self.client, binding, needed, ending).await {
                Ok(()) => *seen = Some((needed, Instant::now())),
                Err(error) => {
                    let (namespace, name) = (&binding.namespace, &binding.name);
                    tracing::warn!(namespace, name, %error, "the RoleBinding can't be kept for as long as it is needed");
                    // Not before the next reading: a right that is missing would be asked for every second.
                    *seen = Some((needed, Instant::now()));
                }
            }
        }
    }
}

/// Puts our finalizer on the binding, or takes it off.
async fn settle(client: &Client, binding: &Binding, needed: bool, ending: bool) -> Result<(), kube::Error> {
    let api: Api<RoleBinding> = Api::namespaced(client.clone(), &binding.namespace);
    let Some(found) = api.get_opt(&binding.name).await? else { return Ok(()) };
    let Some(finalizers) = change(&found.metadata, needed, ending) else { return Ok(()) };
    let metadata = json!({"resourceVersion": found.metadata.resource_version, "finalizers": finalizers});
    let patch = Patch::Merge(json!({ "metadata": metadata }));
    match api.patch_metadata(&binding.name, &PatchParams::default(), &patch).await {
        Ok(_) => Ok(()),
        // Somebody else wrote it, or it is gone: it is read again.
        Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => Ok(()),
        Err(error) => Err(error),
    }
}

/// The finalizers that the binding is to have; `None` when it has them. A binding that is deleted while its namespace is
/// not was taken away by a person, whose word counts.
fn change(meta: &ObjectMeta, needed: bool, ending: bool) -> Option<Vec<String>> {
    let (has, deleted) = (bears_finalizer(meta), meta.deletion_timestamp.is_some());
    let wanted = needed && (!deleted || ending);
    let mut finalizers = meta.finalizers.clone().unwrap_or_default();
    match (has, wanted) {
        (true, false) => finalizers.retain(|one| one != FINALIZER),
        // What is being deleted takes no new finalizer.
        (false, true) if !deleted => finalizers.push(FINALIZER.to_owned()),
        _ => return None,
    }
    Some(finalizers)
}

fn bears_finalizer(meta: &ObjectMeta) -> bool {
    meta.finalizers.iter().flatten().any(|one| one == FINALIZER)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is to become of a binding: `Some(true)` to be marked, `Some(false)` to be let go, `None` left alone.
    fn check(marked: bool, deleted: bool, needed: bool, ending: bool, expect: Option<bool>) {
        let finalizers: Vec<_> =
            ["example.com/other", FINALIZER].into_iter().take(1 + usize::from(marked)).collect();
        let mut meta = json!({"name": "concierge-secrets", "finalizers": finalizers});
        if deleted {
            meta["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        let meta: ObjectMeta = serde_json::from_value(meta).unwrap();
        let found = change(&meta, needed, ending);
        assert!(found.iter().all(|left| left[0] == "example.com/other"));
        assert_eq!(found.map(|left| left.len() == 2), expect, "{marked} {deleted} {needed} {ending}");
    }

    #[test]
    fn a_binding_lasts_as_long_as_objects_need_it() {
        check(false, false, true, false, Some(true));
        check(true, false, true, false, None);
        check(true, false, false, false, Some(false));
        check(false, false, false, false, None);
    }

    #[test]
    fn in_a_namespace_that_ends_it_waits_for_the_objects() {
        check(true, true, true, true, None);
        check(true, true, false, true, Some(false));
        check(false, true, true, true, None);
    }

    #[test]
    fn one_that_an_operator_takes_away_goes() {
        check(true, true, true, false, Some(false));
    }

    #[test]
    fn a_binding_is_named_with_its_namespace() {
        let read = |text: &str| text.parse::<Binding>().map(|it| (it.namespace, it.name)).ok();
        assert_eq!(read("shop/concierge-secrets"), Some(("shop".into(), "concierge-secrets".into())));
        for wrong in ["concierge-secrets", "/x", "x/", "a/b/c"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
