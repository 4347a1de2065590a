//! The language of bucket and identity policies: what is wrong with a document, whom it lets do what, whether two say the same.
//!
//! ```text
//! text -> read (strict JSON, shape) -> Policy -> one file for each family of rules -> findings
//!                                        |-> decide: may this caller do that?
//!                                        |-> public: does it let everybody in?
//!                                        '-> equal: do two documents say the same?
//! ```
//!
//! The words of a policy are an open list: a provider may know actions and keys that are not here. So what is unknown is
//! a warning, and what is a misspelling of something known is an error.

mod action;
mod caller;
mod catalogue;
mod compare;
mod condition;
pub mod decide;
pub mod document;
mod equal;
pub mod glob;
mod grants;
mod lockout;
mod operator;
mod pattern;
mod principal;
mod public;
mod read;
mod resource;
pub mod rules;
mod size;
mod statement;
mod tenant;
#[cfg(test)]
mod tests;
mod variable;

use document::{Policy, Span, Statement};
pub use equal::equal;
pub use public::is_public;
pub use size::secrets;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::region::{AWS, WASABI};
use crate::admission::{
    problem::{MESSAGE_LENGTH, shortened},
    rule::{AdmissionRule, Level},
};

/// What a policy is attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicyKind {
    /// A bucket: it says who may do something with it.
    Bucket,
    /// A user: it says what the user may do. It is one of its own, with a name and versions.
    Managed,
    /// A user: as `Managed`, but a part of the user.
    Inline,
}

/// Whose rules a document has to meet beside the language's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// Wasabi.
    Wasabi,
    /// Amazon Web Services.
    Aws,
    /// Ceph's object gateway.
    Ceph,
    /// Versity's gateway.
    Versitygw,
    /// SeaweedFS.
    SeaweedFs,
    /// Any other.
    #[default]
    Generic,
}

/// What is known around a document.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// What it is attached to.
    pub kind: PolicyKind,
    /// The provider.
    pub profile: Profile,
    /// The bucket of a bucket policy.
    pub bucket: Option<&'a str>,
    /// The account that owns the bucket or the user.
    pub account: Option<&'a str>,
    /// The ARN as which Concierge itself calls the provider.
    pub controller: Option<&'a str>,
    /// Whether Concierge calls the provider without TLS.
    pub plain_http: bool,
    /// The buckets of the namespace that an identity policy is in; `None` when it may name any.
    pub own_buckets: Option<&'a [&'a str]>,
    /// Whether the Provider is another namespace's, so that only what S3 has may be done there.
    pub borrowed: bool,
    /// Whether the bucket is meant to be public.
    pub allow_public: bool,
    /// Whether locking Concierge out is meant.
    pub allow_lockout: bool,
}

impl Subject<'_> {
    /// A policy of this kind at any provider, of which nothing else is known.
    pub fn new(kind: PolicyKind) -> Self {
        Self {
            kind,
            profile: Profile::default(),
            bucket: None,
            account: None,
            controller: None,
            plain_http: false,
            own_buckets: None,
            borrowed: false,
            allow_public: false,
            allow_lockout: false,
        }
    }

    fn is_of_bucket(&self) -> bool {
        self.kind == PolicyKind::Bucket
    }
}

impl Profile {
    /// Every profile with its name.
    pub const ALL: &'static [(&'static str, Profile)] = &[
        ("wasabi", Profile::Wasabi),
        ("aws", Profile::Aws),
        ("ceph", Profile::Ceph),
        ("versitygw", Profile::Versitygw),
        ("seaweedfs", Profile::SeaweedFs),
        ("generic", Profile::Generic),
    ];

    /// Whether account ids have 12 digits.
    fn has_numbered_accounts(self) -> bool {
        matches!(self, Profile::Aws | Profile::Wasabi | Profile::Generic)
    }

    /// Whether there may be a region of this name. Only two providers' regions are known.
    fn may_have_region(self, name: &str) -> bool {
        match self {
            Profile::Aws => AWS.contains(&name),
            Profile::Wasabi => WASABI.iter().any(|(region, _)| *region == name),
            _ => true,
        }
    }

    /// The partition of its ARNs; `None` when there are several.
    fn partition(self) -> Option<&'static str> {
        (self != Profile::Aws).then_some("aws")
    }
}

/// One thing that is wrong with a document.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule that is broken. Its level says how bad that is; `Off` is a suggestion.
    pub rule: &'static AdmissionRule,
    /// Where, in bytes of the text; empty where a text that is not JSON breaks off.
    pub span: Span,
    /// What is wrong and what to do.
    pub message: String,
}

/// A document under review.
struct Lint<'a> {
    text: &'a str,
    subject: &'a Subject<'a>,
    findings: Vec<Finding>,
    /// How many pairs of patterns may still be compared.
    pairs: usize,
}

/// The most pairs of patterns that are compared in one document, for suggestions alone: those of a list of about 140 entries.
const MOST_PAIRS: usize = 20_000;

