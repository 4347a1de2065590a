//! Files, folders and standard input, read and parsed.

use std::{cell::Cell, fmt, fs, io, io::Read as _, os::fd::AsFd as _, path::Path, rc::Rc, str::Utf8Chunk};

use super::{
    json,
    tree::{Node, Place, Span},
    yaml::{self, SyntaxError},
};
use crate::check::files::Inputs;

/// What to do about input that is empty on purpose.
pub(crate) const MAY_BE_EMPTY: &str = "what should have filled it may have failed; --allow-empty takes it";

/// What standard input is called.
pub(crate) const STDIN: &str = "<stdin>";

/// The largest file that is read, in bytes.
const LARGEST: u64 = 256 << 20;

/// A text with the documents in it.
#[derive(Debug)]
pub(crate) struct Source {
    /// How it is called in messages: the path as it was given, or `<stdin>`.
    pub name: String,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
    last: Cell<Spot>,
    pub documents: Vec<Result<Node, SyntaxError>>,
    /// False when it was found in a folder, where files of all sorts may lie.
    pub asked_for: bool,
}

/// A place within its line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub place: Place,
    /// How many bytes of the line are before it.
    pub offset: usize,
}

/// Something that can't be checked, and why.
#[derive(Debug)]
pub(crate) struct BadInput {
    /// The file's name.
    pub file: String,
    /// Where in the file, when that is known.
    pub at: Option<(Rc<Source>, Span)>,
    pub message: String,
}

impl BadInput {
    /// A mistake at `span` of `source`.
    pub(crate) fn at(source: &Rc<Source>, span: Span, message: impl Into<String>) -> Self {
        let at = Some((Rc::clone(source), span));
        Self { file: source.name.clone(), at, message: message.into() }
    }

    pub(crate) fn file(path: &Path, message: impl Into<String>) -> Self {
        Self { file: name(path), at: None, message: message.into() }
    }
}

/// `deploy/pet.yaml:7:3: is no field of Pet`
impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.at.as_ref().map(|(_, span)| format!(":{}:{}", span.start.line, span.start.column));
        write!(f, "{}{}: {}", self.file, place.unwrap_or_default(), self.message)
    }
}

impl Source {
    /// Parses `text`: as JSON when it begins like it, else as YAML.
    pub(crate) fn new(name: String, text: &str, asked_for: bool) -> Self {
        let text = with_line_feeds(text.strip_prefix('\u{feff}').unwrap_or(text));
        let documents = match text.trim_start().starts_with(['{', '[']) {
            true => json_or_yaml(&text),
            false => yaml::parse(&text),
        };
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(index, _)| index + 1);
        let lines = std::iter::once(0).chain(ends).collect();
        Self { name, text, lines, last: Cell::new(Spot::first_of(1)), documents, asked_for }
    }

    /// True when there is nothing but comments in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.documents.iter().all(|document| document.as_ref().is_ok_and(Node::is_null))
    }

    /// The text of a line, counted from 1.
    pub(crate) fn line(&self, number: usize) -> &str {
        let number = number.max(1);
        let start = self.lines.get(number - 1).copied().unwrap_or(self.text.len());
        let end = self.lines.get(number).map_or(self.text.len(), |next| next - 1);
        &self.text[start..end]
    }

    /// The spot of `place`, or the end of a line that is shorter. It is looked for from the one before, since a file may have only one line,
    /// and its places are mostly asked for in their order.
    pub(crate) fn spot(&self, place: Place) -> Spot {
        let (number, last) = (place.line.max(1), self.last.get());
        let from = if last.place.line == number { last } else { Spot::first_of(number) };
        let spot = from.moved(self.line(number), place.column.max(1));
        self.last.set(spot);
        spot
    }
}

impl Spot {
    fn first_of(line: usize) -> Self {
        Self { place: Place { line, column: 1 }, offset: 0 }
    }

    /// The spot at `column` of the same line, as far as there is one.
    fn moved(self, line: &str, column: usize) -> Self {
        let (before, behind) = line.split_at(self.offset);
        let (steps, now) = (column.abs_diff(self.place.column), self.place.column);
        let passed = |chars: &mut dyn Iterator<Item = char>| {
            chars.take(steps).fold((0, 0), |(number, bytes), c| (number + 1, bytes + c.len_utf8()))
        };
        let (column, offset) = if column < now {
            let (number, bytes) = passed(&mut before.chars().rev());
            (now - number, self.offset - bytes)
        } else {
            let (number, bytes) = passed(&mut behind.chars());
            (now + number, self.offset + bytes)
        };
        Self { place: Place { column, ..self.place }, offset }
    }
}

