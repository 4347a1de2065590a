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
    words::json(&log(findings(report), report.bad.is_empty(), MAX_RESULTS))
}

/// What is not told of so many findings.
pub(super) fn left_out(findings: usize) -> Option<String> {
    let dropped = findings.saturating_sub(MAX_RESULTS);
    (dropped > 0).then(|| dropped_text(dropped))
}

fn dropped_text(dropped: usize) -> String {
    format!("{dropped} of the results are left out, warnings first: code scanning takes {MAX_RESULTS}")
}

fn log(mut findings: Vec<Finding<'_>>, all_read: bool, most: usize) -> Value {
    let dropped = findings.len().saturating_sub(most);
    if dropped > 0 {
        findings.sort_by_key(|finding| finding.level != Level::Deny);
        findings.truncate(most);
    }
    let mut used: Vec<_> = findings.iter().map(|finding| finding.rule).collect();
    used.sort_by_key(|rule| rule.id);
    used.dedup();
    let results: Vec<_> = findings.iter().map(|finding| result(finding, &used)).collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "concierge-webhook check",
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": used.iter().map(|rule| descriptor(rule)).collect::<Vec<_>>(),
            }},
            "invocations": [invocation(all_read, dropped)],
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn invocation(all_read: bool, dropped: usize) -> Value {
    let mut invocation = json!({"executionSuccessful": all_read});
    if dropped > 0 {
        let text = dropped_text(dropped);
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
        "fullDescription": {"text": rule.summary},
        "help": {"text": help, "markdown": format!("{}\n\n```\n{help}```\n", rule.summary)},
        "helpUri": rules::help_uri(rule),
        "defaultConfiguration": {"level": level(rule.level)},
        "properties": {"tags": ["kubernetes", group]},
    })
}

fn result(finding: &Finding<'_>, rules: &[&'static AdmissionRule]) -> Value {
    // Code scanning takes no result without a place: what is about a whole file is at its beginning.
    let Span { start, end } = finding.span.unwrap_or_default();
    let region = json!({
        "startLine": start.line.max(1), "startColumn": start.column.max(1),
        "endLine": end.line.max(start.line).max(1), "endColumn": end.column.max(1),
    });
    let artifact = json!({"uri": uri(&finding.path)});
    let mut location = json!({"physicalLocation": {"artifactLocation": artifact, "region": region}});
    if !finding.subject.is_empty() {
        let name = format!("{} {}", finding.subject, finding.field);
        location["logicalLocations"] =
            json!([{"fullyQualifiedName": words::visible(name.trim_end()), "kind": "object"}]);
    }
    json!({
        "ruleId": finding.rule.id,
        "ruleIndex": rules.iter().position(|rule| rule.id == finding.rule.id),
        "level": level(finding.level),
        "message": {"text": cut(finding.text().lines().map(words::visible).collect::<Vec<_>>().join("\n"))},
        "locations": [location],
        "partialFingerprints": {"concierge/v1": finding.fingerprint},
    })
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Deny => "error",
        Level::Warn => "warning",
        // Code scanning knows no "none".
        Level::Off => "note",
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
    use concierge_shared::kind::all_rules;

    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("deploy/a b:ä.yaml"), "deploy/a%20b%3A%C3%A4.yaml");
        assert_eq!(uri("/tmp/x.yaml"), "file:///tmp/x.yaml");
    }

    fn found(level: Level) -> Finding<'static> {
        let (subject, message) = (String::new(), level.to_string());
        let (path, fingerprint) = ("a.yaml".to_owned(), String::new());
        let (field, file, span) = (String::new(), "a.yaml", None);
        Finding { rule: &rules::INPUT, level, subject, field, message, file, path, span, fingerprint }
    }

    #[test]
    fn of_too_many_results_warnings_are_left_out_first_and_that_is_told() {
        let levels = [Level::Warn, Level::Deny, Level::Warn, Level::Deny, Level::Warn];
        let told = |most: usize| {
            let run = log(levels.map(found).into(), true, most)["runs"][0].take();
            let results = run["results"].as_array().unwrap().iter();
            let levels = results.map(|one| one["message"]["text"].as_str().unwrap().to_owned());
            let notes = &run["invocations"][0]["toolExecutionNotifications"];
            (levels.collect::<Vec<_>>(), notes[0]["message"]["text"].as_str().map(str::to_owned))
        };
        assert_eq!(told(5), (levels.map(|level| level.to_string()).into(), None));
        let (results, note) = told(3);
        assert_eq!(results, ["deny", "deny", "warn"]);
        assert!(note.unwrap().starts_with("2 of the results are left out"));
        assert_eq!(told(1).0, ["deny"]);
        assert_eq!((left_out(MAX_RESULTS), left_out(MAX_RESULTS + 1).is_some()), (None, true));
    }

    #[test]
    fn a_rule_that_is_off_by_default_has_a_level_that_code_scanning_knows() {
        let off = all_rules().into_iter().find(|(rule, _)| rule.level == Level::Off).unwrap().0;
        assert_eq!(descriptor(off)["defaultConfiguration"]["level"], "note");
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        assert_eq!(cut("ä".repeat(MAX_TEXT)), "ä".repeat(MAX_TEXT));
        assert_eq!(cut("ä".repeat(MAX_TEXT + 1)), "ä".repeat(MAX_TEXT) + "...");
    }
}
