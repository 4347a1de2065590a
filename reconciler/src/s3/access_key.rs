//! An access key: made at most once, kept in a Secret that was there before, and replaced with an overlap.
//!
//! The service shows a key's secret half once. A key of which it was lost on the way is deleted, and another one is made. A user has room
//! for two keys, so there is one slot for the key that is used and one for that before it; a key that this object did not make is never
//! touched, whatever it is in the way of.

mod observe;
mod plan;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    sync::Arc,
    time::Duration,
};

use aws_sdk_iam::types;
use concierge_shared::{
    admission::reference::Reference,
    s3::{AccessKey, AccessKeyStatus, User},
    status::{ConditionReason, ConditionType, Conditions, intent::Intent},
};
use jiff::Timestamp;
use kube::Resource;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::{
    connection::{Connection, Found, Providers},
    iam::{self, MISSING},
    user::identity,
};
use crate::{
    aws::Answered,
    common::{minted, standing::written},
    engine::{
        Account, Context, Deletion, Effect, Failure, Guard, IfFound, IfNotFound, Outcome, Plan, Reconcile,
        SecretSpec, UnknownPolicy,
    },
};

/// The operation's name in intents.
const CREATE: &str = "CreateAccessKey";
/// How long the service may go on listing a key that it has deleted.
const FORGOTTEN: Duration = Duration::from_secs(3600);

pub(super) struct AccessKeyReconciler {
    providers: Providers,
    /// The ids of keys of which the service has confirmed that they are gone.
    removed: Arc<Mutex<HashMap<String, Instant>>>,
}

/// Where the key is to be.
pub(super) struct Remote {
    to: Connection,
    /// The user's name at the provider.
    user: String,
    /// The id that its User has recorded, when that is in order. For a user that is gone, or another's by now, no keys are made.
    user_id: Option<String>,
}

/// The keys of a user, and the Secret.
pub(super) struct Observed {
    user: String,
    user_is_ready: bool,
    /// Those that are not known to be gone.
    keys: Found<Vec<Key>>,
    secret: Kept,
    /// What to call the keys that other AccessKeys have made.
    others: BTreeMap<String, String>,
    /// The recorded keys of which the service has confirmed that they are gone.
    removed: BTreeSet<String>,
    at: Timestamp,
}

/// A key as the service lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Key {
    id: String,
    active: bool,
    created: Option<Timestamp>,
}

/// What is in the Secret: the id of a whole key, if there is one.
enum Kept {
    Absent,
    Ours(Option<String>),
    /// The Secret is somebody else's.
    Foreign(Option<String>),
}

pub(super) enum Step {
    Reserve,
    Make,
    Delete(String),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Reserve => f.write_str("reserve the Secret"),
            Step::Make => f.write_str("make an access key"),
            Step::Delete(id) => write!(f, "delete access key {id}"),
        }
    }
}

impl AccessKeyReconciler {
    pub(super) fn new(providers: Providers) -> Self {
        Self { providers, removed: Arc::default() }
    }

    fn is_removed(&self, id: &str) -> bool {
        self.removed.lock().contains_key(id)
    }

    async fn make(&self, guard: &Guard, remote: &Remote, key: &AccessKey) -> Result<Outcome, Failure> {
        let Remote { to, user, .. } = remote;
        remote.check_user(guard).await?;
        let (secret, now) = (secret_name(key), guard.now());
        let call = iam::client(to)?.create_access_key().user_name(user);
        let call = async {
            let error = match Box::pin(call.send()).await {
                Ok(made) => {
                    return made
                        .access_key
                        .ok_or_else(|| Failure::Ambiguous(format!("{CREATE} was answered without a key")));
                }
                Err(error) => error,
            };
            match Answered::of(&error).and_then(|answered| answered.code) {
                Some("LimitExceeded") => Err(Failure::Invalid(plan::no_room(user, ""))),
                _ => Err(to.failure(CREATE, &error, now)),
            }
        };
        let made: types::AccessKey = guard.write(CREATE, call).await?;
        let id = made.access_key_id();
        to.note_new_key(id);
        let data = [
            (AccessKey::SECRET_ID, id.as_bytes()),
            (AccessKey::SECRET_KEY, made.secret_access_key().as_bytes()),
        ];
        guard.fill_secret(key, &secret, &SecretSpec::of(&data)).await?;
        Ok(Outcome::made(id, format!("made access key {id} of user {user} into Secret {secret}")))
    }

    /// What the service does not find is gone, unless it `may_be_late`: one that lists a new key late may find it late too.
    async fn delete(
        &self,
        guard: &Guard,
        remote: &Remote,
        id: &str,
        may_be_late: bool,
    ) -> Result<(), Failure> {
        let call = iam::client(&remote.to)?.delete_access_key().user_name(&remote.user).access_key_id(id);
        let done = remote.to.write(guard, "DeleteAccessKey", call.send()).await;
        match may_be_late {
            true => drop(done?),
            false => iam::gone(done)?,
        }
        let mut removed = self.removed.lock();
        removed.retain(|_, at| at.elapsed() < FORGOTTEN);
        removed.insert(id.to_owned(), Instant::now());
        Ok(())
    }
}

