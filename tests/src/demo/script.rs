//! What a show is made of.

use crate::process::Signal;

/// A part of the show, under a heading.
#[derive(Debug)]
pub struct Chapter {
    /// The heading: what a user gets.
    pub title: &'static str,
    /// What is done, in order.
    pub steps: &'static [Step],
}

/// A command and what it has to show.
#[derive(Debug)]
pub struct Step {
    /// What the audience should look at, before the command.
    pub say: &'static str,
    /// A line for the shell, run in the project's folder as an ordinary user of the cluster. Of `{NAME}` the
    /// cluster knows what it stands for: `{webhook-1}`, for instance, for the second replica's process id.
    pub run: &'static str,
    /// How the command has to end.
    pub ends: Ends,
    /// What its output has to contain.
    pub shows: &'static [&'static str],
    /// What happens while it runs.
    pub meanwhile: Option<Meanwhile>,
}

/// How a command has to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// With exit code 0.
    Well,
    /// With another exit code: the cluster said no.
    Refused,
}

/// What happens while a step's command runs.
#[derive(Clone, Copy, Debug)]
pub struct Meanwhile {
    /// After so many lines of output.
    pub after_lines: usize,
    pub event: Event,
}

/// Something that is not the user's doing.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// The webhook replica of this number is ended by a signal. When the command is over, it has to have ended.
    WebhookEnds(usize, Signal),
    /// The shop hands all that is ordered to the carrier.
    ShopShips,
    /// What holds up a namespace that is being deleted lets go of it.
    NamespaceGoes,
}

impl Step {
    /// A command that has to succeed.
    pub const fn well(say: &'static str, run: &'static str, shows: &'static [&'static str]) -> Step {
        Step { say, run, ends: Ends::Well, shows, meanwhile: None }
    }

    /// A command that has to be refused.
    pub const fn refused(say: &'static str, run: &'static str, shows: &'static [&'static str]) -> Step {
        Step { say, run, ends: Ends::Refused, shows, meanwhile: None }
    }

    /// The same, while something happens after so many lines of its output.
    pub const fn meanwhile(self, after_lines: usize, event: Event) -> Step {
        Step { meanwhile: Some(Meanwhile { after_lines, event }), ..self }
    }

    /// Why `output`, and an end in `success` or not, are not what was told; nothing if they are.
    pub fn astray(&self, success: bool, output: &str) -> Vec<String> {
        let ends = match (self.ends, success) {
            (Ends::Well, false) => Some("the command failed".to_owned()),
            (Ends::Refused, true) => Some("the command was not refused".to_owned()),
            _ => None,
        };
        let missing = self.shows.iter().filter(|text| !output.contains(**text));
        ends.into_iter().chain(missing.map(|text| format!("the output lacks {text:?}"))).collect()
    }
}
