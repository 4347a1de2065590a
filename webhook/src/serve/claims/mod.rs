//! Reserving unique values: the API server lets only one object of a name exist.
//!
//! A claim is never changed. One that is nobody's is deleted, that very version of it, and made anew: whoever of
//! several gets its create through has the value.

mod known;
mod pending;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use concierge_runtime::{cache::Cache, client::found, clock::ServerClock, logs::Seldom, warn_seldom};
use concierge_shared::{
    admission::{
        claim::{Claim, ClaimObject, ClaimSpec, Holder, Standing},
        lookup::Need,
        problem::{Cause, Problem},
    },
    index::Stored,
    kind::by_name,
};
use kube::{
    Api, Client, Error,
    api::{DeleteParams, PostParams, Preconditions},
};

use super::{
    live::Live,
    metrics::{Metrics, Outcome},
};
use known::{Known, Slots};
use pending::Pending;

/// How often a claim may change under our hands before we give up.
const ATTEMPTS: usize = 5;

/// Reserves unique values.
#[derive(Clone)]
pub(crate) struct Claims {
    api: Api<ClaimObject>,
    live: Live,
    cache: Arc<Cache>,
    metrics: Metrics,
    slots: Arc<Slots>,
    pending: Arc<Pending>,
    clock: ServerClock,
    told: Arc<Seldom>,
}

/// Who asks for a value.
#[derive(Clone, Debug)]
pub(crate) struct Claimant {
    /// The object that is to have it.
    pub(crate) holder: Holder,
    /// The resource version that the request replaces; empty when it creates the object.
    pub(crate) replaces: String,
}

/// A value that can't be reserved.
#[derive(Debug)]
pub(crate) struct Denied {
    /// What the user is told.
    pub(crate) problem: Problem,
    /// The object that holds the value, when it exists.
    pub(crate) holder: Option<Stored>,
}

/// Why nothing can be said about a list of claims.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("{0}")]
    Api(#[from] Arc<Error>),
    #[error("the task that reserves values ended before it was done")]
    Ended,
    #[error("namespace {0:?} does not exist; create it first")]
    NoNamespace(String),
    #[error(
        "namespace {0:?} has too many objects under way that are not stored yet; try again in a minute, or make fewer at once"
    )]
    TooMany(String),
}

/// What came of a list of claims.
pub(crate) type Reserved = Result<Vec<Denied>, Failure>;

enum Verdict {
    Ours { made: Option<Box<ClaimObject>> },
    Taken { holder: Option<Stored> },
}

impl Claims {
    /// Claims are as old as `clock` says: the API server wrote when they were created.
    pub(crate) fn new(
        client: Client,
        live: Live,
        cache: Arc<Cache>,
        metrics: Metrics,
        clock: ServerClock,
    ) -> Self {
        let pending = Arc::new(Pending::new(clock.clone()));
        let (slots, told) = (Arc::default(), Arc::default());
        Self { api: Api::all(client), live, cache, metrics, slots, pending, clock, told }
    }

