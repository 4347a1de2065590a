//! `concierge-reconciler`: makes admitted objects real.

use std::process::ExitCode;

use clap::Parser;
use concierge_reconciler::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
