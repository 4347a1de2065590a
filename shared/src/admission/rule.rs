//! Rules: their names, and how strictly each is enforced.

use std::{collections::BTreeMap, fmt, str::FromStr, sync::LazyLock};

use crate::{
    common::words::{first_chars, nearest},
    kind::all_rules,
};

/// The annotation on a Namespace that overrides rule levels in it: `pets.pet.tag-allowed=warn,coffee=off`.
pub const RULES_ANNOTATION: &str = "concierge.dev/rules";

/// What happens when an object breaks a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Nothing: the rule is not looked at.
    Off,
    /// The request is admitted with a warning.
    Warn,
    /// The request is refused.
    Deny,
}

/// A rule: one constant that names it everywhere (causes, warnings, metrics, docs, configuration).
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct AdmissionRule {
    /// `group.kind.rule`, for instance `pets.pet.unique-id`.
    pub id: &'static str,
    /// The level when no operator says otherwise.
    pub level: Level,
    /// What the rule demands, in one sentence.
    pub summary: &'static str,
    /// Whether it protects what other namespaces have. A namespace can't lower it.
    pub protects_others: bool,
}

/// Declares rules: a constant for each, and `RULES` with all of them, so that none can be left out.
///
/// A kind's file names in front, after `use`, lists with the rules of the values in it: a rule belongs to the value
/// that it judges, wherever that stands. `protects_others` behind the level marks a rule that protects what other
/// namespaces have.
#[macro_export]
macro_rules! rules {
    (@protects) => { false };
    (@protects protects_others) => { true };
    (use $($values:expr),+; $($name:ident = $level:ident $($protects:ident)? $id:literal, $summary:literal;)*) => {
        $(#[doc = $summary]
        pub static $name: $crate::admission::rule::AdmissionRule = $crate::admission::rule::AdmissionRule {
            id: $id,
            level: $crate::admission::rule::Level::$level,
            summary: $summary,
            protects_others: $crate::rules!(@protects $($protects)?),
        };)*
        /// Every rule of this module, and those of the values in it.
        pub const RULES: &[&$crate::admission::rule::AdmissionRule] = {
            const PARTS: &[&[&$crate::admission::rule::AdmissionRule]] = &[&[$(&$name),*], $($values),+];
            const ALL: [&$crate::admission::rule::AdmissionRule; $crate::admission::rule::count(PARTS)] =
                $crate::admission::rule::joined(PARTS);
            &ALL
        };
    };
    ($($name:ident = $level:ident $($protects:ident)? $id:literal, $summary:literal;)+) => {
        $crate::rules! { use &[]; $($name = $level $($protects)? $id, $summary;)+ }
    };
}

/// How many rules there are in `lists`.
pub const fn count(lists: &[&[&AdmissionRule]]) -> usize {
    let (mut sum, mut list) = (0, 0);
    while list < lists.len() {
        sum += lists[list].len();
        list += 1;
    }
    sum
}

/// The rules of `lists` one after another; there are `N`.
pub const fn joined<const N: usize>(lists: &[&[&'static AdmissionRule]]) -> [&'static AdmissionRule; N] {
    let mut all = [&SCHEMA; N];
    let (mut next, mut list) = (0, 0);
    while list < lists.len() {
        let mut place = 0;
        while place < lists[list].len() {
            all[next] = lists[list][place];
            next += 1;
            place += 1;
        }
        list += 1;
    }
    all
}

// A namespace that could lower the first three could hide from the rules that protect others what they judge.
rules! {
    SCHEMA = Deny protects_others "object.schema", "The object has the fields and types that its CRD's schema demands.";
    NESTING = Deny protects_others "object.nesting", "Maps and lists of a spec are nested at most 50 levels deep.";
    LOOKUP = Deny protects_others "object.lookup", "What the rules have to look up could be looked up.";
    RESYNC = Deny "object.resync", "The annotation concierge.dev/resync is a time from 10s to 24h.";
    ANNOTATIONS = Warn "object.annotations", "The annotations that steer one object have values that have an effect.";
    NAMESPACE_RULES = Warn "object.namespace-rules", "The annotation concierge.dev/rules of a namespace names rules and levels that exist.";
    STATUS_IGNORED = Warn "object.status-ignored", "Status is written by Concierge; a status in a manifest is dropped.";
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Level::Off => "off",
            Level::Warn => "warn",
            Level::Deny => "deny",
        })
    }
}

/// Operators' overrides of rule levels, by rule id or by a prefix of it that ends at a dot.
///
/// Reads from `id-or-prefix=level` pairs separated by commas; the longest prefix wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enforcement(BTreeMap<String, Level>);

/// Why a list of overrides can't be read.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnforcementError {
    /// A part without `=`.
    #[error("{0:?} is not of the form rule=level")]
    Form(String),
    /// A level that does not exist.
    #[error("{1:?} is not a level of rule {0:?}: use deny, warn or off")]
    Level(String, String),
    /// A rule that does not exist, and how to go on.
    #[error("there is no rule {0:?}{1}; see concierge-webhook check --rules")]
    Unknown(String, String),
    /// Further parts that are wrong.
    #[error("{0} more parts are wrong")]
    More(usize),
    /// More parts than there are rules.
    #[error("only the first {PARTS} parts are read")]
    TooMany,
}

/// How many parts are read. There are fewer rules and prefixes of them.
const PARTS: usize = 1000;
/// How many wrong parts are told of.
const TOLD: usize = 10;
/// How much of a wrong part is repeated, in characters. No rule's id is longer.
const SHOWN: usize = 100;

