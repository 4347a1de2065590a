//! A time of day for programs that run, to be stepped by a test.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::preload;

/// The machine's time of day and some seconds. Each program that is started with [`Clock::env`] sees it.
#[derive(Debug)]
pub struct Clock {
    shim: PathBuf,
    file: PathBuf,
}

impl Clock {
    /// A clock that is right, with its files in `dir`.
    ///
    /// # Errors
    /// When the library can't be made.
    pub fn new(dir: &Path) -> Result<Clock> {
        let clock = Clock { shim: preload::library("clock.c", dir)?, file: dir.join("clock") };
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
