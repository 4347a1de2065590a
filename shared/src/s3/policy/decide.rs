//! Whom a policy lets do what: the evaluation that a provider makes for each request.

use std::collections::BTreeMap;

use super::{
    compare::compare,
    document::{Condition, Effect, Items, Policy, Principals, Statement, Version},
    glob,
    operator::{Comparison, Operator, Set},
    pattern::Pattern,
    variable,
};

/// A request to a provider.
#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    /// The caller's ARN; `None` for an anonymous one.
    pub principal: Option<&'a str>,
    /// What it wants to do: `s3:GetObject`.
    pub action: &'a str,
    /// With what: `arn:aws:s3:::bucket/key`.
    pub resource: &'a str,
    /// The keys of conditions in lower case, each with its values.
    pub context: BTreeMap<String, Vec<String>>,
}

/// What a policy says of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is allowed, if nothing else denies it.
    Allow,
    /// It is denied, whatever else allows it.
    Deny,
    /// The policy says nothing of it.
    None,
}

/// What `policy` says of `request`.
pub fn decide(policy: &Policy, request: &Request<'_>) -> Decision {
    let applying = policy.statements.iter().filter(|one| applies(policy.version, one, request));
    let mut decision = Decision::None;
    for statement in applying {
        match statement.effect {
            Effect::Deny => return Decision::Deny,
            Effect::Allow => decision = Decision::Allow,
        }
    }
    decision
}

fn applies(version: Version, statement: &Statement, request: &Request<'_>) -> bool {
    statement.principals.as_ref().is_none_or(|principals| is_meant(principals, request.principal))
        && is_action(&statement.actions, request.action)
        && is_resource(version, &statement.resources, request)
        && statement.conditions.iter().all(|condition| holds(version, condition, request))
}

fn is_meant(principals: &Principals, caller: Option<&str>) -> bool {
    let is_one = principals.items.iter().any(|(key, item)| {
        key == "AWS" && (item.text == "*" || caller.is_some_and(|caller| is_caller(&item.text, caller)))
    });
    is_one != principals.negated
}

/// An account stands for everybody in it.
fn is_caller(principal: &str, caller: &str) -> bool {
    let account_of = |arn: &str| arn.split(':').nth(4).map(str::to_owned);
    let account = principal.strip_suffix(":root").and_then(|arn| arn.rsplit(':').next()).unwrap_or(principal);
    principal == caller || account_of(caller).is_some_and(|of_caller| of_caller == account)
}

fn is_action(actions: &Items, action: &str) -> bool {
    let lower = action.to_ascii_lowercase();
    let (service, name) = lower.split_once(':').unwrap_or((&lower, ""));
    let fits = |text: &str| Pattern::of(text).is_some_and(|pattern| pattern.fits(service, name));
    actions.items.iter().any(|item| fits(&item.text)) != actions.negated
}

fn is_resource(version: Version, resources: &Items, request: &Request<'_>) -> bool {
    let fits = |text: &str| {
        text == "*"
            || expand(version, text, request).is_some_and(|text| glob::matches(&text, request.resource))
    };
    resources.items.iter().any(|item| fits(&item.text)) != resources.negated
}

/// `text` with its variables replaced; `None` when a value is missing, so that nothing fits.
///
/// Wildcards in a value would be read as such; providers take them as plain characters. No key that is used as a variable here
/// can contain them.
fn expand(version: Version, text: &str, request: &Request<'_>) -> Option<String> {
    if version == Version::Of2008 || !text.contains("${") {
        return Some(text.to_owned());
    }
    let (mut result, mut from) = (String::new(), 0);
    for range in variable::all(text) {
        let range = range.ok()?;
        result.push_str(&text[from..range.start - 2]);
        let inner = &text[range.clone()];
        let (key, default) = variable::parts(inner);
        match inner {
            "*" | "?" | "$" => result.push_str(inner),
            _ => {
                let value = request.context.get(&key.to_ascii_lowercase()).and_then(|values| values.first());
                let default = default.map(|text| text.trim_matches('\'').to_owned());
                result.push_str(&value.cloned().or(default)?);
            }
        }
        from = range.end + 1;
    }
    result.push_str(&text[from..]);
    Some(result)
}

fn holds(version: Version, condition: &Condition, request: &Request<'_>) -> bool {
    let Some(operator) = Operator::of(&condition.operator.text) else { return false };
    let actual = request.context.get(&condition.key.text.to_ascii_lowercase()).map_or(&[][..], Vec::as_slice);
    if operator.comparison == Comparison::Null {
        return condition.values.iter().any(|value| value.text.eq_ignore_ascii_case("true"))
            == actual.is_empty();
    }
    let expected: Vec<_> =
        condition.values.iter().filter_map(|value| expand(version, &value.text, request)).collect();
    let fits = |actual: &String| {
        let mut all = expected.iter();
        match operator.is_negated() {
            // NOR: none of the values may be equal.
            true => all.all(|expected| compare(operator.comparison, actual, expected)),
            false => all.any(|expected| compare(operator.comparison, actual, expected)),
        }
    };
    match (actual, operator.set) {
        ([], Some(Set::All)) => true,
        ([], Some(Set::Any)) => operator.if_exists,
        ([], None) => operator.if_exists || operator.is_negated(),
        (all, Some(Set::All)) => all.iter().all(fits),
        (all, _) => all.iter().any(fits),
    }
}
