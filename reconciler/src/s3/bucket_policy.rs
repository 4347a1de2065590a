//! A bucket's policy: on the bucket's real name, compared by what it says, never one that shuts us out.

use std::{fmt, sync::Arc};

use concierge_shared::{
    admission::reference::Reference,
    s3::{
        Bucket, BucketPolicy, BucketPolicyStatus,
        policy::{PolicyKind, same},
    },
    status::{ConditionReason, ConditionType, Conditions},
};
use jiff::Timestamp;
use kube::Resource;

use super::{
    bucket::owner_now,
    connection::{Connection, Found, Providers},
};
use crate::{
    aws::another_document,
    common::standing::last_look,
    engine::{Account, Context, Deletion, Drift, Failure, Guard, Outcome, Owner, Plan, Reconcile},
};

pub(super) struct BucketPolicyReconciler(pub(super) Providers);

/// Where the policy is to be; `None` when the bucket is gone, and the policy with it.
pub(super) struct Remote(Option<(Connection, Arc<Bucket>)>);

pub(super) struct Observed {
    /// The bucket's name at the provider; `None` when there is none.
    bucket: Option<String>,
    found: Found<String>,
    /// Why the bucket is another than the one of its Bucket. Asked for only before its policy is changed.
    foreign: Option<String>,
    /// Whether the Bucket still permits the policy: while it does not, what is at the bucket is not kept as the spec says.
    permitted: bool,
    at: Timestamp,
}

pub(super) enum Step {
    Put { bucket: String, replaces: bool },
    Delete(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Put { bucket, .. } => write!(f, "set the policy of bucket {bucket}"),
            Step::Delete(bucket) => write!(f, "delete the policy of bucket {bucket}"),
        }
    }
}

impl Reconcile for BucketPolicyReconciler {
    type Kind = BucketPolicy;
    type Remote = Remote;
    type Observed = Observed;
    type Step = Step;
    const LEGACY_FINALIZERS: &'static [&'static str] = super::LEGACY_FINALIZERS;

    async fn connect(&self, ctx: &Context, policy: &BucketPolicy) -> Result<(Account, Remote), Failure> {
        let namespace = policy.meta().namespace.as_deref().unwrap_or_default();
        let reference = &policy.spec.bucket_ref;
        let goes = policy.meta().deletion_timestamp.is_some();
        let bucket = match permitting(ctx, policy) {
            None if goes => unpermitted(ctx, policy)?,
            bucket => bucket,
        };
        let Some(bucket) = bucket else {
            if goes {
                return Ok((Account::none(), Remote(None)));
            }
            let name = format!("{}/{}", reference.namespace_in(namespace), reference.name);
            return Err(Failure::DependencyMissing(format!(
                "Bucket {name} does not exist, or does not allow references from namespace {namespace}"
            )));
        };
        let (account, connection) = self.0.connect(ctx, &*bucket).await?;
        Ok((account, Remote(Some((connection.in_region(bucket.region()), bucket)))))
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Remote,
        policy: &BucketPolicy,
    ) -> Result<Observed, Failure> {
        let at = ctx.now();
        let Some((to, bucket)) = &remote.0 else {
            return Ok(Observed { bucket: None, found: Found::Missing, foreign: None, permitted: false, at });
        };
        let found = find(ctx, to, bucket).await?;
        let foreign = match is_about_to_change(policy, &found) {
            true => foreign(ctx, to, bucket).await?,
            false => None,
        };
        let permitted = permitting(ctx, policy).is_some();
        Ok(Observed { bucket: Some(bucket.spec.name.clone()), found, foreign, permitted, at })
    }

    /// A policy that somebody else has written is left alone.
    fn owner(&self, policy: &BucketPolicy, observed: &Observed) -> Owner {
        let was_kept = was_applied(policy) && observed.permitted;
        match &observed.found {
            Found::Present(found) if !was_kept && !says_the_same(policy, found) => {
                Owner::Other("the bucket has a policy already that Concierge did not make".to_owned())
            }
            _ => Owner::Ours,
        }
    }

    fn plan(&self, policy: &BucketPolicy, observed: &Observed, _now: Timestamp) -> Plan<Step> {
        let Some(bucket) = &observed.bucket else {
            return Plan::not_ready(ConditionReason::ReferencesMissing, "the bucket is gone");
        };
        if let Some(why) = &observed.foreign {
            return Plan::not_ready(ConditionReason::OwnedByOther, why.clone());
        }
        let not_yet =
            || Plan::not_ready(ConditionReason::Reconciling, "the bucket does not have the policy yet");
        match &observed.found {
            Found::Present(found) if says_the_same(policy, found) => Plan::ready(),
            Found::Present(_) => {
                let drift = Drift::new("spec.policy", "another policy", "as specified");
                not_yet().correct(Step::Put { bucket: bucket.clone(), replaces: true }, [drift])
            }
            Found::Missing => {
                let drift = Drift::new("spec.policy", "no policy", "as specified");
                not_yet().correct(Step::Put { bucket: bucket.clone(), replaces: false }, [drift])
            }
            Found::Unsupported(why) => Plan::not_ready(ConditionReason::Unsupported, why.clone())
                .unsupported("spec.policy", why.clone()),
            Found::Denied(why) => Plan::not_ready(ConditionReason::Refused, why.clone()),
        }
    }

    async fn act(
        &self,
        guard: &Guard,
        remote: &Remote,
        policy: &BucketPolicy,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        let Some((to, _)) = &remote.0 else {
            return Err(Failure::DependencyMissing("the bucket is gone".into()));
        };
        let s3 = &to.clients.s3;
        match step {
            Step::Put { bucket, replaces } => {
                let text = policy.spec.document().unwrap_or_default();
                let call = s3.put_bucket_policy().bucket(bucket).policy(text).send();
                to.write(guard, "PutBucketPolicy", call).await?;
                let (reason, done) = match replaces {
                    true => (ConditionReason::Updated, "replaced"),
                    false => (ConditionReason::Created, "set"),
                };
                Ok(Outcome::new(reason, format!("{done} the policy of bucket {bucket}")))
            }
            Step::Delete(bucket) => {
                to.write(guard, "DeleteBucketPolicy", s3.delete_bucket_policy().bucket(bucket).send())
                    .await?;
                Ok(Outcome::new(ConditionReason::Deleted, format!("deleted the policy of bucket {bucket}")))
            }
        }
    }

    fn plan_deletion(&self, policy: &BucketPolicy, observed: &Observed, _now: Timestamp) -> Deletion<Step> {
        let Some(bucket) = &observed.bucket else { return Deletion::Gone };
        if let Some(why) = &observed.foreign {
            return Deletion::Left(why.clone());
        }
        let untold =
            |why: &str| format!("it can't be told whether bucket {bucket} still has the policy: {why}");
        match &observed.found {
            Found::Present(_) => Deletion::steps([Step::Delete(bucket.clone())]),
            Found::Denied(why) => Deletion::Blocked(ConditionReason::Refused, untold(why)),
            Found::Unsupported(why) if was_applied(policy) => {
                Deletion::Blocked(ConditionReason::Unsupported, untold(why))
            }
            Found::Missing | Found::Unsupported(_) => Deletion::Gone,
        }
    }

    fn report(&self, policy: &BucketPolicy, observed: &Observed, status: &mut BucketPolicyStatus) {
        if observed.foreign.is_some() {
            return;
        }
        let applied = match &observed.found {
            Found::Present(found) => says_the_same(policy, found),
            Found::Missing | Found::Unsupported(_) => false,
            Found::Denied(_) => return,
        };
        // Once it was applied, what is there instead is drift, and no other's.
        let changed = status.applied != Some(applied);
        status.applied = Some(applied || was_applied(policy) && observed.found != Found::Missing);
        if applied {
            last_look(&mut status.last_sync_time, observed.at, changed);
        }
    }

    fn needs_ready(&self, policy: &BucketPolicy, _reference: &Reference) -> bool {
        !policy.status.as_ref().is_some_and(|status| status.is_true(ConditionType::Ready.as_str()))
    }
}

