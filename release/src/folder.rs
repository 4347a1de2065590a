//! Folders for what is made: what somebody else has put there stays.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, ensure};

/// An entry of a folder, with its path in it.
pub(crate) enum Entry<'a> {
    File(&'a Path),
    Folder(&'a Path),
}

/// The files that an earlier run has left in `folder`; `is_made` knows what is made there.
///
/// # Errors
/// When there is anything else.
pub(crate) fn made_before(folder: &Path, is_made: fn(Entry<'_>) -> bool) -> Result<Vec<PathBuf>> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(one) = folders.pop() {
        let entries = match fs::read_dir(&one) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries.with_context(|| format!("can't read {}", one.display()))?,
        };
        for entry in entries {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            let within = path.strip_prefix(folder)?;
            let (list, known) = match kind.is_dir() {
                true => (&mut folders, is_made(Entry::Folder(within))),
                false => (&mut found, kind.is_file() && is_made(Entry::File(within))),
            };
            ensure!(
                known,
                "{} holds {}, which is not made here: name another folder with --out, or remove it",
                folder.display(),
                within.display()
            );
            list.push(path);
        }
    }
    Ok(found)
}

pub(crate) fn remove(files: &[PathBuf]) -> Result<()> {
    Ok(files.iter().try_for_each(fs::remove_file)?)
}
