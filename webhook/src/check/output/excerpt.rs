//! A line of a file as it is shown: without what may not be printed, since what is checked in CI ends up in logs.

use concierge_shared::group::hide_secrets;

use crate::check::input::{
    Submission,
    source::Source,
    tree::{Node, Span},
};

/// What is pointed at, and what on its line is secret.
pub(crate) struct Excerpt<'a> {
    pub source: &'a Source,
    pub span: Span,
    secrets: Vec<Span>,
}

impl<'a> Excerpt<'a> {
    /// In a file that may hold no object of ours.
    pub(crate) fn of_file(source: &'a Source, span: Span) -> Self {
        Self { source, span, secrets: Vec::new() }
    }

    /// In an object, whose kind declares which of its fields may hold a secret.
    pub(crate) fn of_object(submission: &'a Submission, span: Span) -> Self {
        let fields = submission.kind.secret_fields.iter();
        let values = fields.flat_map(|field| values(&submission.node, field));
        let secrets = values.filter(|value| value.text().is_some_and(may_be_secret)).map(|value| value.span);
        Self { source: &submission.source, span, secrets: secrets.collect() }
    }

    /// The line, as long as it is, with stars for secrets.
    pub(crate) fn line(&self) -> String {
        let number = self.span.start.line;
        let secret = |column: usize| {
            let place = (number, column);
            let within = |span: &Span| {
                (span.start.line, span.start.column) <= place && place < (span.end.line, span.end.column)
            };
            self.secrets.iter().any(within)
        };
        let line = hide_secrets(self.source.line(number));
        let shown = |(character, column)| if secret(column) { '*' } else { character };
        line.chars().zip(1..).map(shown).collect()
    }
}

/// An address without credentials is worth reading.
fn may_be_secret(value: &str) -> bool {
    !value.contains("://") || value.contains('@')
}

/// The values at a path such as `spec.items[].token`.
fn values<'a>(node: &'a Node, path: &str) -> Vec<&'a Node> {
    path.split('.').fold(vec![node], |nodes, name| {
        let (name, list) = name.strip_suffix("[]").map_or((name, false), |name| (name, true));
        let found = nodes.into_iter().filter_map(|node| node.get(name));
        match list {
            true => found.flat_map(|node| node.list().unwrap_or_default()).collect(),
            false => found.collect(),
        }
    })
}
