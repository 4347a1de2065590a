//! Concierge behind the door: the work that admitted objects ask for.
//!
//! | module | what it holds |
//! |---|---|
//! | [`aws`] | S3 and IAM over our own HTTP client |
//! | [`run`] | the program: cache, lease, engine |
//! | `bindings` | the RoleBindings that give us our rights last as long as our objects |
//! | [`engine`] | one loop for every kind; knows none |
//! | `common` | what the groups share beside the engine |
//! | [`pets`], [`coffee`], [`s3`], [`catalyst`], [`orasi`] | a file per kind: observe, plan, act |

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use catalyst::runner::{
    compose::{self, ComposeArgs},
    wait::{self, WaitArgs},
};

pub mod aws;
mod bindings;
pub mod catalyst;
pub mod coffee;
mod common;
pub mod engine;
pub mod orasi;
pub mod pets;
pub mod run;
pub mod s3;

/// Makes admitted objects real at the services they stand for, and keeps them so.
#[derive(Debug, Parser)]
#[command(name = "concierge-reconciler", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArgs>),
    #[command(hide = true)]
    Compose(ComposeArgs),
    #[command(hide = true)]
    Wait(WaitArgs),
}

impl Cli {
    /// Does what the command line says; the exit code tells how it went.
    pub fn run(self) -> ExitCode {
        match self.command {
            Command::Run(args) => run::run(*args),
            Command::Compose(args) => compose::run(args),
            Command::Wait(args) => wait::run(args),
        }
    }
}
