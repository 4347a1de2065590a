//! From text to a [`Policy`]: strict JSON, then the shape that the grammar demands.

mod element;
mod json;
mod statement;

use serde::de::IgnoredAny;

use self::{
    element::{check_keys, each, start, string},
    json::{Node, Object, Value},
    statement::statement,
};
use super::{
    Lint,
    document::{Policy, Statement, Version},
    rules::*,
};

const ELEMENTS: &[&str] = &["Version", "Id", "Statement"];

/// The policy in the text that `lint` is about, without the statements that lack something; `None` when there is no
/// looking at it.
pub(super) fn read(lint: &mut Lint<'_>) -> Option<Policy> {
    let text = lint.text;
    if text.starts_with('\u{feff}') {
        lint.add(&DOC_01, 0..3, "begins with a byte order mark; save it as UTF-8 without one");
        return None;
    }
    if let Err(error) = serde_json::from_str::<IgnoredAny>(text) {
        let at = offset(text, error.line(), error.column());
        lint.add(&DOC_02, at..at, format!("is not valid JSON: {}", plain(&error)));
        return None;
    }
    // serde_json has judged the text; this reader adds the places.
    match json::parse(text) {
        Ok(node) => policy(lint, &node),
        Err(finding) => {
            lint.findings.push(finding);
            None
        }
    }
}

/// What serde_json says, without the place, which is shown in another way.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or_default().to_owned()
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let mut at = (start + column.saturating_sub(1)).min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn policy(lint: &mut Lint<'_>, node: &Node<'_>) -> Option<Policy> {
    let Value::Object(document) = &node.value else {
        lint.add(
            &DOC_11,
            node.span.clone(),
            "a policy document is an object: {\"Version\": ..., \"Statement\": [...]}",
        );
        return None;
    };
    check_keys(lint, document, Some((ELEMENTS, &DOC_04)));
    let version = version(lint, document);
    if let Some(id) = document.get("Id") {
        string(lint, &id.node, "Id");
        if !lint.subject.is_of_bucket() {
            lint.add(&DOC_09, id.name_span.clone(), "Id is only for bucket policies; remove it");
        }
    }
    let Some(statement) = document.get("Statement") else {
        lint.add(&DOC_10, node.span.clone(), "Statement is missing; add \"Statement\": [...]");
        return None;
    };
    let statements = statements(lint, &statement.node);
    Some(Policy { version, statements })
}

fn version(lint: &mut Lint<'_>, document: &Object<'_>) -> Version {
    let is_identity = !lint.subject.is_of_bucket();
    let Some(member) = document.get("Version") else {
        let rule = if is_identity { &DOC_07_IDENTITY } else { &DOC_07 };
        lint.add(rule, start(document), "Version is missing; add \"Version\": \"2012-10-17\"");
        return Version::Of2008;
    };
    let Some(version) = string(lint, &member.node, "Version") else { return Version::Of2008 };
    match version.text.as_str() {
        "2012-10-17" => Version::Of2012,
        "2008-10-17" => {
            if is_identity {
                let message = "is the language of 2008; write \"2012-10-17\"";
                lint.add(&DOC_07_IDENTITY, version.span, message);
            } else if lint.text.contains("${") {
                let message = "variables are plain text in the language of 2008; write \"2012-10-17\"";
                lint.add(&DOC_08, version.span, message);
            }
            Version::Of2008
        }
        other => {
            lint.add(&DOC_06, version.span, format!("{other:?} is no version; write \"2012-10-17\""));
            Version::Of2012
        }
    }
}

fn statements(lint: &mut Lint<'_>, node: &Node<'_>) -> Vec<Statement> {
    let all = match &node.value {
        Value::Object(_) | Value::List(_) => each(node),
        _ => &[],
    };
    if all.is_empty() {
        lint.add(&DOC_11, node.span.clone(), "Statement is an object or a list of at least one object");
    }
    all.iter().filter_map(|one| statement(lint, one)).collect()
}
