//! Variables: `${aws:username}`, `${aws:PrincipalTag/team, 'none'}`.

use std::ops::Range;

use super::{
    Lint,
    catalogue::key,
    document::{Item, Statement, Version},
    operator::{Comparison, Operator},
    rules::*,
};

/// What is wrong with the variables of a statement.
pub(super) fn check(lint: &mut Lint<'_>, version: Version, statement: &Statement) {
    if version == Version::Of2008 {
        return;
    }
    for item in statement.resources.items.iter().filter(|item| item.text.contains('$')) {
        // In the account and in what follows it.
        let allowed = item.text.match_indices(':').nth(3).map_or(usize::MAX, |(at, _)| at);
        check_text(lint, item, Some(allowed));
    }
    let others = statement.actions.items.iter().chain(&statement.sid);
    let principals = statement.principals.iter().flat_map(|one| one.items.iter().map(|(_, item)| item));
    for item in others.chain(principals) {
        check_text(lint, item, None);
    }
    for condition in &statement.conditions {
        if !condition.values.iter().any(|value| value.text.contains('$')) {
            continue;
        }
        let takes = Operator::of(&condition.operator.text)
            .is_none_or(|one| matches!(one.comparison, Comparison::Text { .. } | Comparison::Arn { .. }));
        for value in &condition.values {
            check_text(lint, value, takes.then_some(0));
        }
    }
}

/// `from`: the byte from which on variables are allowed; `None` when they are not.
fn check_text(lint: &mut Lint<'_>, item: &Item, from: Option<usize>) {
    // Hardly any text has one, and one character is found faster than two.
    let dollar = item.text.find('$');
    let Some(first) = dollar.and_then(|at| Some(at + item.text[at..].find("${")?)) else { return };
    if from.is_none_or(|from| first < from) {
        let message = format!("{:?}: a variable is not replaced here; write the text itself", item.text);
        return lint.add(&VAR_02, item.span.clone(), message);
    }
    for variable in all(&item.text) {
        match variable.map(|range| &item.text[range]) {
            Ok(inner) => check_one(lint, item, inner),
            Err(()) => {
                let message = format!("{:?}: a variable ends with a brace; add it", item.text);
                lint.add(&VAR_03, item.span.clone(), message);
            }
        }
    }
}

/// The inner ranges of all variables; `Err` for one without end.
pub(super) fn all(text: &str) -> Vec<Result<Range<usize>, ()>> {
    let (mut found, mut from) = (Vec::new(), 0);
    while let Some(start) = text[from..].find("${").map(|at| from + at + 2) {
        let Some(end) = text[start..].find('}').map(|at| start + at) else {
            found.push(Err(()));
            break;
        };
        found.push(Ok(start..end));
        from = end + 1;
    }
    found
}

/// The parts of what stands between the braces: the key, and the default if there is one.
pub(super) fn parts(inner: &str) -> (&str, Option<&str>) {
    inner.split_once(',').map_or((inner, None), |(key, default)| (key, Some(default.trim())))
}

fn check_one(lint: &mut Lint<'_>, item: &Item, inner: &str) {
    if matches!(inner, "*" | "?" | "$") {
        return;
    }
    let (name, default) = parts(inner);
    let is_quoted = |text: &str| text.len() > 1 && text.starts_with('\'') && text.ends_with('\'');
    let wrong = if name.is_empty() {
        "has no key"
    } else if name.contains(char::is_whitespace) {
        "has white space in its key"
    } else if default.is_some_and(|default| !is_quoted(default)) {
        "has a default without single quotes"
    } else {
        ""
    };
    if !wrong.is_empty() {
        let message =
            format!("${{{inner}}} {wrong}; write ${{aws:username}} or ${{aws:PrincipalTag/team, 'none'}}");
        return lint.add(&VAR_03, item.span.clone(), message);
    }
    if key(name).is_some_and(|key| key.multi) {
        let message =
            format!("{name} can have several values, and a variable needs one; use a condition on it");
        lint.add(&VAR_05, item.span.clone(), message);
    }
    let may_be_missing = key(name).is_some_and(|key| key.tag) || name.eq_ignore_ascii_case("aws:username");
    if may_be_missing && default.is_none() {
        let message = format!("callers without {name} never fit; give it a default if they should");
        lint.add(&VAR_07, item.span.clone(), message);
    }
}
