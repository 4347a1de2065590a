//! A report, written for people and for programs.

mod excerpt;
mod finding;
mod github;
mod gitlab;
pub(crate) mod human;
mod json;
mod junit;
mod paths;
mod place;
mod sarif;
mod secrets;

use std::{ffi::OsStr, path::PathBuf, str::FromStr};

use clap::{
    Arg, Command, ValueEnum,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};

use self::human::Human;
pub(crate) use self::{excerpt::Excerpt, place::Place};
use super::{files::Inputs, report::Report};

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

/// A format, and the file that is named for it; without one, standard output.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    format: Format,
    file: Option<PathBuf>,
}

/// Reads what is wanted, and knows the formats by name, for shells that complete them.
#[derive(Clone)]
pub(crate) struct WantedParser;

impl TypedValueParser for WantedParser {
    type Value = Wanted;

    fn parse_ref(&self, command: &Command, arg: Option<&Arg>, value: &OsStr) -> Result<Wanted, clap::Error> {
        let texts = StringValueParser::new().try_map(|text: String| text.parse::<Wanted>());
        texts.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Format::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

impl FromStr for Wanted {
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
            file => Ok(Self { format, file: file.filter(|file| *file != "-").map(PathBuf::from) }),
        }
    }
}

/// A format, and where it goes.
pub(crate) struct Output {
    format: Format,
    place: Place,
    /// How the place was called.
    name: String,
}

impl Output {
    fn of(wanted: Wanted) -> Self {
        let name =
            wanted.file.as_ref().map_or("standard output".to_owned(), |file| file.display().to_string());
        Self {
            format: wanted.format,
            place: wanted.file.as_deref().map_or_else(Place::stdout, Place::of),
            name,
        }
    }

    /// Those of `wanted`, and what people read where nothing else goes to standard output.
    ///
    /// # Errors
    /// When two go to one place.
    pub(crate) fn all(wanted: Vec<Wanted>) -> Result<Vec<Self>, String> {
        let mut outputs: Vec<_> = wanted.into_iter().map(Self::of).collect();
        if !outputs.iter().any(|output| output.place.is_stdout()) {
            outputs.push(Self::of(Wanted { format: Format::Human, file: None }));
        }
        for (index, output) in outputs.iter().enumerate() {
            if outputs[..index].iter().any(|before| before.place.is(&output.place)) {
                let name = &output.name;
                return Err(format!(
                    "two formats can't both go to {name}; give each a file of its own, as in sarif=report.sarif"
                ));
            }
        }
        Ok(outputs)
    }

    /// Whether `what`, which is only printed, is wanted as JSON.
    ///
    /// # Errors
    /// When it is wanted elsewhere, or in a form that it does not have.
    pub(crate) fn printed_as_json(outputs: &[Self], what: &str) -> Result<bool, String> {
        match outputs {
            [Self { format: Format::Human, place, .. }] if place.is_stdout() => Ok(false),
            [Self { format: Format::Json, place, .. }] if place.is_stdout() => Ok(true),
            _ => Err(format!(
                "{what} to standard output only, as human or json; --output human goes before \
                 CONCIERGE_CHECK_OUTPUT"
            )),
        }
    }

    /// Says which of `outputs` would take the place of something that was read.
    pub(crate) fn over_input(outputs: &[Self], inputs: &Inputs) -> Result<(), String> {
        let over = outputs.iter().find(|output| output.place.is_among(inputs));
        over.map_or(Ok(()), |output| {
            Err(format!("{} is checked, so no report can be written to it; name another file", output.name))
        })
    }

    /// What of `report` the output does not tell.
    pub(crate) fn left_out(&self, report: &Report) -> Option<String> {
        let left_out = (self.format == Format::Sarif).then(|| sarif::left_out(report.found())).flatten();
        left_out.map(|text| format!("{}: {text}", self.name))
    }

    /// Writes `report` to the output's file; the text when it is for standard output.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn write(&self, report: &Report, colour: bool) -> Result<Option<String>, String> {
        let text = self.format.render(report, colour && self.place.is_stdout());
        if self.place.is_stdout() {
            return Ok(Some(text));
        }
        self.place.write(&text).map_err(|error| format!("{} can't be written: {error}", self.name))?;
        Ok(None)
    }
}

impl Format {
    fn render(self, report: &Report, colour: bool) -> String {
        match self {
            Self::Human => Human::new(colour).render(report),
            Self::Json => json::json(report),
            Self::Sarif => sarif::sarif(report),
            Self::Junit => junit::junit(report),
            Self::Github => github::github(report),
            Self::Gitlab => gitlab::gitlab(report),
        }
    }
}
