//! What is read: files, their documents as values that know where they stand, and objects to be judged.

pub(crate) mod json;
pub(crate) mod scalar;
pub(in crate::check) mod slips;
pub(crate) mod source;
pub(crate) mod tree;
pub(crate) mod walk;
pub(crate) mod yaml;

use std::rc::Rc;

use concierge_shared::{
    admission::{envelope::Operation, lookup::Namespace, rule::RULES_ANNOTATION},
    child::OWNER_UID_LABEL,
    field::at,
    kind::KindInfo,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::slips::known_kind;
use self::{
    source::Source,
    tree::{Node, Span},
};

/// Who asks.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub username: String,
    /// The user's groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Something that would be handed to the API server.
#[derive(Debug)]
pub(crate) struct Submission {
    pub kind: &'static KindInfo,
    pub operation: Operation,
    /// Who asks, where that is known.
    pub user: Option<User>,
    /// True for an object in a file, which is applied: created, or updated when it is there.
    pub applied: bool,
    pub namespace: String,
    /// The name, or the prefix of the one that will be generated.
    pub name: String,
    pub object: Option<Value>,
    pub old: Option<Value>,
    pub source: Rc<Source>,
    /// The object in the source; on deletion, the one to be deleted.
    pub node: Node,
}

/// Gives `object` a namespace, as kubectl does; the one it has then.
pub(crate) fn complete_namespace(object: &mut Value, default: &str) -> String {
    let Some(object) = object.as_object_mut() else { return default.to_owned() };
    let metadata = object.entry("metadata").or_insert_with(|| Value::Object(serde_json::Map::new()));
    let Some(metadata) = metadata.as_object_mut() else { return default.to_owned() };
    if metadata.get("namespace").is_none_or(|namespace| namespace.is_null() || namespace == "") {
        metadata.insert("namespace".into(), default.into());
    }
    metadata["namespace"].as_str().unwrap_or(default).to_owned()
}

/// The object's name, or the beginning of the one to be generated.
pub(crate) fn display_name(object: &Value) -> String {
    let metadata = &object["metadata"];
    let name = metadata["name"].as_str().filter(|name| !name.is_empty());
    let generated = || metadata["generateName"].as_str().map(|prefix| format!("{prefix}*"));
    name.map(str::to_owned).or_else(generated).unwrap_or_else(|| "(no name)".to_owned())
}

/// What the JSON of a Namespace says about rules.
pub(crate) fn read_namespace(json: &Value) -> Namespace {
    let metadata = &json["metadata"];
    let annotation = metadata["annotations"][RULES_ANNOTATION].as_str();
    let owner = metadata["labels"][OWNER_UID_LABEL].as_str().map(str::to_owned);
    Namespace { owner, ..Namespace::read(annotation, metadata.get("deletionTimestamp").is_some()) }
}

impl Submission {
    /// `pets.yaml:7`
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.source.name, self.start().start.line)
    }

    /// Where the object begins.
    pub(crate) fn start(&self) -> Span {
        self.node.locate(&at("kind"))
    }
}
