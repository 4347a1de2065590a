//! Rules: their names, and how strictly each is enforced.

use std::{collections::BTreeMap, fmt, str::FromStr};

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
}

/// Declares rules: a constant for each, and `RULES` with all of them, so that none can be left out.
///
/// A kind's file names in front, after `use`, lists with the rules of the values in it: a rule belongs to the value
/// that it judges, wherever that stands.
#[macro_export]
macro_rules! rules {
    (use $($values:expr),+; $($name:ident = $level:ident $id:literal, $summary:literal;)*) => {
        $(#[doc = $summary]
        pub static $name: $crate::admission::rule::AdmissionRule = $crate::admission::rule::AdmissionRule {
            id: $id,
            level: $crate::admission::rule::Level::$level,
            summary: $summary,
        };)*
        /// Every rule of this module, and those of the values in it.
        pub const RULES: &[&$crate::admission::rule::AdmissionRule] = {
            const PARTS: &[&[&$crate::admission::rule::AdmissionRule]] = &[&[$(&$name),*], $($values),+];
            const ALL: [&$crate::admission::rule::AdmissionRule; $crate::admission::rule::count(PARTS)] =
                $crate::admission::rule::joined(PARTS);
            &ALL
        };
    };
    ($($name:ident = $level:ident $id:literal, $summary:literal;)+) => {
        $crate::rules! { use &[]; $($name = $level $id, $summary;)+ }
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

rules! {
    SCHEMA = Deny "object.schema", "The object has the fields and types that its CRD's schema demands.";
    LOOKUP = Deny "object.lookup", "What the rules have to look up could be looked up.";
    RESYNC = Deny "object.resync", "The annotation concierge.dev/resync is a time from 10s to 24h.";
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
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EnforcementError {
    /// A part without `=`.
    #[error("{0:?} is not of the form rule=level")]
    Form(String),
    /// A level that does not exist.
    #[error("{1:?} is not a level of rule {0:?}: use deny, warn or off")]
    Level(String, String),
}

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
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        parts.map(parse_override).collect::<Result<_, _>>().map(Self)
    }
}

fn parse_override(part: &str) -> Result<(String, Level), EnforcementError> {
    let (rule, level) = part.split_once('=').ok_or_else(|| EnforcementError::Form(part.into()))?;
    let level = match level.trim() {
        "deny" => Level::Deny,
        "warn" => Level::Warn,
        "off" => Level::Off,
        other => return Err(EnforcementError::Level(rule.trim().into(), other.into())),
    };
    Ok((rule.trim().into(), level))
}

#[cfg(test)]
mod tests {
    use super::*;

    static RULE: AdmissionRule = AdmissionRule { id: "pets.pet.unique-id", level: Level::Deny, summary: "" };

    fn check(overrides: &str, expect: Option<Level>) {
        assert_eq!(overrides.parse::<Enforcement>().unwrap().level(&RULE), expect, "{overrides}");
    }

    #[test]
    fn the_longest_prefix_wins() {
        check("", None);
        check("pets=off", Some(Level::Off));
        check("pets=off, pets.pet=warn", Some(Level::Warn));
        check("pets=off,pets.pet.unique-id=deny", Some(Level::Deny));
        check("pet=off,pets.pet.unique=off", None);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        assert_eq!("pets".parse::<Enforcement>(), Err(EnforcementError::Form("pets".into())));
        assert!("pets=maybe".parse::<Enforcement>().unwrap_err().to_string().contains("deny, warn or off"));
    }
}
