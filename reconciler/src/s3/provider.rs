//! A provider: whether it answers, whether it takes the access key, and whose that is.

use std::{convert::Infallible, sync::Arc};

use concierge_shared::{
    admission::reference::referrers_key,
    kind::Kind,
    s3::{AccessKey, Bucket, IAMPolicy, Provider, ProviderStatus, User, policy::Profile},
    status::{ConditionReason, ConditionType, Conditions},
};
use jiff::Timestamp;

use super::{
    connection::{Connection, Found, Providers, secrets_of, unanswered},
    iam,
};
use crate::aws::{Caller, Sts, another_document};
use crate::common::standing::last_look;
use crate::engine::{
    Account, Checks, Context, Deletion, Failure, Guard, ObjectKey, Outcome, Plan, Reconcile,
    annotation::{self, ADOPT},
};

/// The condition that tells whether the access key is taken.
const AUTH: &str = "AuthValid";
/// The condition that tells whether the service answers.
const REACHABLE: &str = "EndpointReachable";
/// How often it is looked at while nothing changes: a key that is withdrawn is noticed at the next look.
const LOOK: std::time::Duration = std::time::Duration::from_secs(120);
/// The longest wait while the service does not answer. With a call that it leaves hanging, the end of an outage is seen within ten seconds.
const WAIT: std::time::Duration = std::time::Duration::from_secs(3);
/// How long a service is left alone that asks for patience and does not say for how long.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(30);
/// The call that tells whether the service answers.
const LIST: &str = "ListBuckets";
/// How soon Secrets that were not accepted are looked at again. The service is not asked for it.
const MENDED: std::time::Duration = std::time::Duration::from_secs(10);

pub(super) struct ProviderReconciler(pub(super) Providers);

pub(super) enum Observed {
    /// It is being deleted, and nobody uses it any more.
    Leaving,
    /// Credentials are missing: the service was not asked.
    NotAsked(String),
    /// The service refuses the access key.
    Refused,
    Open(Open),
}

pub(super) struct Open {
    /// The account's id.
    account: Option<String>,
    /// As whom the service knows us.
    caller: Option<String>,
    /// Why what was made through the object can't be looked for there.
    elsewhere: Option<Elsewhere>,
    at: Timestamp,
}

/// Where what was made through the object is, when it is not where the Provider leads now.
struct Elsewhere {
    /// The word in the condition.
    word: &'static str,
    message: String,
}

