//! GitHub's workflow commands: each finding an annotation at its line.

use std::fmt::Write as _;

use concierge_shared::admission::rule::Level;

use super::{
    finding::{Finding, findings},
    human::Human,
};
use crate::check::{
    report::Report,
    words::{self, BROKEN, is_unprintable},
};

/// The report as workflow commands, and a line that sums up.
pub(super) fn github(report: &Report) -> String {
    let mut text = String::new();
    for finding in findings(report) {
        command(&mut text, &finding);
    }
    text + &Human::new(false).sum_up(report)
}

fn command(text: &mut String, finding: &Finding<'_>) {
    let name = if finding.level == Level::Deny { "error" } else { "warning" };
    let _ = write!(text, "::{name} file={}", property(&finding.path));
    if let Some(span) = finding.span {
        let (start, end) = (span.start, span.end);
        let _ = write!(text, ",line={},endLine={}", start.line, end.line.max(start.line));
        // Columns are heeded on one line only.
        if start.line == end.line && end.column > start.column {
            let _ = write!(text, ",col={},endColumn={}", start.column, end.column);
        }
    }
    let _ = writeln!(text, ",title={}::{}", property(finding.rule.id), data(&finding.text()));
}

/// A message as a command takes it, without others and without commands to a terminal: a log shows it too.
fn data(text: &str) -> String {
    let escape = |c: char| match c {
        '%' => "%25".to_owned(),
        '\r' => "%0D".to_owned(),
        '\n' => "%0A".to_owned(),
        _ if is_unprintable(c) => c.escape_default().to_string(),
        _ => c.to_string(),
    };
    words::brackets(&text.chars().map(escape).collect::<String>(), BROKEN)
}

/// A property's value as a command takes it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
