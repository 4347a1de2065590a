//! Where a document's objects are in a bucket: `PREFIX/NAMESPACE/NAME/SHA-256`. No other document's objects are there.
//!
//! Each bears the mark of the document that it is of. What bears none is neither overwritten nor removed.

use std::{collections::HashMap, sync::Arc};

use aws_sdk_s3::{
    error::{ProvideErrorMetadata, SdkError},
    operation::put_object::{PutObjectOutput, builders::PutObjectFluentBuilder},
    primitives::ByteStream,
    types::Object,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use concierge_shared::{
    common::ObjectRef,
    orasi::{Delivered, Document, Storage},
    status::ConditionReason,
};

use super::is_known;
use crate::{
    aws::{Answer, Found, ask, failure, try_write},
    engine::{Account, Context, Failure, Guard, ObjectKey, Outcome},
    orasi::services::Services,
};

/// What says whose an object is, among the metadata that users give.
const MARK: &str = "concierge-owner";
/// How many objects of one document are listed. There is one, unless somebody adds others. Among more, ours could be missed.
const MOST: i32 = 1000;

/// A place for the objects of one document.
pub(super) struct Shelf {
    pub(super) account: Account,
    s3: aws_sdk_s3::Client,
    /// `namespace/name` of the Storage.
    storage: String,
    /// Where that leads.
    service: String,
    pub(super) bucket: String,
    /// Begins all keys.
    folder: String,
    mark: Mark,
}

/// Whose an object is: CLUSTER/NAMESPACE/NAME/UID.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mark(String);

/// An object that is there.
pub(super) struct Thing {
    pub(super) key: String,
    /// The service's digest of it.
    pub(super) etag: Option<String>,
    pub(super) size: i64,
}

/// What is to be put.
pub(super) struct Put<'a> {
    pub(super) key: &'a str,
    pub(super) over: &'a Over,
    pub(super) text: String,
}

/// What an object takes the place of.
pub(in crate::orasi) enum Over {
    Nothing,
    /// Whatever is there: the service gives no digests.
    Anything,
    /// The version with this digest.
    Version(String),
}

/// Whose an object is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Whose {
    Ours,
    /// Of an object of the same name, which was there before.
    Earlier,
    Nobodys,
    Others,
}

/// Where the document belongs. Nowhere when that is not to be had, and it is known where it was put or that it is nowhere.
pub(super) async fn here(
    services: &Services,
    ctx: &Context,
    document: &Document,
) -> Result<Option<Shelf>, Failure> {
    let Some(reference) = &document.spec.storage_ref else { return Ok(None) };
    let own = document.metadata.namespace.as_deref().unwrap_or_default();
    let storage: Option<Arc<Storage>> = reference.visible(ctx.lookup(), own);
    let storage = match storage {
        None if document.is_away() && is_known(document) => return Ok(None),
        storage => storage.ok_or_else(|| missing(reference, own))?,
    };
    shelf(services, ctx, document, &storage).await.map(Some)
}

fn missing(reference: &ObjectRef, own: &str) -> Failure {
    let name = format!("{}/{}", reference.namespace_in(own), reference.name);
    Failure::DependencyMissing(format!(
        "Storage {name} does not exist, or does not allow references from namespace {own}; to delete the Document and leave what \
         was put, set the annotation concierge.dev/abandon"
    ))
}

/// Where the document was put; else why nobody can get there.
pub(super) async fn before(
    services: &Services,
    ctx: &Context,
    document: &Document,
    at: &Delivered,
) -> Result<Result<Shelf, String>, Failure> {
    let Delivered { storage: name, service, bucket, key, .. } = at;
    let (namespace, storage) = name.split_once('/').unwrap_or_default();
    let own = document.metadata.namespace.as_deref() == Some(namespace);
    let left = |why: String| {
        // Nobody asks here whether a Storage of another namespace permits this one, so nothing is told of it.
        let why = if own { why } else { "can't be used any more".into() };
        Ok(Err(format!("{key} is still in bucket {bucket}, and Storage {name} {why}")))
    };
    let Some(storage) = ctx.find::<Storage>(namespace, storage)? else { return left("is gone".into()) };
    match shelf(services, ctx, document, &storage).await {
        Ok(shelf) if (&shelf.service, &shelf.bucket) == (service, bucket) => {
            let folder = key.rsplit_once('/').map_or("", |(folder, _)| folder);
            Ok(Ok(Shelf { folder: format!("{folder}/"), ..shelf }))
        }
        Ok(Shelf { service: now, bucket: to, .. }) => {
            left(format!("leads to bucket {to} of {now}, no longer to {service}"))
        }
        Err(Failure::DependencyMissing(why) | Failure::Invalid(why)) => left(format!("can't be used: {why}")),
        Err(failure) => Err(failure),
    }
}

