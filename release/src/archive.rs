//! The archives of a release, and their checksums.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    pages,
    programs::{Arch, BIN, PROGRAMS},
    project,
    tarball::{Tarball, gzip, sha256},
    tools,
    version::{VERSION, time},
};

const CHECKSUMS: &str = "SHA256SUMS";

/// Programs, man pages and completions for one architecture.
pub(crate) fn programs(arch: Arch, root: &Path, out: &Path) -> Result<PathBuf> {
    let name = format!("concierge-{VERSION}-linux-{}", arch.name());
    let folder = project().join("target/image").join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    pages::write(&folder.join("man/man1"), &folder.join("completions"))?;
    for program in PROGRAMS {
        fs::copy(root.join(BIN).join(program), folder.join(program))?;
    }
    for file in ["LICENSE", "README.md", "CHANGELOG.md"] {
        fs::copy(project().join(file), folder.join(file))?;
    }
    write(&folder, &format!("{name}/"), &out.join(format!("{name}.tar.gz")))
}

/// The chart, as `helm package` packs it.
pub(crate) fn chart(out: &Path) -> Result<PathBuf> {
    let file = out.join(format!("concierge-chart-{VERSION}.tgz"));
    write(&project().join("charts/concierge"), "concierge/", &file)
}

fn write(folder: &Path, prefix: &str, file: &Path) -> Result<PathBuf> {
    let mut tarball = Tarball::new(gzip(fs::File::create(file)?), time()?);
    tarball.folder(prefix, folder)?;
    tarball.end()?.finish()?;
    Ok(file.to_owned())
}

/// Writes the checksums of what is in `out`, and lets sha256sum read them.
pub(crate) fn checksums(out: &Path) -> Result<PathBuf> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(out)? {
        let entry = entry?;
        let name = entry.file_name().into_string().ok().context("an odd name")?;
        lines.push(format!("{}  {name}\n", sha256(&fs::read(entry.path())?)));
    }
    lines.sort_by(|one, other| one[64..].cmp(&other[64..]));
    let file = out.join(CHECKSUMS);
    fs::write(&file, lines.concat())?;
    tools::run(
        Command::new("sha256sum").args(["--check", "--strict", "--quiet", CHECKSUMS]).current_dir(out),
    )?;
    Ok(file)
}
