//! Libraries that stand before libc in a program.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What a program is to have in `LD_PRELOAD`: made in `dir` of `source`, a file beside this one. Needs a C compiler, as does the linker of
/// Rust programs.
pub(crate) fn library(source: &str, dir: &Path) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(source);
    let library = dir.join(source.with_extension("so").file_name().context("a source without a name")?);
    let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(&source).status();
    ensure!(made.context("no C compiler, cc")?.success(), "{} can't be compiled", source.display());
    Ok(library)
}
