//! What a user of Concierge sees, on a real API server: `make demo`.

use std::process::ExitCode;

use clap::Parser;
use concierge_tests::demo::{self, DemoArgs};

fn main() -> ExitCode {
    let args = DemoArgs::parse();
    let runtime = tokio::runtime::Runtime::new().map_err(anyhow::Error::from);
    match runtime.and_then(|runtime| runtime.block_on(demo::run(args))) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
