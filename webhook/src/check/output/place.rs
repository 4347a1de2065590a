//! Where a report goes. A file is replaced as a whole or stays as it was; a pipe or a device is written to.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::{FileTypeExt as _, MetadataExt as _, fchown},
    },
    path::{Path, PathBuf},
};

use crate::check::files::{FileId, Inputs, id};

/// How many links a path may lead through, as for the kernel.
const LINKS: usize = 40;

/// Where something is written.
#[derive(Debug)]
pub(crate) struct Place {
    way: Way,
    /// The file that is there now. For standard output, which the shell has emptied, only a file that it appends to.
    there: Option<FileId>,
}

#[derive(Debug, PartialEq, Eq)]
enum Way {
    Stdout,
    Stderr,
    /// A pipe, a device, or something that is open already and may be written to by others.
    Stream(PathBuf),
    /// The file itself, with no link on the way.
    File(PathBuf),
}

impl Place {
    /// Standard output.
    pub(crate) fn stdout() -> Self {
        let metadata = opened(io::stdout().as_fd());
        Self { way: Way::Stdout, there: metadata.filter(|now| now.len() > 0).as_ref().map(id) }
    }

    /// Where `path` leads, through all links, also to what is not there yet.
    pub(crate) fn of(path: &Path) -> Self {
        let (end, now) = (end(path), fs::metadata(path).ok());
        let is = |stream: BorrowedFd<'_>, number: &str| {
            let open = opened(stream).as_ref().map(id);
            // A character device, such as a terminal or /dev/null, is taken as another output even if standard output goes there too:
            // whoever names it means it.
            let named = now.as_ref().filter(|now| !now.file_type().is_char_device()).map(id);
            end == own_descriptors().join(number) || (named.is_some() && named == open)
        };
        let way = match &now {
            _ if is(io::stdout().as_fd(), "1") => return Self::stdout(),
            _ if is(io::stderr().as_fd(), "2") => Way::Stderr,
            _ if is_descriptor(&end) => Way::Stream(end),
            Some(now) if !now.is_file() => Way::Stream(path.to_owned()),
            _ => Way::File(end),
        };
        Self { way, there: now.as_ref().map(id) }
    }

    pub(crate) fn is_stdout(&self) -> bool {
        self.way == Way::Stdout
    }

    /// Whether both lead to one file, by whatever names.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.way == other.way || (self.there.is_some() && self.there == other.there)
    }

    pub(super) fn is_among(&self, inputs: &Inputs) -> bool {
        self.there.is_some_and(|file| inputs.contains(file))
    }

    pub(super) fn write(&self, text: &str) -> io::Result<()> {
        match &self.way {
            Way::Stdout => io::stdout().write_all(text.as_bytes()),
            Way::Stderr => io::stderr().write_all(text.as_bytes()),
            Way::Stream(path) => OpenOptions::new().append(true).open(path)?.write_all(text.as_bytes()),
            Way::File(path) => replace(path, text),
        }
    }
}

fn opened(stream: BorrowedFd<'_>) -> Option<fs::Metadata> {
    File::from(stream.try_clone_to_owned().ok()?).metadata().ok()
}

/// `path` without links and detours, as far as it exists. What is open has a link too, and that one is kept.
fn end(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    // `reports/` can only be a folder, and a folder can't be written to.
    let links = if path.as_os_str().as_encoded_bytes().ends_with(b"/") { 0 } else { LINKS };
    for _ in 0..links {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let (Ok(folder), Some(name)) = (fs::canonicalize(folder), path.file_name()) else { break };
        let here = folder.join(name);
        match fs::read_link(&here) {
            Ok(target) if !is_descriptor(&here) => path = folder.join(target),
            _ => return here,
        }
    }
    path
}

fn own_descriptors() -> PathBuf {
    fs::canonicalize("/proc/self/fd").unwrap_or_else(|_| PathBuf::from("/dev/fd"))
}

/// Whether `path` is of something open, as `/dev/fd/3` leads to it.
fn is_descriptor(path: &Path) -> bool {
    path.parent().is_some_and(|folder| {
        folder == Path::new("/dev/fd") || (folder.starts_with("/proc") && folder.ends_with("fd"))
    })
}

/// Puts `text` in the place of the file `path`, wholly or not at all: the disk may be full.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // What may not be written to may not be replaced either.
    let old = match OpenOptions::new().write(true).open(path) {
        Ok(file) => Some(file.metadata()?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (new, file) = match create_beside(folder) {
        Err(error) if old.is_some() && is_bound(&error) => return overwrite(path, text),
        created => created?,
    };
    let moved = fill(file, text, old.as_ref()).and_then(|()| fs::rename(&new, path));
    if moved.is_err() {
        let _ = fs::remove_file(&new);
    }
    match moved {
        Err(error) if old.is_some() && is_bound(&error) => overwrite(path, text),
        moved => moved,
    }
}

/// Writes `text` into the file `path` itself. What was there had room, so it can be put back.
fn overwrite(path: &Path, text: &str) -> io::Result<()> {
    let old = fs::read(path).ok();
    let written = OpenOptions::new().write(true).truncate(true).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    if let (Err(_), Some(old)) = (&written, old) {
        let _ = fs::write(path, old);
    }
    written
}

/// Whether a file can only be written where it is: its folder takes no other, or it is mounted there.
fn is_bound(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem | ResourceBusy)
}

/// A new file in `folder` with a name that no check reads.
fn create_beside(folder: &Path) -> io::Result<(PathBuf, File)> {
    let mut number = std::process::id();
    loop {
        let path = folder.join(format!(".concierge-{number}.tmp"));
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number = number.wrapping_add(1),
            created => return created.map(|file| (path, file)),
        }
    }
}

/// Writes `text` to the disk, in a file that whoever used the `old` one can use as well.
fn fill(mut file: File, text: &str, old: Option<&fs::Metadata>) -> io::Result<()> {
    if let Some(old) = old {
        // Not everybody may give files away.
        let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
        file.set_permissions(old.permissions())?;
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}
