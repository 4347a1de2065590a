//! `--graph`: what the objects given refer to, as a picture for Graphviz or Mermaid.

use std::collections::{BTreeMap, BTreeSet};

use clap::ValueEnum;
use concierge_shared::{admission::reference::Reference, index::Stored, kind::KindInfo};

use super::{documents::Item, input::Submission, words};

/// The language of the picture.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Format {
    /// Graphviz
    Dot,
    /// Mermaid
    Mermaid,
}

/// An object: kind, namespace and name.
type Id = (String, String, String);

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
    pub(super) fn of(given: &[Item], around: &[Item]) -> Self {
        let mut graph = Self::default();
        let objects = |items| submissions(items).filter_map(stored);
        let (given, around): (Vec<_>, Vec<_>) = (objects(given).collect(), objects(around).collect());
        for (_, object) in &given {
            graph.nodes.insert(id(object), Node::Given);
        }
        let known: BTreeSet<_> = given.iter().chain(&around).map(|(_, object)| id(object)).collect();
        for (kind, object) in &given {
            for reference in (kind.references)(object) {
                graph.refer(object, &reference, &known);
            }
            let Some(selected) = kind.selects else { continue };
            let others = given.iter().chain(&around).map(|(_, other)| other);
            for other in
                others.filter(|other| other.kind() == selected && (kind.is_selected)(object, other.meta()))
            {
                graph.nodes.entry(id(other)).or_insert(Node::Given);
                graph.edges.insert(Edge {
                    from: id(object),
                    to: id(other),
                    label: "labels".into(),
                    protects: true,
                });
            }
        }
        graph
    }

    fn refer(&mut self, object: &Stored, reference: &Reference, known: &BTreeSet<Id>) {
        let namespace = reference.namespace.clone().unwrap_or_else(|| object.namespace().to_owned());
        let to = (reference.kind.to_owned(), namespace, reference.name.clone());
        let node = if known.contains(&to) { Node::Given } else { Node::Missing };
        self.nodes.entry(to.clone()).or_insert(node);
        let label = reference.field.to_string();
        self.edges.insert(Edge { from: id(object), to, label, protects: reference.protects });
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

fn submissions(items: &[Item]) -> impl Iterator<Item = &Submission> {
    items.iter().filter_map(|item| match item {
        Item::Submission(submission) => Some(submission),
        Item::Namespace(..) | Item::Fixture(..) | Item::Other => None,
    })
}

/// What can't be read is told when it is checked.
fn stored(submission: &Submission) -> Option<(&'static KindInfo, Stored)> {
    let stored = (submission.kind.store)(submission.object.clone()?).ok()?;
    Some((submission.kind, stored))
}

fn id(object: &Stored) -> Id {
    (object.kind().to_owned(), object.namespace().to_owned(), object.name().to_owned())
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
