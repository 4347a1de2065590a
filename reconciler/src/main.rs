//! `concierge-reconciler`: makes admitted objects real.

use std::process::ExitCode;

use concierge_reconciler::Cli;
use concierge_runtime::help;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    help::parse::<Cli>().map_or_else(|code| code, Cli::run)
}
