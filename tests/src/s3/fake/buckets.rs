//! Buckets: their parts are documents that are kept as they came.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::objects::{self, Object};
use super::{PROBE, State, document, failed, no_bucket};
use crate::faults::{Request, Response};

#[derive(Clone, Debug, Default)]
pub struct Bucket {
    /// Its parts by their words.
    pub parts: BTreeMap<&'static str, String>,
    /// Keys and versions.
    pub objects: Vec<(String, String)>,
    /// Those that were put, by their keys.
    pub things: BTreeMap<String, Object>,
    pub locked: BTreeSet<String>,
    /// Uploads that nobody has finished, by key and id.
    pub uploads: Vec<(String, String)>,
    /// The only region for which requests are to be signed, if that matters.
    pub region: Option<String>,
    /// The account that it belongs to, when that is not the one of the key.
    pub owner: Option<&'static str>,
}

/// A part of a bucket: the word in the query, its operations, and how the service says that there is none.
pub(super) struct Part {
    word: &'static str,
    operations: [&'static str; 3],
    missing: &'static str,
}

const fn part(word: &'static str, operations: [&'static str; 3], missing: &'static str) -> Part {
    Part { word, operations, missing }
}

const PARTS: &[Part] = &[
    part("tagging", ["GetBucketTagging", "PutBucketTagging", "DeleteBucketTagging"], "NoSuchTagSet"),
    part("versioning", ["GetBucketVersioning", "PutBucketVersioning", "DELETE ?versioning"], ""),
    part(
        "encryption",
        ["GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption"],
        "ServerSideEncryptionConfigurationNotFoundError",
    ),
    part(
        "publicAccessBlock",
        ["GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock"],
        "NoSuchPublicAccessBlockConfiguration",
    ),
    part(
        "lifecycle",
        ["GetBucketLifecycleConfiguration", "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle"],
        "NoSuchLifecycleConfiguration",
    ),
    part("cors", ["GetBucketCors", "PutBucketCors", "DeleteBucketCors"], "NoSuchCORSConfiguration"),
    part("policy", ["GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy"], "NoSuchBucketPolicy"),
];

