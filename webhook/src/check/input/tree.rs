//! A document as a tree of values that know where in the file they stand.

use std::{collections::HashMap, rc::Rc};

use concierge_shared::field::{FieldPath, Segment};
use serde_json::Number;

/// How deep values may nest, as deep as the API server's own decoders go.
pub(crate) const MAX_DEPTH: usize = 100;

/// How many values a document may hold once its aliases are written out.
pub(crate) const MAX_VALUES: usize = 1_000_000;

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters, from 1.
    pub column: usize,
}

/// A stretch of a file; the end is excluded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    pub start: Place,
    pub end: Place,
}

/// A value and where it stands. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub span: Span,
    /// How an unquoted value that is no string is written: `yes` for a boolean.
    pub written: Option<Rc<str>>,
    pub content: Rc<Content>,
    /// How many values it holds, itself included, and how deep they nest.
    pub values: usize,
    pub depth: usize,
}

/// What a value is.
#[derive(Debug)]
pub(crate) enum Content {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

/// The entries of a map, in the order of the file.
#[derive(Debug, Default)]
pub(crate) struct Map {
    entries: Vec<Entry>,
    by_key: HashMap<String, usize>,
}

/// A key and its value.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: String,
    pub key_span: Span,
    pub value: Node,
}

impl Map {
    /// The value of `key`.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.by_key.get(key).map(|index| &self.entries[*index])
    }

    /// The entries, in the order of the file.
    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Sets an entry, in place of an older one with the same key.
    pub(crate) fn set(&mut self, entry: Entry) {
        match self.by_key.get(&entry.key) {
            Some(index) => self.entries[*index] = entry,
            None => {
                self.by_key.insert(entry.key.clone(), self.entries.len());
                self.entries.push(entry);
            }
        }
    }
}

impl Node {
    /// The value `content` at `span`.
    pub(crate) fn new(span: Span, content: Content) -> Self {
        let inner: &mut dyn Iterator<Item = &Node> = match &content {
            Content::List(items) => &mut items.iter(),
            Content::Map(map) => &mut map.entries.iter().map(|entry| &entry.value),
            _ => &mut std::iter::empty(),
        };
        let (values, depth) =
            inner.fold((1_usize, 0), |(values, depth), node| (values + node.values, depth.max(node.depth)));
        Self { span, written: None, content: Rc::new(content), values, depth: depth + 1 }
    }

    /// The entries, when it is a map.
    pub(crate) fn map(&self) -> Option<&Map> {
        match &*self.content {
            Content::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The value of `key`, when it is a map with one.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        Some(&self.map()?.get(key)?.value)
    }

    /// The items, when it is a list.
    pub(crate) fn list(&self) -> Option<&[Node]> {
        match &*self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    /// The values of a map or a list.
    pub(crate) fn inner(&self) -> Vec<&Node> {
        match &*self.content {
            Content::List(items) => items.iter().collect(),
            Content::Map(map) => map.entries.iter().map(|entry| &entry.value).collect(),
            _ => Vec::new(),
        }
    }

    /// The texts in it, itself if it is one.
    pub(crate) fn texts(&self) -> Vec<&Node> {
        match &*self.content {
            Content::Text(_) => vec![self],
            _ => self.inner().into_iter().flat_map(Node::texts).collect(),
        }
    }

    /// The text, when it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &*self.content {
            Content::Text(text) => Some(text),
            _ => None,
        }
    }

    /// True for an empty document.
    pub(crate) fn is_null(&self) -> bool {
        matches!(*self.content, Content::Null)
    }

    /// The same value as JSON.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &*self.content {
            Content::Null => Value::Null,
            Content::Bool(value) => Value::Bool(*value),
            Content::Number(number) => Value::Number(number.clone()),
            Content::Text(text) => Value::String(text.clone()),
            Content::List(items) => Value::Array(items.iter().map(Node::to_json).collect()),
            Content::Map(map) => {
                let entries = map.entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json()));
                Value::Object(entries.collect())
            }
        }
    }

    /// Where to point at for the field `path`: at its value when that stands on one line, else at its key,
    /// else at the key of the nearest parent that is there.
    pub(crate) fn locate(&self, path: &FieldPath) -> Span {
        match self.find(path) {
            Some(node) if node.is_pointed_at() => node.span,
            _ => self.locate_key(path),
        }
    }

    /// Where to point at for the key of the field `path`, or of the nearest parent that is there.
    pub(crate) fn locate_key(&self, path: &FieldPath) -> Span {
        let (mut found, mut node) = (self.first_key(), Some(self));
        for segment in path.segments() {
            node = match segment {
                Segment::Field(key) | Segment::Key(key) => {
                    let entry = node.and_then(|node| node.map()?.get(key));
                    found = entry.map_or(found, |entry| entry.key_span);
                    entry.map(|entry| &entry.value)
                }
                Segment::Index(index) => {
                    let item = node.and_then(|node| node.list()?.get(*index));
                    found = item.map_or(found, Node::first_key);
                    item
                }
            };
        }
        found
    }

    /// The value of the field `path`.
    pub(crate) fn find(&self, path: &FieldPath) -> Option<&Node> {
        path.segments().iter().try_fold(self, |node, segment| match segment {
            Segment::Field(key) | Segment::Key(key) => node.get(key),
            Segment::Index(index) => node.list()?.get(*index),
        })
    }

    /// The first key of a map, and the value itself when it is no map.
    fn first_key(&self) -> Span {
        let first = self.map().and_then(|map| map.entries.first());
        first.map_or(self.span, |entry| entry.key_span)
    }

    fn is_pointed_at(&self) -> bool {
        let one_line = self.span.start.line == self.span.end.line && self.span.start < self.span.end;
        one_line && !matches!(*self.content, Content::Map(_))
    }
}
