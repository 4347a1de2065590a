//! What is in a bucket that is to go, and how it is taken out: uploads that nobody has finished, every version and every marker, and
//! nothing that is locked.

use std::fmt;

use aws_sdk_s3::{
    operation::list_object_versions::ListObjectVersionsOutput,
    types::{Delete, ObjectIdentifier},
};
use concierge_shared::status::ConditionReason;

use crate::{
    common::redaction::Redaction,
    engine::{Context, Failure, Guard, Outcome},
    s3::{
        connection::{Connection, Found},
        iam::gone,
        iam::unbuildable,
    },
};

/// How many are counted and deleted at a time: the longest page.
const PAGE: usize = 1000;
/// How many pages are emptied in one run.
const PAGES: usize = 5;
/// How many uploads are aborted in one run: each takes a call.
const ABORTS: usize = 100;

/// How much is in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::s3) struct Contents {
    /// Versions, markers and uploads, a thousand at most.
    count: usize,
    more: bool,
    /// Whether some of it is uploads.
    uploads: bool,
}

impl fmt::Display for Contents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let things = match (self.uploads, self.count == 1 && !self.more) {
            (true, _) => "objects, versions and unfinished uploads",
            (false, true) => "object",
            (false, false) => "objects and versions",
        };
        write!(f, "{} {things}", self.bounded())
    }
}

impl Contents {
    /// Counts the first page of each.
    pub(super) async fn count(ctx: &Context, to: &Connection, bucket: &str) -> Result<Self, Failure> {
        let page = page(ctx, to, bucket, None).await?;
        let uploads = Uploads::first(ctx, to, bucket).await?;
        let more = page.is_truncated() == Some(true) || uploads.more;
        Ok(Self::of(ids(&page).len(), uploads.first.len(), more))
    }

    fn of(objects: usize, uploads: usize, more: bool) -> Self {
        let count = objects + uploads;
        Self { count: count.min(PAGE), more: more || count > PAGE, uploads: uploads > 0 }
    }

    pub(super) fn is_empty(self) -> bool {
        self.count == 0 && !self.more
    }

    /// `17` or `1000+`
    pub(super) fn bounded(self) -> String {
        format!("{}{}", self.count, if self.more { "+" } else { "" })
    }

    /// Whether `text`, which a person wrote, names this bucket and no fewer objects than there are. While it is emptied there are
    /// ever fewer.
    pub(super) fn is_confirmed(self, text: &str, bucket: &str) -> bool {
        let Some((name, count)) = text.rsplit_once('/') else { return false };
        let enough = match count.strip_suffix('+') {
            Some(count) => count.parse().is_ok_and(|count: usize| self.count <= count),
            None => !self.more && count.parse().is_ok_and(|count: usize| self.count <= count),
        };
        name == bucket && enough
    }
}

/// Where a page begins.
type Start = (Option<String>, Option<String>);

async fn page(
    ctx: &Context,
    to: &Connection,
    bucket: &str,
    start: Option<Start>,
) -> Result<ListObjectVersionsOutput, Failure> {
    let (key, version) = start.unwrap_or_default();
    let call = to.clients.s3.list_object_versions().bucket(bucket);
    let call = call.max_keys(PAGE as i32).set_key_marker(key).set_version_id_marker(version).send();
    match to.ask(ctx, "ListObjectVersions", &[], call).await? {
        Found::Present(page) => Ok(page),
        Found::Missing => Err(Failure::Transient(format!("bucket {bucket} is gone meanwhile"))),
        Found::Unsupported(why) | Found::Denied(why) => {
            Err(Failure::Invalid(format!("what is in bucket {bucket} can't be counted: {why}")))
        }
    }
}

/// Every version and every marker of a page, by key and version.
fn ids(page: &ListObjectVersionsOutput) -> Vec<(String, Option<String>)> {
    let id = |key: Option<&str>, version: Option<&str>| Some((key?.to_owned(), version.map(str::to_owned)));
    let versions = page.versions().iter().filter_map(|one| id(one.key(), one.version_id()));
    let markers = page.delete_markers().iter().filter_map(|one| id(one.key(), one.version_id()));
    versions.chain(markers).collect()
}

/// Uploads that nobody has finished.
struct Uploads {
    /// The first of them, by key and id.
    first: Vec<(String, String)>,
    more: bool,
}

impl Uploads {
    /// What can't be listed can't be aborted: then there are none.
    async fn first(ctx: &Context, to: &Connection, bucket: &str) -> Result<Self, Failure> {
        let call = to.clients.s3.list_multipart_uploads().bucket(bucket).max_uploads(PAGE as i32).send();
        let Found::Present(page) = to.ask(ctx, "ListMultipartUploads", &[], call).await? else {
            return Ok(Self { first: Vec::new(), more: false });
        };
        let ids = page.uploads().iter().filter_map(|one| one.key().zip(one.upload_id()));
        let first = ids.map(|(key, id)| (key.to_owned(), id.to_owned())).collect();
        Ok(Self { first, more: page.is_truncated() == Some(true) })
    }
}

