//! `--graph`: what the objects given refer to, as a picture for Graphviz or Mermaid.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use concierge_shared::{admission::reference::Reference, index::Stored, kind::KindInfo};

use super::{
    documents::Item,
    input::{Submission, source::BadInput},
    offline, words,
};

/// The language of the picture.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
}

/// Kind, namespace and name; of names that are generated, what they begin with.
type Id = (String, String, String);

struct Object {
    id: Id,
    kind: &'static KindInfo,
    stored: Stored,
}

/// What refers to what. Nodes and edges are in the order of their names.
#[derive(Default)]
pub(super) struct Graph {
    nodes: BTreeMap<Id, Node>,
    edges: BTreeSet<Edge>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Node {
    Given,
    /// It is not among what was given.
    Missing,
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Edge {
    from: Id,
    to: Id,
    /// The field that names the target, or the word for how it is chosen.
    label: String,
    /// Whether the target can't be deleted while the referrer is there.
    protects: bool,
}

impl Graph {
    /// Of the objects `given`, in the world `around`, of which only what is referred to is shown.
    ///
    /// # Errors
    /// When one of them can't be read: what refers to it is not to be told that it is missing.
    pub(super) fn of(given: &[Item], around: &[Item]) -> Result<Self, BadInput> {
        let mut graph = Self::default();
        let (given, around) = (objects(given)?, objects(around)?);
        for object in &given {
            graph.nodes.insert(object.id.clone(), Node::Given);
        }
        let all = || given.iter().chain(&around);
        let known: BTreeSet<_> = all().map(|object| object.id.clone()).collect();
        for object in &given {
            for reference in (object.kind.references)(&object.stored) {
                graph.refer(&object.id, &reference, &known);
            }
            all().filter(|other| object.selects(other)).for_each(|other| graph.select(object, other));
        }
        Ok(graph)
    }

    /// Whether there is nothing to draw.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    fn select(&mut self, object: &Object, other: &Object) {
        self.nodes.entry(other.id.clone()).or_insert(Node::Given);
        let (from, to) = (object.id.clone(), other.id.clone());
        self.edges.insert(Edge { from, to, label: "labels".to_owned(), protects: true });
    }

    fn refer(&mut self, from: &Id, reference: &Reference, known: &BTreeSet<Id>) {
        let namespace = reference.namespace.clone().unwrap_or_else(|| from.1.clone());
        let to = (reference.kind.to_owned(), namespace, reference.name.clone());
        let node = if known.contains(&to) { Node::Given } else { Node::Missing };
        self.nodes.entry(to.clone()).or_insert(node);
        let label = reference.field.to_string();
        self.edges.insert(Edge { from: from.clone(), to, label, protects: reference.protects });
    }

    /// The picture.
    pub(super) fn draw(&self, format: Format) -> String {
        match format {
            Format::Dot => self.dot(),
            Format::Mermaid => self.mermaid(),
        }
    }

    fn dot(&self) -> String {
        let mut text = "digraph objects {\n  rankdir=LR;\n  node [shape=box];\n".to_owned();
        for (id, node) in &self.nodes {
            let name = quoted(&title(id));
            text += &match node {
                Node::Given => format!("  {name};\n"),
                Node::Missing => {
                    format!(
                        "  {name} [style=dashed, label={}];\n",
                        quoted(&format!("{} (missing)", title(id)))
                    )
                }
            };
        }
        for Edge { from, to, label, protects } in &self.edges {
            let style = if *protects { "" } else { ", style=dotted" };
            let (from, to, label) = (quoted(&title(from)), quoted(&title(to)), quoted(label));
            text += &format!("  {from} -> {to} [label={label}{style}];\n");
        }
        text + "}\n"
    }

    fn mermaid(&self) -> String {
        let mut text = "flowchart LR\n".to_owned();
        let numbers: BTreeMap<_, _> =
            self.nodes.keys().enumerate().map(|(number, id)| (id, number)).collect();
        for (id, node) in &self.nodes {
            let missing = if *node == Node::Missing { " (missing)" } else { "" };
            let class = if *node == Node::Missing { ":::missing" } else { "" };
            text += &format!("  n{}[\"{}{missing}\"]{class}\n", numbers[id], entities(&title(id)));
        }
        for Edge { from, to, label, protects } in &self.edges {
            let arrow = if *protects { "-->" } else { "-.->" };
            text += &format!("  n{} {arrow}|\"{}\"| n{}\n", numbers[from], entities(label), numbers[to]);
        }
        text + "  classDef missing stroke-dasharray: 4\n"
    }
}

impl Object {
    fn of(submission: &Submission) -> Option<Result<Self, BadInput>> {
        let Submission { kind, namespace, name, object, .. } = submission;
        let object = object.as_ref()?;
        let id = (kind.name.to_owned(), namespace.clone(), name.clone());
        let stored = (kind.store)(object.clone());
        Some(
            stored
                .map(|stored| Self { id, kind: submission.kind, stored })
                .map_err(|_| offline::unreadable(submission, object)),
        )
    }

    fn selects(&self, other: &Self) -> bool {
        self.kind.selects == Some(other.kind.name)
            && (self.kind.is_selected)(&self.stored, other.stored.meta())
    }
}

/// What is to be stored: nothing else refers to anything.
fn objects(items: &[Item]) -> Result<Vec<Object>, BadInput> {
    let objects = items.iter().filter_map(|item| match item {
        Item::Submission(submission) => Object::of(submission),
        Item::Namespace(..) | Item::Fixture(..) | Item::Other => None,
    });
    objects.collect()
}

/// `Pet zoo/rex`
fn title((kind, namespace, name): &Id) -> String {
    format!("{kind} {namespace}/{name}")
}

/// As Graphviz reads a text.
fn quoted(text: &str) -> String {
    format!("\"{}\"", words::printable(text).replace('\\', "\\\\").replace('"', "\\\""))
}

/// As Mermaid reads a text.
fn entities(text: &str) -> String {
    words::printable(text).replace('#', "#35;").replace('"', "#quot;")
}
