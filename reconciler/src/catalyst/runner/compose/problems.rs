//! What is wrong with a file, with the place.

use anyhow::bail;
use serde_saphyr::Location;

/// How many problems are told, and how many notes.
const MOST: usize = 10;

/// A list of what is wrong, and of what has no effect.
pub(super) struct Problems {
    file: String,
    problems: Vec<String>,
    notes: Vec<String>,
}

impl Problems {
    pub(super) fn new(file: &str) -> Self {
        Self { file: file.to_owned(), problems: Vec::new(), notes: Vec::new() }
    }

    /// Something is wrong at `field`, which begins at `place`.
    pub(super) fn add(&mut self, place: Location, field: &str, message: &str) {
        self.problems.push(self.line(place, field, message));
    }

    /// Something at `field` has no effect.
    pub(super) fn note(&mut self, place: Location, field: &str, message: &str) {
        self.notes.push(self.line(place, field, message));
    }

    fn line(&self, place: Location, field: &str, message: &str) -> String {
        format!("{}:{}:{}: {field} {message}", self.file, place.line(), place.column())
    }

    /// The notes, unless something is wrong.
    pub(super) fn result(mut self) -> anyhow::Result<Vec<String>> {
        if self.problems.is_empty() {
            self.notes.truncate(MOST);
            return Ok(self.notes);
        }
        let more = self.problems.len().saturating_sub(MOST);
        self.problems.truncate(MOST);
        let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
        bail!("{}{more}", self.problems.join("\n"))
    }
}
