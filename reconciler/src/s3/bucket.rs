//! A bucket: made once, marked as ours, kept as the spec says, and let go as the deletion policy says.

mod children;
mod contents;
mod cors;
mod encryption;
mod field;
mod lifecycle;
mod mark;
mod observe;
mod plan;
mod public_access;
mod recent;
mod tags;

use std::{collections::BTreeMap, fmt};

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, Tag, Tagging};
use concierge_shared::{
    admission::{reference::Reference, rule::AdmissionRule},
    index::Stored,
    s3::{
        Bucket, BucketStatus, CHILDREN, DeletionPolicy, Tags, naming_users, needs_bucket, policy::Profile,
        users_key,
    },
    status::{ConditionReason, ConditionType, Conditions, intent::Intent},
};
use jiff::Timestamp;

use self::{
    children::{ChildStep, Children},
    contents::Contents,
    field::Field,
    mark::Mark,
    recent::Recent,
};
use super::connection::{Connection, Found, Providers, Refusal};
use crate::{
    aws::{Answered, failure},
    common::standing::last_look,
    engine::{
        Account, Context, Deletion, Effect, Failure, Guard, IfFound, IfNotFound, ImplicitUsers, ObjectKey,
        Outcome, Owner, Plan, Reconcile, UnknownPolicy,
    },
    s3::iam::unbuildable,
};

/// The operation's name in intents.
const CREATE: &str = "CreateBucket";
/// The condition that tells what the service does not allow.
const DENIED: &str = "AccessDenied";

/// What a part of a bucket is when nobody has set it.
const NOTHING: &str = "none";

type TagsFound = Found<Tags>;

pub(super) struct BucketReconciler {
    providers: Providers,
    recent: Recent,
}

impl BucketReconciler {
    pub(super) fn new(providers: Providers) -> Self {
        Self { providers, recent: Recent::default() }
    }
}

pub(super) struct Observed {
    place: Place,
    mark: Mark,
    profile: Profile,
    service: Option<String>,
    deletion: DeletionPolicy,
    children: Children,
    at: Timestamp,
}

/// Where the bucket is.
enum Place {
    /// Nowhere. What of it the provider can't do is known all the same.
    Absent(BTreeMap<Field, Found<String>>),
    /// At the provider.
    Here(Box<Here>),
    /// In another region, where it is looked at in the next run.
    Elsewhere(String),
    /// Not for us: why.
    Closed(String),
}

/// A bucket that can be looked at.
#[derive(Clone)]
struct Here {
    tags: TagsFound,
    /// The parts that the spec says something about, or that were applied before.
    fields: BTreeMap<Field, Found<String>>,
    /// What the service refused to do about a part of this very spec.
    refused: BTreeMap<&'static str, Refusal>,
    /// What is in it, when that matters.
    contents: Option<Contents>,
}

pub(super) enum Step {
    Create(String),
    /// Sets all tags, the mark among them.
    Tag {
        tags: Tags,
        taking: Taking,
    },
    /// Sets up, in the next run, what a new bucket is to be.
    SetUp(String),
    Set {
        field: Field,
        from: String,
        to: String,
    },
    Remove {
        field: Field,
        from: String,
    },
    /// Sets all tags, the mark not among them.
    Unmark(Tags),
    Empty(Contents),
    Delete(String),
    Child(ChildStep),
}

/// What a bucket is to us when it is tagged.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Taking {
    New,
    /// Somebody else's before.
    Over,
    Ours,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Create(bucket) => write!(f, "create bucket {bucket}"),
            Step::Tag { taking: Taking::Ours, .. } => f.write_str("set tags"),
            Step::Tag { .. } => f.write_str("mark as ours"),
            Step::SetUp(parts) => write!(f, "set {parts}"),
            Step::Set { field, from, to } => write!(f, "set {}: {from} -> {to}", field.word()),
            Step::Remove { field, from } => write!(f, "remove {}: {from}", field.word()),
            Step::Unmark(_) => f.write_str("remove our mark"),
            Step::Empty(contents) => write!(f, "delete {contents}"),
            Step::Delete(bucket) => write!(f, "delete bucket {bucket}"),
            Step::Child(step) => step.fmt(f),
        }
    }
}

