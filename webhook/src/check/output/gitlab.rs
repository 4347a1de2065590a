//! GitLab's code quality report.

use concierge_shared::admission::rule::Level;
use serde::Serialize;

use super::finding::{Finding, findings};
use crate::check::{
    report::Report,
    words::{json, visible},
};

#[derive(Serialize)]
struct Issue {
    description: String,
    check_name: &'static str,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: usize,
    end: usize,
}

/// The report as a list of issues.
pub(super) fn gitlab(report: &Report) -> String {
    json(&findings(report).into_iter().map(issue).collect::<Vec<_>>())
}

fn issue(finding: Finding<'_>) -> Issue {
    let span = finding.span.unwrap_or_default();
    let begin = span.start.line.max(1);
    Issue {
        // The format has it on one line.
        description: visible(&finding.text().lines().map(str::trim).collect::<Vec<_>>().join("; "))
            .into_owned(),
        check_name: finding.rule.id,
        severity: if finding.level == Level::Deny { "major" } else { "minor" },
        location: Location {
            path: visible(&finding.path).into_owned(),
            lines: Lines { begin, end: span.end.line.max(begin) },
        },
        fingerprint: finding.fingerprint,
    }
}