    /// Reserves all of `claims`, or none.
    ///
    /// Runs to its end even when the caller stops waiting; what was reserved is given back then.
    pub(crate) async fn reserve(&self, claims: Vec<Claim>, claimant: Claimant) -> Reserved {
        let this = self.clone();
        let (tell, told) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let mut made = Vec::new();
            let result = this.reserve_all(&claims, &claimant, &mut made).await;
            let keep = matches!(&result, Ok(denied) if denied.is_empty());
            if tell.send(result).is_err() || !keep {
                this.release(made).await;
            }
        });
        // It panicked, or the program ends: what is not known to be reserved is not.
        told.await.unwrap_or(Err(Failure::Ended))
    }

    /// What `reserve` would say, without reserving anything.
    pub(crate) async fn look(&self, claims: &[Claim], claimant: &Claimant) -> Reserved {
        let mut denied = Vec::new();
        for claim in claims {
            let existing = found(self.api.get(&claim.object_name()).await).map_err(Arc::new)?;
            if let Some(existing) = existing
                && let Some(Verdict::Taken { holder }) = self.judge(&existing, claimant).await?
            {
                denied.push(denial(claim, holder));
            }
        }
        Ok(denied)
    }

    /// Tells operators of what is not the user's fault.
    pub(crate) fn tell(&self, uid: &str, failure: &Failure) {
        if !matches!(failure, Failure::Api(_) | Failure::Ended) {
            return;
        }
        warn_seldom!(self.told, uid, error = %failure, "values were not reserved");
    }

    async fn check_namespace(&self, namespace: &str) -> Result<(), Failure> {
        match self.live.namespace_exists(&self.cache, namespace).await? {
            true => Ok(()),
            false => Err(Failure::NoNamespace(namespace.to_owned())),
        }
    }

    async fn reserve_all(
        &self,
        claims: &[Claim],
        claimant: &Claimant,
        made: &mut Vec<ClaimObject>,
    ) -> Reserved {
        self.check_namespace(&claimant.holder.namespace).await?;
        let mut denied = Vec::new();
        for claim in claims {
            match self.one(claim, claimant).await? {
                Verdict::Ours { made: new } => made.extend(new.map(|new| *new)),
                Verdict::Taken { holder } => denied.push(denial(claim, holder)),
            }
        }
        Ok(denied)
    }

    async fn one(&self, claim: &Claim, claimant: &Claimant) -> Result<Verdict, Failure> {
        let slot = self.slots.of(&claim.object_name());
        let mut known = slot.lock().await;
        if let Some(other) = known.as_ref().filter(|known| self.rules_out(known, &claimant.holder)) {
            return Ok(self.counted("taken_here", Verdict::Taken { holder: other.seen.clone() }));
        }
        let verdict = self.ask(claim, claimant).await?;
        *known = match &verdict {
            Verdict::Ours { .. } => Some(Known::reserved(claimant.holder.clone())),
            Verdict::Taken { holder: Some(live) } => Some(Known::held(live.clone())),
            Verdict::Taken { holder: None } => None,
        };
        Ok(verdict)
    }

    /// Whether what is known of a claim rules out one for `wanted`.
    fn rules_out(&self, known: &Known, wanted: &Holder) -> bool {
        known.is_fresh()
            && !same_name(&known.holder, wanted)
            && !self.cache.recently_deleted(&known.holder.uid)
    }

    async fn ask(&self, claim: &Claim, claimant: &Claimant) -> Result<Verdict, Failure> {
        let namespace = &claimant.holder.namespace;
        if !self.pending.has_room(namespace, &self.cache) {
            self.count("too_many");
            return Err(Failure::TooMany(namespace.clone()));
        }
        let (name, wanted) = (claim.object_name(), claim_object(claim, claimant));
        for _ in 0..ATTEMPTS {
            if let Some(made) = self.create(&wanted).await? {
                self.pending.add(made.clone(), &self.cache);
                return Ok(self.counted("created", Verdict::Ours { made: Some(Box::new(made)) }));
            }
            let existing = found(self.api.get(&name).await).map_err(|error| self.failed(error))?;
            let Some(existing) = existing else { continue };
            if let Some(verdict) = self.judge(&existing, claimant).await? {
                return Ok(verdict);
            }
            self.delete(&existing, "taken_over").await.map_err(|error| self.failed(error))?;
        }
        Ok(self.counted("contended", Verdict::Taken { holder: None }))
    }

    /// Whose an existing claim is; nothing when it is nobody's and may be taken over.
    async fn judge(&self, existing: &ClaimObject, claimant: &Claimant) -> Result<Option<Verdict>, Failure> {
        let (holder, wanted) = (&existing.spec.holder, &claimant.holder);
        // Only one object of a name can be stored, so it does not matter which of two attempts holds the claim; but
        // the claim must say of the latest one what it replaces.
        if same_name(holder, wanted) {
            let ours = holder.uid == wanted.uid
                && existing.spec.replaces.as_deref() == Some(claimant.replaces.as_str());
            return Ok(ours.then(|| self.counted("held", Verdict::Ours { made: None })));
        }
        let live = match by_name(&holder.kind) {
            Some(kind) => {
                let Holder { namespace, name, .. } = holder.clone();
                self.live.object(Need::Object { kind: kind.name, namespace, name }).await?
            }
            None => None,
        };
        Ok(match existing.standing(live, self.clock.now()) {
            Standing::Held(live) => Some(self.counted("taken", Verdict::Taken { holder: Some(live) })),
            Standing::UnderWay if !self.cache.recently_deleted(&holder.uid) => {
                Some(self.counted("in_flight", Verdict::Taken { holder: None }))
            }
            Standing::UnderWay | Standing::Free => None,
        })
    }

    async fn release(&self, made: Vec<ClaimObject>) {
        for claim in made {
            let name = claim.metadata.name.clone().unwrap_or_default();
            let slot = self.slots.of(&name);
            let mut known = slot.lock().await;
            known.take_if(|known| known.holder.uid == claim.spec.holder.uid);
            self.pending.remove(&claim);
            if let Err(error) = self.delete(&claim, "released").await {
                // The reconciler releases claims whose holder does not exist.
                tracing::warn!(claim = name, %error, "a claim could not be given back");
            }
        }
    }

    /// Makes a claim, unless there is one of its name.
    async fn create(&self, claim: &ClaimObject) -> Result<Option<ClaimObject>, Failure> {
        match self.api.create(&PostParams::default(), claim).await {
            Ok(made) => Ok(Some(made)),
            Err(error) if reason(&error) == "AlreadyExists" => Ok(None),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Deletes this very version of a claim. That it is gone or another by now is no failure.
    async fn delete(&self, claim: &ClaimObject, outcome: &'static str) -> Result<(), Error> {
        let only_this = Preconditions {
            uid: claim.metadata.uid.clone(),
            resource_version: claim.metadata.resource_version.clone(),
        };
        let params = DeleteParams { preconditions: Some(only_this), ..DeleteParams::default() };
        match self.api.delete(claim.metadata.name.as_deref().unwrap_or_default(), &params).await {
            Ok(_) => self.count(outcome),
            Err(error) if matches!(reason(&error), "Conflict" | "NotFound") => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn counted(&self, outcome: &'static str, verdict: Verdict) -> Verdict {
        self.count(outcome);
        verdict
    }

    fn failed(&self, error: Error) -> Failure {
        self.count("error");
        Failure::Api(Arc::new(error))
    }

    fn count(&self, outcome: &'static str) {
        self.metrics.claims.get_or_create(&Outcome { outcome }).inc();
    }
}

fn claim_object(claim: &Claim, claimant: &Claimant) -> ClaimObject {
    let spec = ClaimSpec {
        rule: claim.rule.id.to_owned(),
        key: claim.key.clone(),
        holder: claimant.holder.clone(),
        replaces: Some(claimant.replaces.clone()),
    };
    ClaimObject::new(&claim.object_name(), spec)
}

fn same_name(a: &Holder, b: &Holder) -> bool {
    (&a.kind, &a.namespace, &a.name) == (&b.kind, &b.namespace, &b.name)
}

fn denial(claim: &Claim, holder: Option<Stored>) -> Denied {
    let message = match &holder {
        Some(_) => claim.taken_message(),
        None => claim.contended_message(),
    };
    let problem = Problem { field: claim.field.clone(), rule: claim.rule, cause: Cause::Duplicate, message };
    Denied { problem, holder }
}

fn reason(error: &Error) -> &str {
    match error {
        Error::Api(status) => &status.reason,
        _ => "",
    }
}
