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
                        return error(span, format!("the key {name:?} is already set in line {line}"));
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
mod tests {
    use concierge_shared::field::{FieldPath, at};
    use serde_json::json;

    use super::*;

    fn one(text: &str) -> Node {
        let documents = parse(text);
        assert_eq!(documents.len(), 1, "{text}");
        documents.into_iter().next().unwrap().unwrap()
    }

    fn failure(text: &str) -> (usize, usize, String) {
        let error = parse(text).into_iter().find_map(Result::err).unwrap();
        (error.span.start.line, error.span.start.column, error.message)
    }

    #[test]
    fn documents_are_split_and_an_error_spoils_only_its_own() {
        let documents = parse("# head\n---\na: 1\n--- # next\na: b: c\n---\n\n---\na: 2\n...\n");
        let read: Vec<_> = documents.iter().map(|one| one.as_ref().map(Node::to_json).ok()).collect();
        assert_eq!(read, [Some(json!({"a": 1})), None, Some(json!({"a": 2}))]);
        assert_eq!(documents[1].as_ref().unwrap_err().span.start, Place { line: 5, column: 5 });
    }

    // Compared with what sigs.k8s.io/yaml v1.6.0 makes of it.
    #[test]
    fn merge_keys_work_as_for_kubectl() {
        let base = "a: &a {k: 1, l: 1}\nb: &b {l: 2, m: 2}\n";
        let check =
            |text: &str, expect| assert_eq!(one(&format!("{base}{text}")).to_json()["c"], expect, "{text}");
        check("c: {<<: *a, l: 3}", json!({"k": 1, "l": 3}));
        check("c: {l: 3, <<: *a}", json!({"k": 1, "l": 1}));
        check("c: {<<: [*a, *b]}", json!({"k": 1, "l": 1, "m": 2}));
        check("c: {\"<<\": 1}", json!({"<<": 1}));
        assert!(failure("a: &a 1\nc: {<<: *a}").2.contains("takes a map"));
    }

    #[test]
    fn keys_are_strings_and_unique() {
        assert_eq!(one("on: 1\n2: x\n").to_json(), json!({"true": 1, "2": "x"}));
        assert_eq!(failure("a: 1\nb: 2\na: 3\n"), (3, 1, "the key \"a\" is already set in line 1".into()));
        assert!(failure("yes: 1\non: 2\n").2.contains("\"true\" is already set"));
        assert!(failure("? [a]\n: b\n").2.contains("can't be a key"));
    }

    #[test]
    fn tags_and_quotes_decide_what_a_value_is() {
        let read = one("a: '1'\nb: !!str 1\nc: !!int \"1\"\nd: |\n  yes\n").to_json();
        assert_eq!(read, json!({"a": "1", "b": "1", "c": 1, "d": "yes\n"}));
        assert!(failure("a: .nan").2.contains("quotes"));
    }

    #[test]
    fn aliases_that_never_end_are_refused() {
        assert!(failure("a: &a [*a]").2.contains("holds it"));
        let mut bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for level in 1..10 {
            let alias = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", [alias.as_str(); 10].join(", "));
        }
        assert!(failure(&bomb).2.contains("once aliases are resolved"));
        assert!(failure(&format!("{}{}", "[".repeat(120), "]".repeat(120))).2.contains("nested"));
    }

    fn position(node: &Node, path: FieldPath) -> (usize, usize, usize, usize) {
        let Span { start, end } = node.locate(&path);
        (start.line, start.column, end.line, end.column)
    }

    #[test]
    fn fields_are_found_in_the_file() {
        let text = "---\nkind: Pet\nspec:\n  name: \"Rex\"\n  list:\n  - a: 1\n  - ä b\n  map:\n    x.y/z: 1\n  empty:\n";
        let node = one(text);
        assert_eq!(position(&node, at("spec.name")), (4, 9, 4, 14));
        assert_eq!(position(&node, at("spec.list").index(1)), (7, 5, 7, 8));
        assert_eq!(position(&node, at("spec.list").index(0).field("a")), (6, 8, 6, 9));
        assert_eq!(position(&node, at("spec.map").key("x.y/z")), (9, 12, 9, 13));
        // A map, an empty value, a missing field, a missing item: the nearest key.
        assert_eq!(position(&node, at("spec.map")), (8, 3, 8, 6));
        assert_eq!(position(&node, at("spec.empty")), (10, 3, 10, 8));
        assert_eq!(position(&node, at("spec.config.maxPets")), (3, 1, 3, 5));
        assert_eq!(position(&node, at("spec.list").index(9)), (5, 3, 5, 7));
        assert_eq!(position(&node, at("metadata.name")), (2, 1, 2, 5));
    }
}
