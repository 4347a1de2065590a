//! `concierge-webhook check`.

use std::process::ExitCode;

/// Say what would be admitted, for files, without a cluster
#[derive(Debug, clap::Args)]
pub struct CheckArgs {}

/// Runs the command.
pub fn run(_args: CheckArgs) -> ExitCode {
    ExitCode::FAILURE
}
