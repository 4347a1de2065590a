//! Programs from PyPI, in a folder of their own under target/.

use std::{
    env,
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};

use crate::project;

const PINNED: &str = "release/requirements.txt";

/// The folder with the programs of requirements.txt, which are fetched when they are not there.
pub(crate) fn installed() -> Result<PathBuf> {
    let (folder, pinned) = (project().join("target/release-tools"), project().join(PINNED));
    // Tests ask for them side by side.
    let lock = project().join("target/release-tools.lock");
    let lock = created(&lock).with_context(|| format!("can't write {}", lock.display()))?;
    lock.lock()?;
    let (stamp, wanted) = (folder.join("requirements.txt"), fs::read_to_string(&pinned)?);
    if fs::read_to_string(&stamp).is_ok_and(|found| found == wanted) {
        return Ok(folder.join("bin"));
    }
    run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&folder))?;
    let pip = [
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "--requirement",
    ];
    run(Command::new(folder.join("bin/python")).args(pip).arg(&pinned))?;
    fs::write(stamp, wanted)?;
    Ok(folder.join("bin"))
}

/// The file, in a folder that may not be there yet.
fn created(file: &Path) -> io::Result<fs::File> {
    file.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::File::create(file)
}

/// PATH with `folder` before everything.
pub(crate) fn path_with(folder: &Path) -> Result<OsString> {
    let path = env::var_os("PATH").unwrap_or_default();
    Ok(env::join_paths([folder.to_owned()].into_iter().chain(env::split_paths(&path)))?)
}

/// Runs `command`, which has to succeed.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_owned();
    let status = command.status().with_context(|| format!("can't run {}", name.display()))?;
    ensure!(status.success(), "{} failed ({status})", name.display());
    Ok(())
}

/// What `command` prints, which has to succeed.
pub(crate) fn said(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_owned();
    let output = command.output().with_context(|| format!("can't run {}", name.display()))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed ({}): {errors}", name.display(), output.status);
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_there_or_fails_is_named() {
        for wrong in [run(&mut Command::new("no-rustc")), said(&mut Command::new("no-rustc")).map(drop)] {
            assert!(format!("{:#}", wrong.unwrap_err()).starts_with("can't run no-rustc: No such file"));
        }
        let failed = said(Command::new("sh").args(["-c", "echo why >&2; exit 3"])).unwrap_err().to_string();
        assert!(failed.starts_with("sh failed") && failed.contains("why"), "{failed}");
    }
}