impl Reconcile for ProviderReconciler {
    type Kind = Provider;
    /// `Err` with why the service can't be asked; `None` when it need not be.
    type Remote = Option<Result<Connection, String>>;
    type Observed = Observed;
    type Step = Infallible;
    const LEGACY_FINALIZERS: &'static [&'static str] = super::LEGACY_FINALIZERS;
    const NEEDS_SECRETS: bool = true;

    async fn connect(&self, ctx: &Context, provider: &Provider) -> Result<(Account, Self::Remote), Failure> {
        if provider.metadata.deletion_timestamp.is_some() {
            let key = ctx.key();
            self.0.forget(&format!("{}/{}", key.namespace, key.name));
            return Ok((Account::none(), None));
        }
        match self.0.open(ctx, &Arc::new(provider.clone())).await {
            Ok((account, connection)) => Ok((account, Some(Ok(connection)))),
            Err(Failure::DependencyMissing(message) | Failure::Invalid(message)) => {
                Ok((Account::none(), Some(Err(message))))
            }
            Err(failure) => Err(failure),
        }
    }

    async fn observe(
        &self,
        ctx: &Context,
        remote: &Self::Remote,
        provider: &Provider,
    ) -> Result<Observed, Failure> {
        let connection = match remote {
            None => return Ok(Observed::Leaving),
            Some(Err(message)) => return Ok(Observed::NotAsked(message.clone())),
            Some(Ok(connection)) => connection,
        };
        let mut open = match look(ctx, connection).await {
            Ok(open) => open,
            Err(Failure::Auth(_)) => return Ok(Observed::Refused),
            // It is asked every few seconds only while it does not answer.
            Err(Failure::Throttled { message, retry_after }) => {
                let wait = retry_after.unwrap_or(PATIENCE);
                return Err(Failure::Throttled { message, retry_after: Some(wait) });
            }
            Err(failure) => return Err(failure),
        };
        open.elsewhere = match other_account(provider, &open) {
            Some(elsewhere) => Some(elsewhere),
            None => other_service(ctx, provider)?,
        };
        match open.elsewhere {
            Some(_) => connection.disprove(),
            None => connection.prove(),
        }
        if provider.status.as_ref().is_none_or(|status| status.connected != Some(true)) {
            connection.known().forget_service(&connection.digest);
        }
        Ok(Observed::Open(open))
    }

    fn plan(&self, provider: &Provider, observed: &Observed, _now: Timestamp) -> Plan<Infallible> {
        let wrong = |reason, word, message: &str| {
            Plan::not_ready(reason, message).look_again(MENDED).condition(AUTH, false, word, message)
        };
        let open = match observed {
            Observed::Leaving => return Plan::not_ready(ConditionReason::Deleting, "is being deleted"),
            Observed::NotAsked(message) => return wrong(ConditionReason::Invalid, "Missing", message),
            Observed::Refused => {
                let message =
                    format!("the service refuses the access key in {}; correct it", keys_of(provider));
                return wrong(ConditionReason::Unauthorised, "Refused", &message);
            }
            Observed::Open(open) => open,
        };
        if let Some(Elsewhere { word, message }) = &open.elsewhere {
            return wrong(ConditionReason::OwnedByOther, word, message);
        }
        let whose = open.caller.as_ref().map(|caller| format!("of {caller}")).unwrap_or_default();
        Plan::ready().condition(AUTH, true, "Accepted", whose).condition(REACHABLE, true, "Answered", "")
    }

    async fn act(
        &self,
        _: &Guard,
        _: &Self::Remote,
        _: &Provider,
        step: &Infallible,
    ) -> Result<Outcome, Failure> {
        match *step {}
    }

    fn plan_deletion(&self, _: &Provider, _: &Observed, _now: Timestamp) -> Deletion<Infallible> {
        Deletion::Gone
    }

    fn report(&self, provider: &Provider, observed: &Observed, status: &mut ProviderStatus) {
        let Observed::Open(open) = observed else { return };
        if open.elsewhere.is_some() {
            return;
        }
        let before = status.clone();
        status.service = provider.spec.service();
        status.iam_service = provider.spec.iam_service().or(status.iam_service.take());
        status.account_id = open.account.clone().or(status.account_id.take());
        let told = status.caller_arn.take().filter(|_| was_told(provider));
        status.caller_arn = open.caller.clone().or(told);
        let changed = before != *status || status.connected != Some(true);
        last_look(&mut status.last_connect_time, open.at, changed);
    }

    fn phase(&self, provider: &Provider, _: &Checks, status: &mut ProviderStatus) {
        let Some(synced) = status.condition(ConditionType::Synced.as_str()).cloned() else { return };
        let silent = [ConditionReason::Transient, ConditionReason::NeverSent];
        let silent = synced.status == "False" && silent.iter().any(|reason| reason.as_str() == synced.reason);
        // One that asks for patience has answered: nobody is woken to ask for more.
        if synced.reason != ConditionReason::Throttled.as_str() {
            status.connected = Some(synced.status == "True" && status.is_true(AUTH));
        }
        if silent {
            // What set the condition just now did not come so far as to say when.
            let now = synced.last_transition_time.0;
            let generation = provider.metadata.generation;
            status.set(REACHABLE, false, "NoAnswer", &synced.message, generation, now);
        }
    }

    fn secrets(&self, provider: &Provider) -> Vec<(String, String)> {
        secrets_of(provider)
    }

    /// Those that use it are woken when the service answers again.
    fn exports(&self, provider: &Provider) -> Vec<String> {
        let status = provider.status.clone().unwrap_or_default();
        vec![format!("{:?}", status.connected), status.account_id.unwrap_or_default()]
    }

    /// Many wait to hear from it that the service answers again.
    fn longest_back_off(&self) -> std::time::Duration {
        WAIT
    }

    fn resync(&self, _: &Provider) -> std::time::Duration {
        LOOK
    }
}

