//! `concierge-webhook serve`.

use std::process::ExitCode;

/// Answer the API server's admission reviews over HTTPS
#[derive(Debug, clap::Args)]
pub struct ServeArgs {}

/// Runs the command.
pub fn run(_args: ServeArgs) -> ExitCode {
    ExitCode::FAILURE
}
