//! From a raw object to its kind's type, with no more built than rules read.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::core::object::{HasSpec, HasStatus};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::problem::{Cause, Problem};
use super::quick;
use super::rule::{NESTING, SCHEMA};
use super::scan;
use super::steering::steers;
use crate::{
    field::{FieldPath, at},
    kind::{COMMON_ANNOTATIONS, Kind, reads_label},
};

/// The annotation in which kubectl keeps a copy of the whole object.
pub const LAST_APPLIED_ANNOTATION: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// What every annotation begins with that a rule reads. No other is built.
pub const OURS: &str = "concierge.dev/";
/// How deep a spec may be nested. Programs that read JSON give up at some depth, serde_json at 128, and they find specs within
/// objects, lists and events. The deepest kind has 11 levels without what is in values of any form.
pub const DEPTH: u32 = 50;

/// An object as it came in, taken apart in one pass over its bytes: its metadata is read as far as rules look at
/// it, its spec and status stay raw until somebody does, and the rest is skipped.
#[derive(Debug, Default, Deserialize)]
pub struct Raw<'a> {
    #[serde(borrow, default)]
    metadata: Metadata<'a>,
    #[serde(borrow, default, deserialize_with = "unread")]
    spec: Option<&'a str>,
    #[serde(borrow, default, deserialize_with = "unread")]
    status: Option<&'a str>,
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

/// JSON that stays as it is written.
pub(super) fn unread<'de: 'a, 'a, D: Deserializer<'de>>(json: D) -> Result<Option<&'a str>, D::Error> {
    Ok(Option::<&RawValue>::deserialize(json)?.map(RawValue::get))
}

impl<'a> Raw<'a> {
    pub(super) fn of(metadata: Metadata<'a>, spec: Option<&'a str>, status: Option<&'a str>) -> Self {
        Self { metadata, spec, status, shapeless: None }
    }
}

impl Raw<'_> {
    /// The object without its status; what is wrong with it as a problem.
    pub fn decode<K: Kind>(&self) -> Result<K, Problem> {
        self.spec.map_or(Ok(()), check_depth)?;
        self.assemble(None)
    }

    /// The object with its status.
    pub fn decode_stored<K: Kind>(&self) -> Result<K, Problem> {
        self.assemble(self.status::<K>())
    }

    /// The status, unless there is none or it does not fit the schema.
    pub fn status<K: Kind>(&self) -> Option<<K as HasStatus>::Status> {
        serde_json::from_str(self.status?).ok()
    }

    /// The object's JSON without metadata and status, of which defaults know nothing.
    pub fn spec_alone(&self) -> String {
        format!(r#"{{"spec":{}}}"#, self.spec.unwrap_or("null"))
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
        let has_spec_of = self.spec.is_some() && self.spec == other.spec;
        has_spec_of && self.metadata.is_judged_like::<K>(&other.metadata)
    }

    /// The annotations that steer what becomes of the object, without those that `before` has alike.
    pub(super) fn steering(&self, before: Option<&Raw<'_>>) -> BTreeMap<String, String> {
        let read = |raw: &Raw<'_>| raw.metadata.annotations(steers).ok().flatten().unwrap_or_default();
        let mut annotations = read(self);
        let before = before.map(read).unwrap_or_default();
        annotations.retain(|key, value| before.get(key) != Some(value));
        annotations
    }

    /// Whether its spec is nested deeper than it may be and than that of `other`.
    pub(super) fn is_deeper_than(&self, other: &Raw<'_>) -> bool {
        let depth = |raw: &Raw<'_>| raw.spec.map_or(DEPTH, |spec| scan::depth(spec.as_bytes(), DEPTH));
        depth(self) > depth(other)
    }

    fn assemble<K: Kind>(&self, status: Option<<K as HasStatus>::Status>) -> Result<K, Problem> {
        if let Some(problem) = &self.shapeless {
            return Err(problem.clone());
        }
        let metadata = self.metadata.of_kind::<K>()?;
        let missing = || schema_problem(Cause::Required, at("spec"), "is required; set it".into());
        let spec = from_str::<<K as HasSpec>::Spec>(self.spec.ok_or_else(missing)?, at("spec"))?;
        Ok(K::assemble(metadata, spec, status))
    }
}