impl<'a> Lint<'a> {
    fn new(text: &'a str, subject: &'a Subject<'a>) -> Self {
        Self { text, subject, findings: Vec::new(), pairs: MOST_PAIRS }
    }

    fn add(&mut self, rule: &'static AdmissionRule, span: Span, message: impl Into<String>) {
        let mut message = size::without_secrets(message.into());
        // It may repeat what it is about, and what it is about may be as long as the document.
        if message.len() > MESSAGE_LENGTH {
            message = shortened(&message, MESSAGE_LENGTH).into_owned();
        }
        self.findings.push(Finding { rule, span, message });
    }

    /// Whether each of so many patterns may be compared with each.
    fn may_compare(&mut self, patterns: usize) -> bool {
        let left = patterns.checked_mul(patterns).and_then(|pairs| self.pairs.checked_sub(pairs));
        self.pairs = left.unwrap_or(self.pairs);
        left.is_some()
    }
}

/// A document that was read.
#[derive(Debug)]
pub struct Parsed<'a> {
    text: &'a str,
    /// Without the statements that lack something; `None` when there is no looking at it.
    policy: Option<Policy>,
    /// What is wrong with its shape.
    findings: Vec<Finding>,
}

impl<'a> Parsed<'a> {
    /// What is in a text.
    pub fn of(text: &'a str, kind: PolicyKind) -> Self {
        let subject = Subject::new(kind);
        let mut lint = Lint::new(text, &subject);
        let policy = read::read(&mut lint);
        let mut findings = lint.findings;
        findings.sort_by_key(|finding| finding.span.start);
        Self { text, policy, findings }
    }

    /// What makes its shape wrong, whatever stands around it, in the order of the text.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.rule.level == Level::Deny)
    }

    /// The policy; `None` when its shape is wrong.
    pub fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref().filter(|_| self.errors().next().is_none())
    }

    /// The policy, also where its shape is wrong in a way in which providers read it no otherwise.
    fn as_read(&self) -> Option<&Policy> {
        self.policy.as_ref().filter(|_| !self.errors().any(|finding| finding.rule.protects_others))
    }

    /// The statements that could be read, also where the shape is wrong elsewhere.
    pub fn statements(&self) -> &[Statement] {
        self.policy.as_ref().map_or(&[], |policy| &policy.statements)
    }

    /// Everything that is wrong with the document, in the order of the text. It was read as one of the subject's kind.
    pub fn lint(&self, subject: &Subject<'_>) -> Vec<Finding> {
        let mut lint = Lint::new(self.text, subject);
        lint.findings.clone_from(&self.findings);
        size::check(&mut lint);
        if let Some(policy) = &self.policy {
            check(&mut lint, policy);
        }
        let mut findings = lint.findings;
        findings.sort_by(|a, b| (a.span.start, a.rule.id).cmp(&(b.span.start, b.rule.id)));
        findings.dedup_by(|a, b| a.rule == b.rule && a.span == b.span && a.message == b.message);
        findings
    }
}

/// Everything that is wrong with a document, in the order of the text.
pub fn lint(text: &str, subject: &Subject<'_>) -> Vec<Finding> {
    Parsed::of(text, subject.kind).lint(subject)
}

fn check(lint: &mut Lint<'_>, policy: &Policy) {
    statement::check_all(lint, policy);
    for statement in &policy.statements {
        statement::check(lint, statement);
        principal::check(lint, statement);
        action::check(lint, statement);
        resource::check(lint, statement);
        condition::check(lint, statement);
        variable::check(lint, policy.version, statement);
        tenant::check(lint, statement);
    }
    public::check(lint, policy);
    lockout::check(lint, policy);
}

/// The policy in a text.
///
/// # Errors
/// What is wrong with its shape.
pub fn parse(text: &str, kind: PolicyKind) -> Result<Policy, Vec<Finding>> {
    let parsed = Parsed::of(text, kind);
    let wrong: Vec<_> = parsed.errors().cloned().collect();
    parsed.policy.filter(|_| wrong.is_empty()).ok_or(wrong)
}

/// Whether two documents say the same, also where rules that may be lowered find something wrong with their shape.
pub fn same(a: &str, b: &str, kind: PolicyKind) -> bool {
    let (read, other) = (Parsed::of(a, kind), Parsed::of(b, kind));
    a == b || read.as_read().zip(other.as_read()).is_some_and(|(read, other)| equal(read, other))
}

/// Whether two words differ by so little that one is a misspelling of the other.
fn is_near(a: &str, b: &str) -> bool {
    a.len().min(b.len()) > 2
        && a != b
        // Cheaper, and true of few that are not near.
        && letters(a).iter().zip(letters(b)).map(|(a, b)| a.abs_diff(b)).sum::<usize>() <= 4
        && strsim::damerau_levenshtein(a, b) <= 2
}

/// How often each letter is in a word: two edits change at most four of the numbers by one.
fn letters(word: &str) -> [usize; 32] {
    let mut letters = [0; 32];
    word.chars().for_each(|c| letters[c as usize % 32] += 1);
    letters
}
