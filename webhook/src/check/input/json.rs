//! JSON documents with positions.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    scalar::from_f64,
    tree::{Content, Entry, MAX_DEPTH, Map, Node, Place, Span},
    yaml::SyntaxError,
};

/// The documents of `text`, one after the other. Nothing is read after an error.
pub(crate) fn parse(text: &str) -> Vec<Result<Node, SyntaxError>> {
    let reader = Reader::new(text);
    let documents = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    documents
        .map(|raw| match raw {
            Ok(raw) => reader.node(raw.get(), 0),
            Err(error) => {
                let place = Place { line: error.line(), column: error.column().max(1) };
                Err(SyntaxError { span: Span { start: place, end: place }, message: plain(&error) })
            }
        })
        .collect()
}

fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text).to_owned()
}

/// Turns parts of a text into values, knowing where they stand in it.
struct Reader<'a> {
    text: &'a str,
    lines: Vec<usize>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(index, _)| index + 1);
        Self { text, lines: std::iter::once(0).chain(ends).collect() }
    }

    fn node(&self, raw: &'a str, depth: usize) -> Result<Node, SyntaxError> {
        let start = self.offset(raw);
        let span = self.span(start, start + raw.len());
        let failed = |message: String| SyntaxError { span, message };
        if depth >= MAX_DEPTH {
            return Err(failed(format!("is nested deeper than {MAX_DEPTH} levels")));
        }
        let content = match raw.as_bytes().first() {
            Some(b'{') => self.map(raw, start, depth)?,
            Some(b'[') => {
                self.list(serde_json::from_str(raw).map_err(|error| failed(plain(&error)))?, depth)?
            }
            _ => scalar(raw).map_err(|error| failed(plain(&error)))?,
        };
        Ok(Node::new(span, content))
    }

    fn list(&self, items: Vec<&'a RawValue>, depth: usize) -> Result<Content, SyntaxError> {
        let items = items.into_iter().map(|item| self.node(item.get(), depth + 1));
        Ok(Content::List(items.collect::<Result<_, _>>()?))
    }

    fn map(&self, raw: &'a str, start: usize, depth: usize) -> Result<Content, SyntaxError> {
        let span = self.span(start, start + raw.len());
        let Entries(entries) = serde_json::from_str(raw)
            .map_err(|error: serde_json::Error| SyntaxError { span, message: plain(&error) })?;
        let (mut map, mut read) = (Map::default(), start);
        for (key, value) in entries {
            let key_span = self.key_span(read, self.offset(value.get()));
            read = self.offset(value.get()) + value.get().len();
            if let Some(before) = map.get(&key) {
                let line = before.key_span.start.line;
                let message = format!("the key {key:?} is already set in line {line}; keep one of them");
                return Err(SyntaxError { span: key_span, message });
            }
            let value = self.node(value.get(), depth + 1)?;
            map.set(Entry { key: key.into_owned(), key_span, value });
        }
        Ok(Content::Map(map))
    }

    /// The only string between the value before and the key's value.
    fn key_span(&self, from: usize, to: usize) -> Span {
        let between = &self.text[from..to];
        let start = between.find('"').unwrap_or_default();
        let end = between.rfind('"').unwrap_or_default() + 1;
        self.span(from + start, from + end)
    }

    /// Where `part`, a part of the text, begins in it.
    fn offset(&self, part: &str) -> usize {
        (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize)
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span { start: self.place(start), end: self.place(end) }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.lines.partition_point(|start| *start <= offset);
        let column = self.text[self.lines[line - 1]..offset].chars().count() + 1;
        Place { line, column }
    }
}

fn scalar(raw: &str) -> serde_json::Result<Content> {
    Ok(match serde_json::from_str(raw)? {
        serde_json::Value::Bool(value) => Content::Bool(value),
        serde_json::Value::Number(number) if number.is_f64() => {
            Content::Number(number.as_f64().and_then(from_f64).unwrap_or(number))
        }
        serde_json::Value::Number(number) => Content::Number(number),
        serde_json::Value::String(text) => Content::Text(text),
        _ => Content::Null,
    })
}

/// The entries of an object, repeated keys included.
struct Entries<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(Text(key)) = map.next_key()? {
            entries.push((key, map.next_value()?));
        }
        Ok(Entries(entries))
    }
}

/// A string, borrowed when it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
mod tests {
    use concierge_shared::field::at;
    use serde_json::json;

    use super::*;

    #[test]
    fn values_and_places_are_those_of_the_text() {
        let text =
            "{\"a\": {\"b\\u0062\" : [1.0, \"ä\", 9223372036854775807]},\n \"c\": null}\n{\"d\": true}";
        let documents = parse(text);
        let nodes: Vec<_> = documents.iter().map(|one| one.as_ref().unwrap()).collect();
        assert_eq!(nodes[0].to_json(), json!({"a": {"bb": [1, "ä", i64::MAX]}, "c": null}));
        assert_eq!(nodes[1].to_json(), json!({"d": true}));
        let place = |node: &Node, path| node.locate(&path);
        let span =
            |line, from, to| Span { start: Place { line, column: from }, end: Place { line, column: to } };
        assert_eq!(place(nodes[0], at("a.bb").index(2)), span(1, 31, 50));
        assert_eq!(nodes[0].locate_key(&at("a.bb")), span(1, 8, 17));
        assert_eq!(place(nodes[0], at("a.missing")), span(1, 2, 5));
        assert_eq!(place(nodes[1], at("d")), span(3, 7, 11));
    }

    #[test]
    fn repeated_keys_and_depth_are_refused() {
        let error = parse("{\"a\": 1,\n \"a\": 2}").remove(0).unwrap_err();
        assert_eq!((error.span.start.line, error.span.start.column), (2, 2));
        assert!(error.message.contains("already set in line 1"));
        let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
        assert!(parse(&deep).remove(0).unwrap_err().message.contains("nested"));
        assert!(parse("{\"a\": }").remove(0).is_err());
    }
}
