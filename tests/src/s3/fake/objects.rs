//! Objects: what was put, with what was said of it.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use url::form_urlencoded;

use super::{State, document, failed, no_bucket};
use crate::faults::{Request, Response};

/// An object in a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    pub body: Vec<u8>,
    /// What whoever put it says of it.
    pub said: BTreeMap<&'static str, String>,
}

/// What of that is kept.
const SAID: [&str; 2] = ["x-amz-meta-concierge-owner", "content-type"];

impl Object {
    /// One that somebody else put.
    pub fn of_others(body: &str) -> Self {
        Self { body: body.as_bytes().to_vec(), ..Self::default() }
    }

    fn etag(&self) -> String {
        let digest = Sha256::digest(&self.body);
        let hex: String = digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        format!("\"{hex}\"")
    }
}

pub(super) fn operation(method: &str, query: &str) -> &'static str {
    match method {
        "DELETE" if query.contains("uploadId=") => "AbortMultipartUpload",
        "DELETE" => "DeleteObject",
        "PUT" => "PutObject",
        "HEAD" => "HeadObject",
        _ => "GetObject",
    }
}

impl State {
    pub(super) fn object(&mut self, request: &Request, name: &str, key: &str) -> Response {
        let Some(bucket) = self.buckets.get_mut(name) else { return no_bucket() };
        let found = bucket.things.get(key);
        match request.method.as_str() {
            "PUT" => {
                let etag = found.map(Object::etag);
                let asks = |header: &str| request.headers.get(header).map(String::as_str);
                let stale = asks("if-match").is_some_and(|wanted| etag.as_deref() != Some(wanted));
                if stale || asks("if-none-match") == Some("*") && etag.is_some() {
                    return failed(412, "PreconditionFailed", "It is not as you think.");
                }
                let said = SAID.iter().filter_map(|name| Some((*name, request.headers.get(*name)?.clone())));
                let object = Object { body: request.body.clone(), said: said.collect() };
                if etag.is_none() {
                    bucket.objects.push((key.to_owned(), "null".to_owned()));
                }
                let headers = vec![("etag", object.etag())];
                bucket.things.insert(key.to_owned(), object);
                Response { headers, ..document(200, "") }
            }
            "DELETE" => {
                bucket.things.remove(key);
                bucket.objects.retain(|(other, _)| other != key);
                document(204, "")
            }
            method => match found {
                None if method == "HEAD" => document(404, ""),
                None => failed(404, "NoSuchKey", "The specified key does not exist."),
                Some(object) => {
                    let said = object.said.clone().into_iter();
                    let headers = said.chain([("etag", object.etag())]).collect();
                    let body = if method == "HEAD" { Vec::new() } else { object.body.clone() };
                    Response { status: 200, headers, body }
                }
            },
        }
    }

    /// The first of those below a prefix.
    pub(super) fn list_objects(&self, request: &Request, name: &str) -> Response {
        let Some(bucket) = self.buckets.get(name) else { return no_bucket() };
        let given: BTreeMap<_, _> = form_urlencoded::parse(request.query().as_bytes()).collect();
        let prefix = given.get("prefix").map_or("", |prefix| prefix);
        let most = given.get("max-keys").and_then(|most| most.parse().ok()).unwrap_or(1000);
        let all: Vec<_> = bucket.things.iter().filter(|(key, _)| key.starts_with(prefix)).collect();
        let shown = all.iter().take(most).map(|(key, object)| {
            let (etag, size) = (object.etag(), object.body.len());
            format!("<Contents><Key>{key}</Key><ETag>{etag}</ETag><Size>{size}</Size></Contents>")
        });
        let (shown, more) = (shown.collect::<String>(), all.len() > most);
        document(
            200,
            &format!(
                "<ListBucketResult><Name>{name}</Name><IsTruncated>{more}</IsTruncated>{shown}</ListBucketResult>"
            ),
        )
    }
}
