//! From text to a [`Policy`]: strict JSON, then the shape that the grammar demands.

mod element;
mod statement;

use jsonc_parser::{
    ParseOptions,
    ast::{Object, Value},
};
use serde::de::IgnoredAny;

use self::{
    element::{check_keys, name_span, span, string},
    statement::statement,
};
use super::{
    Lint,
    document::{Policy, Statement, Version},
    rules::*,
};

const MAX_DEPTH: usize = 8;
const MAX_VALUES: usize = 20_000;
const ELEMENTS: &[&str] = &["Version", "Id", "Statement"];
const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

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
    // serde_json has judged the text; this parser adds the places.
    let value = match jsonc_parser::parse_to_ast(text, &Default::default(), &STRICT) {
        Ok(parsed) => parsed.value?,
        Err(error) => {
            let range = error.range();
            lint.add(&DOC_02, range.start..range.end, format!("is not valid JSON: {}", error.kind()));
            return None;
        }
    };
    if !is_bounded(lint, &value) {
        return None;
    }
    policy(lint, &value)
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

fn is_bounded(lint: &mut Lint<'_>, root: &Value<'_>) -> bool {
    let (mut stack, mut values) = (vec![(root, 1)], 0);
    while let Some((value, depth)) = stack.pop() {
        values += 1;
        if depth > MAX_DEPTH || values > MAX_VALUES {
            let message = format!(
                "is nested more than {MAX_DEPTH} deep or has more than {MAX_VALUES} values; make it simpler"
            );
            lint.add(&DOC_12, span(value), message);
            return false;
        }
        match value {
            Value::Object(object) => {
                stack.extend(object.properties.iter().map(|one| (&one.value, depth + 1)))
            }
            Value::Array(array) => stack.extend(array.elements.iter().map(|one| (one, depth + 1))),
            _ => {}
        }
    }
    true
}

fn policy(lint: &mut Lint<'_>, value: &Value<'_>) -> Option<Policy> {
    let Value::Object(document) = value else {
        lint.add(
            &DOC_11,
            span(value),
            "a policy document is an object: {\"Version\": ..., \"Statement\": [...]}",
        );
        return None;
    };
    check_keys(lint, document, Some((ELEMENTS, &DOC_04)));
    let version = version(lint, document);
    if let Some(id) = document.get("Id") {
        string(lint, &id.value, "Id");
        if !lint.subject.is_of_bucket() {
            lint.add(&DOC_09, name_span(id), "Id is only for bucket policies; remove it");
        }
    }
    let Some(statement) = document.get("Statement") else {
        lint.add(&DOC_10, span(value), "Statement is missing; add \"Statement\": [...]");
        return None;
    };
    let statements = statements(lint, &statement.value);
    Some(Policy { version, statements })
}

fn version(lint: &mut Lint<'_>, document: &Object<'_>) -> Version {
    let is_identity = !lint.subject.is_of_bucket();
    let Some(property) = document.get("Version") else {
        let rule = if is_identity { &DOC_07_IDENTITY } else { &DOC_07 };
        let at = document.range.start..document.range.start + 1;
        lint.add(rule, at, "Version is missing; add \"Version\": \"2012-10-17\"");
        return Version::Of2008;
    };
    let Some(version) = string(lint, &property.value, "Version") else { return Version::Of2008 };
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

fn statements(lint: &mut Lint<'_>, value: &Value<'_>) -> Vec<Statement> {
    let all: Vec<&Value<'_>> = match value {
        Value::Object(_) => vec![value],
        Value::Array(array) => array.elements.iter().collect(),
        _ => Vec::new(),
    };
    if all.is_empty() {
        lint.add(&DOC_11, span(value), "Statement is an object or a list of at least one object");
    }
    all.into_iter().filter_map(|one| statement(lint, one)).collect()
}
