//! What a bucket looks like.

use std::collections::BTreeMap;

use concierge_shared::s3::{Bucket, BucketSpec, DeletionPolicy, Tags, policy::Profile};
use jiff::Timestamp;

use super::{
    Here, Observed, Place, Step, TagsFound, children, contents::Contents, field::Field, mark::Mark, plan,
    recent::Recent,
};
use crate::{
    aws::{Answered, failure, region_of},
    common::standing::is_asked,
    engine::{Context, Failure},
    s3::connection::{Connection, Found, Refusal, Subject, unanswered},
};

pub(super) async fn observe(
    ctx: &Context,
    to: &Connection,
    bucket: &Bucket,
    recent: &Recent,
) -> Result<Observed, Failure> {
    let (provider, deletion) = (&to.provider.spec, deletion_policy(to, &bucket.spec));
    let (mark, at) = (Mark::of(&to.cluster, bucket), ctx.now());
    let with = |place, children| Observed {
        place,
        mark: mark.clone(),
        profile: provider.profile(),
        service: provider.service(),
        deletion,
        children,
        at,
    };
    let children = children::observe(ctx, to, bucket).await?;
    let Some(here) = recent.get(ctx, to, bucket) else {
        return Ok(with(place(ctx, to, bucket, recent).await?, children));
    };
    let remembered = with(Place::Here(Box::new(here)), children);
    if is_left_alone(bucket, &remembered) {
        return Ok(remembered);
    }
    Ok(with(place(ctx, to, bucket, recent).await?, remembered.children))
}

/// Whether the bucket itself is as it is to be. Nothing is done to one that was not looked at in the same run.
fn is_left_alone(bucket: &Bucket, observed: &Observed) -> bool {
    plan::plan(bucket, observed).steps.iter().all(|planned| matches!(planned.step, Step::Child(_)))
}

/// Looks at the provider.
pub(super) async fn place(
    ctx: &Context,
    to: &Connection,
    bucket: &Bucket,
    recent: &Recent,
) -> Result<Place, Failure> {
    let deleting = bucket.metadata.deletion_timestamp.is_some();
    Ok(match head(ctx, to, bucket).await? {
        Head::Absent => Place::Absent(if deleting { BTreeMap::new() } else { known_fields(to, bucket) }),
        Head::Elsewhere(region) => Place::Elsewhere(region),
        Head::Closed(why) => Place::Closed(why),
        Head::Here if deleting => Place::Here(Box::new(last(ctx, to, bucket).await?)),
        Head::Here => {
            let here = here(ctx, to, bucket).await?;
            // What has no tags may be something that answers in the service's place.
            if !matches!(here.tags, Found::Unsupported(_)) {
                recent.note(to, bucket, &here);
            }
            Place::Here(Box::new(here))
        }
    })
}

/// A bucket that is to go.
async fn last(ctx: &Context, to: &Connection, bucket: &Bucket) -> Result<Here, Failure> {
    let tags = tags(ctx, to, &bucket.spec.name).await?;
    let contents = match deletion_policy(to, &bucket.spec) {
        DeletionPolicy::Delete => Some(Contents::count(ctx, to, &bucket.spec.name).await?),
        DeletionPolicy::Retain => None,
    };
    Ok(Here { tags, fields: BTreeMap::new(), refused: BTreeMap::new(), contents })
}

async fn here(ctx: &Context, to: &Connection, bucket: &Bucket) -> Result<Here, Failure> {
    let acted_on = bucket.status.as_ref().and_then(|status| status.reconciled_at.as_deref());
    let tags = tags(ctx, to, &bucket.spec.name).await?;
    let mut fields = known_fields(to, bucket);
    for field in asked(bucket)
        .filter(|field| !matches!(fields.get(field), Some(Found::Unsupported(_))))
        .collect::<Vec<_>>()
    {
        fields.insert(field, get(ctx, to, bucket, field).await?);
    }
    if is_asked(bucket, acted_on) {
        to.known().forget(bucket.metadata.uid.as_deref().unwrap_or_default());
    }
    let refused = Field::ALL.into_iter().map(Field::path);
    let refused =
        refused.filter_map(|path| Some((path, to.known().refusal(&subject(bucket, path))?))).collect();
    Ok(Here { tags, fields, refused, contents: None })
}

/// The parts that the spec says something about, or that were applied when it did.
fn asked(bucket: &Bucket) -> impl Iterator<Item = Field> {
    let applied = bucket.status.as_ref().map(|status| &status.applied);
    let was_applied =
        move |field: Field| applied.is_some_and(|all| all.iter().any(|one| one == field.word()));
    Field::ALL.into_iter().filter(move |field| field.wanted(&bucket.spec).is_some() || was_applied(*field))
}

/// What can be said of the parts without a question: there is none yet, or there never will be.
fn known_fields(to: &Connection, bucket: &Bucket) -> BTreeMap<Field, Found<String>> {
    let found = |field: Field| match lacks(to, field) {
        Some(why) => Found::Unsupported(why),
        None => Found::Missing,
    };
    asked(bucket).map(|field| (field, found(field))).collect()
}

/// Why a part need not be asked for.
fn lacks(to: &Connection, field: Field) -> Option<String> {
    match field.said(&to.provider.spec) {
        Some(true) => None,
        Some(false) => Some(format!("the provider has no {}", field.word())),
        None => match to.known().refusal(&Subject::Service(to.digest.clone(), field.path())) {
            Some(Refusal::Unsupported(why) | Refusal::Denied(why)) => Some(why),
            None => None,
        },
    }
}

