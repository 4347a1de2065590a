//! A policy in an object: as fields, or as the JSON that people copy.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    iam,
    policy::{
        self, Finding, Parsed, PolicyKind, Subject,
        document::{Effect, Span},
    },
    provider_ref::Account,
};
use crate::{
    admission::{
        defaults::Fill,
        problem::{Cause, Problems},
        rule::AdmissionRule,
        seen::Seen,
    },
    field::{FieldPath, at},
    rules,
};

rules! {
    use policy::rules::RULES;
    ONE = Deny "s3.document.one", "A policy is given as policy or as policyDocument, not as both.";
}

/// The version of the language that policies are written in today.
pub(super) const VERSION: &str = "2012-10-17";
/// The longest text in a policy's fields.
const TEXT: usize = 2048;

/// A policy as fields.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyFields {
    /// The version of the language.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("default" = "2012-10-17"))]
    pub version: Option<String>,
    /// What is allowed and denied.
    #[schemars(length(max = 500))]
    pub statement: Vec<StatementFields>,
}

/// One statement of a policy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatementFields {
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub sid: Option<String>,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Who is meant: `*`, an ARN, or lists by AWS, CanonicalUser and Service. Only in policies of buckets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words")]
    pub principal: Option<Value>,
    /// Who is not meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words")]
    pub not_principal: Option<Value>,
    /// What may be done: a text, or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words")]
    pub action: Option<Value>,
    /// What is not meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words")]
    pub not_action: Option<Value>,
    /// With what: a text, or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words")]
    pub resource: Option<Value>,
    /// With what not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "words")]
    pub not_resource: Option<Value>,
    /// Under which circumstances: by operator, then by key, a text or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "conditions")]
    pub condition: Option<BTreeMap<String, BTreeMap<String, Value>>>,
}

/// The schema of a text, a list or a map. What stands in lists and maps is a matter of rules.
fn words(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "x-kubernetes-preserve-unknown-fields": true,
        "maxLength": TEXT, "maxItems": 500, "maxProperties": 10,
    })
}

fn conditions(generator: &mut SchemaGenerator) -> Schema {
    let keys =
        json_schema!({"type": "object", "additionalProperties": words(generator), "maxProperties": 100});
    json_schema!({"type": "object", "additionalProperties": keys, "maxProperties": 100})
}

pub(super) fn fill_version(policy: Option<&mut PolicyFields>, fill: &mut Fill) {
    if let Some(policy) = policy {
        fill.missing(&mut policy.version, "spec.policy.version", VERSION.to_owned());
    }
}

/// The policy as JSON, however it is given; `None` when there is none. Of fields that never came by the webhook, which fills it in, the
/// version is the same.
pub(super) fn text(fields: Option<&PolicyFields>, text: Option<&String>) -> Option<String> {
    let fields = fields.cloned().map(|mut fields| {
        fields.version.get_or_insert_with(|| VERSION.to_owned());
        Document::of(&fields).text
    });
    fields.or_else(|| text.cloned())
}

/// A policy as one text, however it is given.
pub(super) struct Document {
    text: String,
    /// Where the fields stand in the text; `None` for a text that was given.
    places: Option<Vec<(Span, FieldPath)>>,
}

impl Document {
    /// The policy that is given; `None` when there is none, and when there are two, which is a problem.
    pub(super) fn given(
        fields: Option<&PolicyFields>,
        text: Option<&str>,
        problems: &mut Problems,
    ) -> Option<Self> {
        match (fields, text) {
            (Some(_), Some(_)) => {
                let message = "is given beside policy; remove one of them";
                problems.add(&ONE, Cause::Forbidden, FIELD_OF_TEXT, message);
                None
            }
            (Some(fields), None) => Some(Self::of(fields)),
            (None, Some(text)) => Some(Self { text: text.to_owned(), places: None }),
            (None, None) => None,
        }
    }

    /// The document that the fields stand for.
    pub(super) fn of(fields: &PolicyFields) -> Self {
        let mut writer = Writer::default();
        writer.policy(fields);
        Self { text: writer.text, places: Some(writer.places) }
    }

