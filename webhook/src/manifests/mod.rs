//! `concierge-webhook manifests`.

use std::process::ExitCode;

/// Print what the cluster has to be told: CRDs, webhook configuration, RBAC
#[derive(Debug, clap::Args)]
pub struct ManifestsArgs {}

/// Runs the command.
pub fn run(_args: ManifestsArgs) -> ExitCode {
    ExitCode::FAILURE
}
