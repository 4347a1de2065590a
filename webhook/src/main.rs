//! `concierge-webhook`: admission in a cluster, and the same rules on files.

use std::process::ExitCode;

use concierge_runtime::help;
use concierge_webhook::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    help::parse::<Cli>().map_or_else(|code| code, Cli::run)
}
