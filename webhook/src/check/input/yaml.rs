//! YAML documents with positions, read as kubectl reads them: aliases and merge keys are written out, keys
//! are turned into strings. Unlike kubectl it takes no key twice.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span as YamlSpan, Tag};

use super::{
    scalar::resolve,
    tree::{Content, Entry, MAX_DEPTH, MAX_VALUES, Map, Node, Place, Span},
};

/// Why a text can't be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct SyntaxError {
    pub span: Span,
    pub message: String,
}

/// The documents of `text`. What stands before the first error in a document is lost with it; other
/// documents are not.
pub(crate) fn parse(text: &str) -> Vec<Result<Node, SyntaxError>> {
    chunks(text).into_iter().flat_map(|(first_line, chunk)| parse_chunk(chunk, first_line)).collect()
}

/// The text between lines of three dashes, each with the number of lines before it.
fn chunks(text: &str) -> Vec<(usize, &str)> {
    let mut chunks = Vec::new();
    let (mut start, mut start_line, mut offset) = (0, 0, 0);
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if is_separator(line) {
            chunks.push((start_line, &text[start..offset]));
            (start, start_line) = (offset + line.len(), number + 1);
        }
        offset += line.len();
    }
    chunks.push((start_line, &text[start..]));
    chunks.retain(|(_, chunk)| chunk.lines().any(|line| !line.is_empty() && !line.starts_with(['#', '%'])));
    chunks
}

fn is_separator(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.trim().is_empty() || rest.trim().starts_with('#'))
}

fn parse_chunk(chunk: &str, lines_before: usize) -> Vec<Result<Node, SyntaxError>> {
    let mut builder = Builder { lines_before, ..Builder::default() };
    let mut documents = Vec::new();
    for event in Parser::new_from_str(chunk) {
        let done = match event {
            Ok((event, span)) => builder.take(event, span),
            Err(error) => {
                let place = builder.place(*error.marker());
                Err(SyntaxError { span: Span { start: place, end: place }, message: error.info().to_owned() })
            }
        };
        match done {
            Ok(document) => documents.extend(document.map(Ok)),
            Err(error) => {
                documents.push(Err(error));
                break;
            }
        }
    }
    documents
}

/// Builds a tree from the events of a parser.
#[derive(Default)]
struct Builder {
    lines_before: usize,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
}

/// A collection whose end is not reached.
struct Open {
    start: Place,
    anchor: usize,
    content: OpenContent,
}

enum OpenContent {
    List(Vec<Node>),
    Map { map: Map, explicit: HashMap<String, usize>, key: Option<Key> },
}

enum Key {
    Name(String, Span),
    Merge(Span),
}

type Result<T, E = SyntaxError> = std::result::Result<T, E>;

fn error<T>(span: Span, message: impl Into<String>) -> Result<T> {
    Err(SyntaxError { span, message: message.into() })
}

impl Builder {
    /// Takes the next event in; a document when the event ends one.
    fn take(&mut self, event: Event<'_>, span: YamlSpan) -> Result<Option<Node>> {
        let span = Span { start: self.place(span.start), end: self.place(span.end) };
        match event {
            Event::DocumentStart(_) => self.anchors.clear(),
            Event::Scalar(text, style, anchor, tag) => {
                let merge = &*text == "<<" && style == ScalarStyle::Plain && tag.is_none();
                let node = scalar(&text, style, tag.as_deref(), span)?;
                return self.complete(node, anchor, merge);
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return error(span, "refers to an anchor that holds it");
                };
                return self.complete(node, 0, false);
            }
            Event::SequenceStart(anchor, _) => {
                self.open(span, anchor, OpenContent::List(Vec::new()))?;
            }
            Event::MappingStart(anchor, _) => {
                let map = OpenContent::Map { map: Map::default(), explicit: HashMap::new(), key: None };
                self.open(span, anchor, map)?;
            }
            Event::SequenceEnd | Event::MappingEnd => return self.close(span.end),
            Event::DocumentEnd | Event::StreamStart | Event::StreamEnd | Event::Nothing => {}
        }
        Ok(None)
    }

    fn place(&self, marker: Marker) -> Place {
        Place { line: marker.line() + self.lines_before, column: marker.col() + 1 }
    }

    fn open(&mut self, span: Span, anchor: usize, content: OpenContent) -> Result<()> {
        if self.open.len() >= MAX_DEPTH {
            return error(span, format!("is nested deeper than {MAX_DEPTH} levels"));
        }
        self.open.push(Open { start: span.start, anchor, content });
        Ok(())
    }

    fn close(&mut self, end: Place) -> Result<Option<Node>> {
        let Some(Open { start, anchor, content }) = self.open.pop() else { return Ok(None) };
        let content = match content {
            OpenContent::List(items) => Content::List(items),
            OpenContent::Map { map, .. } => Content::Map(map),
        };
        self.complete(Node::new(Span { start, end }, content), anchor, false)
    }

    /// Puts a finished value where it belongs; the document, when it is the outermost.
    fn complete(&mut self, node: Node, anchor: usize, merge: bool) -> Result<Option<Node>> {
        if node.values > MAX_VALUES || node.depth > MAX_DEPTH {
            return error(
                node.span,
                format!(
                    "holds more than {MAX_VALUES} values or {MAX_DEPTH} levels once aliases are resolved"
                ),
            );
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else { return Ok(Some(node)) };
        match &mut open.content {
            OpenContent::List(items) => items.push(node),
            OpenContent::Map { map, explicit, key } => match key.take() {
                None if merge => *key = Some(Key::Merge(node.span)),
                None => *key = Some(Key::Name(key_text(&node)?, node.span)),
                Some(Key::Merge(span)) => merge_into(map, &node, span)?,
                Some(Key::Name(name, span)) => {
                    if let Some(line) = explicit.insert(name.clone(), span.start.line) {
                        return error(
                            span,
                            format!("the key {name:?} is already set in line {line}; keep one of them"),
                        );
                    }
                    map.set(Entry { key: name, key_span: span, value: node });
                }
            },
        }
        Ok(None)
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Node> {
    let core = tag.filter(|tag| tag.is_yaml_core_schema()).map(|tag| tag.suffix.as_str());
    let typed = matches!(core, Some("bool" | "int" | "float" | "null"));
    if !typed && (style != ScalarStyle::Plain || tag.is_some()) {
        return Ok(Node::new(span, Content::Text(text.to_owned())));
    }
    let Some(content) = resolve(text) else {
        return error(span, format!("{text} is a number that JSON does not have; put it in quotes"));
    };
    let written = (!matches!(content, Content::Text(_))).then(|| text.into());
    Ok(Node { written, ..Node::new(span, content) })
}

/// A key as JSON has it.
fn key_text(node: &Node) -> Result<String> {
    match &*node.content {
        Content::Text(text) => Ok(text.clone()),
        Content::Bool(value) => Ok(value.to_string()),
        Content::Number(number) => Ok(number.to_string()),
        Content::Null => error(node.span, "a key is missing or null; put it in quotes if it is meant"),
        Content::List(_) | Content::Map(_) => error(node.span, "a map or a list can't be a key"),
    }
}

/// Adds the entries that a merge key brings; of several sources the first to have an entry wins.
fn merge_into(map: &mut Map, source: &Node, span: Span) -> Result<()> {
    let sources = match &*source.content {
        Content::List(sources) => sources.as_slice(),
        _ => std::slice::from_ref(source),
    };
    for source in sources.iter().rev() {
        let Some(source) = source.map() else {
            return error(span, "the merge key << takes a map or a list of maps");
        };
        for entry in source.entries() {
            map.set(entry.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
