//! A report, written for people and for programs.

mod excerpt;
mod finding;
mod github;
mod gitlab;
pub(crate) mod human;
mod json;
mod junit;
mod sarif;

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::ValueEnum;

pub(crate) use self::excerpt::Excerpt;
use self::human::Human;
use super::report::Report;

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Every problem with its line of the file, for people
    Human,
    /// One document of a stable shape
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML: a suite for each file, a case for each object and fixture
    Junit,
    /// GitHub's workflow commands: annotations in a pull request
    Github,
    /// GitLab's code quality report
    Gitlab,
}

/// A format, and the file that it is written to; without one, standard output.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub format: Format,
    pub file: Option<PathBuf>,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (format, file) = text.split_once('=').map_or((text, None), |(format, file)| (format, Some(file)));
        let formats = || {
            let values = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            values.map(|value| value.get_name().to_owned()).collect::<Vec<_>>().join(", ")
        };
        let format = Format::from_str(format, false).map_err(|_| {
            format!("there is no format {format:?}; use one of {}, or FORMAT=FILE", formats())
        })?;
        match file {
            Some("") => Err("the file's name is missing behind =".to_owned()),
            file => Ok(Self { format, file: file.map(PathBuf::from) }),
        }
    }
}

impl Output {
    /// Those of `wanted`, and what people read where nothing else goes to standard output.
    ///
    /// # Errors
    /// When two go to one place.
    pub(crate) fn all(mut wanted: Vec<Self>) -> Result<Vec<Self>, String> {
        if wanted.iter().all(|output| output.file.is_some()) {
            wanted.push(Self { format: Format::Human, file: None });
        }
        for (index, output) in wanted.iter().enumerate() {
            if wanted[..index].iter().any(|before| before.place() == output.place()) {
                let place = output
                    .file
                    .as_ref()
                    .map_or("standard output".to_owned(), |file| file.display().to_string());
                return Err(format!(
                    "two formats can't both go to {place}; give one a file, as in sarif=report.sarif"
                ));
            }
        }
        Ok(wanted)
    }

    /// The file, by whatever path it was given.
    fn place(&self) -> Option<PathBuf> {
        self.file.as_deref().map(resolved)
    }

    /// Says which of `outputs` would take the place of one of `inputs`.
    pub(crate) fn over_input<'a>(
        outputs: &[Self],
        mut inputs: impl Iterator<Item = &'a PathBuf>,
    ) -> Option<String> {
        let places: Vec<_> = outputs.iter().filter_map(Self::place).collect();
        let input = inputs.find(|input| places.contains(&resolved(input)))?;
        Some(format!("{} is checked, so no report can be written to it; name another file", input.display()))
    }

    /// Writes `report` to the output's file; the text when it is for standard output.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn write(&self, report: &Report, colour: bool) -> Result<Option<String>, String> {
        let text = self.format.render(report, colour && self.file.is_none());
        let Some(file) = &self.file else { return Ok(Some(text)) };
        fs::write(file, text).map_err(|error| format!("{} can't be written: {error}", file.display()))?;
        Ok(None)
    }
}

/// `path` without links and detours, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let in_folder = || Some(fs::canonicalize(folder).ok()?.join(path.file_name()?));
    fs::canonicalize(path).ok().or_else(in_folder).unwrap_or_else(|| path.to_owned())
}

impl Format {
    fn render(self, report: &Report, colour: bool) -> String {
        match self {
            Self::Human => Human::new(colour).render(report),
            Self::Json => json::json(report) + "\n",
            Self::Sarif => sarif::sarif(report) + "\n",
            Self::Junit => junit::junit(report),
            Self::Github => github::github(report),
            Self::Gitlab => gitlab::gitlab(report) + "\n",
        }
    }
}
