//! A line of a file as it is shown: no longer than people read, and without what may not be printed, since what is
//! checked in CI ends up in logs.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Origin, Renderer, Snippet, Title};
use concierge_shared::group::hide_secrets;

use crate::check::{
    input::{
        Submission,
        source::Source,
        tree::{Node, Span},
    },
    words::{is_unprintable, printable},
};

/// How many bytes are shown on either side of the place. A file in one line would be shown whole for each problem else.
const AROUND: usize = 200;
/// How far around the shown part secrets are looked for: a card's number may be written in several words.
const MARGIN: usize = 1_000;

/// A line of a file, the place in it that is pointed at, and what of it is secret.
pub(crate) struct Excerpt<'a> {
    name: &'a str,
    number: usize,
    line: &'a str,
    /// In bytes of the line, as are the secrets.
    place: Range<usize>,
    secrets: Vec<Range<usize>>,
}

impl<'a> Excerpt<'a> {
    /// The excerpt of a file that holds no object of ours, so that no secrets are known.
    pub(crate) fn of_file(source: &'a Source, span: Span) -> Self {
        let (number, line) = (span.start.line, source.line(span.start.line));
        Self { name: &source.name, number, line, place: on_line(line, number, span), secrets: Vec::new() }
    }

    /// The excerpt of an object, whose kind declares which of its fields may hold a secret.
    pub(crate) fn of_object(submission: &'a Submission, span: Span) -> Self {
        let excerpt = Self::of_file(&submission.source, span);
        let number = excerpt.number;
        let fields = submission.kind.secret_fields.iter();
        let values = fields.flat_map(|field| values(&submission.node, field)).flat_map(Node::texts);
        let secrets = values.filter(|value| value.text().is_some_and(may_be_secret)).map(|value| value.span);
        let here = secrets.filter(|span| (span.start.line..=span.end.line).contains(&number));
        Self { secrets: here.map(|span| on_line(excerpt.line, number, span)).collect(), ..excerpt }
    }

    /// Of a text in which bytes are counted; what reaches over several lines is shown where it begins.
    pub(crate) fn of_text(name: &'a str, text: &'a str, place: &Range<usize>) -> Self {
        let at = place.start.min(text.len());
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        let place = (at - start).min(line.len())..place.end.saturating_sub(start).min(line.len());
        Self { name, number: text[..at].matches('\n').count() + 1, line, place, secrets: Vec::new() }
    }

    /// The message with this title, which has one line, and the excerpt below it.
    pub(crate) fn render(&self, renderer: &Renderer, title: Title<'a>) -> String {
        let window = self.line.floor_char_boundary(self.place.start.saturating_sub(AROUND))
            ..self.line.ceil_char_boundary(self.place.start.saturating_add(AROUND));
        let (text, marked) = self.shown(&window);
        let snippet = Snippet::source(text).line_start(self.number);
        let snippet = snippet.annotation(AnnotationKind::Primary.span(marked));
        if window.start == 0 {
            return renderer.render(&[title.element(snippet.path(printable(self.name)))]);
        }
        let column = self.line[..self.place.start].chars().count() + 1;
        let origin = Origin::path(printable(self.name)).line(self.number).char_column(column);
        let text = renderer.render(&[title.element(origin).element(snippet)]);
        // What has its column from elsewhere counts as of another file, which its fourth line would name.
        let lines = text.lines().enumerate().filter(|(number, _)| *number != 3);
        lines.map(|(_, line)| line).collect::<Vec<_>>().join("\n")
    }

