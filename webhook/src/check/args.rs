//! The command line of `check`.

use std::{
    io::{self, IsTerminal},
    path::PathBuf,
};

use clap::ValueEnum;
use concierge_runtime::rules::RuleArgs;

use super::{
    graph::Format,
    output::{Wanted, WantedParser},
    policy::PolicyArgs,
};

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
    kubectl get pets,petstores -A -o yaml > now.yaml
    concierge-webhook check --world now.yaml pet.yaml

  In CI, for programs; people's own report is printed as well:
    concierge-webhook check -o sarif=report.sarif -o junit=report.xml deploy/
    concierge-webhook check -o json deploy/ |
      jq '.results[] | select(.verdict == \"refused\")'

  Try rules at another level, and see what a rule is about:
    concierge-webhook check --enforcement pets=warn,pets.pet.id=deny deploy/
    concierge-webhook check --explain pets.pet.tag-allowed

  Draw what refers to what, with what is missing:
    concierge-webhook check --graph dot deploy/ | dot -Tsvg -o graph.svg
    concierge-webhook check --graph mermaid deploy/

  Check the policy of a bucket, as JSON:
    concierge-webhook check --policy policy.json --kind bucket --bucket photos

  Run fixtures (kind: Fixture), each a request with its expected outcome:
    concierge-webhook check tests/fixtures/

  Write a fixture of a manifest, or of an AdmissionReview, and today's verdict:
    concierge-webhook check --init tests/rex.yaml --world world/ pet.yaml

Exit codes:
  0  everything is admitted, every fixture passes
  1  something is refused, or a fixture fails
  2  the call or the input is bad: an unreadable file, wrong YAML, an unknown
     kind or version, nothing to check
  3  internal error, or a report can't be written";

/// Say what would be admitted, for files, without a cluster
#[derive(Debug, clap::Args)]
#[command(long_about = HELP, after_long_help = EXAMPLES)]
pub struct CheckArgs {
    /// Files of YAML or JSON, folders with such files, or - for standard input
    #[arg(value_name = "FILE|DIR|-", required_unless_present_any = ["rules", "explain", "policy"])]
    pub(super) files: Vec<PathBuf>,
    /// Files or folders with what is there before
    ///
    /// It is not checked itself.
    #[arg(long, value_name = "FILE|DIR", env = "CONCIERGE_CHECK_WORLD")]
    pub(super) world: Vec<PathBuf>,
    /// Namespace of objects that name none
    #[arg(long, short, value_name = "NAME", env = "CONCIERGE_CHECK_NAMESPACE", default_value = "default")]
    pub(super) namespace: String,
    /// Finding nothing to check is no error
    #[arg(long, env = "CONCIERGE_CHECK_ALLOW_EMPTY")]
    pub(super) allow_empty: bool,
    /// How to report, once or more; FORMAT=FILE writes a file
    ///
    /// Several may stand behind one --output with commas between, so the name of a file can have none.
    #[arg(long, short, value_name = "FORMAT[=FILE]", env = "CONCIERGE_CHECK_OUTPUT", value_delimiter = ',', value_parser = WantedParser)]
    pub(super) output: Vec<Wanted>,
    /// Write a fixture of an object and today's verdict
    #[arg(long, value_name = "FILE", env = "CONCIERGE_CHECK_INIT", conflicts_with_all = ["output", "rules", "explain", "policy"])]
    pub(super) init: Option<PathBuf>,
    /// Draw what the objects refer to, in place of a check
    #[arg(long, value_enum, value_name = "FORMAT", env = "CONCIERGE_CHECK_GRAPH", conflicts_with_all = ["output", "init", "rules", "explain", "policy"])]
    pub(super) graph: Option<Format>,
    /// When to print in colour
    ///
    /// auto: on a terminal, unless NO_COLOR is set or TERM is dumb.
    #[arg(long, value_enum, value_name = "WHEN", env = "CONCIERGE_CHECK_COLOR", default_value = "auto")]
    pub(super) color: Color,
    /// List all rules; as JSON with --output json
    #[arg(long, env = "CONCIERGE_CHECK_RULES", conflicts_with_all = ["files", "world", "explain"])]
    pub(super) rules: bool,
    /// Explain a rule
    #[arg(long, value_name = "RULE", env = "CONCIERGE_CHECK_EXPLAIN", conflicts_with_all = ["files", "world", "output"])]
    pub(super) explain: Option<String>,
    #[command(flatten)]
    pub(super) policy: PolicyArgs,
    #[command(flatten)]
    pub(super) settings: RuleArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    pub(super) fn wanted(self) -> bool {
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
