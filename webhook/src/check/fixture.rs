//! Fixtures: one request, the world it is made in, and what must come of it, in one file.
//!
//! ```yaml
//! apiVersion: check.concierge.dev/v1
//! kind: Fixture
//! operation: CREATE            # or UPDATE, DELETE; CREATE when it is left out
//! user: {username: jane, groups: [system:authenticated]}   # optional
//! world:                       # objects that are there before, namespaces included
//! - {apiVersion: petstore.example.com/v1, kind: PetStore, metadata: {name: shop, namespace: zoo}, spec: ...}
//! object: {...}                # what is to be stored; none for DELETE
//! old: {...}                   # what is stored now; for UPDATE and DELETE
//! expect:
//!   verdict: refused           # or admitted
//!   problems: [{rule: pets.pet.id, path: spec.id}]      # exactly these, in any order
//!   warnings: []               # exactly these, in any order
//!   defaults:                  # not compared when it is left out
//!     patch: [{op: add, path: /spec/config, value: {}}] # exactly these operations, in this order
//!     object: {spec: {...}}    # these fields of the object with its defaults, each compared as a whole
//!   schema: true               # the API server's schema alone refuses it as it is written, with no webhook
//! ```
//!
//! The world is created in the order in which it is listed, then `old`, unless the world holds it already.
//! Namespaces that objects name need not be listed.
//!
//! The same file runs here, through the HTTPS server, and through a real API server.

use std::{
    path::{Path, PathBuf},
    rc::Rc,
};

use concierge_shared::{
    admission::{envelope::Operation, review::Evaluation, rule::Enforcement},
    field::{FieldPath, at},
    kind::KindInfo,
    settings::Settings,
};
use serde::Deserialize;
use serde_json::{Value, json};

pub use super::expect::{Expectation, Expected, ExpectedDefaults, Finding, Outcome, Verdict};
use super::{
    input::{complete_namespace, known_kind, read_namespace},
    offline::{Asked, Decision, Offline},
    source::{self, BadInput, Source},
    tree::Node,
};

/// A case: a request, its world, and what is expected of it.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The file it comes from.
    pub path: PathBuf,
    /// The kind of the object.
    pub kind: &'static KindInfo,
    /// What is to be done.
    pub operation: Operation,
    /// Who asks.
    pub user: User,
    /// What is there before, complete, in an order in which it can be created.
    pub world: Vec<Value>,
    /// The namespace of the object.
    pub namespace: String,
    /// What is to be stored.
    pub object: Option<Value>,
    /// What is stored now.
    pub old: Option<Value>,
    /// What must come of it.
    pub expect: Expectation,
}

/// Who asks.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The user's name.
    pub username: String,
    /// The user's groups.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Why a fixture can't be used: the file, the place in it, and what is wrong there.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct LoadError(String);

impl Fixture {
    /// Reads the fixture in the file `path`.
    ///
    /// # Errors
    /// When the file can't be read or does not hold exactly one fixture.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let source = source::read_file(path)?;
        match source.documents.as_slice() {
            [Ok(node)] => Ok(Self { path: path.to_owned(), ..Self::read(&source, node)? }),
            [Err(error)] => Err(BadInput::at(&source, error.span, error.message.as_str()).into()),
            _ => Err(LoadError(format!("{}: does not hold exactly one fixture", path.display()))),
        }
    }

    /// Reads the fixtures in all YAML and JSON files below the folder `folder`, ordered by path.
    ///
    /// # Errors
    /// When one of them can't be used.
    pub fn load_all(folder: impl AsRef<Path>) -> Result<Vec<Self>, LoadError> {
        source::files(folder.as_ref())?.into_iter().map(Self::load).collect()
    }

    /// Decides the request, in its world and with every rule at its own level.
    pub fn evaluate(&self) -> Evaluation {
        self.decide().evaluation
    }

    /// What came of the request, and the object with its defaults.
    pub fn outcome(&self) -> Outcome {
        let Decision { evaluation, defaulted } = self.decide();
        let verdict = if evaluation.denials.is_empty() { Verdict::Admitted } else { Verdict::Refused };
        Outcome {
            verdict,
            problems: evaluation.denials.iter().map(Finding::from).collect(),
            warnings: evaluation.warnings.iter().map(Finding::from).collect(),
            patch: serde_json::to_value(&evaluation.patch).ok().and_then(|patch| patch.as_array().cloned()),
            defaulted,
        }
    }

    /// Runs the fixture; what differs from what is expected, a line for each.
    ///
    /// # Errors
    /// When anything differs.
    pub fn run(&self) -> Result<(), String> {
        self.expect.compare(&self.outcome())
    }

    /// The request as an `admission.k8s.io/v1 AdmissionReview`, as the API server would send it.
    pub fn review(&self, uid: &str) -> Value {
        let subject = self.object.as_ref().or(self.old.as_ref());
        let name = subject.and_then(|object| object["metadata"]["name"].as_str()).unwrap_or_default();
        let (group, version) = ((self.kind.group)(), (self.kind.version)());
        let kind = json!({"group": group, "version": version, "kind": self.kind.name});
        let resource = json!({"group": group, "version": version, "resource": (self.kind.plural)()});
        json!({
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "request": {
                "uid": uid,
                "kind": kind, "resource": resource, "requestKind": kind, "requestResource": resource,
                "name": name,
                "namespace": self.namespace,
                "operation": self.operation.as_str(),
                "userInfo": {"username": self.user.username, "groups": self.user.groups},
                "object": self.object,
                "oldObject": self.old,
                "dryRun": false,
                "options": null,
            }
        })
    }

    pub(super) fn read(source: &Rc<Source>, node: &Node) -> Result<Self, BadInput> {
        let bad = |field: FieldPath, message: String| BadInput::at(source, node.locate(&field), message);
        let file: File = serde_path_to_error::deserialize(node.to_json()).map_err(|error| {
            let path = error.path().iter().fold(at(""), |path, segment| match segment {
                serde_path_to_error::Segment::Seq { index } => path.index(*index),
                serde_path_to_error::Segment::Map { key } => path.field(key),
                _ => path,
            });
            let message = error.inner().to_string();
            // What is unknown is the key, not its value.
            let unknown = message.starts_with("unknown field");
            let span = if unknown { node.locate_key(&path) } else { node.locate(&path) };
            BadInput::at(source, span, message)
        })?;
        file.into_fixture(Path::new(&source.name)).map_err(|(field, message)| bad(field, message))
    }

    fn decide(&self) -> Decision {
        let mut offline = Offline::new(Enforcement::default(), Settings::default());
        for object in &self.world {
            if object["kind"] == "Namespace" {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                offline.insert_namespace(name.to_owned(), read_namespace(object).unwrap_or_default());
            } else if let Ok(kind) = kind_of(object) {
                let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
                offline.insert(kind, namespace, &offline.default(kind, namespace, object));
            }
        }
        if let Some(old) = &self.old {
            offline.insert(self.kind, &self.namespace, old);
        }
        offline.decide(&Asked {
            kind: self.kind,
            operation: self.operation,
            namespace: &self.namespace,
            object: self.object.as_ref(),
            old: self.old.as_ref(),
        })
    }
}

