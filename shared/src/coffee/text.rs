//! Texts that people write: names, notes, addresses of web services.

use url::{Host, Url};

use super::digits::has_card_number;
use crate::{
    admission::{
        claim::claim_name,
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    field::FieldPath,
};

/// Something other than spaces, for the API server.
pub(super) fn not_blank() -> kube::core::Rule {
    kube::core::Rule::new(r"self.matches('\\S')").message(BLANK_MESSAGE)
}

const BLANK_MESSAGE: &str = "is blank; fill it in";

/// Adds a problem when a text that must say something says nothing, or too much.
pub(super) fn check_required(
    problems: &mut Problems,
    rule: &'static AdmissionRule,
    field: impl Into<FieldPath>,
    text: &str,
    max: usize,
) {
    if text.trim().is_empty() {
        problems.add(rule, Cause::Required, field, BLANK_MESSAGE);
    } else {
        check_optional(problems, rule, field, text, max);
    }
}

/// Adds a problem when a text is longer than `max` characters or has characters that do not print.
pub(super) fn check_optional(
    problems: &mut Problems,
    rule: &'static AdmissionRule,
    field: impl Into<FieldPath>,
    text: &str,
    max: usize,
) {
    let length = text.chars().count();
    if length > max {
        let message = format!("is {length} characters long; use at most {max}");
        problems.add(rule, Cause::Invalid, field, message);
    } else if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        problems.add(rule, Cause::Invalid, field, "contains control characters; remove them");
    }
}

/// Adds a problem, which does not repeat the text, when it contains a card number.
pub(super) fn check_no_card_number(
    problems: &mut Problems,
    rule: &'static AdmissionRule,
    field: impl Into<FieldPath>,
    text: &str,
) {
    if has_card_number(text) {
        let message = "contains what looks like a card number; remove it, and treat it as exposed: \
                       objects, their history and audit logs are not the place for it";
        problems.add(rule, Cause::Forbidden, field, message);
    }
}

/// What is wrong with a web address that is to be absolute and without credentials and fragment; else its parts.
pub(super) fn parse_url(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "is no absolute URL; write it as https://host/path")?;
    let credentials = !url.username().is_empty() || url.password().is_some();
    match () {
        () if !matches!(url.scheme(), "http" | "https") => Err("is neither https nor http; use https"),
        () if url.host_str().is_none_or(str::is_empty) => Err("has no host; write it as https://host/path"),
        () if credentials => Err("contains credentials; remove them"),
        () if url.fragment().is_some() => Err("has a fragment; remove everything from '#'"),
        () if text.chars().any(char::is_whitespace) => Err("contains white space; remove it"),
        () => Ok(url),
    }
}

/// True when `url` leads to the machine that asks.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// `name` and `suffix` as the name of an object; where that is too long, a digest stands for the end of `name`.
pub(super) fn derived_name(name: &str, suffix: &str) -> String {
    let room = 253_usize.saturating_sub(suffix.len());
    match name.get(..room.saturating_sub(41)) {
        Some(start) if name.len() > room => format!("{start}-{}{suffix}", claim_name(suffix, name)),
        _ => format!("{name}{suffix}"),
    }
}
