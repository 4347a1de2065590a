//! The benchmark: `bench run`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use concierge_tests::bench::{self, BenchArgs};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the webhook beside a floor that does nothing, and through a real API server.
#[derive(Parser)]
#[command(version)]
enum Arguments {
    /// Measure; build with --release first
    Run(BenchArgs),
    /// The floor
    #[command(hide = true)]
    Floor {
        /// Where its certificate is
        dir: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<()> {
    match arguments {
        Arguments::Run(args) => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(bench::run(args))
        }
        Arguments::Floor { dir } => tokio::runtime::Runtime::new()?.block_on(bench::floor::serve(&dir)),
    }
}
