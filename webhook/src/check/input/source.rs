//! Files, folders and standard input, read and parsed.

use std::{
    collections::HashSet,
    fs, io,
    io::Read as _,
    path::{Path, PathBuf},
    rc::Rc,
};

use super::{
    json,
    tree::{Node, Span},
    yaml::{self, SyntaxError},
};

/// What to do about input that is empty on purpose.
pub(crate) const MAY_BE_EMPTY: &str = "what should have filled it may have failed; --allow-empty takes it";

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

impl Source {
    /// Parses `text`: as JSON when it begins like it, else as YAML.
    pub(crate) fn new(name: String, text: &str, asked_for: bool) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
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

/// Reads `paths`: files, folders with all YAML and JSON files below them, and `-` for standard input. A file
/// that is named twice is read once.
///
/// What holds nothing is an error unless `may_be_empty`: what should have filled it may have failed.
pub(crate) fn read(paths: &[PathBuf], may_be_empty: bool) -> (Vec<Rc<Source>>, Vec<BadInput>) {
    let (mut sources, mut bad) = (Vec::new(), Vec::new());
    let mut seen = HashSet::new();
    for path in paths {
        let files = files(path).unwrap_or_else(|error| {
            bad.push(error);
            Vec::new()
        });
        if files.is_empty() && !may_be_empty && path.is_dir() && bad.is_empty() {
            bad.push(BadInput::file(path, format!("holds no .yaml, .yml or .json file; {MAY_BE_EMPTY}")));
        }
        for file in files {
            if seen.insert(fs::canonicalize(&file).unwrap_or_else(|_| file.clone())) {
                match text(&file) {
                    Ok(text) => {
                        let source = Source::new(name(&file), &text, file == *path);
                        if source.asked_for && source.is_empty() && !may_be_empty {
                            bad.push(BadInput::file(
                                &file,
                                format!("holds nothing to check; {MAY_BE_EMPTY}"),
                            ));
                        }
                        sources.push(Rc::new(source));
                    }
                    Err(error) => bad.push(error),
                }
            }
        }
    }
    (sources, bad)
}

pub(crate) fn read_file(path: &Path) -> Result<Rc<Source>, BadInput> {
    Ok(Rc::new(Source::new(name(path), &text(path)?, true)))
}

/// The file itself; for a folder, the YAML and JSON files below it, ordered by path.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, BadInput> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    collect(path, &mut found).map_err(|error| BadInput::file(path, format!("can't be read: {error}")))?;
    Ok(found)
}

/// Hidden files and folders are left out, and links to folders: they may lead back.
fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let hidden = entry.file_name().to_string_lossy().starts_with('.');
        let known =
            path.extension().is_some_and(|extension| ["yaml", "yml", "json"].iter().any(|e| extension == *e));
        if hidden {
        } else if entry.file_type()?.is_dir() {
            collect(&path, found)?;
        } else if known && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn text(path: &Path) -> Result<String, BadInput> {
    let bytes = bytes(path).map_err(|error| BadInput::file(path, format!("can't be read: {error}")))?;
    String::from_utf8(bytes).map_err(|_| BadInput::file(path, "is not text in UTF-8"))
}

/// All of a file, or of standard input for `-`. Whoever names a device or a pipe that never ends is told so.
pub(crate) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let from: Box<dyn io::Read> = match path.as_os_str() == "-" {
        true => Box::new(io::stdin()),
        false => Box::new(fs::File::open(path)?),
    };
    from.take(LARGEST + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > LARGEST {
        true => Err(io::Error::other(format!("is larger than {} MiB", LARGEST >> 20))),
        false => Ok(bytes),
    }
}

fn name(path: &Path) -> String {
    if path.as_os_str() == "-" { "<stdin>".to_owned() } else { path.display().to_string() }
}