/// `text` with all its lines ended in one way: YAML ends them in three, and they are counted in several places.
fn with_line_feeds(text: &str) -> String {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() }
}

/// YAML may begin with a brace too, so its reader has the last word; an error is JSON's, though, when neither
/// can read it.
fn json_or_yaml(text: &str) -> Vec<Result<Node, SyntaxError>> {
    let json = json::parse(text);
    if json.iter().all(Result::is_ok) {
        return json;
    }
    let yaml = yaml::parse(text);
    let repeated_key = |found: &Result<Node, SyntaxError>| {
        found.as_ref().is_err_and(|error| error.message.contains("already set"))
    };
    match yaml.iter().all(Result::is_ok) && !json.iter().any(repeated_key) {
        true => yaml,
        false => json,
    }
}

/// Reads the file `path`, and notes in `inputs` that it was.
pub(crate) fn read_file(path: &Path, inputs: &mut Inputs) -> Result<Rc<Source>, BadInput> {
    read_one(path, true, inputs)
}

pub(super) fn read_one(path: &Path, asked_for: bool, inputs: &mut Inputs) -> Result<Rc<Source>, BadInput> {
    let bytes =
        bytes(path, inputs).map_err(|error| BadInput::file(path, format!("can't be read: {error}")))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| BadInput::file(path, "is not text in UTF-8; save it as such"))?;
    Ok(Rc::new(Source::new(name(path), &text, asked_for)))
}

/// All of a file, or of standard input for `-`. Whoever names a device or a pipe that never ends is told so.
pub(crate) fn bytes(path: &Path, inputs: &mut Inputs) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let from = match path.as_os_str() == "-" {
        true => fs::File::from(io::stdin().as_fd().try_clone_to_owned()?),
        false => {
            // Also what may not be opened is not to be overwritten.
            fs::metadata(path).into_iter().for_each(|metadata| inputs.note(&metadata));
            fs::File::open(path)?
        }
    };
    inputs.note(&from.metadata()?);
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST {
        true => Err(io::Error::other(format!("is larger than {} MiB", LARGEST >> 20))),
        false => Ok(bytes),
    }
}

pub(crate) fn name(path: &Path) -> String {
    if path.as_os_str() == "-" {
        return STDIN.to_owned();
    }
    // Shown by one sign, two names that are no text would be the same.
    let part = |part: Utf8Chunk<'_>| part.valid().to_owned() + &part.invalid().escape_ascii().to_string();
    path.as_os_str().as_encoded_bytes().utf8_chunks().map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spot(source: &Source, line: usize, column: usize) -> (usize, usize, usize) {
        let Spot { place, offset } = source.spot(Place { line, column });
        (place.line, place.column, offset)
    }

    #[test]
    fn places_are_found_in_any_order_and_no_further_than_their_line() {
        let source = Source::new("a".into(), "# \u{e4}\u{e4}!\r\n\n# c\n", true);
        assert_eq!(
            [0, 1, 2, 3, 4, 5].map(|number| source.line(number)),
            ["# ää!", "# ää!", "", "# c", "", ""]
        );
        for (place, found) in [
            ((1, 4), (1, 4, 4)),
            ((1, 3), (1, 3, 2)),
            ((1, 99), (1, 6, 7)),
            ((1, 5), (1, 5, 6)),
            ((3, 2), (3, 2, 1)),
            ((2, 2), (2, 1, 0)),
            ((0, 0), (1, 1, 0)),
            ((9, 9), (9, 1, 0)),
        ] {
            assert_eq!(spot(&source, place.0, place.1), found, "{place:?}");
        }
    }

    /// Were each looked for from the beginning of its line, this would take minutes.
    #[test]
    fn the_places_of_a_long_line_are_gone_through_once() {
        let source = Source::new("a".into(), &format!("# {}", "ä".repeat(300_000)), true);
        for column in (3..300_000).chain((3..300_000).rev()) {
            assert_eq!(spot(&source, 1, column), (1, column, 2 * column - 4));
        }
    }
}