impl Enforcement {
    /// The level set for `rule` here, if any.
    pub fn level(&self, rule: &AdmissionRule) -> Option<Level> {
        let mut prefix = rule.id;
        loop {
            if let Some(level) = self.0.get(prefix) {
                return Some(*level);
            }
            prefix = prefix.rsplit_once('.')?.0;
        }
    }

    /// What of `text` can be read, and what is wrong with the rest. Users write it: neither takes long, whatever it is.
    pub fn read(text: &str) -> (Self, Vec<EnforcementError>) {
        let mut parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let (mut read, mut wrong, mut more) = (BTreeMap::new(), Vec::new(), 0);
        for part in parts.by_ref().take(PARTS) {
            let is_told = wrong.len() < TOLD;
            match parse_override(part, is_told) {
                Ok((rule, level)) => drop(read.insert(rule, level)),
                Err(_) if !is_told => more += 1,
                Err(error) => wrong.push(error),
            }
        }
        wrong.extend((more > 0).then_some(EnforcementError::More(more)));
        wrong.extend(parts.next().map(|_| EnforcementError::TooMany));
        (Self(read), wrong)
    }

    /// True when nothing is overridden.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rule ids and prefixes that are overridden here.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

impl FromStr for Enforcement {
    type Err = EnforcementError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (read, wrong) = Self::read(text);
        wrong.into_iter().next().map_or(Ok(read), Err)
    }
}

/// The rules of the command `check` alone. It knows them; the others take and ignore them, so that one list serves all.
const CHECK: &str = "check";

/// How to go on with what is neither a rule nor a prefix of some. The rule that was meant is looked for if `is_told`: it is
/// compared with all.
fn find_rule(prefix: &str, is_told: bool) -> Result<(), EnforcementError> {
    let is_of =
        |id: &&str| id.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    if prefix.split('.').next() == Some(CHECK) || IDS.iter().any(is_of) {
        return Ok(());
    }
    let near = is_told.then(|| nearest(prefix, IDS.iter().copied())).flatten();
    let hint = near.map(|near| format!("; did you mean {near}?"));
    Err(EnforcementError::Unknown(shown(prefix), hint.unwrap_or_default()))
}

static IDS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| all_rules().into_iter().map(|(rule, _)| rule.id).collect());

/// The beginning of what somebody wrote.
fn shown(text: &str) -> String {
    first_chars(text, SHOWN)
}

fn parse_override(part: &str, is_told: bool) -> Result<(String, Level), EnforcementError> {
    let (rule, level) = part.split_once('=').ok_or_else(|| EnforcementError::Form(shown(part)))?;
    let known =
        [Level::Off, Level::Warn, Level::Deny].into_iter().find(|one| one.to_string() == level.trim());
    let level = known.ok_or_else(|| EnforcementError::Level(shown(rule.trim()), shown(level.trim())))?;
    find_rule(rule.trim(), is_told)?;
    Ok((rule.trim().into(), level))
}

#[cfg(test)]
mod tests {
    use super::*;

    static RULE: AdmissionRule =
        AdmissionRule { id: "pets.pet.unique-id", level: Level::Deny, summary: "", protects_others: true };

    fn check(overrides: &str, expect: Option<Level>) {
        assert_eq!(overrides.parse::<Enforcement>().unwrap().level(&RULE), expect, "{overrides}");
    }

    #[test]
    fn the_longest_prefix_wins() {
        check("", None);
        check("pets=off", Some(Level::Off));
        check("pets=off, pets.pet=warn", Some(Level::Warn));
        check("pets=off,pets.pet.unique-id=deny", Some(Level::Deny));
    }

    #[test]
    fn what_is_no_rule_is_said_to_be_none_and_the_rest_is_read() {
        for slip in ["pet=off", "pets.pet.unique=off", "nonsense=deny", "=deny"] {
            let error = slip.parse::<Enforcement>().unwrap_err();
            assert!(matches!(error, EnforcementError::Unknown(..)), "{slip}: {error}");
        }
        let (read, wrong) = Enforcement::read("pets.pet.unique-ids=off,pets=warn,coffee=perhaps");
        assert_eq!((read.level(&RULE), wrong.len()), (Some(Level::Warn), 2));
        assert!(wrong[0].to_string().contains("did you mean pets.pet.unique-id?"), "{}", wrong[0]);
        assert!("check.unknown-field=warn".parse::<Enforcement>().is_ok());
    }

    #[test]
    fn an_annotation_of_any_size_is_read_within_bounds() {
        let (read, wrong) = Enforcement::read(&format!("pets=warn,{}", "a=off,".repeat(40_000)));
        assert_eq!((read.level(&RULE), wrong.len()), (Some(Level::Warn), TOLD + 2));
        assert_eq!(wrong[TOLD..], [EnforcementError::More(PARTS - 1 - TOLD), EnforcementError::TooMany]);
        let (_, wrong) = Enforcement::read(&format!("{}=off,pets={0},{0}", "a".repeat(80_000)));
        assert_eq!(wrong.len(), 3);
        assert!(wrong.iter().all(|error| error.to_string().len() < 3 * SHOWN), "{wrong:?}");
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!("pets".parse::<Enforcement>(), Err(EnforcementError::Form("pets".into())));
        assert!("pets=maybe".parse::<Enforcement>().unwrap_err().to_string().contains("deny, warn or off"));
    }
}