impl Remote {
    /// Makes sure that the user is still the one that its User has made: the User may not have looked since another took its name.
    async fn check_user(&self, ctx: &Context) -> Result<(), Failure> {
        let call = iam::client(&self.to)?.get_user().user_name(&self.user).send();
        let found = self.to.ask(ctx, "GetUser", MISSING, call).await?;
        let found = found.present().and_then(|found| found.user()).map(identity);
        match found.is_some() && found == self.user_id {
            true => Ok(()),
            false => Err(Failure::DependencyMissing(format!(
                "user {} at the provider is not the one that the User has made; see there",
                self.user
            ))),
        }
    }
}

impl Reconcile for AccessKeyReconciler {
    type Kind = AccessKey;
    type Remote = Remote;
    type Observed = Observed;
    type Step = Step;
    const LEGACY_FINALIZERS: &'static [&'static str] = super::LEGACY_FINALIZERS;

    async fn connect(&self, ctx: &Context, key: &AccessKey) -> Result<(Account, Remote), Failure> {
        let namespace = key.meta().namespace.as_deref().unwrap_or_default();
        let user: Option<Arc<User>> =
            key.spec.user_ref.as_ref().and_then(|user| user.visible(ctx.lookup(), namespace));
        let status = user.as_ref().and_then(|user| user.status.as_ref());
        let ready = status.filter(|status| status.is_true(ConditionType::Ready.as_str()));
        let user_id = ready.and_then(|status| status.user_id.clone());
        let recorded = || key.status.as_ref()?.user_name.clone();
        let user = user.map(|user| user.spec.name.clone()).or_else(recorded).ok_or_else(|| {
            Failure::DependencyMissing(format!(
                "the User does not exist, or does not allow references from namespace {namespace}"
            ))
        })?;
        let (account, to) = self.providers.connect_to_iam(ctx, key).await?;
        Ok((account, Remote { to, user, user_id }))
    }

    async fn observe(&self, ctx: &Context, remote: &Remote, key: &AccessKey) -> Result<Observed, Failure> {
        observe::observe(self, ctx, remote, key).await
    }

    fn plan(&self, key: &AccessKey, observed: &Observed, now: Timestamp) -> Plan<Step> {
        plan::plan(key, observed, now)
    }

    async fn act(
        &self,
        guard: &Guard,
        remote: &Remote,
        key: &AccessKey,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        match step {
            Step::Reserve => minted::reserve(guard, key, &secret_name(key)).await,
            Step::Make => self.make(guard, remote, key).await,
            Step::Delete(id) => {
                self.delete(guard, remote, id, plan::may_be_late(key, id, guard.now())).await?;
                let message = format!("deleted access key {id} of user {}", remote.user);
                Ok(Outcome::new(ConditionReason::Deleted, message))
            }
        }
    }

    fn plan_deletion(&self, key: &AccessKey, observed: &Observed, _: Timestamp) -> Deletion<Step> {
        plan::plan_deletion(key, observed)
    }

    fn report(&self, key: &AccessKey, observed: &Observed, status: &mut AccessKeyStatus) {
        plan::report(key, observed, status);
    }

    fn record(&self, intent: &Intent, id: &str, status: &mut AccessKeyStatus) {
        let before = status.access_key_id.replace(id.to_owned());
        status.previous_access_key_id = before.filter(|before| before != id);
        status.created = Some(true);
        // A key that is taken over after a restore is as old as the service says, and not listed late.
        if intent.operation == CREATE {
            status.last_rotate_time = intent.created_at.parse().ok().map(written);
        }
        status.last_rotate_request = status.rotate_request.take().or(status.last_rotate_request.take());
    }

    fn recorded(&self, status: &AccessKeyStatus) -> Vec<String> {
        status.key_ids().map(str::to_owned).collect()
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        remote: &Remote,
        key: &AccessKey,
        intent: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        observe::effects(self, ctx, remote, key, intent).await
    }

    async fn discard(
        &self,
        guard: &Guard,
        remote: &Remote,
        _: &AccessKey,
        _: &Intent,
        id: &str,
    ) -> Result<(), Failure> {
        self.delete(guard, remote, id, false).await
    }

    /// The secret half of what is found was in the answer that never came.
    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        UnknownPolicy { looks: 3, if_not_found: IfNotFound::Retry, if_found: IfFound::Discard }
    }

    /// A key stays as it was last seen while its Provider does not answer.
    fn needs_ready(&self, key: &AccessKey, _reference: &Reference) -> bool {
        !key.status.as_ref().is_some_and(|status| status.is_true(ConditionType::Ready.as_str()))
    }
}

fn secret_name(key: &AccessKey) -> String {
    key.secret_name().unwrap_or_default()
}
