//! The archives of a release, and their checksums.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    folder::Entry,
    pages,
    programs::{Arch, BIN, PROGRAMS},
    project,
    tarball::{Tarball, gzip, sha256},
    tools,
    version::{VERSION, time},
};

const CHECKSUMS: &str = "SHA256SUMS";
/// What an archive of programs holds to be read.
const TEXTS: [&str; 3] = ["LICENSE", "README.md", "CHANGELOG.md"];

/// Whether it is named as what a release has, of whatever version.
pub(crate) fn is_of_release(entry: Entry<'_>) -> bool {
    let Entry::File(path) = entry else { return false };
    let Some(name) = path.to_str() else { return false };
    let is_named = |before: &str, ends: &[&str]| {
        let rest = name.strip_prefix(before).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        rest.is_some_and(|rest| ends.iter().any(|end| rest.ends_with(end)))
    };
    name == CHECKSUMS
        || is_named("concierge-chart-", &[".tgz"])
        || is_named("concierge-", &[".oci.tar", ".tar.gz", ".cdx.json"])
}

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
    for file in TEXTS {
        fs::write(folder.join(file), with_whole_links(&fs::read_to_string(project().join(file))?))?;
    }
    write(&folder, &format!("{name}/"), &out.join(format!("{name}.tar.gz")), |_| false)
}

/// `text` with its links to what is not in the archive leading to the sources of this version.
fn with_whole_links(text: &str) -> String {
    let sources = format!("{}/blob/v{VERSION}/", env!("CARGO_PKG_REPOSITORY"));
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let target = part.split(')').next().unwrap_or_default();
        let leads_there = target.contains("://") || target.starts_with('#') || TEXTS.contains(&target);
        text + "](" + if leads_there { "" } else { &sources } + part
    })
}

/// The chart, as `helm package` packs it.
pub(crate) fn chart(out: &Path) -> Result<PathBuf> {
    let (file, chart) =
        (out.join(format!("concierge-chart-{VERSION}.tgz")), project().join("charts/concierge"));
    let ignored = fs::read_to_string(chart.join(".helmignore"))?;
    write(&chart, "concierge/", &file, |name| is_ignored(&ignored, name))
}

/// Whether a file or folder of this name is one of .helmignore's, whose patterns are names, or `*` and how a name ends.
fn is_ignored(patterns: &str, name: &str) -> bool {
    let matches = |pattern: &str| {
        let pattern = pattern.trim_end_matches('/');
        pattern.strip_prefix('*').map_or(pattern == name, |end| !end.is_empty() && name.ends_with(end))
    };
    patterns.lines().any(matches)
}

fn write(
    folder: &Path,
    prefix: &str,
    file: &Path,
    left_out: impl Fn(&str) -> bool + Copy,
) -> Result<PathBuf> {
    let mut tarball = Tarball::new(gzip(fs::File::create(file)?), time()?);
    tarball.folder_but(left_out, prefix, folder)?;
    tarball.end()?.finish()?;
    Ok(file.to_owned())
}

/// Removes the checksums of what was in `out`.
pub(crate) fn forget_checksums(out: &Path) -> Result<()> {
    match fs::remove_file(out.join(CHECKSUMS)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_fetches_an_archive_by_the_name_that_it_has() {
        for file in ["docs/ci/github.yaml", "docs/ci/gitlab.yaml"] {
            let text = fs::read_to_string(project().join(file)).unwrap().replace("$version", VERSION);
            let name = format!("concierge-{VERSION}-linux-amd64");
            let release = format!("{}/releases/download/v{VERSION}", env!("CARGO_PKG_REPOSITORY"));
            for wanted in [
                format!("{release}/{name}.tar.gz"),
                format!("{release}/{CHECKSUMS}"),
                format!("\"{name}/{}\"", PROGRAMS[0]),
            ] {
                assert!(text.contains(&wanted), "{file} lacks {wanted}");
            }
        }
    }

    #[test]
    fn what_helm_leaves_out_of_a_chart_is_left_out() {
        let patterns = fs::read_to_string(project().join("charts/concierge/.helmignore")).unwrap();
        for ignored in [".git", ".DS_Store", "values.yaml~", "Chart.yaml.orig", "old.tgz"] {
            assert!(is_ignored(&patterns, ignored), "{ignored}");
        }
        for packed in ["Chart.yaml", "templates", "values.schema.json", "gitlab.yaml"] {
            assert!(!is_ignored(&patterns, packed), "{packed}");
        }
    }

    #[test]
    fn checksums_of_another_image_are_removed() {
        let folder = std::env::temp_dir().join(format!("checksums-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(CHECKSUMS), "").unwrap();
        for _ in 0..2 {
            forget_checksums(&folder).unwrap();
            assert!(!folder.join(CHECKSUMS).exists());
        }
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn every_link_of_a_text_in_an_archive_leads_somewhere() {
        let mut whole = 0;
        for file in TEXTS {
            let text = with_whole_links(&fs::read_to_string(project().join(file)).unwrap());
            for target in text.split("](").skip(1).map(|part| part.split(')').next().unwrap()) {
                let path = target.strip_prefix(env!("CARGO_PKG_REPOSITORY"));
                let path = path.and_then(|path| path.strip_prefix(&format!("/blob/v{VERSION}/")));
                let exists = |path: &str| project().join(path.split('#').next().unwrap()).exists();
                let is_there = path.is_some_and(exists) || TEXTS.contains(&target) || target.starts_with('#');
                assert!(is_there || target.contains("://") && path.is_none(), "{file}: {target}");
                whole += usize::from(path.is_some());
            }
        }
        assert!(whole > 8, "only {whole} links lead to the sources");
    }
}