/// Whether S3 answers and takes the key, whose that is, and whether IAM answers where others wait for it. While IAM or STS alone
/// is away, that is probed every few seconds, and S3 is asked no oftener than in an outage.
async fn look(ctx: &Context, connection: &Connection) -> Result<Open, Failure> {
    let clients = &connection.clients;
    let part = |account| ctx.elsewhere(account).probe_if_edited();
    let (iam, sts) = (part(&connection.iam), part(&connection.sts));
    let is_quiet = (iam.is_silent() || sts.is_silent()) && !ctx.is_silent();
    let heard = connection.heard().filter(|_| is_quiet && !ctx.is_edited());
    let owner = match heard {
        Some(owner) => owner,
        None => or_probe(ctx, clients.probe(), || owner(ctx, connection)).await?,
    };
    if iam.is_silent() {
        or_probe(&iam, clients.probe_iam(), || iam_answers(&iam, connection)).await?;
    }
    or_probe(&sts, clients.probe_sts(), || open(&sts, connection, owner.clone())).await
}

/// What `ask` finds out. While the service does not answer the account's calls, it is probed too, which tells sooner than the next of
/// them that it is back.
async fn or_probe<T, A: Future<Output = Result<T, Failure>>>(
    ctx: &Context,
    probe: impl Future<Output = bool> + Send,
    ask: impl Fn() -> A,
) -> Result<T, Failure> {
    match tokio::join!(ask(), ctx.probe(probe)) {
        (Err(Failure::NeverSent(_) | Failure::Transient(_)), true) => ask().await,
        (asked, _) => asked,
    }
}

/// Any answer will do, but one that IAM is not there.
async fn iam_answers(ctx: &Context, connection: &Connection) -> Result<(), Failure> {
    let Some(iam) = &connection.clients.iam else { return Ok(()) };
    match connection.ask(ctx, "GetUser", iam::MISSING, iam.get_user().send()).await {
        Err(failure @ (Failure::NeverSent(_) | Failure::Transient(_))) => Err(failure),
        _ => Ok(()),
    }
}

/// One call tells whether the service answers and takes the key, and whose the buckets are.
async fn owner(ctx: &Context, connection: &Connection) -> Result<Option<String>, Failure> {
    let owner = match connection.ask(ctx, LIST, &[], connection.clients.s3.list_buckets().send()).await? {
        Found::Present(listed) => listed.owner().and_then(|owner| owner.id()).map(str::to_owned),
        // A page that something shows in the service's place is no answer of the service's.
        Found::Unsupported(why) if why == another_document(LIST) => return Err(Failure::Transient(why)),
        // Whoever may not list buckets is known all the same.
        Found::Missing | Found::Unsupported(_) | Found::Denied(_) => None,
    };
    connection.note_heard(owner.clone());
    Ok(owner)
}

/// Whose the key is, is told by another call where there is STS. What that has told once, the buckets' owner does not replace at Ceph, which
/// may call one account otherwise there.
async fn open(ctx: &Context, connection: &Connection, owner: Option<String>) -> Result<Open, Failure> {
    let caller = match &connection.clients.sts {
        Some(sts) => ctx.read("GetCallerIdentity", caller(sts, connection)).await.map_err(unanswered)?,
        None => None,
    };
    let provider = &connection.provider;
    let (profile, told) = (provider.spec.profile(), was_told(provider));
    let owner = owner.filter(|id| !(told && profile == Profile::Ceph) && is_account(profile, id));
    let (account, arn) = caller.map(|caller| (caller.account, caller.arn)).unzip();
    Ok(Open { account: account.or(owner), caller: arn, elsewhere: None, at: ctx.now() })
}

