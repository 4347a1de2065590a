//! The tag by which a bucket is known to be ours.

use concierge_shared::s3::{Bucket, Tags};

use super::TagsFound;
use crate::{engine::Owner, s3::connection::Found};

/// The mark's key. Rules keep it out of the tags that people give.
pub(super) const MARK: &str = "concierge.dev/owner";
/// The longest value of a tag.
const LONGEST: usize = 256;

/// Whose a bucket is, as its mark says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark(String);

impl Mark {
    /// The mark of `bucket`: CLUSTER/NAMESPACE/NAME/UID. A name that is too long for a tag is cut; the uid alone tells objects apart.
    pub(super) fn of(cluster: &str, bucket: &Bucket) -> Self {
        let meta = &bucket.metadata;
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (namespace, mut name, uid) = (text(&meta.namespace), text(&meta.name), text(&meta.uid));
        let rest = cluster.len() + namespace.len() + uid.len() + 3;
        name.truncate(LONGEST.saturating_sub(rest));
        Self(format!("{cluster}/{namespace}/{name}/{uid}"))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    fn uid(text: &str) -> &str {
        text.rsplit('/').next().unwrap_or_default()
    }

    /// Cluster, namespace and name: an object that was restored from a backup has them, and another uid.
    fn place(text: &str) -> &str {
        text.rsplit_once('/').map_or("", |(place, _)| place)
    }

    /// Whether `tags` have this very mark.
    pub(super) fn is_on(&self, tags: &Tags) -> bool {
        tags.get(MARK).is_some_and(|found| Self::uid(found) == Self::uid(&self.0))
    }

    /// Whose a bucket with these tags is, when the status says that the object made one, or not.
    ///
    /// What is not marked and recorded is one that was made and not marked yet, or one of the predecessor's.
    pub(super) fn owner(&self, tags: &TagsFound, recorded: bool) -> Owner {
        let found = tags.present().and_then(|tags| tags.get(MARK));
        match (found, tags) {
            (Some(found), _) if Self::uid(found) == Self::uid(&self.0) => Owner::Ours,
            (Some(found), _) if recorded && Self::place(found) == Self::place(&self.0) => Owner::Ours,
            (Some(found), _) if Self::place(found) == Self::place(&self.0) => {
                Owner::Other("it was made for an earlier Bucket of this name".to_owned())
            }
            (Some(_), _) => Owner::Other(format!("its tag {MARK} names another object")),
            (None, _) if recorded => Owner::Ours,
            (None, Found::Denied(_)) => Owner::Other("its tags may not be read".to_owned()),
            (None, Found::Unsupported(_)) => {
                Owner::Other("the provider keeps no tags that could tell".to_owned())
            }
            (None, _) => Owner::Other(format!("it has no tag {MARK}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn mark(name: &str, uid: &str) -> Mark {
        let bucket = json!({
            "apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "Bucket",
            "metadata": {"name": name, "namespace": "shop", "uid": uid},
            "spec": {"name": "photos", "providerRef": {"name": "p"}},
        });
        Mark::of("cluster", &serde_json::from_value(bucket).unwrap())
    }

    fn tagged(mark: &Mark) -> TagsFound {
        Found::Present([(MARK.to_owned(), mark.text().to_owned())].into())
    }

    #[test]
    fn a_mark_fits_into_a_tag_and_keeps_the_uid() {
        let uid = "0d3c6f0e-6f3c-4d46-9d5e-6b6a3d0a3a11";
        let long = mark(&"n".repeat(253), uid);
        assert!(long.text().len() <= LONGEST && long.text().ends_with(uid), "{}", long.text());
    }

    #[test]
    fn ours_is_what_bears_the_mark_or_was_recorded_and_bears_no_other() {
        let own = mark("photos", "1");
        let ours = |tags: &TagsFound, recorded| own.owner(tags, recorded) == Owner::Ours;
        assert!(ours(&tagged(&own), false));
        assert!(ours(&Found::Missing, true) && !ours(&Found::Missing, false));
        let (restored, other) = (tagged(&mark("photos", "2")), tagged(&mark("other", "3")));
        assert!(ours(&restored, true) && !ours(&restored, false));
        assert!(!ours(&other, true) && !ours(&other, false));
        assert!(
            !ours(&Found::Denied(String::new()), false) && !ours(&Found::Unsupported(String::new()), false)
        );
    }
}
