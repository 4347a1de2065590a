//! Inside the webhook: what the pure stages cost, from a review's bytes to the answer's, without connection,
//! TLS, HTTP and metrics.

use std::hint::black_box;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use concierge_shared::admission::answer::{Answer, Refusal, Subject};
use concierge_shared::admission::defaults;
use concierge_shared::admission::envelope::{self, Operation};
use concierge_shared::admission::lookup::World;
use concierge_shared::admission::review::{Context, Request, Stage};
use concierge_shared::admission::rule::{Enforcement, Level};
use concierge_shared::group::Settings;
use concierge_shared::kind::by_name;
use concierge_shared::s3::policy;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use super::figures::Spread;
use super::payload::{self, Case};

/// In how many groups batches are measured. The medians of groups differ as those of repeats do, single batches far more.
const GROUPS: usize = 3;
/// How many batches are in a group.
const BATCHES: usize = 17;
/// About how much of a body's bytes a batch goes through.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// The cost of one case.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// What was decided.
    pub case: &'static str,
    /// The size of the review.
    pub body_bytes: usize,
    /// CPU time of one decision, in microseconds.
    pub micros: Spread,
}

/// Measures all of `cases`, and the longest policy beside them.
///
/// # Errors
/// When a case is not decided as it must be.
pub fn costs(cases: &[Case]) -> Result<Vec<Cost>> {
    let world = world()?;
    cases.iter().map(|case| cost(case, &world)).chain([policy_cost()]).collect()
}

fn world() -> Result<World> {
    let mut world = World::default();
    let petstore = by_name("PetStore").context("no kind PetStore")?;
    world.insert((petstore.store)(payload::shop())?);
    Ok(world)
}

/// What `check --policy` does with a bucket policy that has just room.
fn policy_cost() -> Result<Cost> {
    let statement = |n: usize| {
        format!(
            r#"{{"Sid":"Team{n}","Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::123456789012:user/team-{n}"}},"Action":["s3:GetObject","s3:PutObject","s3:Delete*"],"Resource":"arn:aws:s3:::photos/team-{n}/*","Condition":{{"IpAddress":{{"aws:SourceIp":["203.0.113.0/24","198.51.100.0/24"]}}}}}}"#
        )
    };
    let statements: Vec<_> = (100..173).map(statement).collect();
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{}]}}"#, statements.join(","));
    let subject =
        policy::Subject { bucket: Some("photos"), ..policy::Subject::new(policy::PolicyKind::Bucket) };
    let wrong = policy::lint(&text, &subject).into_iter().find(|one| one.rule.level == Level::Deny);
    ensure!(wrong.is_none() && text.len() > 20_000, "{} bytes: {wrong:?}", text.len());
    let micros = spread(text.len(), || drop(black_box(policy::lint(black_box(&text), &subject))));
    Ok(Cost { case: "check --policy", body_bytes: text.len(), micros })
}

fn cost(case: &Case, world: &World) -> Result<Cost> {
    let body = case.body();
    check(case, world)?;
    // Decided well above.
    let micros = spread(body.len(), || drop(black_box(decide(case.stage, black_box(body), world))));
    Ok(Cost { case: case.name, body_bytes: body.len(), micros })
}

/// A case is answered as it must be. What is answered with warnings is decided twice, and hardly ever stored as it is.
fn check(case: &Case, world: &World) -> Result<()> {
    let answer = String::from_utf8(decide(case.stage, case.body(), world)?)?;
    ensure!(answer.contains(case.expect), "{}: expected {} in {answer}", case.name, case.expect);
    ensure!(!answer.contains("\"warnings\""), "{}: warnings in {answer}", case.name);
    Ok(())
}

/// The CPU time of `once`, in microseconds, which goes through this many bytes.
fn spread(bytes: usize, once: impl Fn()) -> Spread {
    let count = (BATCH_BYTES / bytes).max(10);
    let batch = || {
        let before = cpu();
        (0..count).for_each(|_| once());
        (cpu() - before).as_secs_f64() * 1e6 / count as f64
    };
    let group = |_| Spread::of((0..BATCHES).map(|_| batch())).median;
    Spread::of((0..GROUPS).map(group))
}

/// As the webhook decides when no claim has to be written.
fn decide(stage: Stage, body: &[u8], world: &World) -> Result<Vec<u8>> {
    let (enforcement, settings) = (Enforcement::default(), Settings::default());
    let envelope = envelope::parse(body)?;
    let kind = by_name(&envelope.kind.kind).context("no such kind")?;
    let request = Request {
        stage,
        operation: Operation::from(&*envelope.operation),
        namespace: &envelope.namespace,
        user: Some(&envelope.user_info),
        object: envelope.object.as_ref(),
        old: envelope.old_object.as_ref(),
    };
    let context = Context { lookup: world, enforcement: &enforcement, settings: &settings };
    let found = (kind.evaluate)(&request, &context);
    let answer = match stage {
        Stage::Mutate => {
            if let (Some(raw), false) = (request.object, found.patch.is_empty()) {
                defaults::apply(&raw.spec_alone(), &found.patch)?;
            }
            Answer::patched(&*envelope.uid, &found.patch, &found.warnings)
        }
        Stage::Validate if found.denials.is_empty() => Answer::admitted(&*envelope.uid, &found.warnings),
        Stage::Validate => {
            let subject = Subject { group: &envelope.kind.group, kind: kind.name, name: &envelope.name };
            Answer::refused(&*envelope.uid, subject, Refusal::Invalid, &found.denials, &found.warnings)
        }
    };
    Ok(answer.to_json())
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_is_answered_as_it_must_be_and_without_warnings() {
        let world = world().unwrap();
        payload::cases().iter().for_each(|case| check(case, &world).unwrap());
    }
}
