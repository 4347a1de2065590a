//! Where in an object there is what must not be shown.

use std::ops::Range;

use crate::check::{
    input::{
        Submission,
        tree::{Node, Place, Span},
    },
    schema::undeclared_fields,
};

/// The secrets of an object, in the order of the file, and apart from each other.
pub(crate) struct Secrets(Vec<Span>);

impl Secrets {
    /// Those in the fields of which a kind declares that they may hold a secret, and in those that it does not have, as when the name of
    /// such a field is misspelt.
    pub(crate) fn of(submission: &Submission) -> Self {
        let (kind, node) = (submission.kind, &submission.node);
        let declared = kind.secret_fields.iter().flat_map(|field| values(node, field)).flat_map(Node::texts);
        let declared = declared.filter(|value| value.text().is_some_and(may_be_secret));
        let unknown = submission.object.iter().flat_map(|object| undeclared_fields(kind, object));
        let unknown = unknown.filter_map(|field| node.find(&field));
        Self::apart(declared.chain(unknown).map(|value| value.span).collect())
    }

    fn apart(mut spans: Vec<Span>) -> Self {
        spans.sort_unstable_by_key(|span| span.start);
        let mut apart = Vec::<Span>::new();
        for span in spans {
            match apart.last_mut() {
                Some(last) if span.start < last.end => last.end = last.end.max(span.end),
                _ => apart.push(span),
            }
        }
        Self(apart)
    }

    /// Those of a line's columns that are secret, as far as they are no further than `around` from `column`. All may be on one line, and
    /// each may have a problem.
    pub(super) fn near(
        &self,
        line: usize,
        column: usize,
        around: usize,
    ) -> impl ExactSizeIterator<Item = Range<usize>> {
        let first = Place { line, column: column.saturating_sub(around) };
        let last = Place { line, column: column.saturating_add(around) };
        let start = self.0.partition_point(|span| span.end <= first);
        let end = self.0.partition_point(|span| span.start <= last).max(start);
        self.0[start..end].iter().map(move |span| columns(*span, line))
    }
}

/// What of `span` is on `line`.
fn columns(span: Span, line: usize) -> Range<usize> {
    let start = if span.start.line < line { 1 } else { span.start.column };
    let end = if span.end.line > line { usize::MAX } else { span.end.column };
    start..end
}

/// An address without credentials is worth reading, and so is what has neither letters nor digits. Queries and what else follows an address
/// may hold anything.
fn may_be_secret(value: &str) -> bool {
    let may_follow = |c: char| c.is_whitespace() || "@?#;&=,".contains(c);
    value.contains(char::is_alphanumeric) && (!value.contains("://") || value.contains(may_follow))
}

/// The values at a path such as `spec.items[].token` or `spec.maps{}.token`.
fn values<'a>(node: &'a Node, path: &str) -> Vec<&'a Node> {
    path.split('.').fold(vec![node], |nodes, name| {
        let plain = name.trim_end_matches(['[', ']', '{', '}']);
        let found = nodes.into_iter().filter_map(|node| node.get(plain));
        match plain == name {
            true => found.collect(),
            false => found.flat_map(Node::inner).collect(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(start: (usize, usize), end: (usize, usize)) -> Span {
        let [start, end] = [start, end].map(|(line, column)| Place { line, column });
        Span { start, end }
    }

    #[test]
    fn secrets_are_known_by_their_columns_on_each_line_of_theirs() {
        let secrets = Secrets::apart(vec![span((3, 8), (5, 4)), span((1, 5), (1, 9)), span((3, 9), (4, 2))]);
        let near =
            |line, column| secrets.near(line, column, 10).map(|one| (one.start, one.end)).collect::<Vec<_>>();
        assert_eq!(near(1, 1), [(5, 9)]);
        assert!(near(1, 19).is_empty(), "too far away");
        assert!(near(2, 1).is_empty());
        assert_eq!(near(3, 1), [(8, usize::MAX)]);
        assert_eq!(near(4, 99), [(1, usize::MAX)]);
        assert_eq!(near(5, 1), [(1, 4)]);
        assert!(near(6, 1).is_empty());
    }

    #[test]
    fn of_many_secrets_on_a_line_only_those_around_a_place_are_looked_at() {
        let at = |n: usize| 10 * n + 1;
        let secrets = Secrets::apart((0..10_000).map(|n| span((1, at(n)), (1, at(n) + 5))).collect());
        let looked_at: usize = (0..10_000).map(|n| secrets.near(1, at(n), 200).len()).sum();
        assert!(looked_at <= 10_000 * 42, "{looked_at}");
    }
}
