//! SARIF 2.1.0, for code scanning.

use std::fmt::Write as _;

use concierge_shared::admission::rule::{AdmissionRule, Level};
use serde_json::{Value, json};

use super::finding::{Finding, findings};
use crate::check::{input::tree::Span, report::Report, rules, words};

/// How many results a run may have: beyond that, code scanning takes none.
const MAX_RESULTS: usize = 25_000;

/// How long a message may be before code scanning cuts it.
const MAX_TEXT: usize = 1_000;

/// The report as a log with one run.
pub(super) fn sarif(report: &Report) -> String {
    let mut findings = findings(report);
    let dropped = findings.len().saturating_sub(MAX_RESULTS);
    if dropped > 0 {
        findings.sort_by_key(|finding| finding.level != Level::Deny);
        findings.truncate(MAX_RESULTS);
    }
    let mut used: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
    used.sort_by_key(|rule| rule.id);
    used.dedup();
    let results: Vec<_> = findings.iter().map(|finding| result(finding, &used)).collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "concierge-webhook check",
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": used.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }},
            "invocations": [invocation(report, dropped)],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    });
    words::json(&log)
}

fn invocation(report: &Report, dropped: usize) -> Value {
    let mut invocation = json!({"executionSuccessful": report.bad.is_empty()});
    if dropped > 0 {
        let text = format!("{dropped} results more than code scanning takes are left out");
        invocation["toolExecutionNotifications"] = json!([{"level": "warning", "message": {"text": text}}]);
    }
    invocation
}

fn descriptor(rule: &AdmissionRule) -> Value {
    let help = rules::help(rule);
    let group = rule.id.split('.').next().unwrap_or_default();
    json!({
        "id": rule.id,
        "shortDescription": {"text": rule.summary},
        "help": {"text": help, "markdown": format!("{}\n\n```\n{help}```\n", rule.summary)},
        "helpUri": rules::help_uri(rule),
        "defaultConfiguration": {"level": level(rule.level)},
        "properties": {"tags": ["kubernetes", group]},
    })
}

fn result(finding: &Finding<'_>, rules: &[&'static AdmissionRule]) -> Value {
    // Code scanning takes no result without a line: what is about a whole file is at its first.
    let region = finding.span.map_or_else(
        || json!({"startLine": 1}),
        |Span { start, end }| {
            json!({
                "startLine": start.line.max(1), "startColumn": start.column.max(1),
                "endLine": end.line.max(start.line).max(1), "endColumn": end.column.max(1),
            })
        },
    );
    let artifact = json!({"uri": uri(&finding.path)});
    let mut location = json!({"physicalLocation": {"artifactLocation": artifact, "region": region}});
    if !finding.subject.is_empty() {
        let name = format!("{} {}", finding.subject, finding.field);
        location["logicalLocations"] =
            json!([{"fullyQualifiedName": words::printable(name.trim_end()), "kind": "object"}]);
    }
    json!({
        "ruleId": finding.rule.id,
        "ruleIndex": rules.iter().position(|rule| rule.id == finding.rule.id),
        "level": level(finding.level),
        "message": {"text": cut(words::printable_lines(&finding.text()))},
        "locations": [location],
        "partialFingerprints": {"concierge/v1": finding.fingerprint},
    })
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Deny => "error",
        Level::Warn => "warning",
        Level::Off => "none",
    }
}

fn cut(text: String) -> String {
    match text.char_indices().nth(MAX_TEXT) {
        Some((end, _)) => format!("{}...", text[..end].trim_end()),
        None => text,
    }
}

/// A path as a relative reference, or an absolute one with its scheme.
fn uri(path: &str) -> String {
    let scheme = if path.starts_with('/') { "file://" } else { "" };
    path.bytes().fold(scheme.to_owned(), |mut uri, byte| {
        let plain = byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte);
        let _ = if plain { write!(uri, "{}", byte as char) } else { write!(uri, "%{byte:02X}") };
        uri
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("deploy/a b:ä.yaml"), "deploy/a%20b%3A%C3%A4.yaml");
        assert_eq!(uri("/tmp/x.yaml"), "file:///tmp/x.yaml");
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(cut("ä".repeat(MAX_TEXT)), "ä".repeat(MAX_TEXT));
        assert_eq!(cut("ä".repeat(MAX_TEXT + 1)), "ä".repeat(MAX_TEXT) + "...");
    }
}
