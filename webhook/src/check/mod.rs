//! `concierge-webhook check`: says what would be admitted, for files, without a cluster.
//!
//! | module | what it holds |
//! |---|---|
//! | `input` | files, read into values that know where they stand, and documents told apart |
//! | `offline` | admission in a world in memory |
//! | `schema` | what the API server itself would say |
//! | [`fixture`] | cases with their expected outcome |
//! | `report`, `output` | what was found, for people and programs |
//! | `rules`, `words` | the rules as a table; words that were probably meant |

use std::{
    io::{self, IsTerminal, Write},
    panic,
    path::PathBuf,
    process::ExitCode,
};

use clap::ValueEnum;
use concierge_runtime::rules::RuleArgs;

use self::{
    input::{Reader, source},
    offline::Offline,
    output::{human::Human, json},
    report::Report,
};

pub mod fixture;
mod input;
mod offline;
mod output;
mod report;
mod rules;
mod schema;
mod words;

const REFUSED: u8 = 1;
const BAD_INPUT: u8 = 2;
const INTERNAL: u8 = 3;

const HELP: &str = "\
Checks objects as a cluster with Concierge would when they are applied: fills in defaults, then looks for \
everything that breaks a rule. No cluster and no network is needed.

Objects given together see each other: a Pet may refer to a PetStore in another file. Objects of kinds that \
are not Concierge's are passed over; of a Namespace, the annotation concierge.dev/rules is heeded. An object \
that is also in --world is checked as an update of it.";

const EXAMPLES: &str = "\
Examples:
  Check a file, and all YAML and JSON files in a folder:
    concierge-webhook check pet.yaml deploy/

  Check what would be rendered:
    helm template shop ./chart | concierge-webhook check -
    kustomize build overlays/prod | concierge-webhook check -

  Check a change against what is in the cluster now:
    kubectl get pets,petstores -A -o yaml > world/now.yaml
    concierge-webhook check --world world/ pet.yaml

  In CI, for a program:
    concierge-webhook check --output json deploy/ | jq '.results[] | select(.verdict == \"refused\")'

  Try rules at another level, and see what a rule is about:
    concierge-webhook check --enforcement pets=warn,pets.pet.id=deny deploy/
    concierge-webhook check --explain pets.pet.tag-allowed

  Run fixtures (kind: Fixture), each a request with its expected outcome:
    concierge-webhook check tests/fixtures/

Exit codes:
  0  everything is admitted, every fixture passes
  1  something is refused, or a fixture fails
  2  the input is bad: an unreadable file, wrong YAML, an unknown kind or version of ours
  3  internal error";

/// Say what would be admitted, for files, without a cluster
#[derive(Debug, clap::Args)]
#[command(long_about = HELP, after_long_help = EXAMPLES)]
pub struct CheckArgs {
    /// Files of YAML or JSON, folders with such files, or - for standard input
    #[arg(value_name = "FILE|DIR|-", required_unless_present_any = ["rules", "explain"])]
    files: Vec<PathBuf>,
    /// Files or folders with objects that are there before; not checked themselves
    #[arg(long, value_name = "DIR", env = "CONCIERGE_CHECK_WORLD")]
    world: Vec<PathBuf>,
    /// Namespace of objects that name none
    #[arg(long, short, value_name = "NAME", env = "CONCIERGE_CHECK_NAMESPACE", default_value = "default")]
    namespace: String,
    /// For people, or for programs
    #[arg(long, short, value_enum, env = "CONCIERGE_CHECK_OUTPUT", default_value = "human")]
    output: Output,
    /// When to print in colour; auto heeds NO_COLOR and whether this is a terminal
    #[arg(long, value_enum, value_name = "WHEN", env = "CONCIERGE_CHECK_COLOR", default_value = "auto")]
    color: Color,
    /// List all rules and check nothing
    #[arg(long, env = "CONCIERGE_CHECK_RULES", conflicts_with_all = ["files", "explain"])]
    rules: bool,
    /// Explain a rule and check nothing
    #[arg(long, value_name = "RULE", env = "CONCIERGE_CHECK_EXPLAIN", conflicts_with = "files")]
    explain: Option<String>,
    #[command(flatten)]
    settings: RuleArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Output {
    /// Every problem with its line of the file
    Human,
    /// One document of a stable shape
    Json,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// Runs the command.
pub fn run(args: CheckArgs) -> ExitCode {
    let CheckArgs { files, world, namespace, output, color, rules, explain, settings } = args;
    if let Some(id) = explain {
        return answer(rules::explain(&id));
    }
    if rules {
        return answer(Ok(if matches!(output, Output::Json) { rules::json() } else { rules::table() }));
    }
    let (enforcement, settings) = settings.read();
    if let Err(message) = rules::check_enforcement(&enforcement) {
        return answer(Err(message));
    }
    let checked = panic::catch_unwind(|| {
        let report = check(&files, &world, &namespace, Offline::new(enforcement, settings));
        let text = match output {
            Output::Human => Human::new(color.wanted()).render(&report),
            Output::Json => json::json(&report) + "\n",
        };
        (text, exit_code(&report))
    });
    // What went wrong is on standard error already.
    checked.map_or(INTERNAL.into(), |(text, code)| print(&text, code))
}

fn check(files: &[PathBuf], world: &[PathBuf], namespace: &str, mut offline: Offline) -> Report {
    let mut around = Reader::new(namespace);
    let mut reader = Reader::new(namespace);
    let (sources, bad) = source::read(world);
    around.bad.extend(bad);
    sources.iter().for_each(|source| around.read(source));
    let (sources, bad) = source::read(files);
    reader.bad.extend(bad);
    sources.iter().for_each(|source| reader.read(source));
    reader.bad.splice(0..0, around.bad);
    for item in around.items {
        match item {
            input::Item::Submission(input::Submission { kind, namespace, object: Some(object), .. }) => {
                offline.insert(kind, &namespace, &object);
            }
            input::Item::Namespace(name, namespace) => offline.insert_namespace(name, namespace),
            _ => {}
        }
    }
    Report::of(reader.items, reader.bad, offline)
}

fn exit_code(report: &Report) -> u8 {
    match report {
        report if !report.bad.is_empty() => BAD_INPUT,
        report if report.refused() + report.failed() > 0 => REFUSED,
        _ => 0,
    }
}

fn answer(answer: Result<String, String>) -> ExitCode {
    match answer {
        Ok(text) => print(&text, 0),
        Err(message) => {
            let _ = writeln!(io::stderr(), "error: {message}");
            BAD_INPUT.into()
        }
    }
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

impl Color {
    fn wanted(self) -> bool {
        let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        match self {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => {
                let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
                io::stdout().is_terminal() && !set("NO_COLOR") && !dumb
            }
        }
    }
}
