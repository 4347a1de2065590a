//! Which web pages may reach a bucket's objects.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::{
    admission::{
        defaults::Fill,
        problem::{Cause, Problems},
    },
    field::{FieldPath, at},
    rules,
};

rules! {
    COR_01 = Deny "s3.bucket.cor-01", "A bucket has at most 100 CORS rules, of at most 64 KiB together.";
    COR_02 = Deny "s3.bucket.cor-02", "A CORS rule has at least one origin and one method.";
    COR_04 = Deny "s3.bucket.cor-04", "A CORS rule's origins are * or SCHEME://HOST[:PORT]; each origin and header has at most one *.";
    COR_05 = Deny "s3.bucket.cor-05", "A CORS rule's maxAgeSeconds is 0 or more.";
    COR_07 = Deny "s3.bucket.cor-07", "A CORS rule's exposed headers have no *.";
    COR_08 = Warn "s3.bucket.cor-08", "A CORS rule for every origin allows no writing.";
    COR_TWICE = Warn "s3.bucket.cor-twice", "No CORS rule says the same as another.";
}

/// How large the rules may be together, in bytes.
const MOST_BYTES: usize = 64 * 1024;

/// The CORS rules of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
pub struct Cors {
    /// The rules, of which the first that fits counts. None removes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(length(max = 100, code = "s3.bucket.cor-01"), nested)]
    pub rules: Option<Vec<CorsRule>>,
}

/// One CORS rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema, Validate)]
#[serde(rename_all = "camelCase")]
pub struct CorsRule {
    /// The origins: `*`, or `https://example.com` with at most one `*`.
    #[validate(length(min = 1, max = 100, code = "s3.bucket.cor-02"))]
    #[schemars(inner(length(max = 2048)))]
    pub allowed_origins: Vec<String>,
    /// The methods.
    #[validate(length(min = 1, max = 5, code = "s3.bucket.cor-02"))]
    pub allowed_methods: Vec<Method>,
    /// The request headers, each with at most one `*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(max = 256)))]
    pub allowed_headers: Option<Vec<String>>,
    /// The answer's headers that pages may read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100), inner(length(max = 256)))]
    pub exposed_headers: Option<Vec<String>>,
    /// For how many seconds browsers keep what they were told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(range(min = 0, code = "s3.bucket.cor-05"))]
    #[schemars(extend("default" = 3600))]
    pub max_age_seconds: Option<i64>,
}

/// A method that pages may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    Get,
    Put,
    Post,
    Delete,
    Head,
}

pub(super) fn fill(cors: Option<&mut Cors>, fill: &mut Fill) {
    let rules = cors.and_then(|cors| cors.rules.as_mut());
    for (index, rule) in rules.into_iter().flatten().enumerate() {
        let field = at("spec.cors.rules").index(index).field("maxAgeSeconds");
        fill.missing(&mut rule.max_age_seconds, field, 3600);
    }
}

/// Adds what is wrong with the CORS rules.
pub(super) fn check(cors: Option<&Cors>, problems: &mut Problems) {
    let rules = cors.and_then(|cors| cors.rules.as_deref()).unwrap_or_default();
    let size: usize = rules.iter().map(CorsRule::size).sum();
    if size > MOST_BYTES {
        let message =
            format!("has {size} bytes of at most {MOST_BYTES}; use a * for many origins or headers");
        problems.add(&COR_01, Cause::TooMany, "spec.cors.rules", message);
    }
    for (index, rule) in rules.iter().enumerate() {
        let field = at("spec.cors.rules").index(index);
        if rules[..index].contains(rule) {
            problems.add(
                &COR_TWICE,
                Cause::Duplicate,
                field.clone(),
                "says the same as an earlier rule; remove it",
            );
        }
        check_rule(rule, &field, problems);
    }
}

fn check_rule(rule: &CorsRule, field: &FieldPath, problems: &mut Problems) {
    let origins = field.clone().field("allowedOrigins");
    for (index, origin) in rule.allowed_origins.iter().enumerate() {
        if let Some(message) = wrong_origin(origin) {
            problems.add(&COR_04, Cause::Invalid, origins.clone().index(index), message);
        }
    }
    for (index, header) in rule.allowed_headers.iter().flatten().enumerate() {
        if header.matches('*').count() > 1 {
            let field = field.clone().field("allowedHeaders").index(index);
            problems.add(&COR_04, Cause::Invalid, field, "has more than one *; use one");
        }
    }
    for (index, header) in rule.exposed_headers.iter().flatten().enumerate() {
        if header.contains('*') {
            let field = field.clone().field("exposedHeaders").index(index);
            problems.add(&COR_07, Cause::Invalid, field, "has a *; name each header in full");
        }
    }
    let writes = rule.allowed_methods.iter().any(|method| !matches!(method, Method::Get | Method::Head));
    if writes && rule.allowed_origins.iter().any(|origin| origin == "*") {
        let message = "lets pages of every site write; name the origins, or allow GET and HEAD only";
        problems.add(&COR_08, Cause::Invalid, origins, message);
    }
}

fn wrong_origin(origin: &str) -> Option<&'static str> {
    if origin == "*" {
        return None;
    }
    if origin.matches('*').count() > 1 {
        return Some("has more than one *; use one");
    }
    let form = "is no origin; write https://host, without a path, or *";
    let Some((scheme, host)) = origin.split_once("://") else { return Some(form) };
    let usual = |c: char| c.is_ascii_alphanumeric() || "-._:[]*".contains(c);
    let is_scheme = scheme.bytes().all(|c| c.is_ascii_alphanumeric() || b"+-.*".contains(&c));
    let fits = !scheme.is_empty() && is_scheme && !host.is_empty() && host.chars().all(usual);
    (!fits).then_some(form)
}

impl CorsRule {
    fn size(&self) -> usize {
        let texts = self.allowed_headers.iter().chain(&self.exposed_headers).flatten();
        texts.chain(&self.allowed_origins).map(String::len).sum()
    }
}
