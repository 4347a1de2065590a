//! One review: from the body's bytes to the answer.

use std::{
    collections::HashSet,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Instant,
};

use concierge_runtime::{cache::Cache, logs::Seldom, warn_seldom};
use concierge_shared::{
    admission::{
        answer::{Answer, Refusal, Subject},
        claim::{Claim, Holder},
        defaults,
        envelope::{self, Envelope, Operation},
        fresh::Fresh,
        lookup::{Found, Lookup, Need},
        object::Raw,
        problem::{Problem, shortened},
        review::{Context, Evaluation, Request, Stage, held_message, level},
        rule::{Enforcement, Level},
    },
    group::Settings,
    index::Stored,
    kind::{KindInfo, by_name},
};
use tokio::sync::Semaphore;

use super::{
    claims::{Claimant, Claims, Denied, Failure},
    live::Live,
    metrics::{Admission, Decision, Metrics, OfKind, OfRule},
};

/// Decides reviews.
pub(crate) struct Door {
    pub(crate) cache: Arc<Cache>,
    pub(crate) live: Live,
    pub(crate) claims: Claims,
    pub(crate) enforcement: Enforcement,
    pub(crate) settings: Settings,
    pub(crate) metrics: Metrics,
    /// The KiB of reviews that may be evaluated at once.
    pub(crate) turns: Semaphore,
    /// Whether the TLS server admits only callers that prove to be the API server.
    pub(crate) knows_callers: bool,
    /// Limits a log line that anybody who reaches the port can cause.
    pub(crate) no_review: Seldom,
}

/// How many times a result may need further live reads. Each time less of it rests on the cache.
const ROUNDS: usize = 3;
/// The total length, in KiB, of the reviews that are evaluated at once. Decoded, they take up to eight times that.
pub(crate) const EVALUATED_KIB: usize = 16 * 1024;
/// Requests that take longer than this are logged.
const SLOW: std::time::Duration = std::time::Duration::from_millis(500);
/// The longest name that an object can have, and how much of one is logged.
const NAME: usize = 253;

impl Door {
    /// The answer to the review in `body`. Always has the request's UID when the body has one.
    pub(crate) async fn answer(&self, stage: Stage, body: &[u8], deadline: Instant) -> Answer {
        let started = Instant::now();
        let envelope = match envelope::parse(body) {
            Ok(envelope) => envelope,
            Err(error) => {
                let uid = envelope::find_uid(body).unwrap_or_default();
                warn_seldom!(self.no_review, uid, %error, "a request is no review");
                self.count(stage, "other", Operation::Other, Decision::Failed);
                return Answer::failed(uid, Refusal::BadRequest, error.to_string());
            }
        };
        let operation = Operation::from(&*envelope.operation);
        let Some(kind) = kind_of(&envelope) else {
            return Answer::admitted(&*envelope.uid, &[]);
        };
        let decide = self.decide(stage, kind, operation, &envelope, kib(body.len()));
        let decided = tokio::time::timeout_at(deadline.into(), decide).await;
        let (answer, decision) = decided.unwrap_or_else(|_| self.too_late(stage, &envelope));
        let elapsed = started.elapsed();
        self.count(stage, kind.name, operation, decision);
        self.metrics.durations.get_or_create(&OfKind { kind: kind.name }).observe(elapsed.as_secs_f64());
        if matches!(decision, Decision::Refused | Decision::Failed) || elapsed > SLOW {
            tracing::info!(
                kind = kind.name,
                operation = operation.as_str(),
                namespace = &*shortened(&envelope.namespace, NAME),
                name = &*shortened(&envelope.name, NAME),
                user = &*shortened(&envelope.user_info.username, NAME),
                uid = &*shortened(&envelope.uid, NAME),
                rules = answer.rules(),
                decision = ?decision,
                milliseconds = elapsed.as_secs_f64() * 1000.0,
                "decided"
            );
        }
        answer
    }