async fn shelf(
    services: &Services,
    ctx: &Context,
    document: &Document,
    storage: &Storage,
) -> Result<Shelf, Failure> {
    let key = ObjectKey::of(storage);
    let place = storage.spec.s3_place().ok_or_else(|| {
        Failure::Invalid(format!("{key} takes no documents; name one of the type S3 or S3Parquet"))
    })?;
    let (account, opened) = services.open(ctx, &key, &place).await?;
    let meta = &document.metadata;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (namespace, name, uid) = (text(&meta.namespace), text(&meta.name), text(&meta.uid));
    let cluster = ctx.cluster_uid().await?;
    Ok(Shelf {
        account,
        s3: opened.s3,
        storage: format!("{}/{}", key.namespace, key.name),
        service: place.service().unwrap_or_default(),
        bucket: place.bucket.to_owned(),
        folder: format!("{}{namespace}/{name}/", place.folder()),
        mark: Mark(format!("{cluster}/{namespace}/{name}/{uid}")),
    })
}

impl Mark {
    /// Whose an object is that says so.
    fn compare(&self, found: Option<&str>) -> Whose {
        let place = |mark: &str| mark.rsplit_once('/').map(|(place, _)| place.to_owned());
        match found {
            None => Whose::Nobodys,
            Some(found) if found == self.0 => Whose::Ours,
            Some(found) if place(found) == place(&self.0) => Whose::Earlier,
            Some(_) => Whose::Others,
        }
    }
}

impl Shelf {
    /// Whether this is where something was put.
    pub(super) fn holds(&self, at: &Delivered) -> bool {
        let same = (&at.storage, &at.service, &at.bucket) == (&self.storage, &self.service, &self.bucket);
        // A shelf of before may have stood inside of what is this one's folder.
        same && at
            .key
            .rsplit_once('/')
            .is_some_and(|(folder, _)| self.folder.strip_suffix('/') == Some(folder))
    }

    /// The key of a content.
    ///
    /// # Errors
    /// [`Failure::Invalid`] when it is longer than any service takes.
    pub(super) fn key(&self, sha256: &str) -> Result<String, Failure> {
        let key = format!("{}{sha256}", self.folder);
        match key.len() {
            ..=1024 => Ok(key),
            length => Err(Failure::Invalid(format!(
                "the object's key would have {length} characters, and S3 takes 1024; use a Storage with a shorter prefix"
            ))),
        }
    }

    /// What is put at `key`, as statuses have it.
    pub(super) fn delivered(&self, key: &str, etag: Option<String>) -> Delivered {
        let sha256 = key.rsplit('/').next().unwrap_or_default().to_owned();
        let (storage, service, bucket) = (self.storage.clone(), self.service.clone(), self.bucket.clone());
        Delivered { storage, service, bucket, key: key.to_owned(), sha256, etag }
    }

    /// What there is; `None` when there is no bucket.
    pub(super) async fn list(&self, ctx: &Context) -> Result<Option<Vec<Thing>>, Failure> {
        let now = ctx.now();
        let list = self.s3.list_objects_v2().bucket(&self.bucket).prefix(&self.folder).max_keys(MOST).send();
        let failed = |error: &_| failure("ListObjectsV2", error, now);
        match ask(ctx, "ListObjectsV2", &["NoSuchBucket"], list, failed).await? {
            Found::Present(list) if list.is_truncated() == Some(true) => Err(self.crowded()),
            Found::Present(list) => {
                Ok(Some(list.contents().iter().filter_map(|one| self.thing(one)).collect()))
            }
            Found::Missing => Ok(None),
            Found::Denied(why) => Err(self.denied(&why, "list", "s3:ListBucket")),
            Found::Unsupported(why) => Err(Failure::DependencyMissing(why)),
        }
    }

    /// `None` for what lies under a key that no content has: that was put by others, and is not asked about.
    fn thing(&self, object: &Object) -> Option<Thing> {
        let key = object.key()?;
        is_sha256(key.strip_prefix(&self.folder)?).then(|| Thing {
            key: key.to_owned(),
            etag: object.e_tag().and_then(bare),
            size: object.size().unwrap_or_default(),
        })
    }

    pub(super) fn no_bucket(&self) -> Failure {
        Failure::DependencyMissing(format!("bucket {} does not exist", self.bucket))
    }

    fn denied(&self, why: &str, what: &str, right: &str) -> Failure {
        let remedy = format!("let the access key {what} bucket {} ({right})", self.bucket);
        Failure::DependencyMissing(format!("{why}; {remedy}"))
    }

