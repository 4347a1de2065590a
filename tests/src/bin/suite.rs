//! The project's checks: `make test`, `make lint`, `make generate`.

use std::process::ExitCode;

use clap::Parser;
use concierge_tests::suite::{self, Suite};

#[derive(Parser)]
#[command(about = "The project's checks and generated files")]
struct Arguments {
    #[command(subcommand)]
    suite: Suite,
}

fn main() -> ExitCode {
    match suite::run(&Arguments::parse().suite) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