/// A fixture as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct File {
    api_version: String,
    kind: String,
    #[serde(default)]
    operation: WrittenOperation,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    world: Vec<Value>,
    #[serde(default)]
    object: Option<Value>,
    #[serde(default)]
    old: Option<Value>,
    expect: Expectation,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum WrittenOperation {
    #[default]
    Create,
    Update,
    Delete,
}

type Misplaced = (FieldPath, String);

impl File {
    fn into_fixture(mut self, path: &Path) -> Result<Fixture, Misplaced> {
        if (self.api_version.as_str(), self.kind.as_str()) != ("check.concierge.dev/v1", "Fixture") {
            return Err((at("kind"), "is not known; use check.concierge.dev/v1 Fixture".to_owned()));
        }
        let operation = match (self.operation, &self.object, &self.old) {
            (WrittenOperation::Create, Some(_), None) => Operation::Create,
            (WrittenOperation::Update, Some(_), Some(_)) => Operation::Update,
            (WrittenOperation::Delete, None, Some(_)) => Operation::Delete,
            _ => {
                let message = "CREATE takes object, UPDATE takes object and old, DELETE takes old";
                return Err((at("operation"), message.to_owned()));
            }
        };
        for (index, object) in self.world.iter().enumerate() {
            check_world(object).map_err(|message| (at("world").index(index), message))?;
        }
        let subject = if self.object.is_some() { "object" } else { "old" };
        let kind = self.object.as_ref().or(self.old.as_ref()).map(kind_of);
        let kind = kind.unwrap_or_else(|| Err("is missing".to_owned()));
        let kind = kind.map_err(|message| (at(subject), message))?;
        let parts = self.object.iter_mut().chain(self.old.iter_mut());
        let namespaces: Vec<_> = parts.map(|object| complete_namespace(object, "default")).collect();
        Ok(Fixture {
            path: path.to_owned(),
            kind,
            operation,
            user: self.user.unwrap_or_default(),
            world: self.world,
            namespace: namespaces.into_iter().next().unwrap_or_default(),
            object: self.object,
            old: self.old,
            expect: self.expect,
        })
    }
}

impl Default for User {
    fn default() -> Self {
        Self { username: "jane".to_owned(), groups: vec!["system:authenticated".to_owned()] }
    }
}

fn kind_of(object: &Value) -> Result<&'static KindInfo, String> {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    known_kind(text("apiVersion"), text("kind")).map_err(|(_, message)| message)
}

/// What keeps an object of a fixture's world from being created.
fn check_world(object: &Value) -> Result<(), String> {
    let metadata = &object["metadata"];
    if !object["apiVersion"].is_string() || !object["kind"].is_string() || !metadata["name"].is_string() {
        return Err("is not complete: it needs apiVersion, kind and metadata.name".to_owned());
    }
    if object["kind"] == "Namespace" {
        return read_namespace(object).map(|_| ());
    }
    let Ok(kind) = kind_of(object) else { return Ok(()) };
    if !metadata["namespace"].is_string() {
        return Err("is not complete: it needs metadata.namespace".to_owned());
    }
    (kind.store)(object.clone()).map(|_| ()).map_err(|error| format!("is no {}: {error}", kind.name))
}

impl From<BadInput> for LoadError {
    fn from(bad: BadInput) -> Self {
        let place = bad.at.map(|(_, span)| format!(":{}:{}", span.start.line, span.start.column));
        Self(format!("{}{}: {}", bad.file, place.unwrap_or_default(), bad.message))
    }
}