/// Refuses a spec that is nested too deep. One that is stored already, from before there was a limit, is read as far as a decoder goes.
fn check_depth(spec: &str) -> Result<(), Problem> {
    if !scan::is_deeper(spec.as_bytes(), DEPTH) {
        return Ok(());
    }
    let mut field = at("spec");
    scan::fields(spec.as_bytes(), |key, json| {
        let (value, rest) = scan::value(json)?;
        if scan::is_deeper(value, DEPTH - 1) {
            field = at("spec").field(std::str::from_utf8(key).ok()?);
        }
        Some(rest)
    });
    let message = format!(
        "makes the spec more than {DEPTH} levels deep; take levels out of it, or write what is in them as text"
    );
    Err(Problem { field, rule: &NESTING, cause: Cause::Invalid, message })
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
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) namespace: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) uid: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) resource_version: Option<Text<'a>>,
    pub(super) creation_timestamp: Option<Time>,
    pub(super) deletion_timestamp: Option<Time>,
    #[serde(borrow)]
    pub(super) labels: Option<Texts<'a>>,
    #[serde(borrow)]
    pub(super) annotations: Option<Texts<'a>>,
}

impl Metadata<'_> {
    /// As far as rules of `K` read it.
    fn of_kind<K: Kind>(&self) -> Result<ObjectMeta, Problem> {
        let text = |text: &Option<Text<'_>>| text.as_ref().map(|text| text.0.to_string());
        Ok(ObjectMeta {
            name: text(&self.name),
            namespace: text(&self.namespace),
            uid: text(&self.uid),
            creation_timestamp: self.creation_timestamp.clone(),
            deletion_timestamp: self.deletion_timestamp.clone(),
            labels: self.labels(|key| reads_label(K::READ_LABELS, key))?,
            annotations: self
                .annotations(|key| key.starts_with(OURS) || K::READ_ANNOTATIONS.contains(&key))?,
            ..ObjectMeta::default()
        })
    }

    /// True when nothing differs whose change is judged.
    fn is_judged_like<K: Kind>(&self, other: &Self) -> bool {
        let same = |own: TextsRead, others: TextsRead| match (own, others) {
            (Ok(own), Ok(others)) => own.unwrap_or_default() == others.unwrap_or_default(),
            _ => false,
        };
        let label = |key: &str| reads_label(K::READ_LABELS, key);
        let annotation = |key: &str| K::READ_ANNOTATIONS.contains(&key) || COMMON_ANNOTATIONS.contains(&key);
        (K::READ_LABELS.is_empty() || same(self.labels(label), other.labels(label)))
            && same(self.annotations(annotation), other.annotations(annotation))
    }

    fn labels(&self, wanted: impl Fn(&str) -> bool) -> TextsRead {
        self.labels.map(|labels| labels.read(wanted, at("metadata.labels"))).transpose()
    }

    fn annotations(&self, wanted: impl Fn(&str) -> bool) -> TextsRead {
        self.annotations.map(|annotations| annotations.read(wanted, at("metadata.annotations"))).transpose()
    }
}

type TextsRead = Result<Option<BTreeMap<String, String>>, Problem>;

/// Texts by their keys, not looked at before somebody reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Texts<'a>(pub(super) &'a [u8]);

impl<'de: 'a, 'a> Deserialize<'de> for Texts<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(json).map(|raw| Self(raw.get().as_bytes()))
    }
}

impl Texts<'_> {
    /// Those whose keys are `wanted`; a problem when one of all is no text.
    fn read(
        &self,
        wanted: impl Fn(&str) -> bool,
        root: FieldPath,
    ) -> Result<BTreeMap<String, String>, Problem> {
        if let Some(texts) = self.read_quickly(&wanted) {
            return Ok(texts);
        }
        let not_text = |_| schema_problem(Cause::TypeInvalid, root.clone(), "is not UTF-8".into());
        let json = std::str::from_utf8(self.0).map_err(not_text)?;
        let mut texts: BTreeMap<String, String> = from_str(json, root)?;
        texts.retain(|key, _| wanted(key));
        Ok(texts)
    }

    fn read_quickly(&self, wanted: impl Fn(&str) -> bool) -> Option<BTreeMap<String, String>> {
        let mut texts = BTreeMap::new();
        let rest = scan::fields(self.0, |key, json| {
            let key = std::str::from_utf8(key).ok()?;
            if !wanted(key) {
                return scan::skip(json).filter(|_| json.starts_with(b"\""));
            }
            let (text, rest) = quick::string(json)?;
            texts.insert(key.to_owned(), text.into_owned());
            Some(rest)
        })?;
        rest.is_empty().then_some(texts)
    }
}

/// Text that is borrowed where it is written without escapes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;