    async fn decide(
        &self,
        stage: Stage,
        kind: &'static KindInfo,
        operation: Operation,
        envelope: &Envelope<'_>,
        kib: u32,
    ) -> (Answer, Decision) {
        let request = Request {
            stage,
            operation,
            namespace: &envelope.namespace,
            user: Some(&envelope.user_info),
            object: envelope.object.as_ref(),
            old: envelope.old_object.as_ref(),
        };
        let Some(evaluation) = self.evaluate(kind, &request, &envelope.user_info, kib).await else {
            return self.broken(stage, envelope);
        };
        self.count_problems(&request, &evaluation);
        match stage {
            Stage::Mutate => self.fill_in(envelope, &request, evaluation),
            Stage::Validate => self.judge(kind, &request, envelope, evaluation).await,
        }
    }

    /// Evaluates against the cache, and again against live reads while the result rests on what was not read yet.
    /// Nothing when a rule panicked.
    async fn evaluate(
        &self,
        kind: &KindInfo,
        request: &Request<'_>,
        user: &envelope::UserInfo<'_>,
        kib: u32,
    ) -> Option<Evaluation> {
        let mut evaluation = self.evaluate_against(kind, request, &*self.cache, kib).await?;
        if evaluation.needs.is_empty() {
            return Some(evaluation);
        }
        let mut fresh = Fresh::new(&*self.cache);
        let mut read = HashSet::new();
        for _ in 0..ROUNDS {
            let doubtful = !evaluation.denials.is_empty() || !evaluation.unresolved.is_empty();
            let needs = evaluation.needs.iter().filter(|need| !read.contains(*need));
            let needs: Vec<_> = needs.filter(|_| doubtful).cloned().collect();
            if needs.is_empty() {
                break;
            }
            self.live.read(user, &needs, &mut fresh).await;
            read.extend(needs);
            evaluation = self.evaluate_against(kind, request, &fresh, kib).await?;
        }
        Some(evaluation)
    }

    /// Large reviews wait for each other here, but nobody waits for one that waits for the API server.
    async fn evaluate_against(
        &self,
        kind: &KindInfo,
        request: &Request<'_>,
        lookup: &dyn Lookup,
        kib: u32,
    ) -> Option<Evaluation> {
        // The semaphore is never closed.
        let _turn = self.turns.acquire_many(kib).await;
        let context = Context { lookup, enforcement: &self.enforcement, settings: &self.settings };
        let evaluated = catch_unwind(AssertUnwindSafe(|| (kind.evaluate)(request, &context)));
        if evaluated.is_err() {
            self.metrics.panics.inc();
        }
        evaluated.ok()
    }

    fn fill_in(
        &self,
        envelope: &Envelope<'_>,
        request: &Request<'_>,
        evaluation: Evaluation,
    ) -> (Answer, Decision) {
        let uid = &*envelope.uid;
        let decision = if evaluation.warnings.is_empty() { Decision::Admitted } else { Decision::Warned };
        let raw = request.object.map(Raw::spec_alone).unwrap_or_default();
        let patch = defaults::answerable(&raw, evaluation.patch).unwrap_or_else(|error| {
            tracing::error!(uid, %error, "defaults were left out");
            Vec::new()
        });
        (Answer::patched(uid, &patch, &evaluation.warnings), decision)
    }

    async fn judge(
        &self,
        kind: &'static KindInfo,
        request: &Request<'_>,
        envelope: &Envelope<'_>,
        mut evaluation: Evaluation,
    ) -> (Answer, Decision) {
        let uid = &*envelope.uid;
        let subject = Subject { group: &envelope.kind.group, kind: kind.name, name: &envelope.name };
        for taken in std::mem::take(&mut evaluation.taken) {
            if self.may_be_told(&envelope.user_info, &taken.holder).await {
                evaluation.name_holder(&taken);
            }
        }
        if evaluation.denials.is_empty() && !evaluation.unresolved.is_empty() {
            let Evaluation { unresolved, warnings, .. } = &evaluation;
            let answer = Answer::refused(uid, subject, Refusal::InternalError, unresolved, warnings);
            return (answer, Decision::Failed);
        }
        if evaluation.denials.is_empty() && !evaluation.claims.is_empty() {
            let claims = std::mem::take(&mut evaluation.claims);
            match self.claim(kind, request, envelope, claims).await {
                Ok(denials) => evaluation.denials = denials,
                Err(failed) => return failed,
            }
        }
        let refusal = match request.operation {
            Operation::Delete => Refusal::Forbidden,
            _ => Refusal::Invalid,
        };
        let Evaluation { denials, warnings, .. } = &evaluation;
        match (denials.is_empty(), warnings.is_empty()) {
            (true, true) => (Answer::admitted(uid, warnings), Decision::Admitted),
            (true, false) => (Answer::admitted(uid, warnings), Decision::Warned),
            (false, _) => (Answer::refused(uid, subject, refusal, denials, warnings), Decision::Refused),
        }
    }

