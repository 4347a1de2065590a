//! Reserving unique values: the API server lets only one object of a name exist.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use concierge_runtime::cache::Cache;
use concierge_shared::{
    admission::{
        claim::{Claim, ClaimObject, ClaimSpec, Holder},
        lookup::Need,
        problem::{Cause, Problem},
    },
    index::Stored,
    kind::by_name,
};
use jiff::Timestamp;
use kube::{
    Api, Client, Error, Resource,
    api::{DeleteParams, PostParams, Preconditions},
};

use parking_lot::Mutex;

use super::{
    live::Live,
    metrics::{Metrics, Outcome},
};

/// The longest that an admission can be under way between its claim and the storing of its object: the API
/// server's request time-out. A claim older than this whose holder does not exist is nobody's.
const LONGEST_ADMISSION: Duration = Duration::from_secs(65);
/// How often a claim may change under our hands before we give up.
const ATTEMPTS: usize = 5;

/// How many claims this replica knows before it forgets the old ones.
const REMEMBERED: usize = 10_000;

/// Reserves unique values.
#[derive(Clone)]
pub(crate) struct Claims {
    api: Api<ClaimObject>,
    live: Live,
    cache: Arc<Cache>,
    metrics: Metrics,
    own: Arc<Mutex<HashMap<String, Slot>>>,
}

/// How long what the API server said of another's claim is passed on.
const OTHERS_CLAIM_TTL: Duration = Duration::from_secs(1);

/// What this replica knows of a claim. Locked while somebody finds out, so that of a storm of requests for the same
/// value one asks the API server and the others are answered from here.
type Slot = Arc<tokio::sync::Mutex<Option<Known>>>;

struct Known {
    holder: Holder,
    /// The holder, when it has been seen to exist.
    seen: Option<Stored>,
    until: Instant,
}

/// A value that can't be reserved.
#[derive(Debug)]
pub(crate) struct Denied {
    /// What the user is told.
    pub(crate) problem: Problem,
    /// The object that holds the value, when it exists.
    pub(crate) holder: Option<Stored>,
}

/// What came of a list of claims.
pub(crate) type Reserved = Result<Vec<Denied>, Arc<Error>>;

enum Verdict {
    Ours { made: Option<Box<ClaimObject>> },
    Taken { holder: Option<Stored> },
}

impl Claims {
    pub(crate) fn new(client: Client, live: Live, cache: Arc<Cache>, metrics: Metrics) -> Self {
        Self { api: Api::all(client), live, cache, metrics, own: Arc::default() }
    }

