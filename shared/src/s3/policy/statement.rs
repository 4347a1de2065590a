//! Statements as a whole: names, and combinations that rarely mean what they say.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::{
    Lint,
    document::{Effect, Policy, Statement},
    equal::{normal_statement, principal},
    rules::*,
};

/// What is wrong between statements.
pub(super) fn check_all(lint: &mut Lint<'_>, policy: &Policy) {
    let mut sids = HashSet::new();
    let mut alike = BTreeMap::<_, Vec<_>>::new();
    for statement in &policy.statements {
        if let Some(sid) = statement.sid.as_ref().filter(|sid| !sid.text.is_empty())
            && !sids.insert(sid.text.as_str())
        {
            let rule = if lint.subject.is_of_bucket() { &STM_07_BUCKET } else { &STM_07 };
            lint.add(rule, sid.span.clone(), format!("Sid {:?} is there twice; choose another", sid.text));
        }
        alike.entry(sketch(statement)).or_default().push(statement);
    }
    for statements in alike.into_values().filter(|alike| alike.len() > 1) {
        let mut said = BTreeSet::new();
        for statement in statements {
            if !said.insert(normal_statement(statement)) {
                lint.add(
                    &STM_11,
                    statement.span.clone(),
                    "says the same as an earlier statement; remove one",
                );
            }
        }
    }
}

/// What is equal of statements that say the same, and of few others: to compare them in full costs more.
fn sketch(statement: &Statement) -> (bool, [Option<&str>; 3]) {
    let resources = || statement.resources.items.iter().map(|item| &*item.text);
    let principals = statement.principals.iter().flat_map(|one| &one.items);
    let first = principals.map(|(_, item)| principal(&item.text)).min();
    (statement.allows(), [resources().min(), resources().max(), first])
}

/// What is wrong with one statement.
pub(super) fn check(lint: &mut Lint<'_>, statement: &Statement) {
    check_sid(lint, statement);
    let not_principal = statement.principals.as_ref().filter(|principals| principals.negated);
    match (statement.effect, not_principal) {
        (Effect::Allow, Some(principals)) => lint.add(
            &STM_12,
            principals.span.clone(),
            "allows everybody else, anonymous callers included; name in Principal who is allowed",
        ),
        (Effect::Deny, Some(principals)) => lint.add(
            &STM_15,
            principals.span.clone(),
            "denies everybody whose account and user are not both listed; use Principal \"*\" with a condition on aws:PrincipalArn",
        ),
        _ => {}
    }
    if statement.allows() && statement.actions.negated {
        let message =
            "allows every action that is not listed, new ones included; list in Action what is allowed";
        lint.add(&STM_13, statement.actions.span.clone(), message);
    }
    if statement.allows() && statement.resources.negated {
        let message = "allows whatever is not listed; list in Resource what is meant";
        lint.add(&STM_14, statement.resources.span.clone(), message);
    }
}

fn check_sid(lint: &mut Lint<'_>, statement: &Statement) {
    let Some(sid) = &statement.sid else { return };
    let is_plain = sid.text.bytes().all(|c| c.is_ascii_alphanumeric());
    let is_printable = sid.text.bytes().all(|c| (b' '..=b'~').contains(&c));
    if sid.text.is_empty() {
        return lint.add(&STM_08, sid.span.clone(), "the Sid is empty; remove it");
    }
    let rule = match is_printable && lint.subject.is_of_bucket() {
        _ if is_plain => return,
        true => &STM_06_BUCKET,
        false => &STM_06,
    };
    let message = format!("Sid {:?} has other characters than letters and digits; rename it", sid.text);
    lint.add(rule, sid.span.clone(), message);
}