    /// Reserves `claims`; what is wrong with them, or the answer when that can't be told.
    async fn claim(
        &self,
        kind: &'static KindInfo,
        request: &Request<'_>,
        envelope: &Envelope<'_>,
        claims: Vec<Claim>,
    ) -> Result<Vec<Problem>, (Answer, Decision)> {
        let uid = &*envelope.uid;
        let Some(claimant) = claimant(kind, request, envelope) else {
            let why = "the object has no name and uid yet; a claim needs them";
            return Err((Answer::failed(uid, Refusal::InternalError, why), Decision::Failed));
        };
        let reserved = match self.exists_already(kind, request, &claimant.holder).await {
            Ok(true) => return Err((exists_already(uid, &claimant.holder), Decision::Refused)),
            Err(error) => Err(error.into()),
            Ok(false) if envelope.dry_run.unwrap_or(false) => self.claims.look(&claims, &claimant).await,
            Ok(false) => self.claims.reserve(claims, claimant).await,
        };
        let denied = reserved.map_err(|failure| {
            self.claims.tell(uid, &failure);
            not_reserved(uid, &failure)
        })?;
        let mut problems = Vec::with_capacity(denied.len());
        for one in denied {
            problems.push(self.named(&envelope.user_info, one).await);
        }
        Ok(problems)
    }

    /// Whether the object that is to be created has the name of another, so that the API server will not store it
    /// and it must not keep its values from others.
    async fn exists_already(
        &self,
        kind: &'static KindInfo,
        request: &Request<'_>,
        holder: &Holder,
    ) -> Result<bool, Arc<kube::Error>> {
        let another = |object: &Stored| object.meta().uid.as_ref() != Some(&holder.uid);
        let Holder { namespace, name, .. } = holder;
        let cached = match self.cache.find(kind.name, namespace, name) {
            Found::Present(object) => another(&object),
            Found::Absent | Found::Unknown => false,
        };
        if request.operation != Operation::Create || !cached {
            return Ok(false);
        }
        let need = Need::Object { kind: kind.name, namespace: namespace.clone(), name: name.clone() };
        Ok(self.live.object(need).await?.is_some_and(|object| another(&object)))
    }

    /// The problem, with the holder's name when the user may know it.
    async fn named(&self, user: &envelope::UserInfo<'_>, denied: Denied) -> Problem {
        let mut problem = denied.problem;
        if let Some(holder) = denied.holder
            && self.may_be_told(user, &holder).await
        {
            problem.message =
                held_message(&problem.message, holder.kind(), holder.namespace(), holder.name());
        }
        problem
    }

    /// Whether the user may know of `object`; when in doubt, no. Whoever did not prove to be the API server can write any user into its
    /// review.
    async fn may_be_told(&self, user: &envelope::UserInfo<'_>, object: &Stored) -> bool {
        let Some(kind) = by_name(object.kind()) else { return false };
        self.knows_callers && self.live.may_read(user, kind, object.namespace(), "").await.unwrap_or(false)
    }

    fn too_late(&self, stage: Stage, envelope: &Envelope<'_>) -> (Answer, Decision) {
        self.metrics.deadlines.inc();
        let why = "Concierge could not decide in time: the API server answered it too slowly, or there were too many large reviews; try again";
        undecided(stage, envelope, Refusal::Timeout, why)
    }

