//! What is to be done about a bucket, and what its status says.

use std::{collections::BTreeMap, time::Duration};

use concierge_shared::{
    admission::review::annotation,
    s3::{Bucket, BucketStatus, DeletionPolicy, EMPTY_ANNOTATION, Tags},
    status::{ConditionReason, Conditions},
};

use super::{
    CREATE, DENIED, Here, NOTHING, Observed, Place, Step, Taking, children, field::Field, mark::MARK, tags,
};
use crate::{
    engine::{Deletion, Drift, Once, Owner, Plan, Planned, annotation::ADOPT},
    s3::connection::{Found, Refusal},
};

/// When what was found out in one run is used in the next.
const AT_ONCE: Duration = Duration::from_secs(1);

pub(super) fn plan(bucket: &Bucket, observed: &Observed) -> Plan<Step> {
    match &observed.place {
        Place::Elsewhere(region) => {
            Plan::not_ready(ConditionReason::Reconciling, elsewhere(bucket, region)).look_again(AT_ONCE)
        }
        Place::Closed(why) => {
            Plan::not_ready(ConditionReason::Refused, format!("bucket {}: {why}", bucket.spec.name))
        }
        Place::Absent(fields) => set_up_later(create(bucket, observed), bucket, fields),
        Place::Here(here) => keep(bucket, observed, here),
    }
}

fn elsewhere(bucket: &Bucket, region: &str) -> String {
    format!("bucket {} is in the region {region}, and looked at there next", bucket.spec.name)
}

fn create(bucket: &Bucket, observed: &Observed) -> Plan<Step> {
    let name = &bucket.spec.name;
    let once = Once { operation: CREATE, fingerprint: name.clone(), before: Vec::new() };
    let plan = Plan::not_ready(ConditionReason::Reconciling, format!("bucket {name} is being made"));
    let gone = bucket.is_recorded().then(|| Drift::new("spec.name", "no bucket", name));
    let tags = tags::wanted(bucket, observed, &Tags::new());
    let create = Planned {
        once: Some(once),
        drift: gone.into_iter().collect(),
        ..Planned::new(Step::Create(name.clone()))
    };
    plan.with(create).step(Step::Tag { tags, taking: Taking::New })
}

/// No part is set that was not looked at, and those of a bucket that is not there can't be: they follow in the next run.
fn set_up_later(
    mut plan: Plan<Step>,
    bucket: &Bucket,
    fields: &BTreeMap<Field, Found<String>>,
) -> Plan<Step> {
    let mut later = Vec::new();
    for (field, found) in fields {
        let Some(wanted) = field.wanted(&bucket.spec).filter(|wanted| wanted != NOTHING) else { continue };
        match found {
            Found::Unsupported(why) => plan = plan.unsupported(field.path(), why.clone()),
            _ => later.push(format!("{}: {wanted}", field.word())),
        }
    }
    if later.is_empty() { plan } else { plan.step(Step::SetUp(later.join(", "))) }
}

fn keep(bucket: &Bucket, observed: &Observed, here: &Here) -> Plan<Step> {
    let mut plan = tags::correct(Plan::ready(), bucket, observed, here);
    if bucket.spec.wants_mfa() {
        plan =
            plan.unsupported("spec.versioning.mfaDelete", "takes the account owner's device; set it there");
    }
    let mut denied: Vec<String> = Vec::new();
    if let Found::Denied(why) = &here.tags {
        denied.push(format!("spec.tagging: {why}"));
    }
    for (field, found) in &here.fields {
        let refusal = here.refused.get(field.path());
        match (found, refusal) {
            (Found::Denied(why), _) => denied.push(format!("{}: {why}", field.path())),
            (Found::Present(_) | Found::Missing, Some(Refusal::Denied(why))) => {
                denied.push(format!("{}: {why}", field.path()));
            }
            (Found::Present(_) | Found::Missing, Some(Refusal::Unsupported(why))) => {
                plan = plan.unsupported(field.path(), why.clone());
            }
            _ => plan = correct(plan, bucket, observed, *field, found),
        }
    }
    let plan = children::plan(plan, &observed.children);
    if denied.is_empty() {
        return plan;
    }
    plan.condition(
        DENIED,
        true,
        "Denied",
        format!("{}; allow it to the Provider's access key", denied.join("; ")),
    )
}

/// Adds what is to be done about one part.
fn correct(
    plan: Plan<Step>,
    bucket: &Bucket,
    observed: &Observed,
    field: Field,
    found: &Found<String>,
) -> Plan<Step> {
    let wanted = field.wanted(&bucket.spec);
    let (from, is_shown) = match found {
        Found::Present(text) => (text.clone(), true),
        Found::Missing => (NOTHING.to_owned(), false),
        // What the spec does not ask for is not missed.
        Found::Unsupported(_) if wanted.is_none_or(|wanted| wanted == NOTHING) => return plan,
        Found::Unsupported(why) => return plan.unsupported(field.path(), why.clone()),
        Found::Denied(_) => return plan,
    };
    // What was applied, and is in the spec no more.
    let to = wanted.unwrap_or_else(|| NOTHING.to_owned());
    if field.agrees(observed.profile, &to, &from) {
        return plan;
    }
    let drift = Drift::new(field.path(), &from, &to);
    let step = match to == NOTHING && field.is_removed() {
        // Nothing is removed that this very run was not shown.
        true if !is_shown => return plan,
        true => Step::Remove { field, from },
        false => Step::Set { field, from, to },
    };
    plan.correct_independently(step, [drift])
}

