//! `concierge-webhook`: admission in a cluster, and the same rules on files.

use std::process::ExitCode;

use clap::Parser;
use concierge_webhook::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    Cli::parse().run()
}
