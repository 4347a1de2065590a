//! Which web pages may reach objects.

use std::collections::BTreeSet;

use aws_sdk_s3::{
    operation::get_bucket_cors::GetBucketCorsOutput,
    types::{CorsConfiguration, CorsRule},
};
use concierge_shared::s3::{self, Cors, Method};

use super::NOTHING;
use crate::{engine::Failure, s3::iam::unbuildable};

/// One rule: origins, methods, headers, exposed headers, seconds.
type Parts<'a> = (Vec<&'a str>, Vec<&'a str>, Vec<&'a str>, Vec<&'a str>, Option<i64>);

/// The rules' lines, in their order: the first that fits counts.
fn lines<'a>(rules: impl Iterator<Item = Parts<'a>>) -> String {
    let rules: Vec<_> = rules.map(line).collect();
    if rules.is_empty() { NOTHING.to_owned() } else { rules.join("; ") }
}

fn line((origins, methods, headers, exposed, seconds): Parts<'_>) -> String {
    let mut line = format!("{} for {}", set(origins), set(methods));
    if !headers.is_empty() {
        line += &format!(" with {}", set(headers).to_ascii_lowercase());
    }
    if !exposed.is_empty() {
        line += &format!(" showing {}", set(exposed).to_ascii_lowercase());
    }
    line + &seconds.map(|seconds| format!(", {seconds} s")).unwrap_or_default()
}

fn set(items: Vec<&str>) -> String {
    items.into_iter().collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(" ")
}

fn rules(cors: &Cors) -> &[s3::CorsRule] {
    cors.rules.as_deref().unwrap_or_default()
}

fn method(method: &Method) -> &'static str {
    match method {
        Method::Get => "GET",
        Method::Put => "PUT",
        Method::Post => "POST",
        Method::Delete => "DELETE",
        Method::Head => "HEAD",
    }
}

fn refs(texts: &[String]) -> Vec<&str> {
    texts.iter().map(String::as_str).collect()
}

pub(super) fn wanted(cors: &Cors) -> String {
    lines(rules(cors).iter().map(|rule| {
        (
            refs(&rule.allowed_origins),
            rule.allowed_methods.iter().map(method).collect(),
            refs(rule.allowed_headers.as_deref().unwrap_or_default()),
            refs(rule.exposed_headers.as_deref().unwrap_or_default()),
            rule.max_age_seconds,
        )
    }))
}

pub(super) fn found(found: &GetBucketCorsOutput) -> String {
    lines(found.cors_rules().iter().map(|rule| {
        (
            refs(rule.allowed_origins()),
            refs(rule.allowed_methods()),
            refs(rule.allowed_headers()),
            refs(rule.expose_headers()),
            rule.max_age_seconds().map(i64::from),
        )
    }))
}

pub(super) fn body(cors: &Cors) -> Result<CorsConfiguration, Failure> {
    let rules = rules(cors).iter().map(rule).collect::<Result<Vec<_>, _>>()?;
    CorsConfiguration::builder().set_cors_rules(Some(rules)).build().map_err(unbuildable)
}

fn rule(rule: &s3::CorsRule) -> Result<CorsRule, Failure> {
    let seconds = rule.max_age_seconds.map(|seconds| i32::try_from(seconds).unwrap_or(i32::MAX));
    CorsRule::builder()
        .set_allowed_origins(Some(rule.allowed_origins.clone()))
        .set_allowed_methods(Some(rule.allowed_methods.iter().map(|one| method(one).to_owned()).collect()))
        .set_allowed_headers(rule.allowed_headers.clone())
        .set_expose_headers(rule.exposed_headers.clone())
        .set_max_age_seconds(seconds)
        .build()
        .map_err(unbuildable)
}
