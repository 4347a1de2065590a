//! The operators of conditions.

/// An operator of conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operator {
    /// How several values of the request are taken.
    pub set: Option<Set>,
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
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What is compared, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    Text {
        /// Whether `*` and `?` are wildcards.
        like: bool,
        /// Whether upper and lower case are the same.
        ignore_case: bool,
        /// Whether it holds when the texts differ.
        negated: bool,
    },
    Numeric(Relation),
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