async fn get(
    ctx: &Context,
    to: &Connection,
    bucket: &Bucket,
    field: Field,
) -> Result<Found<String>, Failure> {
    let found = field.get(ctx, to, &bucket.spec.name).await?;
    if let Found::Unsupported(_) = found {
        let why = format!("the provider has no {}", field.word());
        let subject = Subject::Service(to.digest.clone(), field.path());
        to.known().note(subject, Refusal::Unsupported(why.clone()));
        return Ok(Found::Unsupported(why));
    }
    Ok(found)
}

/// The key of what was found out about a part of this very spec.
pub(super) fn subject(bucket: &Bucket, path: &'static str) -> Subject {
    let meta = &bucket.metadata;
    Subject::Object(meta.uid.clone().unwrap_or_default(), meta.generation, path)
}

pub(super) async fn tags(ctx: &Context, to: &Connection, bucket: &str) -> Result<TagsFound, Failure> {
    if to.provider.spec.said_of(|all| all.tagging, &[]) == Some(false) {
        return Ok(Found::Unsupported("the provider has no tagging".to_owned()));
    }
    let call = to.clients.s3.get_bucket_tagging().bucket(bucket).send();
    let found = to.ask(ctx, "GetBucketTagging", &["NoSuchTagSet", "NoSuchTagSetError"], call).await?;
    Ok(found.map(|found| {
        let tags = found.tag_set().iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
        tags.collect::<Tags>()
    }))
}

enum Head {
    Absent,
    Here,
    Elsewhere(String),
    Closed(String),
}

/// Why a bucket may not be looked at.
const DENIED: &str = "it may not be looked at: it is another account's, or s3:ListBucket is not allowed";

/// Why a bucket that is elsewhere is not looked at.
const REDIRECTED: &str = "it is in another region, and the provider does not say in which; create a Bucket with that one as spec.region instead";

/// Answers to HEAD have no words: the status is all there is.
async fn head(ctx: &Context, to: &Connection, bucket: &Bucket) -> Result<Head, Failure> {
    let (now, name) = (ctx.now(), &bucket.spec.name);
    let asked = bucket.region().unwrap_or(&to.provider.spec.region);
    let call = async {
        let head = to.clients.s3.head_bucket().bucket(name).set_expected_bucket_owner(account(to));
        let Err(error) = Box::pin(head.send()).await else {
            return Ok(Head::Here);
        };
        if let Some(region) = region_of(&error).filter(|region| region != asked) {
            return Ok(elsewhere(bucket, region));
        }
        match Answered::of(&error) {
            Some(answered)
                if answered.is_missing(&["NotFound", "NoSuchBucket"]) || answered.is_redirect() =>
            {
                // Part of the same call: that HEAD was answered tells nothing of the service.
                in_words(to, bucket, now).await
            }
            Some(answered) if answered.is_denied() => Ok(Head::Closed(DENIED.to_owned())),
            _ => Err(failure("HeadBucket", &error, now)),
        }
    };
    Box::pin(ctx.read("HeadBucket", call)).await.map_err(unanswered)
}

/// Why HEAD led to no bucket. What it was answered may come from something else in the service's place, which has no words for it: a bucket
/// that somebody has there is neither gone nor made again, which some services answer with success.
async fn in_words(to: &Connection, bucket: &Bucket, now: Timestamp) -> Result<Head, Failure> {
    let asked = bucket.region().unwrap_or(&to.provider.spec.region);
    let list = to.clients.s3.list_objects_v2().bucket(&bucket.spec.name).max_keys(1);
    let list = list.set_expected_bucket_owner(account(to));
    let Err(error) = Box::pin(list.send()).await else { return Ok(Head::Here) };
    match Answered::of(&error) {
        Some(answered) if answered.is_missing(&["NoSuchBucket"]) => Ok(Head::Absent),
        Some(answered) if answered.is_denied() => Ok(Head::Closed(DENIED.to_owned())),
        Some(answered) if answered.is_redirect() && answered.code.is_some() => Ok(match region_of(&error) {
            Some(region) if region != asked => elsewhere(bucket, region),
            Some(region) => Head::Closed(format!(
                "it is in {region}, and the Provider's endpoint leads elsewhere; create a Provider with that region's endpoint"
            )),
            None => Head::Closed(REDIRECTED.to_owned()),
        }),
        _ => Err(failure("ListObjectsV2", &error, now)),
    }
}

/// Whose the bucket has to be. Names are all of AWS's: of one that was deleted, another account may have made another, and let us in to
/// get what is meant for ours. Elsewhere nobody is asked, for not every service knows the question.
fn account(to: &Connection) -> Option<String> {
    let status = to.provider.status.as_ref()?;
    status.account_id.clone().filter(|_| to.provider.spec.profile() == Profile::Aws)
}

/// What the spec says of its region stays as it is; where it says nothing, the bucket is looked for there.
fn elsewhere(bucket: &Bucket, region: String) -> Head {
    match &bucket.spec.region {
        None => Head::Elsewhere(region),
        Some(asked) => Head::Closed(format!(
            "it is in the region {region}, and spec.region is {asked}; create a Bucket with spec.region: {region} instead"
        )),
    }
}

fn deletion_policy(to: &Connection, spec: &BucketSpec) -> DeletionPolicy {
    spec.deletion_policy.or(to.provider.spec.default_deletion_policy).unwrap_or_default()
}
