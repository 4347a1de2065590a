//! What a release is made of. `make image` and `make release-dry-run` start it, and so does the workflow that publishes.
//!
//! | module | what it makes |
//! |---|---|
//! | `version` | nothing: it sees to it that all places name one version |
//! | `folder` | nothing: it sees to it that nothing of others is removed |
//! | `programs` | both programs for an architecture, and the root folder of its image |
//! | `dockerfile`, `image` | an OCI image of such folders, as the Dockerfile's last stage says |
//! | `pages` | man pages and completions |
//! | `archive` | the archives of programs, and the chart's |
//! | `sbom` | the bill of materials |
//! | `tarball`, `tools` | archives that are the same each time; programs from PyPI |

mod archive;
mod dockerfile;
mod folder;
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

use anyhow::{Result, ensure};
use clap::Parser;

use self::programs::Arch;

/// What a release is made of
#[derive(Debug, Parser)]
#[command(max_term_width = 80)]
enum Release {
    /// Fill a folder with what an image holds: the programs, and certificates of authorities
    Root {
        /// The architecture
        #[arg(long)]
        arch: Arch,
        /// The folder; it may hold nothing but what was filled in before
        #[arg(long)]
        out: PathBuf,
        /// Cargo's profile
        #[arg(long, default_value = "release")]
        profile: String,
    },
    /// Make an OCI image, in one file
    ///
    /// It takes the place of an earlier one. The checksums of an earlier release (SHA256SUMS) are removed from the folder
    /// once the programs are built: they would be of another image. Checksums of other files stay.
    Image(Made),
    /// Make everything that is published, and publish nothing
    ///
    /// Files of an earlier release are removed from the folder once the programs are built; a folder that holds anything
    /// else is refused.
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
    Check {
        /// The tag, such as v1.2.3
        tag: String,
    },
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
        Release::Image(made) => {
            let roots = made.roots()?;
            // They would be of another image.
            archive::forget_checksums(&made.out)?;
            made.image(&roots)
        }
        Release::All { made, tag } => all(&made, tag.as_deref()),
        Release::Tools => {
            println!("{}", tools::installed()?.display());
            Ok(())
        }
        Release::Check { tag } => version::of_release(&tag),
    }
}

impl Made {
    /// The root folder of the image for each architecture.
    fn roots(&self) -> Result<Vec<(Arch, PathBuf)>> {
        let mut roots = Vec::new();
        for arch in &self.arch {
            let root = project().join("target/image").join(arch.name());
            programs::root(*arch, &self.profile, &root)?;
            roots.push((*arch, root));
        }
        Ok(roots)
    }

    fn image(&self, roots: &[(Arch, PathBuf)]) -> Result<()> {
        fs::create_dir_all(&self.out)?;
        let file = self.out.join(format!("concierge-{}.oci.tar", version::VERSION));
        image::write(roots, &file)?;
        made(&file)
    }
}

fn all(made_of: &Made, tag: Option<&str>) -> Result<()> {
    match tag {
        Some(tag) => version::of_release(tag)?,
        None => version::agreed()?,
    }
    let earlier = folder::made_before(&made_of.out, archive::is_of_release)?;
    let are_ours = archive::are_checksums_ours(&made_of.out)?;
    ensure!(
        are_ours,
        "{} has checksums of other files: name another folder with --out",
        made_of.out.display()
    );
    let roots = made_of.roots()?;
    folder::remove(&earlier)?;
    made_of.image(&roots)?;
    for (arch, root) in roots {
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

#[cfg(test)]
mod tests {
    use std::env;

    use clap::CommandFactory;

    use super::*;

    /// A folder of this test with these files.
    fn folder(name: &str, files: &[&str]) -> PathBuf {
        let folder = env::temp_dir().join(format!("{name}-{}", std::process::id()));
        for file in files {
            let file = folder.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "kept").unwrap();
        }
        folder
    }

    #[test]
    fn what_others_put_into_a_folder_is_named_and_stays() {
        for (name, stranger) in [
            ("text", "thesis.txt"),
            ("source", "concierge-src.tar.gz"),
            ("deep", "concierge-1.2.3.oci.tar/thesis.txt"),
        ] {
            let folder = folder(&format!("all-{name}"), &[stranger, "SHA256SUMS"]);
            let made = Made { arch: vec![Arch::Amd64], out: folder.clone(), profile: "release".to_owned() };
            let refused = all(&made, None).unwrap_err().to_string();
            assert!(refused.contains(stranger.split('/').next().unwrap()), "{refused}");
            assert!(folder.join(stranger).exists() && folder.join("SHA256SUMS").exists(), "{stranger}");
            fs::remove_dir_all(folder).unwrap();
        }
        let out = folder("all-sums", &["SHA256SUMS"]);
        let made = Made { arch: vec![Arch::Amd64], out: out.clone(), profile: "release".to_owned() };
        assert!(all(&made, None).unwrap_err().to_string().contains("checksums of other files"));
        assert_eq!(fs::read_to_string(out.join("SHA256SUMS")).unwrap(), "kept");
        fs::remove_dir_all(out).unwrap();
        for (name, stranger) in
            [("root-text", "thesis.txt"), ("root-bin", "usr/local/bin/sh"), ("root-file", "etc")]
        {
            let folder = folder(name, &[stranger, "usr/local/bin/concierge-webhook"]);
            let refused = programs::root(Arch::Amd64, "release", &folder).unwrap_err().to_string();
            assert!(refused.contains(stranger), "{refused}");
            assert!(folder.join(stranger).exists(), "{stranger}");
            fs::remove_dir_all(folder).unwrap();
        }
    }

    #[test]
    fn files_of_an_earlier_release_give_way() {
        let version = version::VERSION;
        let files = [
            format!("concierge-{version}.oci.tar"),
            "concierge-0.0.9-rc.1-linux-arm64.tar.gz".to_owned(),
            "concierge-chart-0.0.9.tgz".to_owned(),
            format!("concierge-{version}.cdx.json"),
            "SHA256SUMS".to_owned(),
        ];
        let folder = folder("earlier", &files.each_ref().map(String::as_str));
        folder::remove(&folder::made_before(&folder, archive::is_of_release).unwrap()).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
        fs::remove_dir(&folder).unwrap();
        assert!(
            folder::made_before(&folder, archive::is_of_release).unwrap().is_empty(),
            "it need not be there"
        );
    }

    #[test]
    fn help_tells_of_every_argument_and_fits_80_columns() {
        let mut release = Release::command();
        release.build();
        let commands: Vec<_> =
            release.get_subcommands().filter(|one| one.get_name() != "help").cloned().collect();
        assert!(commands.len() > 4);
        for mut command in commands.into_iter().chain([release]) {
            let silent = command.get_arguments().find(|arg| arg.get_help().is_none());
            assert!(silent.is_none(), "{}: {silent:?}", command.get_name());
            let text = command.render_long_help().to_string();
            assert_eq!(text.lines().find(|line| line.chars().count() > 80), None, "{text}");
        }
    }
}