    fn broken(&self, stage: Stage, envelope: &Envelope<'_>) -> (Answer, Decision) {
        tracing::error!(uid = &*envelope.uid, "a rule panicked");
        let why = "Concierge met a bug of its own in a rule and did not decide; its log has the place";
        undecided(stage, envelope, Refusal::InternalError, why)
    }

    fn count(&self, stage: Stage, kind: &'static str, operation: Operation, decision: Decision) {
        let label = Admission { stage: stage.as_str(), kind, operation: operation.as_str(), decision };
        self.metrics.admissions.get_or_create(&label).inc();
    }

    fn count_problems(&self, request: &Request<'_>, evaluation: &Evaluation) {
        let context =
            Context { lookup: &*self.cache, enforcement: &self.enforcement, settings: &self.settings };
        for problem in evaluation.denials.iter().chain(&evaluation.warnings) {
            let level = match level(&context, request.namespace, problem.rule) {
                Level::Off => "off",
                Level::Warn => "warn",
                Level::Deny => "deny",
            };
            self.metrics.problems.get_or_create(&OfRule { rule: problem.rule.id, level }).inc();
        }
    }
}

/// A length as the memory for bodies is counted.
pub(super) fn kib(length: usize) -> u32 {
    u32::try_from(length.div_ceil(1024).max(4)).unwrap_or(u32::MAX)
}

/// A mutating call that can't be decided fills in nothing: the validating call fills in the same defaults before
/// it looks at the rules. A validating call is refused.
fn undecided(stage: Stage, envelope: &Envelope<'_>, refusal: Refusal, why: &str) -> (Answer, Decision) {
    let answer = match stage {
        Stage::Mutate => Answer::admitted(&*envelope.uid, &[]),
        Stage::Validate => Answer::failed(&*envelope.uid, refusal, why),
    };
    (answer, Decision::Failed)
}

/// The kind that the review is about; nothing when no rule is about it.
fn kind_of(envelope: &Envelope<'_>) -> Option<&'static KindInfo> {
    let kind = by_name(&envelope.kind.kind).filter(|_| envelope.sub_resource.is_empty())?;
    (kind.is_of)(&envelope.kind.group, &envelope.kind.version).then_some(kind)
}

/// The object as the holder of its claims. Its name is in its metadata also when the API server made it up.
fn claimant(kind: &KindInfo, request: &Request<'_>, envelope: &Envelope<'_>) -> Option<Claimant> {
    let (name, uid) = request.object?.identity().filter(|(name, uid)| name.len().max(uid.len()) <= NAME)?;
    let holder = Holder {
        kind: kind.name.to_owned(),
        namespace: envelope.namespace.to_string(),
        name: name.to_owned(),
        uid: uid.to_owned(),
    };
    let replaces = request.old.map_or("", |old| old.resource_version()).to_owned();
    Some(Claimant { holder, replaces })
}

fn exists_already(uid: &str, holder: &Holder) -> Answer {
    let Holder { kind, namespace, name, .. } = holder;
    let why = format!("{kind} {name:?} already exists in namespace {namespace}");
    Answer::failed(uid, Refusal::AlreadyExists, why)
}

fn not_reserved(uid: &str, failure: &Failure) -> (Answer, Decision) {
    let (refusal, decision) = match failure {
        Failure::Api(error) if matches!(**error, kube::Error::SerdeError(_)) => {
            let why = "an object that may have the value, or the API server's answer, can't be read; Concierge's log names it, for somebody to correct or delete";
            return (Answer::failed(uid, Refusal::InternalError, why), Decision::Failed);
        }
        Failure::Api(_) | Failure::Ended => {
            let why = "uniqueness could not be checked with the API server; try again";
            return (Answer::failed(uid, Refusal::InternalError, why), Decision::Failed);
        }
        Failure::NoNamespace(_) => (Refusal::NotFound, Decision::Refused),
        Failure::TooMany(_) => (Refusal::TooManyRequests, Decision::Failed),
    };
    (Answer::failed(uid, refusal, failure.to_string()), decision)
}
