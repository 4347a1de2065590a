//! Tags of users and policies: those of the spec are set, those that the spec had are taken away, others stay.

use std::fmt;

use aws_sdk_iam::types::Tag;
use concierge_shared::{kind::Kind, s3::Tags};
use futures::future::BoxFuture;

use super::{Page, all, note, unbuildable};
use crate::{
    engine::{Drift, Failure, Outcome},
    s3::connection::{Connection, Found, Refusal, Subject},
};

pub(in crate::s3) const TAGS: &str = "spec.tags";

/// What is to be changed of the tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::s3) struct Change {
    pub(in crate::s3) set: Tags,
    pub(in crate::s3) remove: Vec<String>,
    /// Those of them that are there, for people.
    from: String,
}

/// As a difference.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} -> {}", self.from, self.wanted())
    }
}

impl Change {
    /// What makes `found` what the spec says, of which `applied` are the keys that it said before.
    pub(in crate::s3) fn of<'a>(
        wanted: Option<&Tags>,
        applied: impl Iterator<Item = &'a str>,
        found: &Tags,
    ) -> Option<Self> {
        let none = Tags::new();
        let wanted = wanted.unwrap_or(&none);
        let set: Tags = wanted
            .iter()
            .filter(|(key, value)| found.get(*key) != Some(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let remove: Vec<_> = applied
            .filter(|key| found.contains_key(*key) && !wanted.contains_key(*key))
            .map(str::to_owned)
            .collect();
        let there = set.keys().chain(&remove).filter_map(|key| Some(format!("{key}={}", found.get(key)?)));
        let from = shown(there);
        (!set.is_empty() || !remove.is_empty()).then_some(Self { set, remove, from })
    }

    fn wanted(&self) -> String {
        shown(self.set.iter().map(|(key, value)| format!("{key}={value}")))
    }

    /// The difference that it corrects.
    pub(in crate::s3) fn drift(&self) -> Drift {
        Drift::new(TAGS, &self.from, self.wanted())
    }
}

fn shown(tags: impl Iterator<Item = String>) -> String {
    let tags: Vec<_> = tags.collect();
    if tags.is_empty() { "none".to_owned() } else { tags.join(", ") }
}

/// Which of the keys that the spec says, or said, are there.
pub(in crate::s3) fn tags_of<'a>(
    wanted: Option<&'a Tags>,
    applied: impl Iterator<Item = &'a str>,
    found: &Tags,
) -> Vec<String> {
    let said = wanted.into_iter().flat_map(Tags::keys).map(String::as_str);
    let mut keys: Vec<_> =
        said.chain(applied).filter(|key| found.contains_key(*key)).map(str::to_owned).collect();
    keys.sort();
    keys.dedup();
    keys
}

/// The tags that `page` lists, of `what`. A service that has none of them is not asked again and again.
pub(in crate::s3) async fn read_tags<'a>(
    to: &Connection,
    asked: &'static str,
    what: &str,
    page: impl FnMut(Option<String>) -> BoxFuture<'a, Result<Found<Page<(String, String)>>, Failure>>,
) -> Result<Found<Tags>, Failure> {
    if !to.provider.spec.has_iam_tags() {
        return Ok(Found::Unsupported(format!("the provider has no tags of {what}")));
    }
    let subject = Subject::Service(to.digest.clone(), asked);
    if let Some(Refusal::Unsupported(why)) = to.known().refusal(&subject) {
        return Ok(Found::Unsupported(why));
    }
    let found = all(page).await?;
    if let Found::Unsupported(why) = &found {
        to.known().note(subject, Refusal::Unsupported(why.clone()));
    }
    Ok(found.map(|tags| tags.into_iter().collect()))
}

/// Changes tags by `untag` and `tag`. What the service refuses of that is told of as the outcome.
pub(in crate::s3) async fn change_tags<'a, K: Kind, A, B>(
    to: &Connection,
    object: &K,
    change: &Change,
    untag: impl FnOnce(Vec<String>) -> BoxFuture<'a, Result<Found<A>, Failure>>,
    tag: impl FnOnce(Vec<Tag>) -> BoxFuture<'a, Result<Found<B>, Failure>>,
) -> Result<Option<Outcome>, Failure> {
    if !change.remove.is_empty() {
        let refused = note(to, object, TAGS, untag(change.remove.clone()).await?);
        if refused.is_some() {
            return Ok(refused);
        }
    }
    if change.set.is_empty() {
        return Ok(None);
    }
    Ok(note(to, object, TAGS, tag(iam_tags(&change.set)?).await?))
}

fn iam_tags(tags: &Tags) -> Result<Vec<Tag>, Failure> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().map_err(unbuildable);
    tags.iter().map(tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tags(all: &[(&str, &str)]) -> Tags {
        all.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn tags_of_others_stay_and_those_that_the_spec_had_go() {
        let found = tags(&[("team", "old"), ("cost", "1"), ("gone", "x")]);
        let wanted = tags(&[("team", "shop")]);
        let change = Change::of(Some(&wanted), ["team", "gone", "missing"].into_iter(), &found).unwrap();
        assert_eq!((&change.set, change.remove.as_slice()), (&wanted, &["gone".to_owned()][..]));
        assert_eq!(change.to_string(), "team=old, gone=x -> team=shop");
        assert_eq!(change.drift().found, "team=old, gone=x");
        let found = tags(&[("team", "shop"), ("cost", "1")]);
        assert_eq!(Change::of(Some(&wanted), ["team"].into_iter(), &found), None);
        assert_eq!(tags_of(Some(&wanted), ["cost", "gone"].into_iter(), &found), ["cost", "team"]);
    }
}
