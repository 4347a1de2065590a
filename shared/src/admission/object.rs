//! From a raw object to its kind's type, with no more built than rules read.

use std::{
    borrow::{Borrow, Cow},
    collections::BTreeMap,
    fmt,
};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::core::object::{HasSpec, HasStatus};
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::problem::{Cause, Problem};
use super::rule::SCHEMA;
use crate::{
    field::{FieldPath, at},
    kind::{COMMON_ANNOTATIONS, Kind},
};

/// The annotation in which kubectl keeps a copy of the whole object; never read, so never built.
pub const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object as it came in, taken apart in one pass over its bytes: its metadata is read as far as rules look at
/// it, its spec and status stay raw until somebody does, and the rest is skipped.
#[derive(Debug, Default, Deserialize)]
pub struct Raw<'a> {
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
    #[serde(borrow)]
    spec: Option<&'a RawValue>,
    #[serde(borrow)]
    status: Option<&'a RawValue>,
    /// Why it could not be taken apart.
    #[serde(skip)]
    shapeless: Option<Problem>,
}

impl<'a> From<&'a str> for Raw<'a> {
    fn from(json: &'a str) -> Self {
        from_str(json, FieldPath::default())
            .unwrap_or_else(|problem| Raw { shapeless: Some(problem), ..Raw::default() })
    }
}

impl Raw<'_> {
    /// The object without its status; what is wrong with it as a problem.
    pub fn decode<K: Kind>(&self) -> Result<K, Problem> {
        self.assemble(None)
    }

    /// The object with its status.
    pub fn decode_stored<K: Kind>(&self) -> Result<K, Problem> {
        self.assemble(self.status::<K>())
    }

    /// The status, unless there is none or it does not fit the schema.
    pub fn status<K: Kind>(&self) -> Option<<K as HasStatus>::Status> {
        serde_json::from_str(self.status?.get()).ok()
    }

    /// The object's JSON without metadata and status, of which defaults know nothing.
    pub fn spec_alone(&self) -> String {
        format!(r#"{{"spec":{}}}"#, self.spec.map_or("null", RawValue::get))
    }

    /// The object's name and uid.
    pub fn identity(&self) -> Option<(&str, &str)> {
        let Metadata { name, uid, .. } = &self.metadata;
        Some((&name.as_ref()?.0, &uid.as_ref()?.0))
    }

    /// The version of the object as it is stored; empty when it is not.
    pub fn resource_version(&self) -> &str {
        self.metadata.resource_version.as_ref().map_or("", |version| &version.0)
    }

    /// Whether a status came with it.
    pub fn has_status(&self) -> bool {
        self.status.is_some()
    }

    /// True while the object is being deleted.
    pub fn terminating(&self) -> bool {
        self.metadata.deletion_timestamp.is_some()
    }

    /// True when both have a spec, and the same byte by byte, and all of the metadata that rules of `K` read. Equal
    /// specs can be written differently.
    pub fn is_judged_like<K: Kind>(&self, other: &Raw<'_>) -> bool {
        let has_spec_of =
            self.spec.is_some_and(|spec| other.spec.is_some_and(|other| spec.get() == other.get()));
        let (ours, theirs) = (&self.metadata, &other.metadata);
        has_spec_of
            && have_same(K::READ_LABELS, ours.labels.as_ref(), theirs.labels.as_ref())
            && [K::READ_ANNOTATIONS, COMMON_ANNOTATIONS]
                .iter()
                .all(|keys| have_same(keys, ours.annotations.as_ref(), theirs.annotations.as_ref()))
    }

    fn assemble<K: Kind>(&self, status: Option<<K as HasStatus>::Status>) -> Result<K, Problem> {
        if let Some(problem) = &self.shapeless {
            return Err(problem.clone());
        }
        let missing = || schema_problem(Cause::Required, at("spec"), "is required; set it".into());
        let spec = from_str::<<K as HasSpec>::Spec>(self.spec.ok_or_else(missing)?.get(), at("spec"))?;
        Ok(K::assemble((&self.metadata).into(), spec, status))
    }
}

fn from_str<'a, T: Deserialize<'a>>(json: &'a str, root: FieldPath) -> Result<T, Problem> {
    serde_json::from_str(json).map_err(|_| locate::<T>(json, root))
}

/// Decodes a second time, slowly, to learn where the first time failed.
fn locate<'a, T: Deserialize<'a>>(json: &'a str, root: FieldPath) -> Problem {
    let mut json = serde_json::Deserializer::from_str(json);
    let (field, message) = match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Ok(_) => (root, "trailing characters after the object".to_owned()),
        Err(error) => (path(root, error.path()), error.inner().to_string()),
    };
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    match message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(name) => schema_problem(Cause::Required, field.field(name), "is required; set it".into()),
        None => schema_problem(Cause::TypeInvalid, field, without_value(message)),
    }
}

/// A decoder's message about a wrong type without the value, which may be what nobody should see.
fn without_value(message: &str) -> String {
    match (message.split_once(['`', '"']), message.rsplit_once(", expected ")) {
        (Some((found, _)), Some((_, expected))) if found.starts_with("invalid ") => {
            format!("{}, expected {expected}", found.trim_end())
        }
        _ => message.to_owned(),
    }
}

fn schema_problem(cause: Cause, field: FieldPath, message: String) -> Problem {
    Problem { field, rule: &SCHEMA, cause, message }
}

