//! Programs as somebody runs them from the project's folder by hand.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Cargo as it would be run from the project's folder by hand. `cargo run` tells its program about the package it is of;
/// build scripts that look at that would run anew, and all that depends on them.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.args(args).current_dir(project()).stdin(Stdio::null());
    as_by_hand(&mut cargo, test_threads());
    cargo
}

/// Takes away what cargo tells this program about its own package, and what would lead a test to a user's cluster.
pub(crate) fn as_by_hand(command: &mut Command, threads: usize) {
    command.env_remove("DEMO_CONTEXT");
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_of_our_package(&name.to_string_lossy())) {
        command.env_remove(name);
    }
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", threads.to_string());
    }
}

fn is_of_our_package(variable: &str) -> bool {
    let names = ["CARGO", "CARGO_PRIMARY_PACKAGE", "OUT_DIR"];
    let prefixes = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"];
    names.contains(&variable) || prefixes.iter().any(|prefix| variable.starts_with(prefix))
}

/// As many tests at once as there are cores, but each may be a control plane of its own: 400 MB.
pub(crate) fn test_threads() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 6))
}

pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_child_keeps_what_the_user_sets_and_nothing_of_this_package() {
        for name in ["CARGO", "CARGO_MANIFEST_DIR", "CARGO_PKG_VERSION", "CARGO_PRIMARY_PACKAGE"] {
            assert!(is_of_our_package(name), "{name}");
        }
        for name in ["CARGO_HOME", "CARGO_TARGET_DIR", "CARGO_TERM_COLOR", "CARGO_INCREMENTAL", "PATH"] {
            assert!(!is_of_our_package(name), "{name}");
        }
    }
}