    fn crowded(&self) -> Failure {
        let Self { folder, bucket, .. } = self;
        Failure::DependencyMissing(format!(
            "there are more than {MOST} objects below {folder} in bucket {bucket}; remove those of others"
        ))
    }

    /// Whose the object at `key` is, which was listed.
    pub(super) async fn whose(&self, ctx: &Context, key: &str) -> Result<Whose, Failure> {
        let now = ctx.now();
        let head = self.s3.head_object().bucket(&self.bucket).key(key).send();
        let failed = |error: &_| failure("HeadObject", error, now);
        match ask(ctx, "HeadObject", &["NoSuchKey", "NotFound"], head, failed).await? {
            Found::Present(head) => Ok(self.mark.compare(marked(head.metadata()))),
            Found::Missing => Err(Failure::Transient(format!("{key} is listed, and was not found"))),
            Found::Denied(why) | Found::Unsupported(why) => {
                Err(self.denied(&why, "read objects of", "s3:GetObject"))
            }
        }
    }

    /// Puts it, and returns the service's digest of it.
    ///
    /// That it takes the place of this version and no other is asked of services that know how to.
    pub(super) async fn put(&self, guard: &Guard, put: Put<'_>) -> Result<Option<String>, Failure> {
        let Put { key, over, text } = put;
        let request = || {
            let body = ByteStream::from(text.clone().into_bytes());
            let request = self.s3.put_object().bucket(&self.bucket).key(key).body(body);
            request.content_type("text/plain; charset=utf-8").metadata(MARK, &self.mark.0)
        };
        let careful = match over {
            Over::Nothing => request().if_none_match("*"),
            Over::Anything => request(),
            Over::Version(etag) => request().if_match(format!("\"{etag}\"")),
        };
        let sent = match send(guard, careful).await? {
            Found::Unsupported(_) => send(guard, request()).await?,
            sent => sent,
        };
        match sent {
            Found::Present(put) => Ok(put.e_tag().and_then(bare)),
            Found::Denied(why) => Err(self.denied(&why, "put objects into", "s3:PutObject")),
            Found::Unsupported(why) => Err(Failure::Unsupported(why)),
            Found::Missing => Err(self.no_bucket()),
        }
    }

    /// Removes what is ours.
    pub(super) async fn remove(&self, guard: &Guard, key: &str) -> Result<Outcome, Failure> {
        let call = self.s3.delete_object().bucket(&self.bucket).key(key).send();
        match write(guard, "DeleteObject", call).await {
            Ok(Found::Present(_) | Found::Missing) | Err(Failure::DependencyMissing(_)) => {}
            Ok(Found::Denied(why)) => return Err(self.denied(&why, "remove objects of", "s3:DeleteObject")),
            Ok(Found::Unsupported(why)) => return Err(Failure::Unsupported(why)),
            Err(failure) => return Err(failure),
        }
        Ok(Outcome::new(ConditionReason::Deleted, format!("removed {key} from bucket {}", self.bucket)))
    }
}

fn send(guard: &Guard, request: PutObjectFluentBuilder) -> Answer<'_, Found<PutObjectOutput>> {
    write(guard, "PutObject", request.send())
}

/// Makes a call that changes something. A right that is missing may be given at any time: that is no refusal.
fn write<'a, T, E>(
    guard: &'a Guard,
    operation: &'static str,
    call: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send + 'a,
) -> Answer<'a, Found<T>>
where
    T: Send + 'a,
    E: ProvideErrorMetadata + Send + Sync + 'a,
{
    let now = guard.now();
    try_write(guard, operation, call, move |error| failure(operation, error, now))
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Services write it with quotes or without. One that is longer than statuses take is treated as absent.
fn bare(etag: &str) -> Option<String> {
    let etag = etag.trim_matches('"');
    (1..=128).contains(&etag.len()).then(|| etag.to_owned())
}

fn marked(metadata: Option<&HashMap<String, String>>) -> Option<&str> {
    metadata?.get(MARK).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_bears_no_mark_of_ours_is_not_ours() {
        let mark = Mark("cluster/team/hello/1".into());
        assert_eq!(mark.compare(Some("cluster/team/hello/1")), Whose::Ours);
        assert_eq!(mark.compare(Some("cluster/team/hello/2")), Whose::Earlier);
        assert_eq!(mark.compare(Some("another/team/hello/1")), Whose::Others);
        assert_eq!(mark.compare(Some("")), Whose::Others);
        assert_eq!(mark.compare(None), Whose::Nobodys);
    }
}