    /// The text of `window`, one character for another, and where in it the place is.
    fn shown(&self, window: &Range<usize>) -> (String, Range<usize>) {
        let context = context(self.line, window);
        let hidden = hide_secrets(&self.line[context.clone()]);
        let mut text = if window.start == 0 { String::new() } else { "...".to_owned() };
        let (mut start, mut end) = (None, None);
        for ((at, _), c) in self.line[context.clone()].char_indices().zip(hidden.chars()) {
            let at = context.start + at;
            if !window.contains(&at) {
                continue;
            }
            start = start.or((at >= self.place.start).then_some(text.len()));
            end = end.or((at >= self.place.end).then_some(text.len()));
            text.push(self.printed(at, c));
        }
        let (start, end) = (start.unwrap_or(text.len()), end.unwrap_or(text.len()));
        if window.end < self.line.len() {
            text.push_str("...");
        }
        (text, start..end.max(start))
    }

    fn printed(&self, at: usize, c: char) -> char {
        match c {
            _ if self.secrets.iter().any(|secret| secret.contains(&at)) => '*',
            '\t' => c,
            _ if is_unprintable(c) => '\u{fffd}',
            _ => c,
        }
    }
}

/// What of `span` is on `line`, which has this number: in bytes.
fn on_line(line: &str, number: usize, span: Span) -> Range<usize> {
    let is_ascii = line.is_ascii();
    let offset = |column: usize| match column.saturating_sub(1) {
        characters if is_ascii => characters.min(line.len()),
        characters => line.char_indices().nth(characters).map_or(line.len(), |(offset, _)| offset),
    };
    let start = if span.start.line < number { 0 } else { offset(span.start.column) };
    let end = if span.end.line > number { line.len() } else { offset(span.end.column) };
    start..end.max(start)
}

/// `window` and as much around it as tells whether something in it is secret: to the ends of words, which a token and
/// the credentials of an address never pass.
fn context(line: &str, window: &Range<usize>) -> Range<usize> {
    let ends_word = |c: char| c.is_whitespace() || matches!(c, '"' | '\'');
    let start = line.floor_char_boundary(window.start.saturating_sub(MARGIN));
    let end = line.ceil_char_boundary(window.end.saturating_add(MARGIN));
    let start = line[..start].rfind(ends_word).unwrap_or(0);
    start..line[end..].find(ends_word).map_or(line.len(), |length| end + length)
}

/// An address without credentials is worth reading, and so is what has neither letters nor digits.
fn may_be_secret(value: &str) -> bool {
    value.contains(char::is_alphanumeric) && (!value.contains("://") || value.contains('@'))
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

    fn shown(line: &str, place: Range<usize>) -> String {
        let excerpt = Excerpt { name: "a.yaml", number: 7, line, place, secrets: Vec::new() };
        let title = annotate_snippets::Level::ERROR.primary_title("wrong");
        excerpt.render(&Renderer::plain(), title)
    }

    #[test]
    fn of_a_long_line_only_what_is_around_the_place_is_shown_and_the_column_is_the_lines() {
        let line = format!("{}wrong{}", "ä ".repeat(50_000), " ö".repeat(50_000));
        let at = line.find("wrong").unwrap();
        let text = shown(&line, at..at + 5);
        assert!(text.len() < 2_000, "{} bytes", text.len());
        assert!(text.contains("--> a.yaml:7:100001\n"), "{text}");
        let (lines, marks) =
            text.split_once("ä wrong ö").map(|(before, after)| (before.lines(), after)).unwrap();
        let before = lines.last().unwrap().chars().count() + 2;
        assert_eq!(marks.lines().nth(1).unwrap().chars().position(|c| c == '^'), Some(before), "{text}");
        assert_eq!(text.matches("...").count(), 2, "{text}");
        assert!(!text.contains(":::"), "{text}");
    }

    #[test]
    fn a_secret_that_begins_before_what_is_shown_is_hidden() {
        for secret in
            [format!("tok_{}", "a1".repeat(3_000)), format!("https://joe:{}@host", "a1".repeat(3_000))]
        {
            let line = format!("{}\"{secret}\", id: 0{}", "x ".repeat(5_000), " y".repeat(5_000));
            let at = line.find("id: 0").unwrap();
            let text = shown(&line, at..at + 2);
            assert!(text.contains("***") && !text.contains("a1"), "{text}");
        }
    }
}