pub(super) fn plan_deletion(bucket: &Bucket, observed: &Observed) -> Deletion<Step> {
    if let Some(first) = children::plan_deletion(&observed.children) {
        return first;
    }
    let name = &bucket.spec.name;
    let here = match &observed.place {
        Place::Absent(_) => return Deletion::Gone,
        Place::Elsewhere(region) => return Deletion::wait(elsewhere(bucket, region), AT_ONCE),
        Place::Closed(why) => {
            return Deletion::Blocked(ConditionReason::Refused, format!("bucket {name}: {why}"));
        }
        Place::Here(here) => here,
    };
    let marked = here.tags.present().filter(|tags| observed.mark.is_on(tags));
    if observed.deletion == DeletionPolicy::Retain {
        return retain(name, here, marked);
    }
    let Some(contents) = here.contents else { return Deletion::Gone };
    if contents.is_empty() {
        return Deletion::steps([Step::Delete(name.clone())]);
    }
    let confirmed =
        annotation(bucket, EMPTY_ANNOTATION).is_some_and(|text| contents.is_confirmed(text, name));
    let count = contents.bounded();
    let message = match (bucket.spec.force_delete == Some(true), marked.is_some()) {
        (true, true) if confirmed => return Deletion::steps([Step::Empty(contents)]),
        (true, true) => format!(
            "bucket {name} has {contents}; to have them deleted too, set the annotation {EMPTY_ANNOTATION}: \
             \"{name}/{count}\""
        ),
        (false, true) => format!(
            "bucket {name} has {contents}; empty it, set deletionPolicy: Retain, or set forceDelete: true and the \
             annotation {EMPTY_ANNOTATION}: \"{name}/{count}\""
        ),
        (_, false) => format!(
            "bucket {name} has {contents}, and no longer bears our mark; empty it yourself, or set \
             deletionPolicy: Retain"
        ),
    };
    Deletion::Blocked(ConditionReason::Held, message)
}

/// The mark goes, and the bucket stays.
fn retain(name: &str, here: &Here, marked: Option<&Tags>) -> Deletion<Step> {
    if let Some(tags) = marked {
        let mut others = tags.clone();
        others.remove(MARK);
        return Deletion::steps([Step::Unmark(others)]);
    }
    Deletion::Left(match &here.tags {
        Found::Present(_) | Found::Missing => {
            format!("bucket {name} stays, without our mark: deletionPolicy is Retain")
        }
        Found::Unsupported(_) => {
            format!(
                "bucket {name} stays: deletionPolicy is Retain; it bears no mark, for the provider has no tags"
            )
        }
        Found::Denied(why) => format!(
            "bucket {name} stays: deletionPolicy is Retain; if it has the tag {MARK}, remove that yourself ({why})"
        ),
    })
}

pub(super) fn report(bucket: &Bucket, observed: &Observed, status: &mut BucketStatus) {
    children::report(&observed.children, status);
    status.service.clone_from(&observed.service);
    if !matches!(observed.place, Place::Here(ref here) if is_denied(here)) {
        status.clear(DENIED);
    }
    let here = match &observed.place {
        Place::Closed(_) => return,
        Place::Elsewhere(region) => {
            status.region = Some(region.clone());
            return;
        }
        Place::Absent(_) => {
            status.owned_by_other = None;
            status.exists = Some(false);
            status.region = None;
            status.applied.clear();
            return;
        }
        Place::Here(here) => here,
    };
    let ours = observed.mark.owner(&here.tags, bucket.is_recorded()) == Owner::Ours;
    let anothers = !ours && annotation(bucket, ADOPT) != Some("true");
    status.owned_by_other = anothers.then_some(true);
    if anothers {
        // What was recorded is another's by now, who need not give way to this object.
        status.exists = status.exists.filter(|exists| !exists);
        return;
    }
    status.bucket_name = Some(bucket.spec.name.clone());
    status.arn = Some(format!("arn:aws:s3:::{}", bucket.spec.name));
    status.exists = Some(true);
    status.applied = applied(bucket, here);
}

fn is_denied(here: &Here) -> bool {
    let denied = |found: &Found<String>| matches!(found, Found::Denied(_));
    matches!(here.tags, Found::Denied(_))
        || here.fields.values().any(denied)
        || here.refused.values().any(|refusal| matches!(refusal, Refusal::Denied(_)))
}

/// What is at the bucket because the spec says it, or said it.
fn applied(bucket: &Bucket, here: &Here) -> Vec<String> {
    let before = bucket.status.as_ref().map(|status| status.applied.clone()).unwrap_or_default();
    let fields = here.fields.iter().filter(|(field, found)| {
        let said = field.wanted(&bucket.spec).is_some_and(|wanted| wanted != NOTHING);
        field.is_removed()
            && found.present().is_some()
            && (said || before.iter().any(|one| one == field.word()))
    });
    let mut applied: Vec<String> = fields.map(|(field, _)| field.word().to_owned()).collect();
    applied.extend(tags::applied(bucket, &here.tags, &before));
    applied.sort();
    applied.dedup();
    applied
}
