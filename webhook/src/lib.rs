//! The admission webhook, and the same rules on files.
//!
//! | module | what it does |
//! |---|---|
//! | [`serve`] | answers the API server |
//! | [`check`] | says what would be answered, for files |
//! | [`manifests`] | prints what the cluster has to be told: CRDs, webhook configuration, RBAC |

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod check;
pub mod manifests;
pub mod serve;

/// Decides which objects come into the cluster: fills in defaults and refuses what breaks a rule, before it
/// is stored, telling everything that is wrong and where.
#[derive(Debug, Parser)]
#[command(name = "concierge-webhook", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(Box<serve::ServeArgs>),
    Check(Box<check::CheckArgs>),
    Manifests(manifests::ManifestsArgs),
}

impl Cli {
    /// Does what the command line says; the exit code tells how it went.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Serve(args) => serve::run(*args),
            Command::Check(args) => check::run(*args),
            Command::Manifests(args) => manifests::run(args),
        }
    }
}
