//! Paths to fields of an object, written as Kubernetes writes them.

use std::fmt;

/// One step from a value to a value inside it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A named field, `.name`.
    Field(String),
    /// A place in a list, `[3]`.
    Index(usize),
    /// A key of a free-form map, `[example.com/key]`.
    Key(String),
}

/// A path from the root of an object to one of its fields. Orders as the fields do, lists by number.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldPath(Vec<Segment>);

/// The path with this dotted spelling: `at("spec.config.maxPets")`.
pub fn at(dotted: &str) -> FieldPath {
    FieldPath(
        dotted.split('.').filter(|part| !part.is_empty()).map(|part| Segment::Field(part.into())).collect(),
    )
}

impl FieldPath {
    /// The field `name` below this one.
    pub fn field(mut self, name: &str) -> Self {
        self.0.push(Segment::Field(name.into()));
        self
    }

    /// The list item `index` below this one.
    pub fn index(mut self, index: usize) -> Self {
        self.0.push(Segment::Index(index));
        self
    }

    /// The map entry `key` below this one.
    pub fn key(mut self, key: &str) -> Self {
        self.0.push(Segment::Key(key.into()));
        self
    }

    /// The steps from the root.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The same path as a JSON pointer (RFC 6901), `~` and `/` escaped.
    pub fn pointer(&self) -> json_patch::jsonptr::PointerBuf {
        json_patch::jsonptr::PointerBuf::from_tokens(self.0.iter().map(|segment| match segment {
            Segment::Field(name) | Segment::Key(name) => json_patch::jsonptr::Token::new(name.clone()),
            Segment::Index(index) => json_patch::jsonptr::Token::from(*index),
        }))
    }
}

impl FromIterator<Segment> for FieldPath {
    fn from_iter<T: IntoIterator<Item = Segment>>(segments: T) -> Self {
        Self(segments.into_iter().collect())
    }
}

impl From<&str> for FieldPath {
    fn from(dotted: &str) -> Self {
        at(dotted)
    }
}

/// The item of a list: a path that is not made before it is needed.
impl From<(&str, usize)> for FieldPath {
    fn from((list, index): (&str, usize)) -> Self {
        at(list).index(index)
    }
}

/// `spec.items[0].name`, `metadata.labels[example.com/key]`.
impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Field(name) if position == 0 => write!(f, "{name}")?,
                Segment::Field(name) => write!(f, ".{name}")?,
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => write!(f, "[{key}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_prints_as_kubernetes_prints_it() {
        assert_eq!(at("spec.items").index(3).field("name").to_string(), "spec.items[3].name");
        assert_eq!(at("metadata.labels").key("a.b/c").to_string(), "metadata.labels[a.b/c]");
    }

    #[test]
    fn a_pointer_escapes_slash_and_tilde() {
        assert_eq!(at("metadata.labels").key("a.b/c~d").pointer().as_str(), "/metadata/labels/a.b~1c~0d");
        assert_eq!(at("spec.items").index(0).pointer().as_str(), "/spec/items/0");
    }

    #[test]
    fn list_items_order_by_number() {
        assert!(at("a").index(2) < at("a").index(10));
    }
}
