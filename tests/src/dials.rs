//! Whom a program calls, and what it opens in its home.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::preload;

/// What is seen of a program that is started with [`Dials::env`]. For it there is no network but one address, and no name of a host.
#[derive(Debug)]
pub struct Dials {
    shim: PathBuf,
    seen: PathBuf,
    home: PathBuf,
    reached: String,
}

impl Dials {
    /// For a program that reaches this address alone, with its files in `dir`.
    ///
    /// # Errors
    /// When these can't be made.
    pub fn new(dir: &Path, reached: SocketAddr) -> Result<Dials> {
        let home = dir.join("home");
        fs::create_dir_all(&home)?;
        let (shim, seen) = (preload::library("dials.c", dir)?, dir.join("seen"));
        Ok(Dials { shim, seen, home, reached: reached.to_string() })
    }

    /// The program's home.
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The environment of the program.
    pub fn env(&self) -> [(&'static str, &Path); 4] {
        [
            ("LD_PRELOAD", &self.shim),
            ("SEEN", &self.seen),
            ("HOME", &self.home),
            ("REACHED", Path::new(&self.reached)),
        ]
    }

    /// Each address that was dialled, each name that was looked up, and each file of the home that was opened, since this was last asked.
    ///
    /// # Errors
    /// When no program was started.
    pub fn take(&self) -> Result<BTreeSet<String>> {
        let seen = fs::read_to_string(&self.seen).context("no program was started")?;
        fs::remove_file(&self.seen)?;
        Ok(seen.lines().map(str::to_owned).collect())
    }
}
