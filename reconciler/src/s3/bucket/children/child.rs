//! One child of a bucket: how it is in the cluster, and how it is to be.

use std::sync::Arc;

use concierge_shared::{
    kind::Kind,
    s3::{Bucket, User},
    status::{ConditionType, Conditions},
};
use serde_json::Value;

use crate::{
    engine::{Context, Failure, Owned},
    s3::connection::Connection,
};

/// One child: how it is, and how it is to be.
pub(super) struct Child<T> {
    pub(super) name: String,
    /// How it is to be; `None` when there is to be none, or that can't be told yet.
    pub(super) wanted: Option<T>,
    pub(super) found: Owned<T>,
}

impl<T: Kind> Child<T> {
    pub(super) async fn observe(
        ctx: &Context,
        bucket: &Bucket,
        name: &str,
        wanted: Option<T>,
    ) -> Result<Self, Failure> {
        let namespace = bucket.metadata.namespace.as_deref().unwrap_or_default();
        let cached: Option<Arc<T>> = ctx.get(namespace, name);
        let belongs = |child: &T| {
            let owners = child.meta().owner_references.iter().flatten();
            owners.into_iter().any(|owner| Some(&owner.uid) == bucket.metadata.uid.as_ref())
        };
        let ends = bucket.metadata.deletion_timestamp.is_some();
        let found = match (cached, &wanted) {
            (Some(cached), Some(wanted)) if belongs(&cached) && agrees(wanted, &cached) => {
                Owned::Ours((*cached).clone())
            }
            // Nobody misses it. Before the bucket goes, this is made sure.
            (None, None) if !ends => Owned::Absent,
            _ => ctx.owned_by(bucket, name).await?,
        };
        Ok(Self { name: name.to_owned(), wanted, found })
    }

    /// The child, if it is there and was made for the bucket.
    pub(super) fn ours(&self) -> Option<&T> {
        match &self.found {
            Owned::Ours(child) => Some(child),
            Owned::Absent | Owned::Foreign(_) => None,
        }
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.ours().is_some_and(|child| child.meta().deletion_timestamp.is_some())
    }

    pub(super) fn is_ready(&self) -> bool {
        let ready = self.ours().and_then(|child| {
            let ready = child.status()?.condition(ConditionType::Ready.as_str())?;
            Some(ready.status == "True" && ready.observed_generation == child.meta().generation)
        });
        ready == Some(true)
    }

    pub(super) fn shown(&self) -> String {
        format!("{} {}", T::NAME, self.name)
    }
}

impl Child<User> {
    /// By which the bucket's policy names the user, once there is one. Services that do not tell have AWS's way of writing it.
    pub(super) fn arn(&self, to: &Connection) -> Option<String> {
        let user = self.ours().filter(|_| self.is_ready())?;
        let told = user.status.as_ref().and_then(|status| status.arn.clone());
        let account = to.provider.status.as_ref().and_then(|status| status.account_id.as_ref());
        told.or_else(|| Some(format!("arn:aws:iam::{}:user/{}", account?, user.spec.name)))
    }
}

/// Whether all that is wanted is so. What others have added stays.
pub(super) fn agrees<T: Kind>(wanted: &T, found: &T) -> bool {
    let json = |object: &T| serde_json::to_value(object.spec()).unwrap_or_default();
    includes(&json(found), &json(wanted))
}

fn includes(found: &Value, wanted: &Value) -> bool {
    match (found, wanted) {
        (Value::Object(found), Value::Object(wanted)) => {
            wanted.iter().all(|(key, wanted)| found.get(key).is_some_and(|found| includes(found, wanted)))
        }
        _ => found == wanted,
    }
}

/// `wanted` as a change of `found`, and of no other that takes its place meanwhile.
pub(super) fn of_this_version<T: Kind>(wanted: &T, found: &T) -> T {
    let mut wanted = wanted.clone();
    wanted.meta_mut().uid.clone_from(&found.meta().uid);
    wanted.meta_mut().resource_version.clone_from(&found.meta().resource_version);
    wanted
}
