//! `concierge-webhook check`: says what would be admitted, for files, without a cluster.
//!
//! | module | what it holds |
//! |---|---|
//! | `input` | files, read into values that know where they stand, and documents told apart |
//! | `offline` | admission in a world in memory |
//! | `schema` | what the API server itself would say |
//! | `policy` | `--policy`: a policy document in place of objects |
//! | [`fixture`] | cases with their expected outcome |
//! | `checked`, `report`, `output` | what was found, for people and programs |
//! | `rules`, `words` | the rules as a table; words that were probably meant |

use std::{
    io::{self, IsTerminal, Write},
    panic,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::ValueEnum;
use concierge_runtime::rules::RuleArgs;

use self::{
    fixture::init,
    input::{
        Item, Reader,
        source::{self, BadInput},
    },
    offline::Offline,
    output::{Format, Output},
    policy::PolicyArgs,
    report::Report,
};

mod checked;
pub mod fixture;
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

  In CI, for programs; people's own report is printed as well:
    concierge-webhook check --output sarif=report.sarif --output junit=report.xml deploy/
    concierge-webhook check --output json deploy/ | jq '.results[] | select(.verdict == \"refused\")'

  Try rules at another level, and see what a rule is about:
    concierge-webhook check --enforcement pets=warn,pets.pet.id=deny deploy/
    concierge-webhook check --explain pets.pet.tag-allowed

  Check the policy of a bucket, as JSON:
    concierge-webhook check --policy policy.json --kind bucket --bucket photos

  Run fixtures (kind: Fixture), each a request with its expected outcome:
    concierge-webhook check tests/fixtures/

  Write a fixture of a manifest and what comes of it today:
    concierge-webhook check --init tests/rex.yaml --world world/ pet.yaml

Exit codes:
  0  everything is admitted, every fixture passes
  1  something is refused, or a fixture fails
  2  the input is bad: an unreadable file, wrong YAML, an unknown kind or version of ours, nothing to check
  3  internal error";

/// Say what would be admitted, for files, without a cluster
#[derive(Debug, clap::Args)]
#[command(long_about = HELP, after_long_help = EXAMPLES)]
pub struct CheckArgs {
    /// Files of YAML or JSON, folders with such files, or - for standard input
    #[arg(value_name = "FILE|DIR|-", required_unless_present_any = ["rules", "explain", "policy"])]
    files: Vec<PathBuf>,
    /// Files or folders with objects that are there before; not checked themselves
    #[arg(long, value_name = "DIR", env = "CONCIERGE_CHECK_WORLD")]
    world: Vec<PathBuf>,
    /// Namespace of objects that name none
    #[arg(long, short, value_name = "NAME", env = "CONCIERGE_CHECK_NAMESPACE", default_value = "default")]
    namespace: String,
    /// Finding nothing to check is no error
    #[arg(long, env = "CONCIERGE_CHECK_ALLOW_EMPTY")]
    allow_empty: bool,
    /// human, json, sarif, junit, github or gitlab; FORMAT=FILE writes a file, and several may be given
    #[arg(long, short, value_name = "FORMAT[=FILE]", env = "CONCIERGE_CHECK_OUTPUT", value_delimiter = ',')]
    output: Vec<Output>,
    /// Write a fixture of the one object given and what comes of it today, and check nothing
    #[arg(long, value_name = "FILE", env = "CONCIERGE_CHECK_INIT", conflicts_with = "output")]
    init: Option<PathBuf>,
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
    policy: PolicyArgs,
    #[command(flatten)]
    settings: RuleArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// Runs the command.
pub fn run(args: CheckArgs) -> ExitCode {
    let CheckArgs {
        files,
        world,
        namespace,
        allow_empty,
        output,
        init,
        color,
        rules,
        explain,
        policy,
        settings,
    } = args;
    if let Some(id) = explain {
        return answer(rules::explain(&id));
    }
    if rules {
        let as_json = output.iter().any(|output| output.format == Format::Json);
        return answer(Ok(if as_json { rules::json() } else { rules::table() }));
    }
    let (enforcement, settings) = settings.read();
    if let Err(message) = rules::check_enforcement(&enforcement) {
        return answer(Err(message));
    }
    let outputs = match Output::all(output) {
        Ok(outputs) => outputs,
        Err(message) => return answer(Err(message)),
    };
    if let Some(checked) = policy.run(&enforcement, &outputs, color.wanted()) {
        return match checked {
            Ok((text, code)) => print(&text, code),
            Err(message) => answer(Err(message)),
        };
    }
    if let Some(message) = Output::over_input(&outputs, files.iter().chain(&world)) {
        return answer(Err(message));
    }
    let checked = panic::catch_unwind(|| {
        let input = Input::read(&files, &world, &namespace, allow_empty);
        match init {
            Some(file) => answer(input.into_fixture().and_then(|text| init::write(&file, &text))),
            None => report(&input.check(Offline::new(enforcement, settings)), &outputs, color.wanted()),
        }
    });
    // What went wrong is on standard error already.
    checked.unwrap_or_else(|_| INTERNAL.into())
}

/// Everything that was read.
struct Input {
    around: Vec<Item>,
    given: Vec<Item>,
    bad: Vec<BadInput>,
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
        Self { around: around.items, given: given.items, bad: around.bad }
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

    fn into_fixture(self) -> Result<String, String> {
        match self.bad.first() {
            Some(bad) => Err(format!("{}: {}", bad.file, bad.message)),
            None => init::fixture(self.given, self.around),
        }
    }
}

/// Writes the report in all its forms.
fn report(report: &Report, outputs: &[Output], colour: bool) -> ExitCode {
    let (mut printed, mut failed) = (String::new(), false);
    for output in outputs {
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

fn answer(answer: Result<String, String>) -> ExitCode {
    match answer {
        Ok(text) => print(&text, 0),
        Err(message) => {
            let _ = writeln!(io::stderr(), "error: {}", words::printable(&message));
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
