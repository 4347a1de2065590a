//! From a raw object to its kind's type, with no more built than rules read.

use std::{collections::BTreeMap, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::core::object::HasSpec;
use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::problem::{Problem, Reason};
use super::rule::SCHEMA;
use crate::{
    field::{FieldPath, at},
    kind::Kind,
};

/// The annotation in which kubectl keeps a copy of the whole object; never read, so never built.
pub const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object as it came in.
#[derive(Debug)]
pub struct Incoming<K> {
    /// The object, without status, managed fields and other metadata that no rule reads.
    pub object: K,
    /// Whether a status came with it.
    pub has_status: bool,
}

/// Decodes `raw`; what is wrong with it as a problem.
pub fn decode<K: Kind>(raw: &str) -> Result<Incoming<K>, Problem> {
    let parts: Parts<<K as HasSpec>::Spec, IgnoredAny> = from_str(raw)?;
    let object = K::assemble(parts.metadata.into(), parts.spec, None);
    Ok(Incoming { object, has_status: parts.status.is_some() })
}

/// Decodes an object that is stored already, with its status unless that no longer fits the schema.
pub fn decode_stored<K: Kind>(raw: &str) -> Result<K, Problem> {
    let parts: Parts<<K as HasSpec>::Spec, &RawValue> = from_str(raw)?;
    let status = parts.status.and_then(|status| serde_json::from_str(status.get()).ok());
    Ok(K::assemble(parts.metadata.into(), parts.spec, status))
}

/// Decodes only the metadata of `raw`.
pub fn decode_metadata(raw: &str) -> Result<ObjectMeta, Problem> {
    from_str::<MetadataOnly>(raw).map(|parts| parts.metadata.into())
}

fn from_str<'a, T: Deserialize<'a>>(raw: &'a str) -> Result<T, Problem> {
    serde_json::from_str(raw).map_err(|_| locate::<T>(raw))
}

/// Decodes a second time, slowly, to learn where the first time failed.
fn locate<'a, T: Deserialize<'a>>(raw: &'a str) -> Problem {
    let mut json = serde_json::Deserializer::from_str(raw);
    let (field, message) = match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Ok(_) => (FieldPath::default(), "trailing characters after the object".to_owned()),
        Err(error) => (path(error.path()), error.inner().to_string()),
    };
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    match message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
        Some(name) => schema_problem(Reason::Required, field.field(name), "is required; set it".into()),
        None => schema_problem(Reason::TypeInvalid, field, without_value(message)),
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

fn schema_problem(reason: Reason, field: FieldPath, message: String) -> Problem {
    Problem { field, rule: &SCHEMA, reason, message }
}

fn path(found: &serde_path_to_error::Path) -> FieldPath {
    found.iter().fold(at(""), |path, segment| match segment {
        serde_path_to_error::Segment::Seq { index } => path.index(*index),
        serde_path_to_error::Segment::Map { key } => path.field(key),
        serde_path_to_error::Segment::Enum { variant } => path.field(variant),
        serde_path_to_error::Segment::Unknown => path,
    })
}

#[derive(Deserialize)]
struct Parts<S, T> {
    #[serde(default)]
    metadata: Narrow,
    spec: S,
    status: Option<T>,
}

#[derive(Deserialize)]
struct MetadataOnly {
    #[serde(default)]
    metadata: Narrow,
}

/// The metadata that rules read. What is not named here is skipped, never built.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Narrow {
    name: Option<String>,
    generate_name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    creation_timestamp: Option<Time>,
    deletion_timestamp: Option<Time>,
    labels: Option<BTreeMap<String, String>>,
    #[serde(deserialize_with = "annotations")]
    annotations: Option<BTreeMap<String, String>>,
}

impl From<Narrow> for ObjectMeta {
    fn from(narrow: Narrow) -> Self {
        ObjectMeta {
            name: narrow.name,
            generate_name: narrow.generate_name,
            namespace: narrow.namespace,
            uid: narrow.uid,
            resource_version: narrow.resource_version,
            creation_timestamp: narrow.creation_timestamp,
            deletion_timestamp: narrow.deletion_timestamp,
            labels: narrow.labels,
            annotations: narrow.annotations,
            ..ObjectMeta::default()
        }
    }
}

fn annotations<'de, D: Deserializer<'de>>(json: D) -> Result<Option<BTreeMap<String, String>>, D::Error> {
    json.deserialize_option(Annotations)
}

struct Annotations;

impl<'de> Visitor<'de> for Annotations {
    type Value = Option<BTreeMap<String, String>>;

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
        while let Some(key) = map.next_key::<String>()? {
            if key == LAST_APPLIED_ANNOTATION {
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
