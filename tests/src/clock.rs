//! A time of day for programs that run, to be stepped by a test.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What stands before libc in such a program.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/clock.c");

/// The machine's time of day and some seconds. Each program that is started with [`Clock::env`] sees it.
#[derive(Debug)]
pub struct Clock {
    shim: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// A clock that is right, with its files in `dir`. Needs a C compiler, as does the linker of Rust programs.
    ///
    /// # Errors
    /// When the library can't be made.
    pub fn new(dir: &Path) -> Result<Clock> {
        let (shim, file) = (dir.join("clock.so"), dir.join("clock"));
        let made = Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&shim).arg(SOURCE).status();
        ensure!(made.context("no C compiler, cc")?.success(), "{SOURCE} can't be compiled");
        let clock = Clock { shim, file };
        clock.step_to(0)?;
        Ok(clock)
    }

    /// The environment of a program that sees this clock.
    pub fn env(&self) -> [(&'static str, &Path); 2] {
        [("LD_PRELOAD", &self.shim), ("CLOCK_FILE", &self.file)]
    }

    /// Steps the clock to so many seconds ahead of the machine's, or behind it.
    ///
    /// # Errors
    /// When its file can't be written.
    pub fn step_to(&self, seconds: i64) -> Result<()> {
        // The programs have the file in memory: one that is cut to nothing first ends those that look at it just then.
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&self.file)?;
        file.write_all(&seconds.to_ne_bytes()).context("the clock can't be stepped")
    }
}
