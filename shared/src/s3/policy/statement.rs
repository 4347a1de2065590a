//! Statements as a whole: names, and combinations that rarely mean what they say.

use std::collections::{BTreeMap, HashMap};

use super::{
    Lint,
    document::{Effect, Policy, Statement},
    equal::normal_statement,
    rules::*,
};

/// What is wrong between statements.
pub(super) fn check_all(lint: &mut Lint<'_>, policy: &Policy) {
    let mut sids = HashMap::new();
    let mut said = BTreeMap::new();
    for statement in &policy.statements {
        if let Some(sid) = statement.sid.as_ref().filter(|sid| !sid.text.is_empty())
            && sids.insert(sid.text.as_str(), ()).is_some()
        {
            let rule = if lint.subject.is_of_bucket() { &STM_07_BUCKET } else { &STM_07 };
            lint.add(rule, sid.span.clone(), format!("Sid {:?} is there twice; choose another", sid.text));
        }
        if said.insert(normal_statement(statement), ()).is_some() {
            lint.add(&STM_11, statement.span.clone(), "says the same as an earlier statement; remove one");
        }
    }
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
    let message = format!("Sid {:?} has other characters than letters and digits; rename it", sid.text);
    if sid.text.is_empty() {
        lint.add(&STM_08, sid.span.clone(), "the Sid is empty; remove it");
    } else if !is_printable || (!is_plain && !lint.subject.is_of_bucket()) {
        lint.add(&STM_06, sid.span.clone(), message);
    } else if !is_plain {
        lint.add(&STM_06_BUCKET, sid.span.clone(), message);
    }
}
