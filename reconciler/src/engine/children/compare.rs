//! What there is of the children that an object wants, and which others it has.

use concierge_runtime::cache::{ApiResourceOf, ChildHealth, ChildKey, ChildSeen, project};
use concierge_shared::{child::OWNER_UID_LABEL, kind::Kind};
use futures::future::try_join_all;
use serde_json::Value;

use super::{
    diff::{Difference, differences},
    known::in_place,
    wanted::{Wanted, bears_mark, mark, target_of},
};
use crate::engine::{
    cluster::FIELD_MANAGER,
    context::{Context, guard::Owned, kubernetes},
    retry::Failure,
};

/// A child that is wanted, and what there is of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    pub wanted: Wanted,
    pub found: FoundChild,
}

/// What there is of a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundChild {
    Absent,
    /// Something of that name does not bear the owner's mark.
    Foreign,
    /// Something of that name is being deleted.
    Terminating,
    /// All that is wanted.
    Same {
        uid: String,
        health: ChildHealth,
    },
    /// Not all that is wanted.
    Differs {
        uid: String,
        health: ChildHealth,
        /// What differs; none when only something is to go that was wanted before.
        fields: Vec<Difference>,
        /// Whether it is what was applied last that somebody has changed; else it is the wish that has.
        drift: bool,
        /// Who else has set fields, the last one last; a few.
        managers: Vec<String>,
    },
}

impl Context {
    /// What there is of `wanted`, in the same order. What neither has changed nor is wanted otherwise since the last look is not read.
    ///
    /// # Errors
    /// When the API server can't be asked.
    pub async fn compare_children<K: Kind>(
        &self,
        owner: &K,
        wanted: Vec<Wanted>,
    ) -> Result<Vec<Compared>, Failure> {
        let (uid, _) = mark(owner)?;
        let uid = uid.as_str();
        try_join_all(wanted.into_iter().map(|wanted| self.compare_child(uid, wanted))).await
    }

    async fn compare_child(&self, owner_uid: &str, wanted: Wanted) -> Result<Compared, Failure> {
        if let Some(found) = self.verified(owner_uid, &wanted) {
            return Ok(Compared { wanted, found });
        }
        let found = self.shared.cluster.get(&wanted.target()).await.map_err(kubernetes)?;
        let found = match found {
            None => FoundChild::Absent,
            Some(object) if !object["metadata"]["deletionTimestamp"].is_null() => FoundChild::Terminating,
            Some(object) if !bears_mark(&object, owner_uid) => FoundChild::Foreign,
            Some(object) => self.look_at(&wanted, &object),
        };
        Ok(Compared { wanted, found })
    }

    /// The child as its watch shows it, when it was seen to be so before and to have all that is wanted.
    fn verified(&self, owner_uid: &str, wanted: &Wanted) -> Option<FoundChild> {
        let cache = &self.shared.child_cache;
        let seen = cache.find(&wanted.key).filter(|_| cache.believes(wanted.key.resource))?;
        let verified = self.shared.remembered.is_verified(&wanted.key, &wanted.digest, seen.digest);
        let is_it = verified && !seen.terminating && seen.owner_uid == owner_uid;
        is_it.then_some(FoundChild::Same { uid: seen.uid, health: seen.health })
    }

    fn look_at(&self, wanted: &Wanted, object: &Value) -> FoundChild {
        let Some((_, seen)) = project(wanted.key.resource, object) else { return FoundChild::Foreign };
        let ChildSeen { uid, health, .. } = seen;
        let fields = differences(wanted.key.resource, &wanted.object, object);
        let as_applied = wanted.was_applied(object);
        if fields.is_empty() && as_applied {
            self.shared.remembered.note_applied(wanted, object);
            return FoundChild::Same { uid, health };
        }
        FoundChild::Differs { uid, health, fields, drift: as_applied, managers: other_managers(object) }
    }

    /// The children of `owner` that are known, of all resources that its kind declares.
    ///
    /// # Errors
    /// [`Failure::Transient`] when there can be others: that nothing is seen is no reason to do anything.
    pub fn children<K: Kind>(&self, owner: &K) -> Result<Vec<(ChildKey, ChildSeen)>, Failure> {
        let (uid, _) = mark(owner)?;
        let cache = &self.shared.child_cache;
        match K::CHILDREN.iter().find(|resource| !cache.believes(**resource)) {
            Some(resource) => Err(Failure::Transient(format!(
                "the {resource} objects can't be looked up now; if that lasts, an administrator has to allow it (chart: \
                 reconciler.children)"
            ))),
            None => Ok(in_place(owner, cache.children_of(&uid))),
        }
    }

    /// The children of `owner` as the API server has them now: before its finalizer goes, no cache is believed.
    ///
    /// # Errors
    /// When one of the resources can't be listed.
    pub async fn stored_children<K: Kind>(&self, owner: &K) -> Result<Vec<(ChildKey, ChildSeen)>, Failure> {
        let (uid, _) = mark(owner)?;
        let selector = format!("{OWNER_UID_LABEL}={uid}");
        let mut children = Vec::new();
        for resource in K::CHILDREN {
            let mut visit = |object: Value| children.extend(project(*resource, &object));
            let api_resource = resource.api_resource();
            let list = self.shared.cluster.list_labelled(&api_resource, "", &selector, &mut visit);
            list.await.map_err(kubernetes)?;
        }
        Ok(in_place(owner, children))
    }

    /// The object of this name as the API server has it now, and whether it belongs to `owner`.
    ///
    /// # Errors
    /// When the API server can't be asked, or the object can't be read.
    pub async fn child<K, T>(&self, owner: &K, key: &ChildKey) -> Result<Owned<T>, Failure>
    where
        K: Kind,
        T: serde::de::DeserializeOwned,
    {
        let (uid, _) = mark(owner)?;
        let found = self.shared.cluster.get(&target_of(key)).await.map_err(kubernetes)?;
        let Some(object) = found else { return Ok(Owned::Absent) };
        let ours = bears_mark(&object, &uid);
        let object =
            serde_json::from_value(object).map_err(|_| Failure::Transient(format!("{key} can't be read")))?;
        Ok(if ours { Owned::Ours(object) } else { Owned::Foreign(object) })
    }
}

/// Who has set fields, beside us and the API server's own controllers; the last one last.
fn other_managers(object: &Value) -> Vec<String> {
    const FEW: usize = 3;
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    let mut others: Vec<_> = entries
        .filter(|entry| entry["subresource"].is_null())
        .map(|entry| {
            (entry["time"].as_str().unwrap_or_default(), entry["manager"].as_str().unwrap_or_default())
        })
        .filter(|(_, manager)| !manager.is_empty() && *manager != FIELD_MANAGER)
        .collect();
    others.sort_unstable();
    let skipped = others.len().saturating_sub(FEW);
    others.into_iter().skip(skipped).map(|(_, manager)| manager.chars().take(64).collect()).collect()
}

/// True when somebody else has set fields of `object`.
pub(super) fn has_other_managers(object: &Value) -> bool {
    !other_managers(object).is_empty()
}
