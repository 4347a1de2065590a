//! What a release is made of. `make image` and `make release-dry-run` start it, and so does the workflow that publishes.
//!
//! | module | what it makes |
//! |---|---|
//! | `version` | nothing: it sees to it that all places name one version |
//! | `programs` | both programs for an architecture, and the root folder of its image |
//! | `dockerfile`, `image` | an OCI image of such folders, as the Dockerfile's last stage says |
//! | `pages` | man pages and completions |
//! | `archive` | the archives of programs, and the chart's |
//! | `sbom` | the bill of materials |
//! | `tarball`, `tools` | archives that are the same each time; programs from PyPI |

mod archive;
mod dockerfile;
mod image;
mod pages;
mod programs;
mod sbom;
mod tarball;
mod tools;
mod version;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use self::programs::Arch;

/// What a release is made of
#[derive(Debug, Parser)]
enum Release {
    /// Fill a folder with what an image holds: the programs, and certificates of authorities
    Root {
        #[arg(long)]
        arch: Arch,
        #[arg(long)]
        out: PathBuf,
        /// Cargo's profile
        #[arg(long, default_value = "release")]
        profile: String,
    },
    /// Make an OCI image, in one file
    Image(Made),
    /// Make everything that is published, and publish nothing
    All {
        #[command(flatten)]
        made: Made,
        /// The tag that is released, which has to be the version everywhere
        #[arg(long)]
        tag: Option<String>,
    },
    /// Fetch the programs that build and check a release, and say where they are
    Tools,
    /// Say whether this tag is the version everywhere
    Check { tag: String },
}

#[derive(Debug, clap::Args)]
struct Made {
    /// The architectures
    #[arg(long, value_delimiter = ',', default_value = "amd64,arm64")]
    arch: Vec<Arch>,
    /// The folder for what is made
    #[arg(long, default_value = "target/dist")]
    out: PathBuf,
    /// Cargo's profile
    #[arg(long, default_value = "release")]
    profile: String,
}

fn main() -> Result<()> {
    match Release::parse() {
        Release::Root { arch, out, profile } => programs::root(arch, &profile, &out),
        Release::Image(made) => made.image().map(drop),
        Release::All { made, tag } => all(&made, tag.as_deref()),
        Release::Tools => {
            println!("{}", tools::installed()?.display());
            Ok(())
        }
        Release::Check { tag } => version::of_release(&tag),
    }
}

impl Made {
    /// The image, and the root folder for each architecture.
    fn image(&self) -> Result<Vec<(Arch, PathBuf)>> {
        fs::create_dir_all(&self.out)?;
        let mut roots = Vec::new();
        for arch in &self.arch {
            let root = project().join("target/image").join(arch.name());
            programs::root(*arch, &self.profile, &root)?;
            roots.push((*arch, root));
        }
        let file = self.out.join(format!("concierge-{}.oci.tar", version::VERSION));
        image::write(&roots, &file)?;
        made(&file)?;
        Ok(roots)
    }
}

fn all(made_of: &Made, tag: Option<&str>) -> Result<()> {
    match tag {
        Some(tag) => version::of_release(tag)?,
        None => version::agreed()?,
    }
    if made_of.out.exists() {
        fs::remove_dir_all(&made_of.out).context("the folder of an earlier release stays")?;
    }
    for (arch, root) in made_of.image()? {
        made(&archive::programs(arch, &root, &made_of.out)?)?;
    }
    made(&archive::chart(&made_of.out)?)?;
    let bill = sbom::write(&made_of.out)?;
    sbom::validate(&bill)?;
    made(&bill)?;
    made(&archive::checksums(&made_of.out)?)
}

fn made(file: &Path) -> Result<()> {
    let bytes = fs::metadata(file)?.len();
    ensure!(bytes > 0, "{} is empty", file.display());
    println!("{:>8.1} MiB  {}", bytes as f64 / f64::from(1 << 20), file.display());
    Ok(())
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
