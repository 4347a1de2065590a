//! Volumes: what has a name is kept, what has none is empty at first, and folders of the host are not there.

use concierge_shared::common::names::is_namespace;

use super::file::Mount;

/// What is mounted.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Volume {
    Named {
        name: String,
        target: String,
        read_only: bool,
    },
    Empty {
        target: String,
    },
    /// A folder of the host.
    Host,
}

pub(super) fn read(mount: &Mount) -> Result<Volume, String> {
    let (kind, source, target, read_only) = match mount {
        Mount::Short(text) => short(text),
        Mount::Long(long) => (
            long.kind.as_ref().map(|kind| kind.value.as_str()),
            long.source.as_ref().map(|source| source.value.as_str()),
            long.target.value.as_str(),
            long.read_only,
        ),
    };
    let target = target.to_owned();
    if !target.starts_with('/') {
        return Err("is mounted at no absolute path; write NAME:/PATH".into());
    }
    match (kind, source) {
        (Some("bind" | "npipe"), _) => Ok(Volume::Host),
        (Some("tmpfs"), _) | (None | Some("volume"), None) => Ok(Volume::Empty { target }),
        (None | Some("volume"), Some(source)) if source.starts_with(['.', '/', '~']) => Ok(Volume::Host),
        (None | Some("volume"), Some(source)) if is_namespace(source) => {
            Ok(Volume::Named { name: source.to_owned(), target, read_only })
        }
        (None | Some("volume"), Some(_)) => {
            Err("has a name that no claim can have; use small letters, digits and '-'".into())
        }
        (Some(_), _) => Err("is of a type that no environment has; use volume or tmpfs".into()),
    }
}

fn short(text: &str) -> (Option<&str>, Option<&str>, &str, bool) {
    match text.split(':').collect::<Vec<_>>()[..] {
        [target] => (None, None, target, false),
        [source, target] => (None, Some(source), target, false),
        [source, target, options, ..] => {
            (None, Some(source), target, options.split(',').any(|one| one == "ro"))
        }
        [] => (None, None, "", false),
    }
}
