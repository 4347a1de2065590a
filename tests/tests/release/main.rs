//! What a release is made of, used as its users do: the image on a node, reports in other programs, the hook in pre-commit.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what helps a test may fail it")]

mod image;
mod node;
mod readers;
mod workflow;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use concierge_tests::process::built_program;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// What `release ARGS` says; its own output is passed on.
fn release(args: &[&str]) -> String {
    run(Command::new(built_program("release").unwrap()).args(args).current_dir(project()))
}

/// The folder of the programs that come from PyPI.
fn tools() -> PathBuf {
    PathBuf::from(release(&["tools"]).trim())
}

/// What a command prints, which has to succeed.
fn run(command: &mut Command) -> String {
    let name = command.get_program().display().to_string();
    let output = command.output().unwrap_or_else(|error| {
        panic!("can't run {name}: {error}\nThis test needs root and Debian's packages containerd, runc and skopeo, and with FULL=1 qemu-user-static.")
    });
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}:\n{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}
