//! Under which circumstances.

mod values;

use self::values::{check_value_forms, check_values};
use super::{
    Lint,
    catalogue::{GLOBAL_KEYS, Key, KeyKind, S3_KEYS, key},
    document::{Condition, Effect, Item, Statement},
    is_near,
    operator::{Comparison, Operator, Set},
    pattern::{Pattern, S3Action},
    rules::*,
};
use crate::admission::review::abridged;

/// What is wrong with the conditions of a statement.
pub(super) fn check(lint: &mut Lint<'_>, statement: &Statement) {
    let mut actions = None;
    for condition in &statement.conditions {
        let Some(operator) = Operator::of(&condition.operator.text) else {
            add_unknown_operator(lint, &condition.operator);
            continue;
        };
        if condition.values.is_empty() {
            let message =
                "the list of values is empty, so the statement never applies or always does; name a value";
            lint.add(&CND_20, condition.key.span.clone(), message);
        }
        match key(&condition.key.text) {
            None => check_unknown_key(lint, condition),
            Some(key) => {
                check_qualifier(lint, statement, condition, operator, key);
                check_key(lint, condition, key);
                check_type(lint, condition, operator, key);
                if !key.actions.is_empty() {
                    let actions = actions.get_or_insert_with(|| named_actions(statement));
                    check_carried(lint, statement.effect, condition, key, actions);
                }
            }
        }
        check_null(lint, condition, operator);
        check_values(lint, condition, operator);
        if operator.comparison != Comparison::Null {
            check_value_forms(lint, condition);
        }
        check_mfa(lint, statement, condition, operator);
    }
    check_together(lint, statement);
}

fn add_unknown_operator(lint: &mut Lint<'_>, operator: &Item) {
    let text = &operator.text;
    let base = text.rsplit(':').next().unwrap_or_default();
    if base == "NullIfExists" {
        return lint.add(&CND_03, operator.span.clone(), "Null asks whether the key is there; write Null");
    }
    let near = Comparison::ALL
        .iter()
        .map(|(name, _)| *name)
        .find(|name| name.eq_ignore_ascii_case(base) || is_near(name, base.trim_end_matches("IfExists")));
    let hint =
        near.map_or_else(|| "see the list of operators".to_owned(), |near| format!("did you mean {near}?"));
    lint.add(&CND_01, operator.span.clone(), format!("{text:?} is no operator; {hint}"));
}

fn check_null(lint: &mut Lint<'_>, condition: &Condition, operator: Operator) {
    if operator.comparison == Comparison::Null && operator.set.is_some() {
        let message = "with ForAllValues or ForAnyValue Null is always true or always false; write Null";
        lint.add(&CND_04, condition.operator.span.clone(), message);
    }
}

fn check_qualifier(
    lint: &mut Lint<'_>,
    statement: &Statement,
    condition: &Condition,
    operator: Operator,
    key: &Key,
) {
    if key.multi && operator.set.is_none() && operator.comparison != Comparison::Null {
        let message = format!(
            "{} can have several values; put ForAnyValue: or ForAllValues: in front",
            condition.key.text
        );
        lint.add(&CND_19, condition.operator.span.clone(), message);
    }
    if operator.set == Some(Set::All) && !key.multi && statement.allows() {
        let message = format!(
            "is true when {} is missing, so it does not restrict; remove ForAllValues:",
            condition.key.text
        );
        lint.add(&CND_18, condition.operator.span.clone(), message);
    }
}

fn check_key(lint: &mut Lint<'_>, condition: &Condition, key: &Key) {
    let (text, span) = (condition.key.text.as_str(), condition.key.span.clone());
    if key.tag && text.split_once('/').is_none_or(|(_, tag)| tag.is_empty()) {
        lint.add(&CND_21, span.clone(), format!("add the name of the tag: {}/NAME", key.name));
    }
    if key.name == "s3:ResourceAccount" && lint.subject.is_of_bucket() {
        lint.add(&CND_26, span, "is always the account of the bucket; remove it");
    }
}

fn check_unknown_key(lint: &mut Lint<'_>, condition: &Condition) {
    let (text, span) = (condition.key.text.as_str(), condition.key.span.clone());
    let parts = text.split_once(':').filter(|(prefix, name)| !prefix.is_empty() && !name.is_empty());
    let Some((prefix, name)) = parts else {
        let message = format!("{text:?} is no key; write PREFIX:NAME, for instance aws:SourceIp");
        return lint.add(&CND_05, span, message);
    };
    let (keys, near_rule, unknown_rule) = match prefix.to_ascii_lowercase().as_str() {
        "aws" => (GLOBAL_KEYS, &CND_07, &CND_07_UNKNOWN),
        "s3" => (S3_KEYS, &CND_08, &CND_08_UNKNOWN),
        _ => return,
    };
    if name.eq_ignore_ascii_case("arn") {
        let message = "there is no aws:ARN; write aws:PrincipalArn or aws:SourceArn";
        return lint.add(near_rule, span, message);
    }
    let lower = text.split('/').next().unwrap_or_default().to_ascii_lowercase();
    match keys.iter().find(|key| is_near(&key.name.to_ascii_lowercase(), &lower)) {
        Some(near) => {
            lint.add(near_rule, span, format!("there is no key {text}; did you mean {}?", near.name))
        }
        None => {
            lint.add(unknown_rule, span, format!("{text} is not known here; check that the provider has it"))
        }
    }
}

