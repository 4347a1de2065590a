//! Documents told apart: objects of our kinds, reviews, fixtures, and what is around them.

use std::{path::PathBuf, rc::Rc};

use concierge_shared::{
    admission::{
        envelope::{self, Operation},
        lookup::Namespace,
        rule::RULES_ANNOTATION,
    },
    field::at,
    kind::{KINDS, KindInfo, by_gvk},
};
use serde_json::Value;

use super::{
    files::Inputs,
    fixture::{self, world},
    input::{
        Submission, User, complete_namespace, display_name, known_kind, read_namespace,
        slips::{is_ours, misspelt_group, no_object, without_version},
        source::{BadInput, Source},
        tree::{Node, Span},
        walk,
    },
};

/// What a document is.
#[derive(Debug)]
pub(crate) enum Item {
    Submission(Submission),
    /// With its JSON.
    Namespace(String, Namespace, Value),
    /// With the place where it begins.
    Fixture(Rc<Source>, Span, Box<fixture::Fixture>),
    /// An object of a kind that is not ours.
    Other,
}

/// Tells the documents of a source apart.
pub(crate) struct Reader<'a> {
    /// The namespace of objects that name none.
    pub default_namespace: &'a str,
    pub items: Vec<Item>,
    pub bad: Vec<BadInput>,
    /// The files that were read for them.
    pub inputs: Inputs,
}

impl<'a> Reader<'a> {
    /// Has read nothing yet.
    pub(crate) fn new(default_namespace: &'a str) -> Self {
        Self { default_namespace, items: Vec::new(), bad: Vec::new(), inputs: Inputs::default() }
    }

    /// Reads all files that `paths` name.
    pub(crate) fn read_all(&mut self, paths: &[PathBuf], may_be_empty: bool) {
        let (sources, bad) = walk::read(paths, may_be_empty, &mut self.inputs);
        self.bad.extend(bad);
        sources.iter().for_each(|source| self.read(source));
    }

    /// Reads all documents of `source`.
    fn read(&mut self, source: &Rc<Source>) {
        for document in &source.documents {
            match document {
                Ok(node) if node.is_null() => {}
                Ok(node) => self.read_node(source, node),
                Err(error) => {
                    let template = source.line(error.span.start.line).contains("{{");
                    let hint = if template {
                        "; this is a template: render it first, with helm template"
                    } else {
                        ""
                    };
                    self.bad.push(BadInput::at(source, error.span, format!("{}{hint}", error.message)));
                }
            }
        }
    }

    fn read_node(&mut self, source: &Rc<Source>, node: &Node) {
        let text = |key| node.get(key).and_then(Node::text);
        match (text("apiVersion"), text("kind")) {
            (Some(api_version), Some(kind)) => match self.read_object(source, node, api_version, kind) {
                Ok(items) => self.items.extend(items),
                Err(bad) => self.bad.push(bad),
            },
            // Values of charts, kustomizations and the like lie in folders beside objects.
            _ if !source.asked_for && !is_ours(node) => self.items.push(Item::Other),
            _ => {
                let (field, message) = no_object(node);
                self.bad.push(BadInput::at(source, node.locate(&field), message));
            }
        }
    }

