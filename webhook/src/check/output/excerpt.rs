//! A line of a file as it is shown: no longer than people read, and without what may not be printed, since what is
//! checked in CI ends up in logs.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Origin, Renderer, Snippet, Title};
use concierge_shared::{common::secret, group::hide_secrets, s3::policy};

use super::secrets::Secrets;
use crate::check::{
    input::{
        Submission,
        source::Source,
        tree::{Place, Span},
    },
    words::{harmless, is_unprintable, printable},
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
    /// In bytes of the line.
    place: Range<usize>,
    /// The column where the place begins.
    column: usize,
    /// In columns.
    secrets: Vec<Range<usize>>,
}

impl<'a> Excerpt<'a> {
    /// The excerpt of a file that holds no object of ours, so that no secrets are known.
    pub(crate) fn of_file(source: &'a Source, span: Span) -> Self {
        let (number, start) = (span.start.line, source.spot(span.start));
        let line = source.line(number);
        // No more is shown, and the end of what has thousands of problems may be the file's.
        let last = Place { column: span.end.column.min(span.start.column + 2 * AROUND), ..span.end };
        let end = if span.end.line > number { line.len() } else { source.spot(last).offset };
        let place = start.offset..end.max(start.offset);
        Self { name: &source.name, number, line, place, column: start.place.column, secrets: Vec::new() }
    }

    /// The excerpt of an object, of which these are the secrets.
    pub(crate) fn of_object(submission: &'a Submission, span: Span, secrets: &Secrets) -> Self {
        let excerpt = Self::of_file(&submission.source, span);
        // No more characters are shown than bytes.
        let near = secrets.near(excerpt.number, excerpt.column, 2 * AROUND);
        Self { secrets: near.collect(), ..excerpt }
    }

    /// Of a text in which bytes are counted; what reaches over several lines is shown where it begins.
    pub(crate) fn of_text(name: &'a str, text: &'a str, place: &Range<usize>) -> Self {
        let at = place.start.min(text.len());
        let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let line = text[start..].lines().next().unwrap_or_default();
        let place = (at - start).min(line.len())..place.end.saturating_sub(start).min(line.len());
        let (number, column) =
            (text[..at].matches('\n').count() + 1, line[..place.start].chars().count() + 1);
        Self { name, number, line, place, column, secrets: Vec::new() }
    }

    /// The message with this title, which has one line, and the excerpt below it.
    pub(crate) fn render(&self, renderer: &Renderer, title: Title<'a>) -> String {
        let window = self.line.floor_char_boundary(self.place.start.saturating_sub(AROUND))
            ..self.line.ceil_char_boundary(self.place.start.saturating_add(AROUND));
        let (text, marked) = self.shown(&window);
        let snippet = Snippet::source(text).line_start(self.number);
        let snippet = snippet.annotation(AnnotationKind::Primary.span(marked));
        if window.start == 0 {
            return harmless(&renderer.render(&[title.element(snippet.path(printable(self.name)))]));
        }
        let origin = Origin::path(printable(self.name)).line(self.number).char_column(self.column);
        let text = renderer.render(&[title.element(origin).element(snippet)]);
        // What has its column from elsewhere counts as of another file, which its fourth line would name.
        let lines = text.lines().enumerate().filter(|(number, _)| *number != 3);
        harmless(&lines.map(|(_, line)| line).collect::<Vec<_>>().join("\n"))
    }

    /// The text of `window`, one character for another, and where in it the place is.
    fn shown(&self, window: &Range<usize>) -> (String, Range<usize>) {
        let context = context(self.line, window);
        let hidden = hide_secrets(&self.line[context.clone()]);
        // People paste keys into policies, which are shown as any other text.
        let keys = policy::secrets(&self.line[context.clone()]);
        let keys = keys.chain(secret::places(&self.line[context.clone()]));
        let keys: Vec<_> = keys.map(|key| context.start + key.start..context.start + key.end).collect();
        let mut text = if window.start == 0 { String::new() } else { "...".to_owned() };
        let (mut start, mut end) = (None, None);
        let first = self.column - self.line[context.start..self.place.start].chars().count();
        for (column, ((at, _), c)) in
            (first..).zip(self.line[context.clone()].char_indices().zip(hidden.chars()))
        {
            let at = context.start + at;
            if !window.contains(&at) {
                continue;
            }
            start = start.or((at >= self.place.start).then_some(text.len()));
            end = end.or((at >= self.place.end).then_some(text.len()));
            let c = if keys.iter().any(|key| key.contains(&at)) { '*' } else { c };
            text.push(self.printed(column, c));
        }
        let (start, end) = (start.unwrap_or(text.len()), end.unwrap_or(text.len()));
        if window.end < self.line.len() {
            text.push_str("...");
        }
        (text, start..end.max(start))
    }

    fn printed(&self, column: usize, c: char) -> char {
        match c {
            _ if self.secrets.iter().any(|secret| secret.contains(&column)) => '*',
            '\t' => c,
            _ if is_unprintable(c) => '\u{fffd}',
            _ => c,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(line: &str, place: Range<usize>) -> String {
        let column = line[..place.start].chars().count() + 1;
        let excerpt = Excerpt { name: "a.yaml", number: 7, line, place, column, secrets: Vec::new() };
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
    fn of_a_place_no_more_is_looked_at_than_is_shown() {
        let source = Source::new("a.json".into(), &format!("[{}]", "\u{e4}".repeat(5_000)), true);
        let span = |from: usize, to: usize| Span {
            start: Place { line: 1, column: from },
            end: Place { line: 1, column: to },
        };
        assert_eq!(Excerpt::of_file(&source, span(2, 5)).place, 1..7);
        assert_eq!(Excerpt::of_file(&source, span(2, 5_003)).place, 1..1 + 4 * AROUND);
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