/// The actions of S3 that a statement names in full.
fn named_actions(statement: &Statement) -> Vec<&'static S3Action> {
    let in_full = statement.actions.items.iter().filter(|item| !item.text.contains(['*', '?']));
    let actions = in_full.filter_map(|item| Pattern::of(&item.text)?.s3_actions().first().copied());
    let mut actions: Vec<_> = actions.filter(|_| !statement.actions.negated).collect();
    actions.sort_unstable_by_key(|action| action.name);
    actions.dedup_by_key(|action| action.name);
    actions
}

/// A key that an action never carries makes an Allow useless and a Deny toothless.
fn check_carried(
    lint: &mut Lint<'_>,
    effect: Effect,
    condition: &Condition,
    key: &Key,
    actions: &[&'static S3Action],
) {
    let carries = |name: &str| key.actions.split_whitespace().any(|one| one.eq_ignore_ascii_case(name));
    let without = actions.iter().filter(|action| !carries(action.name));
    let without: Vec<_> = without.map(|action| format!("s3:{}", action.name)).collect();
    if without.is_empty() {
        return;
    }
    let (rule, effect) = match effect {
        Effect::Allow => (&CND_27, "never allowed"),
        Effect::Deny => (&CND_27_DENY, "never denied"),
    };
    let message = format!(
        "no request for {} has {}, so that is {effect}; make two statements of this one",
        abridged(&without),
        key.name
    );
    lint.add(rule, condition.key.span.clone(), message);
}

fn check_type(lint: &mut Lint<'_>, condition: &Condition, operator: Operator, key: &Key) {
    use Comparison as C;
    let fits = match operator.comparison {
        C::Null => return,
        C::Numeric(_) => [KeyKind::Numeric].as_slice(),
        C::Date(_) => &[KeyKind::Date],
        C::Bool => &[KeyKind::Bool],
        C::Ip { .. } => &[KeyKind::Ip],
        C::Arn { .. } => &[KeyKind::Arn],
        C::Binary => &[],
        C::Text { .. } => &[KeyKind::Text],
    };
    if fits.contains(&key.kind)
        || (key.name == "aws:EpochTime" && matches!(operator.comparison, C::Numeric(_)))
    {
        return;
    }
    let right = match key.kind {
        KeyKind::Text => "StringEquals",
        KeyKind::Arn => "ArnLike",
        KeyKind::Bool => "Bool",
        KeyKind::Numeric => "NumericEquals",
        KeyKind::Date => "DateLessThan",
        KeyKind::Ip => "IpAddress",
    };
    // The values of such keys are compared as text, and a text may be an ARN.
    let is_usable = matches!(
        (operator.comparison, key.kind),
        (C::Text { .. }, KeyKind::Arn | KeyKind::Bool | KeyKind::Numeric | KeyKind::Date)
            | (C::Arn { .. }, KeyKind::Text)
    );
    let rule = if is_usable { &CND_09_USABLE } else { &CND_09 };
    let message = format!("{} does not fit {}; write {right}", condition.operator.text, key.name);
    lint.add(rule, condition.operator.span.clone(), message);
}

fn check_mfa(lint: &mut Lint<'_>, statement: &Statement, condition: &Condition, operator: Operator) {
    let is_without = condition.key.text.eq_ignore_ascii_case("aws:MultiFactorAuthPresent")
        && operator.comparison == Comparison::Bool
        && condition.values.iter().any(|value| value.text.eq_ignore_ascii_case("false"));
    if is_without && !operator.if_exists && !statement.allows() {
        let message = "requests without MFA often lack the key and are not denied; write BoolIfExists";
        lint.add(&CND_29, condition.operator.span.clone(), message);
    }
}

/// Conditions that make sense only beside another.
fn check_together(lint: &mut Lint<'_>, statement: &Statement) {
    let find = |name: &str| statement.conditions.iter().find(|one| one.key.text.eq_ignore_ascii_case(name));
    let from_vpc = find("aws:SourceVpc").or_else(|| find("aws:SourceVpce"));
    if let Some(address) = find("aws:VpcSourceIp").filter(|_| from_vpc.is_none()) {
        let message = "the same private address is in many networks; add aws:SourceVpc or aws:SourceVpce";
        lint.add(&CND_28, address.key.span.clone(), message);
    }
    if let Some(address) = find("aws:SourceIp").filter(|_| from_vpc.is_some()) {
        let message = "a request through a VPC endpoint has no public address; write aws:VpcSourceIp";
        lint.add(&CND_28, address.key.span.clone(), message);
    }
    check_plain_http(lint, statement, find("aws:SecureTransport"));
}

fn check_plain_http(lint: &mut Lint<'_>, statement: &Statement, condition: Option<&Condition>) {
    let Some(condition) = condition.filter(|_| !statement.allows() && lint.subject.is_of_bucket()) else {
        return;
    };
    let denies_http = condition.values.iter().all(|value| value.text.eq_ignore_ascii_case("false"));
    let resources = &statement.resources.items;
    let has = |of_object: bool| resources.iter().any(|item| item.text.contains('/') == of_object);
    let is_for_all = statement.principals.as_ref().is_some_and(super::document::Principals::are_everybody);
    if !(denies_http && is_for_all && has(true) && has(false)) {
        let message =
            "to forbid plain HTTP, deny \"false\" for Principal \"*\" on the bucket and on BUCKET/*";
        lint.add(&CND_30, condition.key.span.clone(), message);
    }
}