    fn read_object(
        &mut self,
        source: &Rc<Source>,
        node: &Node,
        api_version: &str,
        kind: &str,
    ) -> Result<Option<Item>, BadInput> {
        let group = api_version.rsplit_once('/').map_or("", |(group, _)| group);
        let ours = KINDS.iter().any(|info| (info.group)() == group);
        match (group, kind) {
            _ if let Some(message) = without_version(api_version, kind) => {
                Err(BadInput::at(source, node.locate(&at("apiVersion")), message))
            }
            ("", "Namespace") => namespace(source, node).map(Some),
            // It is part of the fixtures that name it.
            ("check.concierge.dev", "World") => match world::read(node) {
                Ok(_) => Ok(None),
                Err(message) => Err(BadInput::at(source, node.locate(&at("objects")), message)),
            },
            ("check.concierge.dev", _) => {
                let fixture = fixture::Fixture::read(source, node, &mut self.inputs)?;
                Ok(Some(Item::Fixture(Rc::clone(source), node.locate(&at("kind")), Box::new(fixture))))
            }
            ("admission.k8s.io", "AdmissionReview") => review(source, node).map(Some),
            _ if let Some(items) = list_items(node, kind).filter(|_| group.is_empty() || ours) => {
                items.iter().for_each(|item| self.read_node(source, item));
                Ok(None)
            }
            _ if ours => {
                let info = known_kind(api_version, kind)
                    .map_err(|(field, message)| BadInput::at(source, node.locate(&at(field)), message))?;
                Ok(Some(Item::Submission(self.manifest(source, node, info))))
            }
            _ => match misspelt_group(group, kind) {
                Some(message) => Err(BadInput::at(source, node.locate(&at("apiVersion")), message)),
                None => Ok(Some(Item::Other)),
            },
        }
    }

    fn manifest(&self, source: &Rc<Source>, node: &Node, kind: &'static KindInfo) -> Submission {
        let mut object = node.to_json();
        let namespace = complete_namespace(&mut object, self.default_namespace);
        Submission {
            kind,
            operation: Operation::Create,
            user: None,
            applied: true,
            namespace,
            name: display_name(&object),
            object: Some(object),
            old: None,
            source: Rc::clone(source),
            node: node.clone(),
        }
    }
}

fn list_items<'a>(node: &'a Node, kind: &str) -> Option<&'a [Node]> {
    if kind.ends_with("List") { node.get("items")?.list() } else { None }
}

fn namespace(source: &Rc<Source>, node: &Node) -> Result<Item, BadInput> {
    let name = node.get("metadata").and_then(|metadata| metadata.get("name")?.text()).unwrap_or_default();
    let of_annotation = |message: String| {
        let field = at("metadata.annotations").key(RULES_ANNOTATION);
        BadInput::at(source, node.locate(&field), message)
    };
    let json = node.to_json();
    let namespace = read_namespace(&json);
    if let Some(error) = namespace.mistakes.first() {
        return Err(of_annotation(format!("the annotation {RULES_ANNOTATION}: {error}")));
    }
    Ok(Item::Namespace(name.to_owned(), namespace, json))
}

fn review(source: &Rc<Source>, node: &Node) -> Result<Item, BadInput> {
    let bad = |message: String| BadInput::at(source, node.locate(&at("request")), message);
    let json = node.to_json().to_string();
    let request = envelope::parse(json.as_bytes()).map_err(|error| bad(error.to_string()))?;
    let api_version = format!("{}/{}", request.kind.group, request.kind.version);
    let operation = Operation::from(&*request.operation);
    let Some(kind) = by_gvk(&api_version, &request.kind.kind) else { return Ok(Item::Other) };
    if operation == Operation::Other || !request.sub_resource.is_empty() {
        return Ok(Item::Other);
    }
    let part = |name| {
        let part = node.get("request").and_then(|request| request.get(name));
        part.filter(|part| !part.is_null()).cloned()
    };
    let (object, old) = (part("object"), part("oldObject"));
    let judged = if operation == Operation::Delete { &old } else { &object };
    let Some(judged) = judged.clone() else {
        return Err(bad(format!("a review of {} needs its object", operation.as_str())));
    };
    if operation == Operation::Update && old.is_none() {
        return Err(bad("a review of UPDATE needs oldObject".to_owned()));
    }
    Ok(Item::Submission(Submission {
        kind,
        operation,
        user: (!request.user_info.username.is_empty()).then(|| User {
            username: request.user_info.username.to_string(),
            groups: request.user_info.groups.iter().map(ToString::to_string).collect(),
        }),
        applied: false,
        namespace: request.namespace.to_string(),
        name: display_name(&judged.to_json()),
        object: object.map(|object| object.to_json()),
        old: old.map(|old| old.to_json()),
        source: Rc::clone(source),
        node: judged,
    }))
}