/// Aborts some uploads; how many, and whether there are more.
async fn abort(guard: &Guard, to: &Connection, bucket: &str) -> Result<(usize, bool), Failure> {
    let uploads = Uploads::first(guard, to, bucket).await?;
    let some = uploads.first.iter().take(ABORTS);
    for (key, id) in some.clone() {
        let call = to.clients.s3.abort_multipart_upload().bucket(bucket).key(key).upload_id(id).send();
        gone(to.write(guard, "AbortMultipartUpload", call).await)?;
    }
    Ok((some.len(), uploads.more || uploads.first.len() > ABORTS))
}

/// Aborts what could still become an object, and deletes a few pages. What is locked stays, and is told of.
pub(super) async fn empty(guard: &Guard, to: &Connection, bucket: &str) -> Result<Outcome, Failure> {
    let (aborted, more) = abort(guard, to, bucket).await?;
    let progress = || Ok(Outcome::progress(format!("bucket {bucket} is being emptied")));
    if more {
        return progress();
    }
    let Some(deleted) = delete_pages(guard, to, bucket).await? else { return progress() };
    let uploads = if aborted > 0 { format!(", and aborted {aborted} uploads") } else { String::new() };
    let message = format!("deleted {deleted} objects and versions of bucket {bucket}{uploads}");
    Ok(Outcome::new(ConditionReason::Deleted, message))
}

/// How many objects were deleted; `None` when there are more.
async fn delete_pages(guard: &Guard, to: &Connection, bucket: &str) -> Result<Option<usize>, Failure> {
    let (mut start, mut deleted, mut kept, mut more) = (None, 0, Vec::new(), true);
    for _ in 0..PAGES {
        let page = page(guard, to, bucket, start).await?;
        let ids = ids(&page);
        if !ids.is_empty() {
            let errors = delete(guard, to, bucket, &ids).await?;
            deleted += ids.len() - errors.len();
            kept.extend(errors);
        }
        more = page.is_truncated() == Some(true);
        if !more {
            break;
        }
        start = Some((
            page.next_key_marker().map(str::to_owned),
            page.next_version_id_marker().map(str::to_owned),
        ));
    }
    match kept.first() {
        Some(first) if deleted == 0 => Err(Failure::Invalid(format!(
            "{} objects of bucket {bucket} can't be deleted ({first}); locked ones can be when their retention ends",
            kept.len()
        ))),
        _ => Ok(Some(deleted).filter(|_| !more)),
    }
}

/// Why some of `ids` were not deleted. No lock is bypassed.
async fn delete(
    guard: &Guard,
    to: &Connection,
    bucket: &str,
    ids: &[(String, Option<String>)],
) -> Result<Vec<String>, Failure> {
    let id = |(key, version): &(String, Option<String>)| {
        ObjectIdentifier::builder().key(key).set_version_id(version.clone()).build().map_err(unbuildable)
    };
    let ids = ids.iter().map(id).collect::<Result<Vec<_>, _>>()?;
    let all = Delete::builder().set_objects(Some(ids)).quiet(true).build().map_err(unbuildable)?;
    let call = to.clients.s3.delete_objects().bucket(bucket).delete(all).send();
    let answer = to.write(guard, "DeleteObjects", call).await?;
    let told = |code: &str| Redaction::default().apply(code);
    Ok(answer.errors().iter().map(|error| told(error.code().unwrap_or("refused"))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_confirmation_holds_for_this_bucket_and_no_more_objects() {
        let few = Contents::of(17, 0, false);
        let many = Contents::of(1000, 0, true);
        assert!(few.is_confirmed("photos/17", "photos") && few.is_confirmed("photos/20", "photos"));
        assert!(few.is_confirmed("photos/1000+", "photos"), "what is left of it");
        assert!(many.is_confirmed("photos/1000+", "photos") && !many.is_confirmed("photos/1000", "photos"));
        assert!(!few.is_confirmed("photos/16", "photos") && !few.is_confirmed("other/17", "photos"));
        assert!(!few.is_confirmed("17", "photos") && !few.is_confirmed("photos/all", "photos"));
    }

    #[test]
    fn unfinished_uploads_are_counted_and_told_apart() {
        assert_eq!(Contents::of(1, 0, false).to_string(), "1 object");
        assert_eq!(Contents::of(0, 2, false).to_string(), "2 objects, versions and unfinished uploads");
        assert_eq!(Contents::of(700, 400, false).bounded(), "1000+");
        assert!(Contents::of(0, 0, false).is_empty() && !Contents::of(0, 1, false).is_empty());
    }
}