fn path(root: FieldPath, found: &serde_path_to_error::Path) -> FieldPath {
    found.iter().fold(root, |path, segment| match segment {
        serde_path_to_error::Segment::Seq { index } => path.index(*index),
        serde_path_to_error::Segment::Map { key } => path.field(key),
        serde_path_to_error::Segment::Enum { variant } => path.field(variant),
        serde_path_to_error::Segment::Unknown => path,
    })
}

/// The metadata that rules read. What is not named here is skipped, never built.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Metadata<'a> {
    #[serde(borrow)]
    name: Option<Text<'a>>,
    #[serde(borrow)]
    namespace: Option<Text<'a>>,
    #[serde(borrow)]
    uid: Option<Text<'a>>,
    #[serde(borrow)]
    resource_version: Option<Text<'a>>,
    deletion_timestamp: Option<Time>,
    #[serde(borrow)]
    labels: Option<Texts<'a>>,
    #[serde(borrow, deserialize_with = "annotations")]
    annotations: Option<Texts<'a>>,
}

type Texts<'a> = BTreeMap<Text<'a>, Text<'a>>;

/// Whether both have the same under each of `keys`, or nothing.
fn have_same(keys: &[&str], one: Option<&Texts<'_>>, other: Option<&Texts<'_>>) -> bool {
    keys.iter().all(|key| text(one, key) == text(other, key))
}

fn text<'a>(texts: Option<&'a Texts<'_>>, key: &str) -> Option<&'a str> {
    texts?.get(key).map(|text| &*text.0)
}

/// Text that is borrowed where it is written without escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Borrow<str> for Text<'_> {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&Metadata<'_>> for ObjectMeta {
    fn from(metadata: &Metadata<'_>) -> Self {
        let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.0.to_string());
        let owned = |(key, value): (&Text<'_>, &Text<'_>)| (key.0.to_string(), value.0.to_string());
        let texts = |texts: &Option<Texts<'_>>| texts.as_ref().map(|texts| texts.iter().map(owned).collect());
        ObjectMeta {
            name: text(&metadata.name),
            namespace: text(&metadata.namespace),
            uid: text(&metadata.uid),
            deletion_timestamp: metadata.deletion_timestamp.clone(),
            labels: texts(&metadata.labels),
            annotations: texts(&metadata.annotations),
            ..ObjectMeta::default()
        }
    }
}

fn annotations<'de, D: Deserializer<'de>>(json: D) -> Result<Option<Texts<'de>>, D::Error> {
    json.deserialize_option(Annotations)
}

struct Annotations;

impl<'de> Visitor<'de> for Annotations {
    type Value = Option<Texts<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of strings")
    }

    fn visit_none<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut annotations = BTreeMap::new();
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if key.0 == LAST_APPLIED_ANNOTATION {
                map.next_value::<IgnoredAny>()?;
            } else {
                annotations.insert(key, map.next_value()?);
            }
        }
        Ok(Some(annotations))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pets::Pet;

    #[test]
    fn a_problem_is_found_wherever_it_is() {
        for (json, field) in [
            (r#""text""#, ""),
            ("{}", "spec"),
            (r#"{"metadata":{"labels":{"a":1}},"spec":{"id":1,"name":"Rex"}}"#, "metadata.labels.a"),
            (r#"{"metadata":{"name":"rex"},"spec":{"id":"1","name":"Rex"}}"#, "spec.id"),
        ] {
            let problem = Raw::from(json).decode::<Pet>().unwrap_err();
            assert_eq!(problem.field.to_string(), field, "{json}");
        }
    }

    #[test]
    fn specs_are_the_same_when_both_are_there_and_written_alike() {
        let same = |one: &str, other: &str| Raw::from(one).is_judged_like::<Pet>(&Raw::from(other));
        assert!(same(r#"{"spec":{"a":1}}"#, r#"{"metadata":{"labels":{"b":"c"}},"spec":{"a":1}}"#));
        assert!(!same(r#"{"spec":{"a":1}}"#, r#"{"spec":{"a":2}}"#));
        let labelled = r#"{"metadata":{"labels":{"petstore.example.com/store":"a"}},"spec":{"a":1}}"#;
        assert!(!same(r#"{"spec":{"a":1}}"#, labelled));
        assert!(same(labelled, labelled));
        let annotated = r#"{"metadata":{"annotations":{"concierge.dev/resync":"1h"}},"spec":{"a":1}}"#;
        assert!(!same(r#"{"spec":{"a":1}}"#, annotated));
        assert!(same(annotated, annotated));
        assert!(same(r#"{"spec":{"a":1}}"#, r#"{"metadata":{"annotations":{"b":"c"}},"spec":{"a":1}}"#));
        assert!(!same("{}", "{}"));
        assert!(!same("[1]", "[1]"));
    }

    #[test]
    fn a_wrong_type_is_named_and_its_value_is_not() {
        for (found, shown) in [
            ("invalid type: integer `4242`, expected a string", "invalid type: integer, expected a string"),
            ("invalid type: string \"a, expected `b`\", expected i64", "invalid type: string, expected i64"),
            ("invalid type: map, expected a string", "invalid type: map, expected a string"),
            ("unknown variant `x`, expected `a` or `b`", "unknown variant `x`, expected `a` or `b`"),
        ] {
            assert_eq!(without_value(found), shown);
        }
    }
}
