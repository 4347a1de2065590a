//! A policy as it was read: every text with its place.

use std::ops::Range;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A place in the text of a document, in bytes.
pub type Span = Range<usize>;

/// A text of the document.
#[derive(Clone, Debug)]
pub struct Item {
    /// The text, unescaped.
    pub text: String,
    /// Where it stands, quotes included.
    pub span: Span,
}

/// The language that a document is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`: variables are plain text.
    Of2008,
    /// `2012-10-17`.
    Of2012,
}

/// A policy whose shape is right. Its words may still be wrong.
#[derive(Clone, Debug)]
pub struct Policy {
    /// The language; that of 2008 when the document does not say.
    pub version: Version,
    /// Its statements, at least one.
    pub statements: Vec<Statement>,
}

/// What a statement does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Effect {
    /// It allows.
    Allow,
    /// It denies, whatever others allow.
    Deny,
}

/// A list that says which, or with `Not` in front which not.
#[derive(Clone, Debug, Default)]
pub struct Items {
    /// True for `NotAction` and `NotResource`.
    pub negated: bool,
    /// The entries.
    pub items: Vec<Item>,
    /// Where the value stands.
    pub span: Span,
}

/// Who is meant.
#[derive(Clone, Debug, Default)]
pub struct Principals {
    /// True for `NotPrincipal`.
    pub negated: bool,
    /// The entries with their key: `AWS`, `Service`, `Federated`, `CanonicalUser`. A lone `"*"` counts as `AWS`.
    pub items: Vec<(String, Item)>,
    /// Where the value stands.
    pub span: Span,
}

/// One operator with one key: both and all others have to hold.
#[derive(Clone, Debug)]
pub struct Condition {
    /// The operator as it is written, with `ForAllValues:` and `IfExists`.
    pub operator: Item,
    /// The key.
    pub key: Item,
    /// The values, one of which has to fit. Numbers and booleans as text.
    pub values: Vec<Item>,
}

/// One statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// Its name.
    pub sid: Option<Item>,
    /// What it does.
    pub effect: Effect,
    /// Who is meant; `None` in an identity policy.
    pub principals: Option<Principals>,
    /// What may be done.
    pub actions: Items,
    /// With what.
    pub resources: Items,
    /// Under which circumstances.
    pub conditions: Vec<Condition>,
    /// Where it stands.
    pub span: Span,
}

impl Statement {
    /// True when it allows.
    pub fn allows(&self) -> bool {
        self.effect == Effect::Allow
    }
}

impl Principals {
    /// True when everybody is meant.
    pub fn are_everybody(&self) -> bool {
        !self.negated && self.items.iter().any(|(key, item)| key == "AWS" && item.text == "*")
    }

    /// The services that are meant.
    pub fn services(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|(key, _)| key == "Service").map(|(_, item)| item)
    }
}