impl Reconcile for BucketReconciler {
    type Kind = Bucket;
    type Remote = Connection;
    type Observed = Observed;
    type Step = Step;
    const LEGACY_FINALIZERS: &'static [&'static str] = super::LEGACY_FINALIZERS;
    /// A name that is taken concerns what is made for the bucket, not the bucket.
    const LENIENT: &'static [&'static AdmissionRule] = &[&CHILDREN];

    async fn connect(&self, ctx: &Context, bucket: &Bucket) -> Result<(Account, Connection), Failure> {
        let (account, connection) = self.providers.connect(ctx, bucket).await?;
        Ok((account, connection.in_region(bucket.region())))
    }

    async fn observe(&self, ctx: &Context, to: &Connection, bucket: &Bucket) -> Result<Observed, Failure> {
        observe::observe(ctx, to, bucket, &self.recent).await
    }

    fn owner(&self, bucket: &Bucket, observed: &Observed) -> Owner {
        match &observed.place {
            // They go first, whatever becomes of the bucket.
            _ if bucket.metadata.deletion_timestamp.is_some() && observed.children.are_there() => Owner::Ours,
            Place::Absent(_) => Owner::Nobody,
            Place::Here(here) => observed.mark.owner(&here.tags, bucket.is_recorded()),
            // What may not be looked at is told of in the plan; nothing is done to it.
            Place::Elsewhere(_) | Place::Closed(_) => Owner::Ours,
        }
    }

    fn plan(&self, bucket: &Bucket, observed: &Observed, _now: Timestamp) -> Plan<Step> {
        plan::plan(bucket, observed)
    }

    async fn act(
        &self,
        guard: &Guard,
        to: &Connection,
        bucket: &Bucket,
        step: &Step,
    ) -> Result<Outcome, Failure> {
        let name = &bucket.spec.name;
        if !matches!(step, Step::Child(_)) {
            self.recent.forget(bucket);
        }
        match step {
            Step::Create(_) => create(guard, to, bucket).await,
            Step::Tag { tags, taking } => tag(guard, to, bucket, tags, *taking).await,
            Step::SetUp(_) => Ok(Outcome::progress(format!("bucket {name} is made, and being set up"))),
            Step::Set { field, from, to: wanted } => {
                let done = field.set(guard, to, &bucket.spec).await?;
                let done = refused(to, bucket, *field, done);
                let message = || format!("set {} of bucket {name}: {from} -> {wanted}", field.word());
                Ok(done.unwrap_or_else(|| Outcome::new(ConditionReason::Updated, message())))
            }
            Step::Remove { field, from } => {
                let done = field.remove(guard, to, name).await?;
                let done = refused(to, bucket, *field, done);
                let message = || format!("removed {} of bucket {name}: {from}", field.word());
                Ok(done.unwrap_or_else(|| Outcome::new(ConditionReason::Deleted, message())))
            }
            Step::Unmark(tags) => {
                put_tags(guard, to, name, tags).await?;
                Ok(Outcome::new(ConditionReason::Updated, format!("removed our mark from bucket {name}")))
            }
            Step::Empty(_) => contents::empty(guard, to, name).await,
            Step::Delete(_) => {
                to.write(guard, "DeleteBucket", to.clients.s3.delete_bucket().bucket(name).send()).await?;
                Ok(Outcome::new(ConditionReason::Deleted, format!("deleted bucket {name}")))
            }
            Step::Child(step) => step.take(guard, bucket).await,
        }
    }

    fn plan_deletion(&self, bucket: &Bucket, observed: &Observed, _now: Timestamp) -> Deletion<Step> {
        plan::plan_deletion(bucket, observed)
    }

    fn report(&self, bucket: &Bucket, observed: &Observed, status: &mut BucketStatus) {
        plan::report(bucket, observed, status);
        if status.exists == Some(true) {
            let changed = bucket.status.as_ref().and_then(|before| before.exists) != status.exists;
            last_look(&mut status.last_sync_time, observed.at, changed);
        }
    }

    fn record(&self, _intent: &Intent, id: &str, status: &mut BucketStatus) {
        status.bucket_name = Some(id.to_owned());
        status.exists = Some(true);
    }

    fn recorded(&self, status: &BucketStatus) -> Vec<String> {
        status.bucket_name.clone().filter(|_| status.exists != Some(false)).into_iter().collect()
    }

    async fn find_effects(
        &self,
        ctx: &Context,
        to: &Connection,
        bucket: &Bucket,
        intent: &Intent,
    ) -> Result<Vec<Effect>, Failure> {
        let Place::Here(here) = observe::place(ctx, to, bucket, &self.recent).await? else {
            return Ok(Vec::new());
        };
        // Of a bucket of this name there was none before; one without a mark is the one that was asked for.
        if Mark::of(&to.cluster, bucket).owner(&here.tags, true) != Owner::Ours {
            return Ok(Vec::new());
        }
        let (id, fingerprint) = (bucket.spec.name.clone(), intent.fingerprint.clone());
        Ok(vec![Effect { id, fingerprint, at: None, certain: true, kept: false }])
    }

    fn unknown_policy(&self, _operation: &str) -> UnknownPolicy {
        UnknownPolicy { looks: 2, if_not_found: IfNotFound::Retry, if_found: IfFound::Adopt }
    }

    /// What is there stays as it was last seen while its Provider does not answer.
    fn needs_ready(&self, bucket: &Bucket, _reference: &Reference) -> bool {
        !bucket.status.as_ref().is_some_and(|status| status.is_true(ConditionType::Ready.as_str()))
    }

    /// Its policy is woken when it can be reached again, and those of users when it is there.
    fn exports(&self, bucket: &Bucket) -> Vec<String> {
        let status = bucket.status.clone().unwrap_or_default();
        let told =
            [status.is_true(ConditionType::Synced.as_str()), bucket.is_recorded(), bucket.is_anothers()];
        told.map(|told| told.to_string()).into()
    }

    /// Those that name the bucket, when it comes, is made, goes, or is another's or no more. Also those that do not wait for it: a run that is under way may have
    /// seen it as it was before, and has not said yet that it waits.
    fn onlookers(&self, ctx: &Context, versions: &[&Bucket]) -> Vec<ObjectKey> {
        let seen = |bucket: &Bucket| (bucket.is_recorded(), bucket.is_anothers());
        match versions {
            [before, bucket] if seen(before) == seen(bucket) => Vec::new(),
            [.., bucket] => naming_users(ctx.lookup(), bucket).iter().map(ObjectKey::from).collect(),
            [] => Vec::new(),
        }
    }

    /// Those of other namespaces have rights only where the operator lets them, and are looked for in the cache: to read all of the
    /// cluster for each bucket that goes would cost the more, the more there is.
    fn implicit_users(&self, _: &Context, bucket: &Bucket) -> Option<ImplicitUsers> {
        Some(ImplicitUsers { key: users_key(bucket), everywhere: false, all: false })
    }

    fn is_used_by(&self, _: &Context, bucket: &Bucket, user: &Stored) -> bool {
        needs_bucket(user, bucket)
    }
}

