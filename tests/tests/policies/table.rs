//! The tables of docs/policy-differences.md, which say where others judge otherwise.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What differs, and how we and the other one judge.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) what: String,
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

/// The rows that are found; of those that differ in nothing but our reasons, the first.
#[derive(Default)]
pub(crate) struct Rows(BTreeMap<(String, bool, String), Row>);

impl Rows {
    pub(crate) fn add(&mut self, what: &str, ours: String, theirs: String) {
        let key = (what.to_owned(), ours == ACCEPTS, theirs.clone());
        self.0.entry(key).or_insert_with(|| Row { what: what.to_owned(), ours, theirs });
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn lines(&self) -> BTreeSet<String> {
        let cell = |text: &str| text.replace('|', "\\|");
        let line = |Row { what, ours, theirs }: &Row| {
            format!("| {} | {} | {} |", cell(what), cell(ours), cell(theirs))
        };
        self.0.values().map(line).collect()
    }
}

pub(crate) const ACCEPTS: &str = "accepts";

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/policy-differences.md")
}

/// The rows of a section of the page.
fn section<'a>(page: &'a str, name: &str) -> (usize, usize, Vec<&'a str>) {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let from = page.find(&begin).unwrap_or_else(|| panic!("{begin:?} is missing")) + begin.len();
    let to = from + page[from..].find(&end).unwrap_or_else(|| panic!("{end:?} is missing"));
    let rows = page[from..to].lines().filter(|line| line.starts_with("| ") && !line.starts_with("| What"));
    (from, to, rows.collect())
}

/// Fails unless the page tells of all that was found; and, when all was played, of nothing else. With `WRITE_DIFFERENCES=1` the page is
/// written anew instead.
pub(crate) fn assert_told(name: &str, other: &str, found: &Rows, all: bool) {
    let page = std::fs::read_to_string(path()).unwrap();
    let (from, to, told) = section(&page, name);
    let lines = found.lines();
    if all && std::env::var_os("WRITE_DIFFERENCES").is_some_and(|value| !value.is_empty()) {
        let head = format!("\n| What | Concierge | {other} |\n|---|---|---|\n");
        let rows: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(path(), format!("{}{head}{rows}\n{}", &page[..from], &page[to..])).unwrap();
        return;
    }
    let untold: Vec<_> = lines.iter().filter(|line| !told.contains(&line.as_str())).collect();
    assert!(untold.is_empty(), "docs/policy-differences.md does not tell of:\n{untold:#?}\n{HINT}");
    let stale: Vec<_> = told.iter().filter(|line| all && !lines.contains(**line)).collect();
    assert!(stale.is_empty(), "docs/policy-differences.md tells of what is no more:\n{stale:#?}\n{HINT}");
}

const HINT: &str = "read whether each is as it should be, then run the soak tests of `--test policies` with WRITE_DIFFERENCES=1";
