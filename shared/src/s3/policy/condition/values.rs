//! The values that conditions compare with.

use super::super::{
    Lint,
    compare::{Range, date},
    document::Condition,
    operator::{Comparison, Operator},
    resource::Arn,
    rules::*,
};
use crate::admission::rule::AdmissionRule;

pub(super) fn check_values(lint: &mut Lint<'_>, condition: &Condition, operator: Operator) {
    use Comparison as C;
    let span = condition.operator.span.clone();
    match operator.comparison {
        C::Bool | C::Null => check_bool(lint, condition),
        C::Numeric(_) => {
            if condition.values.len() > 1 {
                lint.add(&CND_31, span, "the outermost of the numbers decides; keep that one");
            }
            each(lint, condition, |text| text.parse::<f64>().is_ok_and(f64::is_finite), &CND_11, "a number");
        }
        C::Date(_) => check_dates(lint, condition),
        C::Ip { .. } => check_addresses(lint, condition, operator),
        C::Arn { .. } => each(
            lint,
            condition,
            |text| Arn::of(text).is_some() || text == "*",
            &CND_16,
            "an ARN with its six parts",
        ),
        C::Binary => each(lint, condition, is_base64, &CND_15, "base64"),
        C::Text { like: false, .. } => {
            for value in condition
                .values
                .iter()
                .filter(|value| value.text.contains(['*', '?']) && !value.text.contains("${"))
            {
                let message =
                    format!("* and ? are plain characters for {}; use StringLike", condition.operator.text);
                lint.add(&CND_17, value.span.clone(), message);
            }
        }
        C::Text { .. } => {}
    }
}

fn each(
    lint: &mut Lint<'_>,
    condition: &Condition,
    is_right: impl Fn(&str) -> bool,
    rule: &'static AdmissionRule,
    what: &str,
) {
    for value in condition.values.iter().filter(|value| !value.text.contains("${") && !is_right(&value.text))
    {
        lint.add(rule, value.span.clone(), format!("{:?} is not {what}", value.text));
    }
}

fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && text.len() - body.len() <= 2
        && body.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'+' || c == b'/')
}

fn check_bool(lint: &mut Lint<'_>, condition: &Condition) {
    if condition.values.len() > 1 {
        lint.add(
            &CND_10,
            condition.key.span.clone(),
            "has more than one value; true and false together always fit",
        );
    }
    each(
        lint,
        condition,
        |text| matches!(text.to_ascii_lowercase().as_str(), "true" | "false"),
        &CND_10,
        "true or false",
    );
}

fn check_dates(lint: &mut Lint<'_>, condition: &Condition) {
    for value in &condition.values {
        if value.text.parse::<i64>().is_ok() && value.text.len() > 4 {
            let message = format!("{} is hard to read; write the date as 2030-01-31T00:00:00Z", value.text);
            lint.add(&CND_12_EPOCH, value.span.clone(), message);
        } else if date(&value.text).is_none() && !value.text.contains("${") {
            let message = format!("{:?} is no date; write 2030-01-31T00:00:00Z", value.text);
            lint.add(&CND_12, value.span.clone(), message);
        }
    }
}

fn check_addresses(lint: &mut Lint<'_>, condition: &Condition, operator: Operator) {
    let mut private = Vec::new();
    for value in condition.values.iter().filter(|value| !value.text.contains("${")) {
        let Some(range) = Range::of(&value.text) else {
            let message = format!("{:?} is no address and no CIDR range; write 203.0.113.0/24", value.text);
            lint.add(&CND_13, value.span.clone(), message);
            continue;
        };
        if !range.is_exact() {
            lint.add(
                &CND_13_HOST,
                value.span.clone(),
                format!("{} has bits behind its prefix; write {}", value.text, range.exact()),
            );
        }
        if range.is_private() {
            private.push(value);
        }
    }
    if !condition.key.text.eq_ignore_ascii_case("aws:SourceIp") || private.is_empty() {
        return;
    }
    let always = if operator.is_negated() { "always" } else { "never" };
    let (all, hint) = (private.len() == condition.values.len(), "use aws:VpcSourceIp with aws:SourceVpc");
    for value in private {
        let message =
            format!("no request comes from the private {}, so this {always} fits; {hint}", value.text);
        lint.add(if all { &CND_14 } else { &CND_14_MIXED }, value.span.clone(), message);
    }
}

/// Values whose form is known from their key.
pub(super) fn check_value_forms(lint: &mut Lint<'_>, condition: &Condition) {
    let is_digits = |text: &str| text.len() == 12 && text.bytes().all(|c| c.is_ascii_digit());
    let is_id = |text: &str, prefix: &str| {
        text.strip_prefix(prefix).is_some_and(|rest| {
            matches!(rest.len(), 8 | 17) && rest.bytes().all(|c| c.is_ascii_alphanumeric())
        })
    };
    let is_organisation = |text: &str| {
        text.strip_prefix("o-").is_some_and(|rest| {
            (10..=32).contains(&rest.len())
                && rest.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
    };
    let numbered = lint.subject.profile.has_numbered_accounts();
    let key = condition.key.text.to_ascii_lowercase();
    for value in condition.values.iter().filter(|value| !value.text.contains(['*', '?', '$'])) {
        let (text, span) = (value.text.as_str(), value.span.clone());
        match key.as_str() {
            "aws:sourcevpc" if !is_id(text, "vpc-") => {
                lint.add(&CND_22, span, format!("{text:?} is no VPC; write vpc- and 8 or 17 characters"));
            }
            "aws:sourcevpce" if !is_id(text, "vpce-") => {
                lint.add(
                    &CND_22,
                    span,
                    format!("{text:?} is no VPC endpoint; write vpce- and 8 or 17 characters"),
                );
            }
            "aws:sourceaccount" | "aws:principalaccount" | "aws:resourceaccount"
                if numbered && !is_digits(text) =>
            {
                lint.add(&CND_23, span, format!("{text:?} is no account id; write its 12 digits"));
            }
            "aws:principalorgid" if !is_organisation(text) => {
                lint.add(
                    &CND_24,
                    span,
                    format!("{text:?} is no organisation; write o- and 10 to 32 letters and digits"),
                );
            }
            "aws:requestedregion" | "s3:locationconstraint"
                if !lint.subject.profile.may_have_region(text) =>
            {
                lint.add(
                    &CND_25,
                    span,
                    format!("{text:?} is no region that is known here; check its spelling"),
                );
            }
            _ => {}
        }
    }
}