    /// The policy, read as one of this kind.
    pub(super) fn parsed(&self, kind: PolicyKind) -> Parsed<'_> {
        Parsed::of(&self.text, kind)
    }

    /// Adds what is wrong with the policy that was read where `facts` are what is known around it.
    pub(super) fn check(
        &self,
        kind: PolicyKind,
        parsed: &Parsed<'_>,
        facts: Seen<Facts>,
        further: impl FnOnce(&policy::document::Policy, &Facts, &FieldPath, &mut Problems),
        rules: &[&'static AdmissionRule],
        problems: &mut Problems,
    ) {
        // What is wrong with the shape is so whatever stands around it.
        self.add(parsed.errors(), problems);
        let all: Vec<_> = policy::rules::RULES.iter().chain(rules).copied().collect();
        facts.check(problems, self.field(), &all, |facts, problems| {
            let own = facts.own();
            self.add(&parsed.lint(&facts.subject(kind, own.as_deref())), problems);
            if let Some(policy) = parsed.policy() {
                further(policy, &facts, &self.field(), problems);
            }
        });
    }

    /// Adds a problem when an identity policy has characters that IAM does not take.
    pub(super) fn check_characters(&self, problems: &mut Problems) {
        let usual = |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{ff}');
        if let Some((offset, c)) = self.text.char_indices().find(|(_, c)| !usual(*c)) {
            let message = format!("{c:?} is a character that IAM does not take in policies; remove it");
            let span = offset..offset + c.len_utf8();
            self.add(&[Finding { rule: &iam::CHARACTERS, span, message }], problems);
        }
    }

    pub(super) fn field(&self) -> FieldPath {
        at(if self.places.is_some() { "spec.policy" } else { FIELD_OF_TEXT })
    }

    /// Adds findings, which are in the order of the text.
    pub(super) fn add<'f>(&self, findings: impl IntoIterator<Item = &'f Finding>, problems: &mut Problems) {
        let mut cursor = Cursor::of(&self.text);
        for Finding { rule, span, message } in findings {
            match &self.places {
                None => {
                    let (line, column) = cursor.at(span.start);
                    let message = format!("line {line}, column {column}: {message}");
                    problems.add(rule, Cause::Invalid, FIELD_OF_TEXT, message);
                }
                Some(places) => {
                    let field = smallest(places, span).map_or_else(|| self.field(), FieldPath::clone);
                    problems.add(rule, Cause::Invalid, field, message.as_str());
                }
            }
        }
    }
}

const FIELD_OF_TEXT: &str = "spec.policyDocument";

/// The smallest field around a place. Fields are in the order of their ends, so that what is in a field stands before it.
fn smallest<'p>(places: &'p [(Span, FieldPath)], span: &Span) -> Option<&'p FieldPath> {
    let from = places.partition_point(|(place, _)| place.end < span.end);
    places[from..].iter().find(|(place, _)| place.start <= span.start).map(|(_, field)| field)
}

/// A place in a text, which goes on from place to place.
#[derive(Debug)]
pub struct Cursor<'t> {
    text: &'t str,
    offset: usize,
    /// From 1; columns are characters.
    line_and_column: (usize, usize),
}

impl<'t> Cursor<'t> {
    /// The beginning of a text.
    pub fn of(text: &'t str) -> Self {
        Self { text, offset: 0, line_and_column: (1, 1) }
    }

    /// Line and column of a place in the text that is not before the last.
    pub fn at(&mut self, offset: usize) -> (usize, usize) {
        let offset = self.text.floor_char_boundary(offset).max(self.offset);
        for c in self.text[self.offset..offset].chars() {
            let (line, column) = self.line_and_column;
            self.line_and_column = if c == '\n' { (line + 1, 1) } else { (line, column + 1) };
        }
        self.offset = offset;
        self.line_and_column
    }
}

/// What is known around a policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// The account at which it is to be.
    pub account: Account,
    /// The bucket of a bucket's policy.
    pub bucket: Option<String>,
    /// The buckets that an identity policy may name.
    pub own_buckets: Option<Vec<String>>,
    /// Whether the Provider is another namespace's.
    pub borrowed: bool,
    /// Whether the bucket is meant to be public.
    pub allow_public: bool,
    /// Whether the bucket refuses public policies.
    pub blocks_public: bool,
    /// Whether the bucket shuts out others while it has a public policy.
    pub restricts_public: bool,
    /// Whether locking Concierge out is meant.
    pub allow_lockout: bool,
}

impl Facts {
    fn own(&self) -> Option<Vec<&str>> {
        self.own_buckets.as_ref().map(|own| own.iter().map(String::as_str).collect())
    }

    fn subject<'a>(&'a self, kind: PolicyKind, own_buckets: Option<&'a [&'a str]>) -> Subject<'a> {
        Subject {
            profile: self.account.profile,
            bucket: self.bucket.as_deref(),
            account: self.account.id.as_deref(),
            controller: self.account.controller.as_deref(),
            plain_http: self.account.plain_http,
            own_buckets,
            borrowed: self.borrowed,
            allow_public: self.allow_public,
            allow_lockout: self.allow_lockout,
            ..Subject::new(kind)
        }
    }
}

/// Writes a policy's fields as JSON and notes where each stands.
#[derive(Default)]
struct Writer {
    text: String,
    places: Vec<(Span, FieldPath)>,
}

impl Writer {
    fn policy(&mut self, policy: &PolicyFields) {
        let field = at("spec.policy");
        self.text.push('{');
        if let Some(version) = &policy.version {
            self.member("Version", &field.clone().field("version"), |one, field| one.text(version, field));
        }
        self.member("Statement", &field.field("statement"), |one, field| {
            one.text.push('[');
            for (index, statement) in policy.statement.iter().enumerate() {
                one.item(&field.clone().index(index), |one, field| one.statement(statement, field));
            }
            one.text.push(']');
        });
        self.text.push('}');
    }

