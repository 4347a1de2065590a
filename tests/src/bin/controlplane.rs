//! The tests' control plane from the command line, and the guard of every program that tests start.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::Result;
use clap::Parser;
use concierge_tests::controlplane::{self, ControlPlane};
use tokio::signal::unix::{SignalKind, signal};

/// A real Kubernetes control plane on loopback.
#[derive(Parser)]
#[command(version)]
enum Arguments {
    /// Get its programs, once per machine: built from source, or fetched where that is as good.
    Build,
    /// Run one until Ctrl-C; the first line of output is the `export` of its kubeconfig.
    Up {
        /// API servers on the same etcd.
        #[arg(long, default_value_t = 1)]
        apiservers: usize,
    },
    /// Run a program until standard input is closed.
    #[command(hide = true)]
    Guard {
        /// A folder to remove afterwards.
        #[arg(long)]
        remove_dir: Option<PathBuf>,
        /// The program and its arguments.
        #[arg(last = true, required = true)]
        command: Vec<std::ffi::OsString>,
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
        Arguments::Guard { remove_dir, command } => {
            let (program, args) = command.split_first().ok_or_else(|| anyhow::anyhow!("no program"))?;
            concierge_tests::process::guard(Command::new(program).args(args), remove_dir.as_deref())
        }
        Arguments::Build => {
            let runtime = tokio::runtime::Runtime::new()?;
            let programs = runtime.block_on(controlplane::ensure_all())?;
            programs.iter().for_each(|program| println!("{}", program.display()));
            Ok(())
        }
        Arguments::Up { apiservers } => tokio::runtime::Runtime::new()?.block_on(up(apiservers)),
    }
}

async fn up(apiservers: usize) -> Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let control_plane = tokio::select! {
        started = ControlPlane::start_with_apiservers(apiservers) => started?,
        _ = interrupt.recv() => return Ok(()),
        _ = terminate.recv() => return Ok(()),
    };
    println!("export KUBECONFIG={}", control_plane.kubeconfig().display());
    std::io::stdout().flush()?;
    eprintln!("{} is ready; Ctrl-C ends it", control_plane.urls().join(" and "));
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
