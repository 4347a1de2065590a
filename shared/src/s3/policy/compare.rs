//! How a value of a request is compared with that of a condition.

use std::{net::IpAddr, sync::LazyLock};

use ipnet::IpNet;
use jiff::{Timestamp, civil};

use super::{
    glob,
    operator::{Comparison, Relation},
};

/// Whether `actual` is what `expected` says.
pub(super) fn compare(comparison: Comparison, actual: &str, expected: &str) -> bool {
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
        const TEXTS: [&str; 9] = [
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
        static PRIVATE: LazyLock<Vec<IpNet>> =
            LazyLock::new(|| TEXTS.iter().filter_map(|range| range.parse().ok()).collect());
        PRIVATE.iter().any(|range| range.contains(&self.0))
    }

    /// Whether these hold every address of version 4 or 6 together.
    pub(super) fn cover_everything<'a>(ranges: impl Iterator<Item = &'a str>) -> bool {
        let ranges: Vec<_> = ranges.filter_map(Self::of).map(Self::exact).collect();
        IpNet::aggregate(&ranges).iter().any(|range| range.prefix_len() == 0)
    }

    /// Whether it is so narrow that it says who calls: at least /8, or /32 for version 6. Private ranges are.
    pub(super) fn is_narrow(self) -> bool {
        let most = if self.0.network().is_ipv4() { 8 } else { 32 };
        self.0.prefix_len() >= most || self.is_private()
    }
}
