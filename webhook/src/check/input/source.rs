//! Files, folders and standard input, read and parsed.

use std::{fmt, fs, io, io::Read as _, os::fd::AsFd as _, path::Path, rc::Rc};

use super::{
    json,
    tree::{Node, Span},
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
    pub documents: Vec<Result<Node, SyntaxError>>,
    /// False when it was found in a folder, where files of all sorts may lie.
    pub asked_for: bool,
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
        Self { name, text, lines, documents, asked_for }
    }

    /// True when there is nothing but comments in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.documents.iter().all(|document| document.as_ref().is_ok_and(Node::is_null))
    }

    /// The text of a line, counted from 1.
    pub(crate) fn line(&self, number: usize) -> &str {
        let start = self.lines.get(number.saturating_sub(1)).copied().unwrap_or(self.text.len());
        self.text[start..].lines().next().unwrap_or_default()
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
    if path.as_os_str() == "-" { STDIN.to_owned() } else { path.display().to_string() }
}
