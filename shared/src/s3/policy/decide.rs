//! Whom a policy lets do what: the evaluation that a provider makes for each request.

use std::{collections::BTreeMap, net::IpAddr};

use ipnet::IpNet;
use jiff::{Timestamp, civil};

use super::{
    action::Pattern,
    document::{Condition, Effect, Items, Policy, Principals, Statement, Version},
    glob, variable,
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

/// An operator of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// How several values of the request are taken.
    pub set: Option<Set>,
    /// The comparison.
    pub comparison: Comparison,
    /// Whether it holds when the key is missing.
    pub if_exists: bool,
}

/// How several values of a key are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// All have to fit; none is enough too.
    All,
    /// One has to fit.
    Any,
}

/// A relation of numbers and dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// `=`
    Equal,
    /// Not `=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// What is compared, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// Texts.
    Text {
        /// Whether `*` and `?` are wildcards.
        like: bool,
        /// Whether upper and lower case are the same.
        ignore_case: bool,
        /// Whether it holds when the texts differ.
        negated: bool,
    },
    /// Numbers.
    Numeric(Relation),
    /// Dates.
    Date(Relation),
    /// `true` or `false`.
    Bool,
    /// Bytes in base64.
    Binary,
    /// Addresses in ranges.
    Ip {
        /// Whether it holds outside the ranges.
        negated: bool,
    },
    /// ARNs, part by part.
    Arn {
        /// Whether it holds when the ARNs differ.
        negated: bool,
    },
    /// Whether the key is missing.
    Null,
}

const fn text(like: bool, ignore_case: bool, negated: bool) -> Comparison {
    Comparison::Text { like, ignore_case, negated }
}

impl Comparison {
    /// All by name.
    pub const ALL: &'static [(&'static str, Comparison)] = &[
        ("StringEquals", text(false, false, false)),
        ("StringNotEquals", text(false, false, true)),
        ("StringEqualsIgnoreCase", text(false, true, false)),
        ("StringNotEqualsIgnoreCase", text(false, true, true)),
        ("StringLike", text(true, false, false)),
        ("StringNotLike", text(true, false, true)),
        ("NumericEquals", Comparison::Numeric(Relation::Equal)),
        ("NumericNotEquals", Comparison::Numeric(Relation::NotEqual)),
        ("NumericLessThan", Comparison::Numeric(Relation::Less)),
        ("NumericLessThanEquals", Comparison::Numeric(Relation::LessOrEqual)),
        ("NumericGreaterThan", Comparison::Numeric(Relation::Greater)),
        ("NumericGreaterThanEquals", Comparison::Numeric(Relation::GreaterOrEqual)),
        ("DateEquals", Comparison::Date(Relation::Equal)),
        ("DateNotEquals", Comparison::Date(Relation::NotEqual)),
        ("DateLessThan", Comparison::Date(Relation::Less)),
        ("DateLessThanEquals", Comparison::Date(Relation::LessOrEqual)),
        ("DateGreaterThan", Comparison::Date(Relation::Greater)),
        ("DateGreaterThanEquals", Comparison::Date(Relation::GreaterOrEqual)),
        ("Bool", Comparison::Bool),
        ("BinaryEquals", Comparison::Binary),
        ("IpAddress", Comparison::Ip { negated: false }),
        ("NotIpAddress", Comparison::Ip { negated: true }),
        ("ArnEquals", Comparison::Arn { negated: false }),
        ("ArnLike", Comparison::Arn { negated: false }),
        ("ArnNotEquals", Comparison::Arn { negated: true }),
        ("ArnNotLike", Comparison::Arn { negated: true }),
        ("Null", Comparison::Null),
    ];
}

impl Operator {
    /// The operator with this name; `None` when there is none.
    pub fn of(name: &str) -> Option<Self> {
        let (set, name) = match name.split_once(':') {
            Some(("ForAllValues", rest)) => (Some(Set::All), rest),
            Some(("ForAnyValue", rest)) => (Some(Set::Any), rest),
            Some(_) => return None,
            None => (None, name),
        };
        let (base, if_exists) = name.strip_suffix("IfExists").map_or((name, false), |base| (base, true));
        let (_, comparison) = Comparison::ALL.iter().find(|(known, _)| *known == base)?;
        (!(if_exists && *comparison == Comparison::Null)).then_some(Self {
            set,
            comparison: *comparison,
            if_exists,
        })
    }

