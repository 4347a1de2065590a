//! Jobs that are tried again when they have failed: each attempt is a Job of its own, whose name ends in its number.

use concierge_runtime::cache::{ChildHealth, ChildKey, ChildSeen};
use concierge_shared::{catalyst::Environment, child::Child};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};

use crate::{
    catalyst::pods,
    engine::{Context, Failure, Owned},
};

/// The waits after the first attempts, in minutes; the last one is repeated.
const PAUSES: [i64; 5] = [1, 2, 5, 15, 60];
/// The label of a Job's pods with its name.
const JOB_NAME: &str = "batch.kubernetes.io/job-name";

/// The children of an environment that are known.
pub(super) type Known = [(ChildKey, ChildSeen)];

/// How it stands with the Jobs that do one thing.
#[derive(Debug)]
pub(super) enum Attempt {
    /// It is time for this attempt.
    Due(u32),
    Runs(ChildKey),
    Done(ChildKey),
    /// The last one failed, and it is not time for the next.
    Failed(Box<Failed>),
}

/// An attempt that failed.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) key: ChildKey,
    pub(super) job: Job,
    pub(super) pods: Vec<Pod>,
    /// When the next one is due.
    pub(super) again: Timestamp,
}

impl Failed {
    /// A message, with when it is tried again.
    pub(super) fn with_next(&self, message: &str) -> String {
        format!("{message}; it is tried again at {}", self.again.strftime("%H:%M UTC"))
    }
}

/// The name of an attempt of what the names of these Jobs begin with.
pub(super) fn name(base: &str, attempt: u32) -> String {
    format!("{base}-{attempt}")
}

/// The Jobs whose names begin like this, with the rest of their names.
pub(super) fn jobs<'a>(
    known: &'a Known,
    start: &'a str,
) -> impl Iterator<Item = (&'a ChildKey, &'a ChildSeen, &'a str)> {
    let jobs = known.iter().filter(|(key, _)| key.resource == Child::of::<Job>());
    jobs.filter_map(move |(key, seen)| Some((key, seen, key.name.strip_prefix(start)?)))
}

/// The newest attempt that there is.
fn newest<'a>(known: &'a Known, base: &'a str) -> Option<(u32, &'a ChildKey, &'a ChildSeen)> {
    let numbered = |(key, seen, rest): (&'a ChildKey, &'a ChildSeen, &'a str)| {
        Some((rest.strip_prefix('-')?.parse().ok()?, key, seen))
    };
    jobs(known, base).filter_map(numbered).max_by_key(|(number, ..)| *number)
}

/// When the next attempt is due after this one failed.
fn next(attempt: u32, failed: Timestamp) -> Timestamp {
    let nth = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
    failed.checked_add(SignedDuration::from_mins(PAUSES[nth])).unwrap_or(failed)
}

/// How it stands with the Jobs whose names begin with `base`. Whoever has just changed the Environment need not wait for the next attempt.
///
/// # Errors
/// When the API server can't be asked about one that failed.
pub(super) async fn of(
    ctx: &Context,
    environment: &Environment,
    known: &Known,
    base: &str,
) -> Result<Attempt, Failure> {
    let Some((number, key, seen)) = newest(known, base) else { return Ok(Attempt::Due(1)) };
    match seen.health {
        ChildHealth::Ready => return Ok(Attempt::Done(key.clone())),
        ChildHealth::Progressing(_) => return Ok(Attempt::Runs(key.clone())),
        ChildHealth::Failed { .. } => {}
    }
    let Owned::Ours(job) = ctx.child::<_, Job>(environment, key).await? else {
        return Ok(Attempt::Due(number));
    };
    let again = next(number, failed_at(&job).unwrap_or_else(|| ctx.now()));
    if ctx.is_edited() || again <= ctx.now() {
        return Ok(Attempt::Due(number.saturating_add(1)));
    }
    let pods = pods::of(ctx, &key.namespace, &format!("{JOB_NAME}={}", key.name)).await?;
    Ok(Attempt::Failed(Box::new(Failed { key: key.clone(), job, pods, again })))
}

fn failed_at(job: &Job) -> Option<Timestamp> {
    let all = job.status.as_ref()?.conditions.as_ref()?;
    let failed = all.iter().find(|one| one.type_ == "Failed" && one.status == "True")?;
    Some(failed.last_transition_time.as_ref()?.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: &str) -> (ChildKey, ChildSeen) {
        let key = ChildKey { resource: Child::of::<Job>(), namespace: "n".into(), name: name.into() };
        let seen = ChildSeen {
            uid: name.into(),
            owner_uid: String::new(),
            owner: String::new(),
            digest: 0,
            health: ChildHealth::Ready,
            terminating: false,
        };
        (key, seen)
    }

    #[test]
    fn the_newest_attempt_is_the_one_with_the_highest_number() {
        let known =
            ["build-a-2", "build-a-10", "build-ab-11", "build-a-x", "runner-a-12", "build-a"].map(seen);
        let found = |base| newest(&known, base).map(|(number, key, _)| (number, key.name.as_str()));
        assert_eq!(found("build-a"), Some((10, "build-a-10")));
        assert_eq!(found("build-b"), None);
        assert_eq!(name("build-a", 11), "build-a-11");
    }

    #[test]
    fn attempts_come_less_and_less_often_and_never_stop() {
        let minutes = |attempt| next(attempt, Timestamp::UNIX_EPOCH).as_second() / 60;
        assert_eq!([1, 2, 3, 4, 5, 6, u32::MAX].map(minutes), [1, 2, 5, 15, 60, 60, 60]);
    }
}