/// Whose the bucket at the provider is now: it may have been deleted, and made again by others, since the object last looked.
pub(super) async fn owner_now(ctx: &Context, to: &Connection, bucket: &Bucket) -> Result<Owner, Failure> {
    let tags = observe::tags(ctx, to, &bucket.spec.name).await?;
    Ok(Mark::of(&to.cluster, bucket).owner(&tags, bucket.is_recorded()))
}

async fn create(guard: &Guard, to: &Connection, bucket: &Bucket) -> Result<Outcome, Failure> {
    let name = &bucket.spec.name;
    let made_before = bucket.status.as_ref().is_some_and(|status| status.bucket_name.as_ref() == Some(name));
    let location = location(to, bucket).map(|region| {
        let region = BucketLocationConstraint::from(region.as_str());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let call = to.clients.s3.create_bucket().bucket(name).set_create_bucket_configuration(location);
    let now = guard.now();
    let call = async {
        let Err(error) = Box::pin(call.send()).await else { return Ok(()) };
        let code = Answered::of(&error).and_then(|answered| answered.code.map(str::to_owned));
        match code.as_deref() {
            // It was made before, and not seen a moment ago.
            Some("BucketAlreadyOwnedByYou") if made_before => Ok(()),
            Some("BucketAlreadyExists") => Err(Failure::Invalid(format!(
                "the name {name} is taken by somebody else at the provider; create a Bucket with another name"
            ))),
            _ => Err(failure(CREATE, &error, now)),
        }
    };
    guard.write(CREATE, call).await?;
    Ok(Outcome::made(name, format!("created bucket {name}")))
}

/// What the service is told of the region; us-east-1 has no name there, and compatible services know only their own.
fn location(to: &Connection, bucket: &Bucket) -> Option<String> {
    let spec = &to.provider.spec;
    let named = matches!(spec.profile(), Profile::Aws | Profile::Wasabi);
    let usual = named.then(|| spec.region.clone());
    bucket.spec.region.clone().or(usual).filter(|region| region != "us-east-1")
}

async fn tag(
    guard: &Guard,
    to: &Connection,
    bucket: &Bucket,
    tags: &Tags,
    taking: Taking,
) -> Result<Outcome, Failure> {
    let name = &bucket.spec.name;
    let mut all = tags.clone();
    if taking == Taking::New {
        // Between the look and the call that made it, somebody else may have made and marked it.
        let found = observe::tags(guard, to, name).await?;
        let mark = Mark::of(&to.cluster, bucket);
        match found {
            Found::Present(found) if found.contains_key(mark::MARK) && !mark.is_on(&found) => {
                return Err(Failure::Conflict(format!(
                    "bucket {name} was marked by somebody else meanwhile"
                )));
            }
            Found::Present(found) => all.extend(found.into_iter().filter(|(key, _)| !tags.contains_key(key))),
            Found::Unsupported(why) => {
                let message = format!("bucket {name} bears no mark: {why}");
                return Ok(Outcome::new(ConditionReason::Unsupported, message));
            }
            Found::Missing | Found::Denied(_) => {}
        }
    }
    put_tags(guard, to, name, &all).await?;
    Ok(match taking {
        Taking::New => Outcome::new(ConditionReason::Updated, format!("marked bucket {name} as ours")),
        Taking::Over => Outcome::new(ConditionReason::Adopted, format!("took over bucket {name}")),
        Taking::Ours => Outcome::new(ConditionReason::Updated, format!("set the tags of bucket {name}")),
    })
}

async fn put_tags(guard: &Guard, to: &Connection, name: &str, tags: &Tags) -> Result<(), Failure> {
    let s3 = &to.clients.s3;
    if tags.is_empty() {
        to.write(guard, "DeleteBucketTagging", s3.delete_bucket_tagging().bucket(name).send()).await?;
        return Ok(());
    }
    let tag = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    let tags = tags.iter().map(tag).collect::<Result<Vec<_>, _>>().map_err(unbuildable)?;
    let tags = Tagging::builder().set_tag_set(Some(tags)).build().map_err(unbuildable)?;
    to.write(guard, "PutBucketTagging", s3.put_bucket_tagging().bucket(name).tagging(tags).send()).await?;
    Ok(())
}

/// Keeps in mind what the service refused, which is told in a condition, and what to say of it now.
fn refused(to: &Connection, bucket: &Bucket, field: Field, done: Found<()>) -> Option<Outcome> {
    let (refusal, why) = match done {
        Found::Present(()) | Found::Missing => return None,
        Found::Unsupported(why) => (Refusal::Unsupported(why.clone()), why),
        Found::Denied(why) => (Refusal::Denied(why.clone()), why),
    };
    to.known().note(observe::subject(bucket, field.path()), refusal);
    Some(Outcome::new(ConditionReason::Refused, format!("{}: {why}", field.path())))
}