/// What STS tells. S3 has just taken the key.
async fn caller(sts: &Sts, connection: &Connection) -> Result<Option<Caller>, Failure> {
    match sts.caller().await {
        // There may be none here at all, or it does not know a new key yet.
        Err(Failure::Auth(_) | Failure::DependencyMissing(_))
            if connection.key_is_new() || !was_told(&connection.provider) =>
        {
            Ok(None)
        }
        Err(Failure::Auth(why) | Failure::DependencyMissing(why)) => Err(Failure::Transient(why)),
        told => told,
    }
}

/// Whether STS has told before whose the key is, at this service.
fn was_told(provider: &Provider) -> bool {
    let told = provider.status.as_ref().is_some_and(|status| status.caller_arn.is_some());
    told && moved(provider).is_none()
}

/// Whether a bucket owner's id is that of an account. Elsewhere it is a person's.
fn is_account(profile: Profile, id: &str) -> bool {
    profile == Profile::Ceph || id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// Says that the key belongs to another account than the one at which things were made before.
fn other_account(provider: &Provider, open: &Open) -> Option<Elsewhere> {
    let status = provider.status.as_ref()?;
    let before = status.account_id.as_deref()?;
    // What STS tells is not compared with what the buckets' owner is called.
    let is_comparable =
        provider.spec.profile() != Profile::Ceph || status.caller_arn.is_some() == open.caller.is_some();
    let now = open.account.as_deref().filter(|now| is_comparable && *now != before)?;
    let message = format!(
        "the access key is one of account {now}, but what was made through this object is account {before}'s; put back a key of \
         that account, or create another Provider"
    );
    Some(Elsewhere { word: "OtherAccount", message })
}

/// Says that the endpoints lead to another service than the one at which things were made before. Its account does not tell: services
/// of one kind give all the same id.
fn other_service(ctx: &Context, provider: &Provider) -> Result<Option<Elsewhere>, Failure> {
    let Some((field, before, now)) = moved(provider) else { return Ok(None) };
    if annotation::is_set(provider, ADOPT) || !is_used(ctx, provider)? {
        return Ok(None);
    }
    let message = format!(
        "spec.{field} leads to {now}, but what was made through this object is at {before}; put that back, create another Provider, \
         or, if it is the same service under another name, set the annotation {ADOPT}: \"true\""
    );
    Ok(Some(Elsewhere { word: "OtherService", message }))
}

/// The field that leads elsewhere than when it was last looked at, from where and to where.
fn moved(provider: &Provider) -> Option<(&'static str, String, String)> {
    let (spec, status) = (&provider.spec, provider.status.clone().unwrap_or_default());
    let services = [
        ("endpoint", status.service, spec.service()),
        ("iamEndpoint", status.iam_service, spec.iam_service()),
    ];
    services.into_iter().find_map(|(field, before, now)| {
        let (before, now) = before.zip(now).filter(|(before, now)| before != now)?;
        Some((field, before, now))
    })
}

/// Whether anything may have been made through the object.
fn is_used(ctx: &Context, provider: &Provider) -> Result<bool, Failure> {
    let ObjectKey { namespace, name, .. } = ObjectKey::of(provider);
    let users = referrers_key(Provider::NAME, &namespace, &name);
    for kind in [Bucket::NAME, User::NAME, IAMPolicy::NAME, AccessKey::NAME] {
        if ctx.count(kind, &users)? > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where the access key stands.
fn keys_of(provider: &Provider) -> String {
    let auth = &provider.spec.auth;
    let (id, secret) = (&auth.access_key_secret_ref.name, &auth.secret_key_secret_ref.name);
    if id == secret { format!("Secret {id}") } else { format!("Secrets {id} and {secret}") }
}
