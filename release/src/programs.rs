//! Both programs for an architecture, and the root folder of its image.
//!
//! They are linked statically with musl, so that an image needs nothing else, and compiled by one compiler for C
//! (zig's, from PyPI) on every machine. Nothing in them tells of the machine that built them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    folder::{self, Entry},
    project, tools, version,
};

pub(crate) const PROGRAMS: [&str; 2] = ["concierge-webhook", "concierge-reconciler"];
/// Where the programs are in an image.
pub(crate) const BIN: &str = "usr/local/bin";
const LICENSE: &str = "usr/share/doc/concierge/LICENSE";
const AUTHORITIES: &str = "etc/ssl/certs/ca-certificates.crt";
/// Some libraries ask for a user's name and home.
const USERS: [(&str, &str); 2] = [
    ("etc/passwd", "root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n"),
    ("etc/group", "root:x:0:\nnonroot:x:65532:\n"),
];

/// An architecture that images are for, as Go and OCI call it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Arch {
    Amd64,
    Arm64,
}

impl Arch {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Arch::Amd64 => "amd64",
            Arch::Arm64 => "arm64",
        }
    }

    pub(crate) fn target(self) -> &'static str {
        match self {
            Arch::Amd64 => "x86_64-unknown-linux-musl",
            Arch::Arm64 => "aarch64-unknown-linux-musl",
        }
    }
}

/// Fills the folder `root` with what an image for `arch` holds.
pub(crate) fn root(arch: Arch, profile: &str, root: &Path) -> Result<()> {
    let earlier = folder::made_before(root, is_of_root)?;
    let tools = tools::installed()?;
    let built = build(arch, profile, &tools)?;
    folder::remove(&earlier)?;
    for program in PROGRAMS {
        copy(&built.join(program), &root.join(BIN).join(program))?;
    }
    copy(&project().join("LICENSE"), &root.join(LICENSE))?;
    copy(&authorities(&tools)?, &root.join(AUTHORITIES))?;
    for (file, text) in USERS {
        write(&root.join(file), text.as_bytes())?;
    }
    Ok(())
}

/// Whether it is in what [`root`] fills.
fn is_of_root(entry: Entry<'_>) -> bool {
    let programs = PROGRAMS.map(|program| format!("{BIN}/{program}"));
    let others = [LICENSE, AUTHORITIES].into_iter().chain(USERS.map(|(file, _)| file));
    let mut files = programs.iter().map(String::as_str).chain(others).map(Path::new);
    match entry {
        Entry::File(path) => files.any(|file| file == path),
        Entry::Folder(path) => files.any(|file| file.starts_with(path)),
    }
}

/// Compiles the programs; where they are then.
fn build(arch: Arch, profile: &str, tools: &Path) -> Result<PathBuf> {
    if has_rustup() {
        tools::run(Command::new("rustup").args(["--quiet", "target", "add", arch.target()]))?;
    }
    let mut cargo = Command::new("cargo");
    cargo.args(["zigbuild", "--profile", profile, "--locked", "--target", arch.target()]);
    cargo.args(PROGRAMS.iter().flat_map(|program| ["--package", program]));
    cargo
        .current_dir(project())
        .env("PATH", tools::path_with(tools)?)
        .env("CARGO_ENCODED_RUSTFLAGS", flags()?);
    cargo.env("SOURCE_DATE_EPOCH", version::time()?.to_string());
    // `cargo run` tells us about our own package; build scripts would take it for theirs.
    for (name, _) in
        env::vars().filter(|(name, _)| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
    {
        cargo.env_remove(name);
    }
    tools::run(&mut cargo)?;
    Ok(target_folder().join(arch.target()).join(profile))
}

fn has_rustup() -> bool {
    Command::new("rustup").arg("--version").output().is_ok_and(|output| output.status.success())
}

fn target_folder() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| project().join("target"), PathBuf::from)
}

/// Messages of panics name source files: as in every other place where this is built.
fn flags() -> Result<String> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    let home = home.context("neither CARGO_HOME nor HOME is set")?;
    let (sources, name) = standard_library()?;
    let from = [(fs::canonicalize(project())?, "/concierge"), (home, "/cargo"), (sources, name.as_str())];
    Ok(from.map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display())).join("\x1f"))
}

/// Where the sources of the standard library are when they are installed, and what they are called when they are not.
fn standard_library() -> Result<(PathBuf, String)> {
    let rustc =
        |arguments: &[&str]| tools::said(Command::new("rustc").args(arguments).current_dir(project()));
    let version = rustc(&["--version", "--verbose"])?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let commit = commit.context("rustc does not say which commit it is of")?;
    let sysroot = rustc(&["--print", "sysroot"])?;
    Ok((Path::new(sysroot.trim()).join("lib/rustlib/src/rust"), format!("/rustc/{commit}")))
}

/// The certificates of Mozilla's program, as certifi packs them: the reconciler trusts them when it calls a service.
fn authorities(tools: &Path) -> Result<PathBuf> {
    let bundle = tools::said(Command::new(tools.join("python")).args(["-m", "certifi"]))?;
    Ok(PathBuf::from(bundle.trim()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().context("no folder")?)?;
    fs::copy(from, to).with_context(|| format!("can't copy {}", from.display()))?;
    Ok(())
}

fn write(to: &Path, bytes: &[u8]) -> Result<()> {
    fs::create_dir_all(to.parent().context("no folder")?)?;
    Ok(fs::write(to, bytes)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: &str = "fn main() {
        let mut map: std::collections::BTreeMap<String, usize> = std::env::args().zip(0..).collect();
        while let Some((name, at)) = map.pop_first() { println!(\"{name} {at}\"); }
    }";

    #[test]
    fn no_path_of_this_machine_is_in_a_program() {
        let folder = env::temp_dir().join(format!("flags-{}", std::process::id()));
        write(&folder.join("main.rs"), PROGRAM.as_bytes()).unwrap();
        let mut rustc = Command::new("rustc");
        rustc.args(["-O", "-C", "strip=symbols", "main.rs"]).current_dir(&folder);
        tools::run(rustc.args(flags().unwrap().split('\x1f'))).unwrap();
        let program = String::from_utf8_lossy(&fs::read(folder.join("main")).unwrap()).into_owned();
        let (sources, name) = standard_library().unwrap();
        assert!(program.contains(&format!("{name}/library")), "it names files of the standard library");
        assert!(!program.contains(&*sources.to_string_lossy()), "{}", sources.display());
        fs::remove_dir_all(folder).unwrap();
    }
}