/// The Bucket of a policy, which permits it.
fn permitting(ctx: &Context, policy: &BucketPolicy) -> Option<Arc<Bucket>> {
    let namespace = policy.meta().namespace.as_deref().unwrap_or_default();
    policy.spec.bucket_ref.visible(ctx.lookup(), namespace)
}

/// The Bucket of a policy that goes, although it no longer permits the policy: what was set while it did is taken away. `None` when it is
/// gone, or never had the policy.
fn unpermitted(ctx: &Context, policy: &BucketPolicy) -> Result<Option<Arc<Bucket>>, Failure> {
    let reference = &policy.spec.bucket_ref;
    let namespace = reference.namespace_in(policy.meta().namespace.as_deref().unwrap_or_default());
    let bucket = ctx.find::<Bucket>(namespace, &reference.name)?;
    Ok(bucket.filter(|_| was_applied(policy)))
}

/// The bucket's policy.
async fn find(ctx: &Context, to: &Connection, bucket: &Bucket) -> Result<Found<String>, Failure> {
    if to.provider.spec.said_of(|all| all.bucket_policy, &[]) == Some(false) {
        return Ok(Found::Unsupported("the provider has no policies of buckets".to_owned()));
    }
    let call = to.clients.s3.get_bucket_policy().bucket(&bucket.spec.name).send();
    let found = to.ask(ctx, "GetBucketPolicy", &["NoSuchBucketPolicy"], call).await;
    let found = match found {
        // A bucket that is gone has no policy; to make one there is a matter of the Bucket's.
        Err(Failure::DependencyMissing(_)) if bucket.meta().deletion_timestamp.is_some() => Found::Missing,
        found => found?.map(|found| found.policy().unwrap_or_default().to_owned()),
    };
    Ok(match found {
        Found::Present(text) if text.trim().is_empty() => Found::Missing,
        // A service that does not know policies lists the bucket instead, and would delete the bucket itself.
        Found::Present(text) if !text.trim_start().starts_with('{') => {
            Found::Unsupported(another_document("GetBucketPolicy"))
        }
        found => found,
    })
}

/// Whether the policy is about to be set, or deleted.
fn is_about_to_change(policy: &BucketPolicy, found: &Found<String>) -> bool {
    let goes = policy.meta().deletion_timestamp.is_some();
    match found {
        Found::Present(found) => goes || !says_the_same(policy, found),
        Found::Missing => !goes,
        Found::Unsupported(_) | Found::Denied(_) => false,
    }
}

/// Why the bucket is not the one that its Bucket made, or took over.
async fn foreign(ctx: &Context, to: &Connection, bucket: &Bucket) -> Result<Option<String>, Failure> {
    let name = &bucket.spec.name;
    Ok(match owner_now(ctx, to, bucket).await? {
        Owner::Other(why) => {
            Some(format!("bucket {name} is not the one of its Bucket ({why}); nothing is done to its policy"))
        }
        Owner::Ours | Owner::Nobody => None,
    })
}

fn was_applied(policy: &BucketPolicy) -> bool {
    policy.status.as_ref().is_some_and(|status| status.applied == Some(true))
}

/// Whether the bucket's policy says what the spec says; services rewrite what they are given.
fn says_the_same(policy: &BucketPolicy, found: &str) -> bool {
    policy.spec.document().is_some_and(|wanted| same(&wanted, found, PolicyKind::Bucket))
}
