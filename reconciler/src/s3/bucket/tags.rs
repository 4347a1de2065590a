//! A bucket's tags: those of the spec, the provider's own, and our mark.

use concierge_shared::s3::{Bucket, TagPolicy, Tags};

use super::{Here, NOTHING, Observed, Step, TagsFound, Taking, mark::MARK};
use crate::{
    engine::{Drift, Owner, Plan},
    s3::connection::Found,
};

/// How the names of tags that were applied begin in the status.
const TAG: &str = "tag:";

/// Adds what is to be done about the tags.
pub(super) fn correct(plan: Plan<Step>, bucket: &Bucket, observed: &Observed, here: &Here) -> Plan<Step> {
    let none = Tags::new();
    let found = match &here.tags {
        Found::Present(tags) => tags,
        Found::Missing => &none,
        Found::Unsupported(why) => return plan.unsupported("spec.tagging", why.clone()),
        Found::Denied(_) => return plan,
    };
    let wanted = wanted(bucket, observed, found);
    if wanted == *found {
        return plan;
    }
    let is_ours = observed.mark.is_on(found);
    let taking = match observed.mark.owner(&here.tags, bucket.is_recorded()) {
        Owner::Other(_) => Taking::Over,
        _ => Taking::Ours,
    };
    let drift = is_ours.then(|| Drift::new("spec.tagging", shown(found), shown(&wanted)));
    plan.correct_independently(Step::Tag { tags: wanted, taking }, drift)
}

/// The tags that people know of.
fn shown(tags: &Tags) -> String {
    let shown = tags.iter().filter(|(key, _)| *key != MARK).map(|(key, value)| format!("{key}={value}"));
    let shown: Vec<_> = shown.collect();
    if shown.is_empty() { NOTHING.to_owned() } else { shown.join(", ") }
}

/// All tags as they are to be. The provider's own stay in any case: it refuses to lose them.
pub(super) fn wanted(bucket: &Bucket, observed: &Observed, found: &Tags) -> Tags {
    let said = bucket.spec.tagging.as_ref();
    let ours = said.and_then(|tagging| tagging.tags.clone()).unwrap_or_default();
    let exact = said.is_some_and(|tagging| tagging.policy == Some(TagPolicy::Exact));
    let applied: Vec<_> = bucket.status.iter().flat_map(|status| &status.applied).collect();
    let stays = |key: &String| {
        key.starts_with("aws:")
            || !exact && !applied.iter().any(|one| one.strip_prefix(TAG) == Some(key.as_str()))
    };
    let mut tags: Tags =
        found.iter().filter(|(key, _)| stays(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
    tags.extend(ours);
    tags.insert(MARK.to_owned(), observed.mark.text().to_owned());
    tags
}

/// The tags that are at the bucket because the spec says them, or said them, as the status tells it. `before` is what it told.
pub(super) fn applied(bucket: &Bucket, found: &TagsFound, before: &[String]) -> Vec<String> {
    let tagging = bucket.spec.tagging.iter().filter_map(|tagging| tagging.tags.as_ref());
    let said = tagging.flat_map(|tags| tags.keys()).map(|key| format!("{TAG}{key}"));
    let told = before.iter().filter(|one| one.starts_with(TAG)).cloned();
    let there = |key: &str| found.present().is_some_and(|tags| tags.contains_key(key));
    said.chain(told).filter(|one| one.strip_prefix(TAG).is_some_and(there)).collect()
}