    /// Reserves all of `claims` for `holder`, or none.
    ///
    /// Runs to its end even when the caller stops waiting; what was reserved is given back then.
    pub(crate) async fn reserve(&self, claims: Vec<Claim>, holder: Holder) -> Reserved {
        let this = self.clone();
        let (tell, told) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let (made, result) = this.reserve_all(&claims, &holder).await;
            let keep = matches!(&result, Ok(denied) if denied.is_empty());
            if tell.send(result).is_err() || !keep {
                this.release(made).await;
            }
        });
        // The task sends before it ends, and does not panic.
        told.await.unwrap_or_else(|_| Ok(Vec::new()))
    }

    /// What `reserve` would say, without reserving anything.
    pub(crate) async fn look(&self, claims: &[Claim], holder: &Holder) -> Reserved {
        let mut denied = Vec::new();
        for claim in claims {
            if let Some(existing) = self.api.get_opt(&claim.object_name()).await?
                && let Some(Verdict::Taken { holder }) = self.judge(&existing, claim, holder).await?
            {
                denied.push(denial(claim, holder));
            }
        }
        Ok(denied)
    }

    async fn reserve_all(&self, claims: &[Claim], holder: &Holder) -> (Vec<ClaimObject>, Reserved) {
        let (mut made, mut denied) = (Vec::new(), Vec::new());
        for claim in claims {
            match self.one(claim, holder).await {
                Ok(Verdict::Ours { made: new }) => made.extend(new.map(|new| *new)),
                Ok(Verdict::Taken { holder }) => denied.push(denial(claim, holder)),
                Err(error) => return (made, Err(error)),
            }
        }
        (made, Ok(denied))
    }

    async fn one(&self, claim: &Claim, holder: &Holder) -> Result<Verdict, Arc<Error>> {
        let slot = self.slot(claim.object_name());
        let mut known = slot.lock().await;
        if let Some(other) = known.as_ref().filter(|known| self.rules_out(known, holder)) {
            return Ok(self.counted("taken_here", Verdict::Taken { holder: other.seen.clone() }));
        }
        let verdict = self.ask(claim, holder).await?;
        *known = match &verdict {
            Verdict::Ours { .. } => {
                Some(Known { holder: holder.clone(), seen: None, until: Instant::now() + LONGEST_ADMISSION })
            }
            Verdict::Taken { holder: Some(live) } => Some(Known {
                holder: as_holder(live),
                seen: Some(live.clone()),
                until: Instant::now() + OTHERS_CLAIM_TTL,
            }),
            Verdict::Taken { holder: None } => None,
        };
        Ok(verdict)
    }

    /// Whether what is known of a claim rules out one for `wanted`.
    fn rules_out(&self, known: &Known, wanted: &Holder) -> bool {
        !same_object(&known.holder, wanted)
            && Instant::now() < known.until
            && !self.cache.recently_deleted(&known.holder.uid)
    }

    fn slot(&self, name: String) -> Slot {
        let mut own = self.own.lock();
        if own.len() >= REMEMBERED {
            let counts = |slot: &Slot| match slot.try_lock() {
                Ok(known) => known.as_ref().is_some_and(|known| Instant::now() < known.until),
                Err(_) => true,
            };
            own.retain(|_, slot| counts(slot));
        }
        own.entry(name).or_default().clone()
    }

    async fn ask(&self, claim: &Claim, holder: &Holder) -> Result<Verdict, Arc<Error>> {
        let name = claim.object_name();
        let spec =
            ClaimSpec { rule: claim.rule.id.to_owned(), key: claim.key.clone(), holder: holder.clone() };
        let object = ClaimObject::new(&name, spec);
        for _ in 0..ATTEMPTS {
            match self.api.create(&PostParams::default(), &object).await {
                Ok(made) => return Ok(self.counted("created", Verdict::Ours { made: Some(Box::new(made)) })),
                Err(error) if reason(&error) == "AlreadyExists" => {}
                Err(error) => return Err(self.failed(error)),
            }
            let existing = match self.api.get_opt(&name).await {
                Ok(Some(existing)) => existing,
                Ok(None) => continue,
                Err(error) => return Err(self.failed(error)),
            };
            match self.judge(&existing, claim, holder).await {
                Ok(Some(verdict)) => return Ok(verdict),
                Ok(None) => {}
                Err(error) => return Err(self.failed(error)),
            }
            let mut object = object.clone();
            object.metadata.resource_version = existing.metadata.resource_version;
            match self.api.replace(&name, &PostParams::default(), &object).await {
                Ok(made) => {
                    return Ok(self.counted("taken_over", Verdict::Ours { made: Some(Box::new(made)) }));
                }
                Err(error) if matches!(reason(&error), "Conflict" | "NotFound") => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
        Ok(self.counted("contended", Verdict::Taken { holder: None }))
    }

    /// Whose an existing claim is; nothing when it is nobody's and may be taken over.
    async fn judge(
        &self,
        existing: &ClaimObject,
        claim: &Claim,
        wanted: &Holder,
    ) -> Result<Option<Verdict>, Arc<Error>> {
        let holder = &existing.spec.holder;
        if holder.uid == wanted.uid {
            return Ok(Some(self.counted("held", Verdict::Ours { made: None })));
        }
        // Only one object of a name can be stored, so it does not matter which of two attempts holds the claim.
        if (&holder.kind, &holder.namespace, &holder.name) == (&wanted.kind, &wanted.namespace, &wanted.name)
        {
            return Ok(None);
        }
        let Some(kind) = by_name(&holder.kind) else { return Ok(None) };
        let Holder { namespace, name, .. } = holder.clone();
        let live = self.live.object(Need::Object { kind: kind.name, namespace, name }).await?;
        // Whatever its uid: an object of this name with this value is the holder.
        if let Some(live) = live.filter(|live| live.has_key(&claim.index_key())) {
            return Ok(Some(self.counted("taken", Verdict::Taken { holder: Some(live) })));
        }
        let age =
            existing.meta().creation_timestamp.as_ref().map(|since| Timestamp::now().duration_since(since.0));
        let old = age.is_some_and(|age| age.unsigned_abs() > LONGEST_ADMISSION);
        if old || self.cache.recently_deleted(&holder.uid) {
            return Ok(None);
        }
        Ok(Some(self.counted("in_flight", Verdict::Taken { holder: None })))
    }

    async fn release(&self, made: Vec<ClaimObject>) {
        for claim in made {
            let only_this = Preconditions {
                uid: claim.metadata.uid.clone(),
                resource_version: claim.metadata.resource_version.clone(),
            };
            let params = DeleteParams { preconditions: Some(only_this), ..DeleteParams::default() };
            let name = claim.metadata.name.unwrap_or_default();
            let slot = self.slot(name.clone());
            let mut known = slot.lock().await;
            known.take_if(|known| known.holder.uid == claim.spec.holder.uid);
            match self.api.delete(&name, &params).await {
                Ok(_) => self.count("released"),
                // The reconciler releases claims whose holder does not exist.
                Err(error) => tracing::warn!(claim = name, %error, "a claim could not be given back"),
            }
        }
    }

    fn counted(&self, outcome: &'static str, verdict: Verdict) -> Verdict {
        self.count(outcome);
        verdict
    }

    fn failed(&self, error: impl Into<Arc<Error>>) -> Arc<Error> {
        self.count("error");
        error.into()
    }

    fn count(&self, outcome: &'static str) {
        self.metrics.claims.get_or_create(&Outcome { outcome }).inc();
    }
}

fn as_holder(object: &Stored) -> Holder {
    Holder {
        kind: object.kind().to_owned(),
        namespace: object.namespace().to_owned(),
        name: object.name().to_owned(),
        uid: object.meta().uid.clone().unwrap_or_default(),
    }
}

/// Only one object of a name can be stored, so it does not matter which of two attempts holds a claim.
fn same_object(a: &Holder, b: &Holder) -> bool {
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