    /// Whether it holds for values that do not fit.
    pub fn is_negated(self) -> bool {
        use Comparison as C;
        match self.comparison {
            C::Text { negated, .. } | C::Ip { negated } | C::Arn { negated } => negated,
            C::Numeric(relation) | C::Date(relation) => relation == Relation::NotEqual,
            C::Bool | C::Binary | C::Null => false,
        }
    }
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

fn compare(comparison: Comparison, actual: &str, expected: &str) -> bool {
    use Comparison as C;
    match comparison {
        C::Text { like, ignore_case, negated } => {
            let (actual, expected) = match ignore_case {
                true => (actual.to_lowercase(), expected.to_lowercase()),
                false => (actual.to_owned(), expected.to_owned()),
            };
            (if like { glob::matches(&expected, &actual) } else { expected == actual }) != negated
        }
        C::Numeric(relation) => match (actual.parse::<f64>(), expected.parse::<f64>()) {
            (Ok(actual), Ok(expected)) => related(relation, actual.total_cmp(&expected)),
            _ => false,
        },
        C::Date(relation) => match (date(actual), date(expected)) {
            (Some(actual), Some(expected)) => related(relation, actual.cmp(&expected)),
            _ => false,
        },
        C::Bool => actual.eq_ignore_ascii_case(expected),
        C::Binary => actual == expected,
        C::Ip { negated } => match (actual.parse::<IpAddr>(), Range::of(expected)) {
            (Ok(address), Some(range)) => range.contains(address) != negated,
            _ => negated,
        },
        C::Arn { negated } => is_arn_like(expected, actual) != negated,
        C::Null => false,
    }
}

fn related(relation: Relation, order: std::cmp::Ordering) -> bool {
    match relation {
        Relation::Equal => order.is_eq(),
        Relation::NotEqual => order.is_ne(),
        Relation::Less => order.is_lt(),
        Relation::LessOrEqual => order.is_le(),
        Relation::Greater => order.is_gt(),
        Relation::GreaterOrEqual => order.is_ge(),
    }
}

/// A wildcard of an ARN does not reach over a colon, but in its last part.
fn is_arn_like(pattern: &str, arn: &str) -> bool {
    let (pattern, arn): (Vec<_>, Vec<_>) = (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    pattern == ["*"]
        || (pattern.len() == arn.len()
            && pattern.iter().zip(&arn).all(|(pattern, part)| glob::matches(pattern, part)))
}

/// A date or date-time with zone, or the seconds since 1970.
pub(super) fn date(text: &str) -> Option<Timestamp> {
    let day = |text: &str| {
        let date = text.parse::<civil::Date>().ok()?;
        date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    let minutes = || text.strip_suffix('Z').and_then(|rest| format!("{rest}:00Z").parse().ok());
    match text.parse::<i64>() {
        Ok(seconds) if text.len() > 4 => Timestamp::from_second(seconds).ok(),
        _ => text.parse().ok().or_else(|| if text.contains('T') { minutes() } else { day(text) }),
    }
}

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range(IpNet);

impl Range {
    /// The range in CIDR notation, or one address.
    pub fn of(text: &str) -> Option<Self> {
        text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from)).map(Self)
    }

    /// Whether it holds this address.
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether nothing stands behind the prefix.
    pub fn is_exact(self) -> bool {
        self.0.addr() == self.0.network()
    }

    /// The range without what stands behind the prefix.
    pub fn exact(self) -> IpNet {
        self.0.trunc()
    }

    /// Whether all of it is private or reserved: nobody calls from there over the internet.
    pub fn is_private(self) -> bool {
        const PRIVATE: [&str; 9] = [
            "10.0.0.0/8",
            "172.16.0.0/12",
            "192.168.0.0/16",
            "100.64.0.0/10",
            "127.0.0.0/8",
            "169.254.0.0/16",
            "fc00::/7",
            "fe80::/10",
            "::1/128",
        ];
        PRIVATE.iter().filter_map(|range| range.parse::<IpNet>().ok()).any(|range| range.contains(&self.0))
    }

    /// Whether it is so narrow that it says who calls: at least /8, or /32 for version 6. Private ranges are.
    pub(super) fn is_narrow(self) -> bool {
        let most = if self.0.network().is_ipv4() { 8 } else { 32 };
        self.0.prefix_len() >= most || self.is_private()
    }
}
