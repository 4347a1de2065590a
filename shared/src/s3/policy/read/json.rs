//! JSON with the places of what is in it.

use std::borrow::Cow;

use super::{
    super::{Finding, document::Span, rules::*},
    plain,
};

const MAX_DEPTH: usize = 8;
const MAX_VALUES: usize = 20_000;

/// A value and where it stands.
pub(super) struct Node<'a> {
    pub(super) span: Span,
    pub(super) value: Value<'a>,
}

pub(super) enum Value<'a> {
    Object(Object<'a>),
    List(Vec<Node<'a>>),
    Text(Cow<'a, str>),
    Bool(&'a str),
    Number(&'a str),
    Null,
}

pub(super) struct Object<'a> {
    pub(super) span: Span,
    pub(super) members: Vec<Member<'a>>,
}

pub(super) struct Member<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) name_span: Span,
    pub(super) node: Node<'a>,
}

impl<'a> Object<'a> {
    /// The first member of this name.
    pub(super) fn get(&self, name: &str) -> Option<&Member<'a>> {
        self.members.iter().find(|member| member.name == name)
    }
}

/// The value in `text`, which is known to be JSON.
pub(super) fn parse(text: &str) -> Result<Node<'_>, Finding> {
    Reader { text, at: 0, values: 0 }.node(1)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    /// What comes next that is no white space; `None` at the end.
    fn next(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        self.at += rest.iter().take_while(|c| c.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied()
    }

    fn node(&mut self, depth: usize) -> Result<Node<'a>, Finding> {
        let (first, start) = (self.next(), self.at);
        self.values += 1;
        if depth > MAX_DEPTH || self.values > MAX_VALUES {
            let message = format!(
                "is nested more than {MAX_DEPTH} deep or has more than {MAX_VALUES} values; make it simpler"
            );
            return Err(Finding { rule: &DOC_12, span: start..start + 1, message });
        }
        let value = match first {
            Some(b'{') => {
                let members = self.members(depth)?;
                Value::Object(Object { span: start..self.at, members })
            }
            Some(b'[') => Value::List(self.items(depth)?),
            Some(b'"') => Value::Text(self.string()?),
            _ => self.word(),
        };
        Ok(Node { span: start..self.at, value })
    }

    fn members(&mut self, depth: usize) -> Result<Vec<Member<'a>>, Finding> {
        let mut members = Vec::new();
        self.at += 1;
        loop {
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b'"') => {
                    let start = self.at;
                    let (name, name_span) = (self.string()?, start..self.at);
                    // The colon.
                    self.next();
                    self.at += 1;
                    members.push(Member { name, name_span, node: self.node(depth + 1)? });
                }
                _ => break,
            }
        }
        self.at += 1;
        Ok(members)
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node<'a>>, Finding> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            match self.next() {
                Some(b',') => self.at += 1,
                Some(b']') | None => break,
                Some(_) => items.push(self.node(depth + 1)?),
            }
        }
        self.at += 1;
        Ok(items)
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Finding> {
        let (start, mut escaped) = (self.at, false);
        let bytes = self.text.as_bytes();
        self.at += 1;
        while let Some(plain) = bytes[self.at..].iter().position(|c| matches!(c, b'"' | b'\\')) {
            self.at += plain;
            if bytes[self.at] == b'"' {
                break;
            }
            escaped = true;
            self.at = (self.at + 2).min(bytes.len());
        }
        let inner = &self.text[start + 1..self.at];
        self.at += 1;
        if !escaped {
            return Ok(Cow::Borrowed(inner));
        }
        let read = serde_json::from_str::<String>(&self.text[start..self.at]);
        let message = |error| format!("is not valid JSON: {}", plain(&error));
        read.map(Cow::Owned).map_err(|error| Finding {
            rule: &DOC_02,
            span: start..self.at,
            message: message(error),
        })
    }

    fn word(&mut self) -> Value<'a> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c)).unwrap_or(rest.len());
        self.at += end;
        match &rest[..end] {
            "null" => Value::Null,
            word @ ("true" | "false") => Value::Bool(word),
            number => Value::Number(number),
        }
    }
}