/// What a request about buckets is about.
pub(super) enum About<'a> {
    Service,
    Bucket(&'a str),
    List(&'a str),
    Part(&'a str, &'static Part),
    Versions(&'a str),
    Deletion(&'a str),
    Uploads(&'a str),
    Object(&'a str, &'a str),
}

pub(super) fn about(request: &Request) -> About<'_> {
    let path = request.path().trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    let words = || request.query().split('&').map(|word| word.split('=').next().unwrap_or_default());
    let has = |wanted| words().any(|word| word == wanted);
    match bucket {
        "" => About::Service,
        _ if !key.is_empty() => About::Object(bucket, key),
        _ if has("list-type") => About::List(bucket),
        _ if has("versions") => About::Versions(bucket),
        _ if has("delete") => About::Deletion(bucket),
        _ if has("uploads") => About::Uploads(bucket),
        _ => match PARTS.iter().find(|part| has(part.word)) {
            Some(part) => About::Part(bucket, part),
            None => About::Bucket(bucket),
        },
    }
}

impl About<'_> {
    pub(super) fn operation(&self, request: &Request) -> &'static str {
        match (self, request.method.as_str()) {
            (About::Service, "GET") => "ListBuckets",
            (About::Service, "HEAD") => PROBE,
            (About::Bucket(_), "HEAD") => "HeadBucket",
            (About::Bucket(_), "PUT") => "CreateBucket",
            (About::Bucket(_), "DELETE") => "DeleteBucket",
            (About::Part(_, part), "GET") => part.operations[0],
            (About::Part(_, part), "PUT") => part.operations[1],
            (About::Part(_, part), _) => part.operations[2],
            (About::Versions(_), _) => "ListObjectVersions",
            (About::Deletion(_), _) => "DeleteObjects",
            (About::Uploads(_), _) => "ListMultipartUploads",
            (About::List(_), _) => "ListObjectsV2",
            (About::Object(..), method) => objects::operation(method, request.query()),
            _ => "unknown",
        }
    }
}

impl State {
    pub(super) fn about_buckets(&mut self, request: &Request, about: About<'_>, at: Timestamp) -> Response {
        if let Some(region) = self.elsewhere(request, &about) {
            let headers = vec![("x-amz-bucket-region", region)];
            return Response { headers, ..failed(301, "PermanentRedirect", "The bucket is elsewhere.") };
        }
        match about {
            About::Service => self.list(),
            About::Bucket(bucket) => self.bucket(request, bucket),
            About::Part(bucket, part) if self.mistaken.contains(part.word) => match request.method.as_str() {
                "PUT" => failed(400, "InvalidArgument", ""),
                _ => self.bucket(request, bucket),
            },
            About::Part(_, part) if request.method == "GET" && self.empty.contains(part.word) => {
                document(200, "")
            }
            About::Part(_, part) if request.method == "DELETE" && self.staying.contains(part.word) => {
                document(204, "")
            }
            About::Part(_, part) if self.lacking.contains(part.word) => failed(
                501,
                "NotImplemented",
                "A header or query you provided implies functionality that is not implemented.",
            ),
            About::Part(..)
                if about.operation(request) == "PutBucketPolicy" && self.names_new(request, at) =>
            {
                failed(400, "MalformedPolicy", "Invalid principal in policy")
            }
            About::Part(bucket, _)
                if about.operation(request) == "PutBucketPolicy" && self.blocks(request, bucket) =>
            {
                failed(403, "AccessDenied", "public policies are blocked by the BlockPublicPolicy setting")
            }
            About::Part(bucket, part) => self.part(request, bucket, part),
            About::Versions(bucket) => self.versions(bucket),
            About::Deletion(bucket) => self.delete_objects(request, bucket),
            About::Uploads(bucket) => self.uploads(bucket),
            About::List(bucket) => self.list_objects(request, bucket),
            About::Object(bucket, _) if about.operation(request) == "AbortMultipartUpload" => {
                self.abort(request, bucket)
            }
            About::Object(bucket, key) => self.object(request, bucket, key),
        }
    }

    /// Whether a policy names a user that is too new for that.
    fn names_new(&self, request: &Request, at: Timestamp) -> bool {
        let text = String::from_utf8_lossy(&request.body).into_owned();
        let mut new = self.iam.users.values().filter(|user| at.duration_since(user.created) < self.unnamed);
        new.any(|user| text.contains(&user.arn()))
    }

    /// Whether the bucket takes no policy like this, which lets everybody in.
    fn blocks(&self, request: &Request, name: &str) -> bool {
        let block = self.buckets.get(name).and_then(|bucket| bucket.parts.get("publicAccessBlock"));
        let blocks = block.is_some_and(|block| block.contains("<BlockPublicPolicy>true"));
        let everybody = r#"{"Effect":"Allow","Principal":"*""#;
        blocks && String::from_utf8_lossy(&request.body).contains(everybody)
    }

    /// The region of the bucket that the request is about, when it is signed for another one.
    fn elsewhere(&self, request: &Request, about: &About<'_>) -> Option<String> {
        let (About::Bucket(name) | About::Part(name, _) | About::List(name)) = about else { return None };
        let region = self.buckets.get(*name)?.region.clone()?;
        (signed_for(request) != Some(&region)).then_some(region)
    }

    fn list(&self) -> Response {
        let bucket = |name: &String| format!("<Bucket><Name>{name}</Name></Bucket>");
        let buckets: String = self.buckets.keys().map(bucket).collect();
        document(
            200,
            &format!(
                "<ListAllMyBucketsResult><Owner><ID>owner</ID></Owner><Buckets>{buckets}</Buckets></ListAllMyBucketsResult>"
            ),
        )
    }

    fn bucket(&mut self, request: &Request, name: &str) -> Response {
        match (request.method.as_str(), self.buckets.get(name)) {
            ("PUT", None) if self.taken.contains(name) => {
                failed(409, "BucketAlreadyExists", "Somebody else has it.")
            }
            ("PUT", Some(_)) => failed(409, "BucketAlreadyOwnedByYou", "You own it."),
            ("PUT", None) => {
                let body = String::from_utf8_lossy(&request.body);
                // Who names a region makes the bucket there, and no request for another one reaches it.
                let region = signed_for(request).filter(|region| body.contains(*region)).map(str::to_owned);
                self.buckets.insert(name.to_owned(), Bucket { region, ..Bucket::default() });
                document(200, "")
            }
            ("HEAD", None) => document(404, ""),
            ("HEAD", Some(bucket)) => match request.headers.get("x-amz-expected-bucket-owner") {
                Some(asked) if bucket.owner.is_some_and(|owner| owner != asked) => document(403, ""),
                _ => document(200, ""),
            },
            (_, None) => no_bucket(),
            ("DELETE", Some(bucket)) if !bucket.objects.is_empty() || !bucket.uploads.is_empty() => {
                failed(409, "BucketNotEmpty", "It has objects.")
            }
            ("DELETE", Some(_)) => {
                self.buckets.remove(name);
                document(204, "")
            }
            _ => document(200, &format!("<ListBucketResult><Name>{name}</Name></ListBucketResult>")),
        }
    }

    fn part(&mut self, request: &Request, name: &str, part: &Part) -> Response {
        let Some(bucket) = self.buckets.get_mut(name) else { return no_bucket() };
        match (request.method.as_str(), bucket.parts.get(part.word)) {
            ("PUT", _) => {
                bucket.parts.insert(part.word, String::from_utf8_lossy(&request.body).into_owned());
                document(200, "")
            }
            ("DELETE", _) => {
                bucket.parts.remove(part.word);
                document(204, "")
            }
            (_, Some(text)) => document(200, text),
            (_, None) if part.missing.is_empty() => document(200, "<VersioningConfiguration/>"),
            (_, None) => failed(404, part.missing, "There is none."),
        }
    }

    /// The first thousand.
    fn versions(&self, name: &str) -> Response {
        let Some(bucket) = self.buckets.get(name) else { return no_bucket() };
        let first: Vec<_> = bucket.objects.iter().take(1000).collect();
        let version = |(key, version): &&(String, String)| {
            format!("<Version><Key>{key}</Key><VersionId>{version}</VersionId></Version>")
        };
        let all: String = first.iter().map(version).collect();
        let more = bucket.objects.len() > first.len();
        let next = first.last().filter(|_| more).map_or_else(String::new, |(key, version)| {
            format!(
                "<NextKeyMarker>{key}</NextKeyMarker><NextVersionIdMarker>{version}</NextVersionIdMarker>"
            )
        });
        document(
            200,
            &format!("<ListVersionsResult><IsTruncated>{more}</IsTruncated>{next}{all}</ListVersionsResult>"),
        )
    }

    fn delete_objects(&mut self, request: &Request, name: &str) -> Response {
        let Some(bucket) = self.buckets.get_mut(name) else { return no_bucket() };
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let keys: Vec<_> =
            body.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next()).collect();
        let locked: Vec<_> = keys.iter().filter(|key| bucket.locked.contains(**key)).copied().collect();
        let gone: BTreeSet<_> = keys.iter().filter(|key| !bucket.locked.contains(**key)).copied().collect();
        bucket.objects.retain(|(key, _)| !gone.contains(key.as_str()));
        let error = |key: &&str| {
            format!("<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>locked</Message></Error>")
        };
        document(
            200,
            &format!("<DeleteResult>{}</DeleteResult>", locked.iter().map(error).collect::<String>()),
        )
    }

    /// The first thousand.
    fn uploads(&self, name: &str) -> Response {
        let Some(bucket) = self.buckets.get(name) else { return no_bucket() };
        let upload = |(key, id): &(String, String)| {
            format!("<Upload><Key>{key}</Key><UploadId>{id}</UploadId></Upload>")
        };
        let all: String = bucket.uploads.iter().take(1000).map(upload).collect();
        let more = bucket.uploads.len() > 1000;
        let list = format!("<IsTruncated>{more}</IsTruncated>{all}");
        document(200, &format!("<ListMultipartUploadsResult>{list}</ListMultipartUploadsResult>"))
    }

    fn abort(&mut self, request: &Request, name: &str) -> Response {
        let Some(bucket) = self.buckets.get_mut(name) else { return no_bucket() };
        let wanted = request.query().split('&').find_map(|word| word.strip_prefix("uploadId="));
        let before = bucket.uploads.len();
        bucket.uploads.retain(|(_, id)| Some(id.as_str()) != wanted);
        match bucket.uploads.len() < before {
            true => document(204, ""),
            false => failed(404, "NoSuchUpload", "The specified multipart upload does not exist."),
        }
    }
}

/// The region in a request's signature.
fn signed_for(request: &Request) -> Option<&str> {
    request.headers.get("authorization")?.split_once("Credential=")?.1.split('/').nth(2)
}
