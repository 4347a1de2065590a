//! The rules of the command itself; all rules as a table, and one rule explained.

use std::fmt::Write as _;

use concierge_shared::{
    admission::rule::{AdmissionRule, Enforcement, Level, RULES_ANNOTATION, SCHEMA},
    kind::{KINDS, all_rules},
    rules,
};
use serde::Serialize;

use super::words::{self, nearest};

rules! {
    UNKNOWN_FIELD = Deny "check.unknown-field", "Every field of an object is one that its kind has; kubectl refuses others.";
    UNEVALUATED = Warn "check.unevaluated", "Every rule of the schema can be evaluated without a cluster.";
    INPUT = Deny "check.input", "What is given can be read, and is of a kind and version that exist.";
    FIXTURE = Deny "check.fixture", "What comes of a fixture's request is what the fixture expects.";
    REPEATED = Warn "check.repeated", "An object is given once; given again, it is checked as an update of what was admitted before.";
    ORDER = Warn "check.order", "An object comes after those that must be there before it; clients create objects in the order of the input.";
    REWRITTEN = Warn "check.rewritten", "A value is written as it is stored; else every apply finds it changed.";
}

/// The rules whose level can't be changed: input that was not checked, or a fixture that came out otherwise, can't be called admitted.
const FIXED: [&AdmissionRule; 2] = [&INPUT, &FIXTURE];

/// Why the level of `rule` can't be changed, if it can't.
fn fixed(rule: &AdmissionRule) -> Option<&'static str> {
    match rule {
        _ if FIXED.contains(&rule) => Some("Its level can't be changed."),
        _ if rule == &SCHEMA => Some(
            "Its level can't be changed: the API server refuses what a schema does not allow, whatever the webhook says.",
        ),
        _ => None,
    }
}

#[derive(Serialize)]
struct RuleResult {
    id: &'static str,
    level: Level,
    kinds: Vec<&'static str>,
    summary: &'static str,
}

/// The webhook's rules and those of the command itself, which are of no kind; ordered by id.
fn all() -> Vec<(&'static AdmissionRule, Vec<&'static str>)> {
    let own = RULES.iter().map(|rule| (*rule, Vec::new()));
    let mut rules: Vec<_> = all_rules().into_iter().chain(own).collect();
    rules.sort_by_key(|(rule, _)| rule.id);
    rules
}

/// All rules as a JSON list, ordered by id.
pub(crate) fn json() -> String {
    let results = all().into_iter().map(|(rule, kinds)| RuleResult {
        id: rule.id,
        level: rule.level,
        kinds,
        summary: rule.summary,
    });
    words::json(&results.collect::<Vec<_>>())
}

/// All rules, one on each line, ordered by id.
pub(crate) fn table() -> String {
    let rules: Vec<_> = all().into_iter().map(|(rule, kinds)| (rule, shortened(&kinds))).collect();
    let width =
        |of: fn(&(&'static AdmissionRule, String)) -> usize| rules.iter().map(of).max().unwrap_or_default();
    let (ids, kinds) = (width(|(rule, _)| rule.id.len()), width(|(_, kinds)| kinds.len()));
    let mut text = format!("{:ids$}  LEVEL  {:kinds$}  WHAT IT DEMANDS\n", "RULE", "KIND");
    for (rule, kind) in &rules {
        let _ =
            writeln!(text, "{:ids$}  {:5}  {kind:kinds$}  {}", rule.id, rule.level.to_string(), rule.summary);
    }
    text
}

/// What the rule `id` demands and how to change its level; what is wrong when there is no such rule.
pub(crate) fn explain(id: &str) -> Result<String, String> {
    let rules = all();
    let Some((rule, kinds)) = rules.iter().find(|(rule, _)| rule.id == id) else {
        return Err(unknown(id, rules.iter().map(|(rule, _)| rule.id)));
    };
    Ok(text(rule, kinds))
}

/// What `rule` is about and how to change its level.
pub(crate) fn help(rule: &AdmissionRule) -> String {
    let all = all();
    let kinds = all.iter().find(|(one, _)| one.id == rule.id).map(|(_, kinds)| kinds.as_slice());
    text(rule, kinds.unwrap_or_default())
}

/// Where the docs of this version tell of `rule`.
pub(crate) fn help_uri(rule: &AdmissionRule) -> String {
    let page = if RULES.iter().any(|own| own.id == rule.id) { "checking.md" } else { "rules.md" };
    let version = env!("CARGO_PKG_VERSION");
    format!("{}/blob/v{version}/docs/{page}#{}", env!("CARGO_PKG_REPOSITORY"), rule.id)
}

fn text(rule: &AdmissionRule, kinds: &[&str]) -> String {
    let of = kinds_text(kinds);
    if let Some(why) = fixed(rule) {
        return format!("{}   always {}, {of}\n\n{}\n\n{why}\n", rule.id, rule.level, rule.summary);
    }
    let other = if rule.level == Level::Warn { "deny" } else { "warn" };
    let mut text = format!("{}   {} by default, {of}\n\n{}\n\n", rule.id, rule.level, rule.summary);
    let _ = writeln!(text, "Levels are deny, warn and off. To change this one:");
    let _ = writeln!(text, "  in check:        --enforcement {}={other}", rule.id);
    if kinds.is_empty() {
        return text;
    }
    let _ = writeln!(text, "  in a cluster:    the chart's value rules.enforcement: {}={other}", rule.id);
    let _ = match rule.protects_others && rule.level == Level::Deny {
        true => writeln!(text, "A namespace can't lower it."),
        false => writeln!(text, "  in a namespace:  the annotation {RULES_ANNOTATION}: {}={other}", rule.id),
    };
    text
}

/// Says which of the command's own rules that `enforcement` names do not exist or have no other level; of the others it
/// knows that they exist. What is set for all of them by `check=LEVEL` is set for those that can be changed.
pub(crate) fn check_enforcement(enforcement: &Enforcement) -> Result<(), String> {
    if let Some(rule) = FIXED.iter().find(|rule| enforcement.prefixes().any(|prefix| prefix == rule.id)) {
        return Err(format!("{} is always {}: its level can't be changed", rule.id, rule.level));
    }
    let ids = || RULES.iter().map(|rule| rule.id);
    let is_own = |prefix: &str| {
        ids().any(|id| id.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
    };
    let slip = enforcement.prefixes().find(|prefix| prefix.starts_with("check") && !is_own(prefix));
    slip.map_or(Ok(()), |prefix| Err(unknown(prefix, ids())))
}

fn unknown(id: &str, known: impl IntoIterator<Item = &'static str>) -> String {
    let hint = nearest(id, known).map(|near| format!("; did you mean {near}?"));
    format!("there is no rule {id:?}{}; see check --rules", hint.unwrap_or_default())
}

fn kinds_text(kinds: &[&str]) -> String {
    match kinds.len() {
        0 => "check only".to_owned(),
        number if number == KINDS.len() => "every kind".to_owned(),
        _ => kinds.join(", "),
    }
}

/// The kinds in a column of a table: of many, the first and how many there are.
fn shortened(kinds: &[&str]) -> String {
    match kinds {
        [first, more @ ..] if more.len() > 1 && kinds.len() < KINDS.len() => {
            format!("{first} and {} more", more.len())
        }
        _ => kinds_text(kinds),
    }
}
