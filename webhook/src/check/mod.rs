//! `concierge-webhook check`: says what would be admitted, for files, without a cluster.
//!
//! | module | what it holds |
//! |---|---|
//! | `args` | the command line |
//! | `input`, `files` | files, read into values that know where they stand |
//! | `documents` | what each document is: an object of ours, a review, a fixture, a namespace or something else |
//! | `offline` | admission in a world in memory |
//! | `schema` | what the API server itself would say |
//! | `graph` | `--graph`: what refers to what, in place of a check |
//! | `policy` | `--policy`: a policy document in place of objects |
//! | [`fixture`] | cases with their expected outcome |
//! | `checked`, `report`, `output` | what was found, for people and programs |
//! | `rules`, `words` | the rules as a table; words that were probably meant |

use std::{
    io::{self, Write},
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
};

pub use self::args::CheckArgs;
use self::{
    documents::{Item, Reader},
    files::Inputs,
    fixture::init::{self, Unwritten},
    graph::Graph,
    input::source::{self, BadInput},
    offline::Offline,
    output::Output,
    report::Report,
};

mod args;
mod checked;
mod documents;
mod files;
pub mod fixture;
mod graph;
mod input;
mod offline;
mod output;
mod policy;
mod report;
mod rules;
mod schema;
mod words;

const REFUSED: u8 = 1;
const BAD_INPUT: u8 = 2;
const INTERNAL: u8 = 3;

/// Runs the command.
pub fn run(args: CheckArgs) -> ExitCode {
    if let Some(id) = &args.explain {
        return answer(rules::explain(id));
    }
    // What went wrong is on standard error already.
    panic::catch_unwind(|| tried(args)).unwrap_or_else(|_| INTERNAL.into())
}

fn tried(args: CheckArgs) -> ExitCode {
    let CheckArgs {
        files,
        world,
        namespace,
        allow_empty,
        output,
        init,
        graph,
        color,
        rules,
        policy,
        settings,
        ..
    } = args;
    let (enforcement, settings) = settings.read();
    let outputs = match rules::check_enforcement(&enforcement).and_then(|()| Output::all(output)) {
        Ok(outputs) => outputs,
        Err(message) => return answer(Err(message)),
    };
    if rules {
        let as_json = Output::printed_as_json(&outputs, "the rules are listed");
        return answer(as_json.map(|as_json| if as_json { rules::json() } else { rules::table() }));
    }
    if let Some(checked) = policy.run(&enforcement, &outputs, color.wanted()) {
        return match checked {
            Ok((text, code)) => print(&text, code),
            Err(message) => answer(Err(message)),
        };
    }
    let input = Input::read(&files, &world, &namespace, allow_empty);
    if let Err(message) = Output::over_input(&outputs, &input.inputs) {
        return answer(Err(message));
    }
    if let Some(format) = graph {
        return answer(input.drawn(format, allow_empty));
    }
    let offline = Offline::new(enforcement, settings);
    match init {
        Some(file) => match input.into_fixture(&offline) {
            Ok(text) => written(init::write(&file, &text, &offline)),
            Err(message) => answer(Err(message)),
        },
        None => report(&input.check(offline), &outputs, color.wanted()),
    }
}

/// Everything that was read.
struct Input {
    around: Vec<Item>,
    given: Vec<Item>,
    bad: Vec<BadInput>,
    inputs: Inputs,
}

impl Input {
    fn read(files: &[PathBuf], world: &[PathBuf], namespace: &str, allow_empty: bool) -> Self {
        let (mut around, mut given) = (Reader::new(namespace), Reader::new(namespace));
        around.read_all(world, true);
        given.read_all(files, allow_empty);
        if given.items.is_empty() && given.bad.is_empty() && !allow_empty {
            let first = files.first().map_or(Path::new("-"), PathBuf::as_path);
            given
                .bad
                .push(BadInput::file(first, format!("holds nothing to check; {}", source::MAY_BE_EMPTY)));
        }
        around.bad.append(&mut given.bad);
        around.inputs.append(given.inputs);
        Self { around: around.items, given: given.items, bad: around.bad, inputs: around.inputs }
    }

    fn check(mut self, mut offline: Offline) -> Report {
        for item in self.around {
            match item {
                Item::Submission(one) => self.bad.extend(offline.insert_given(&one)),
                Item::Namespace(name, namespace, _) => offline.insert_namespace(name, namespace),
                _ => {}
            }
        }
        Report::of(self.given, self.bad, offline)
    }

    fn drawn(self, format: graph::Format, allow_empty: bool) -> Result<String, String> {
        if let Some(bad) = self.bad.first() {
            return Err(bad.to_string());
        }
        let graph = Graph::of(&self.given, &self.around).map_err(|bad| bad.to_string())?;
        match graph.is_empty() && !allow_empty {
            true => Err(format!(
                "nothing that is given can be drawn: fixtures, deletions and objects of other kinds are not; {}",
                source::MAY_BE_EMPTY
            )),
            false => Ok(graph.draw(format)),
        }
    }

    fn into_fixture(self, cluster: &Offline) -> Result<String, String> {
        match self.bad.into_iter().next() {
            Some(bad) => Err(bad.to_string()),
            None => init::fixture(self.given, self.around, cluster),
        }
    }
}

/// Writes the report in all its forms.
fn report(report: &Report, outputs: &[Output], colour: bool) -> ExitCode {
    let (mut printed, mut failed) = (String::new(), false);
    for output in outputs {
        if let Some(text) = output.left_out(report) {
            let _ = writeln!(io::stderr(), "warning: {}", words::printable(&text));
        }
        match output.write(report, colour) {
            Ok(text) => printed.extend(text),
            Err(message) => {
                let _ = writeln!(io::stderr(), "error: {}", words::printable(&message));
                failed = true;
            }
        }
    }
    print(&printed, if failed { INTERNAL } else { exit_code(report) })
}

fn exit_code(report: &Report) -> u8 {
    match report {
        report if !report.bad.is_empty() => BAD_INPUT,
        report if report.refused() + report.failed() > 0 => REFUSED,
        _ => 0,
    }
}

fn written(written: Result<String, Unwritten>) -> ExitCode {
    match written {
        Ok(text) => print(&text, 0),
        Err(Unwritten::Call(message)) => fail(&message, BAD_INPUT),
        Err(Unwritten::File(message)) => fail(&message, INTERNAL),
    }
}

fn answer(answer: Result<String, String>) -> ExitCode {
    match answer {
        Ok(text) => print(&text, 0),
        Err(message) => fail(&message, BAD_INPUT),
    }
}

fn fail(message: &str, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "error: {}", words::printable(message));
    code.into()
}

/// Prints `text` and ends with `code`. A reader that has seen enough, like `head`, is no error.
fn print(text: &str, code: u8) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            let _ = writeln!(io::stderr(), "error: the report can't be written: {error}");
            INTERNAL.into()
        }
        _ => code.into(),
    }
}