    fn statement(&mut self, statement: &StatementFields, field: &FieldPath) {
        self.text.push('{');
        if let Some(sid) = &statement.sid {
            self.member("Sid", &field.clone().field("sid"), |one, field| one.text(sid, field));
        }
        let effect = if statement.effect == Effect::Allow { "Allow" } else { "Deny" };
        self.member("Effect", &field.clone().field("effect"), |one, field| one.text(effect, field));
        for (name, key, value) in [
            ("Principal", "principal", &statement.principal),
            ("NotPrincipal", "notPrincipal", &statement.not_principal),
            ("Action", "action", &statement.action),
            ("NotAction", "notAction", &statement.not_action),
            ("Resource", "resource", &statement.resource),
            ("NotResource", "notResource", &statement.not_resource),
        ] {
            if let Some(value) = value {
                self.member(name, &field.clone().field(key), |one, field| one.value(value, field));
            }
        }
        if let Some(condition) = &statement.condition {
            self.member("Condition", &field.clone().field("condition"), |one, field| {
                one.map(condition, field, |one, keys, field| one.map(keys, field, Self::value));
            });
        }
        self.text.push('}');
    }

    fn value(&mut self, value: &Value, field: &FieldPath) {
        match value {
            Value::Array(items) => {
                self.text.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.item(&field.clone().index(index), |one, field| one.value(item, field));
                }
                self.text.push(']');
            }
            Value::Object(members) => self.map(members, field, Self::value),
            plain => self.text.push_str(&plain.to_string()),
        }
    }

    fn map<'a, T: 'a>(
        &mut self,
        members: impl IntoIterator<Item = (&'a String, &'a T)>,
        field: &FieldPath,
        write: impl Fn(&mut Self, &T, &FieldPath),
    ) {
        self.text.push('{');
        for (key, value) in members {
            self.member(key, &field.clone().key(key), |one, field| write(one, value, field));
        }
        self.text.push('}');
    }

    fn member(&mut self, key: &str, field: &FieldPath, write: impl FnOnce(&mut Self, &FieldPath)) {
        self.item(field, |one, field| {
            one.text(key, field);
            one.text.push(':');
            write(one, field);
        });
    }

    fn item(&mut self, field: &FieldPath, write: impl FnOnce(&mut Self, &FieldPath)) {
        if !self.text.ends_with(['{', '[']) {
            self.text.push(',');
        }
        let start = self.text.len();
        write(self, field);
        self.places.push((start..self.text.len(), field.clone()));
    }

    fn text(&mut self, text: &str, _: &FieldPath) {
        self.text.push_str(&Value::from(text).to_string());
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(statement: Value) -> PolicyFields {
        serde_json::from_value(json!({"version": "2012-10-17", "statement": [statement]})).unwrap()
    }

    #[test]
    fn fields_are_written_as_providers_read_them() {
        let policy = fields(json!({
            "sid": "a", "effect": "Allow", "principal": {"AWS": ["1", "2"]}, "action": "s3:*", "notResource": ["r"],
            "condition": {"Bool": {"aws:SecureTransport": true}},
        }));
        let expect = concat!(
            r#"{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":["1","2"]},"#,
            r#""Action":"s3:*","NotResource":["r"],"Condition":{"Bool":{"aws:SecureTransport":true}}}]}"#
        );
        assert_eq!(Document::of(&policy).text, expect);
    }

    #[test]
    fn a_finding_is_at_the_smallest_field_around_it() {
        let policy =
            fields(json!({"effect": "Allow", "action": ["s3:GetObject", "s3:Nonsense"], "resource": "*",
                                   "condition": {"Bool": {"aws:Nonsense": "x,y"}}}));
        let document = Document::of(&policy);
        for (text, expect) in [
            ("\"s3:Nonsense\"", "spec.policy.statement[0].action[1]"),
            ("\"*\"", "spec.policy.statement[0].resource"),
            ("\"aws:Nonsense\"", "spec.policy.statement[0].condition[Bool][aws:Nonsense]"),
            ("[{", "spec.policy.statement"),
        ] {
            let start = document.text.find(text).unwrap();
            let span = start..start + text.len();
            let mut problems = Problems::default();
            document.add(&[Finding { rule: &ONE, span, message: String::new() }], &mut problems);
            assert_eq!(problems.into_sorted()[0].field.to_string(), expect);
        }
    }

    #[test]
    fn places_are_counted_in_characters_from_one() {
        assert_eq!(Cursor::of("").at(0), (1, 1));
        let mut cursor = Cursor::of("a\n\u{e4}b");
        assert_eq!([0, 2, 4, 99].map(|offset| cursor.at(offset)), [(1, 1), (2, 1), (2, 2), (2, 3)]);
        assert_eq!(Cursor::of("a\n").at(99), (2, 1));
    }
}
