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
/// What an archive of programs holds to be read: what it is called there, and where it is in the sources, whose own README.md is about
/// what is there.
const TEXTS: [(&str, &str); 3] =
    [("LICENSE", "LICENSE"), ("README.md", "release/archive.md"), ("CHANGELOG.md", "CHANGELOG.md")];

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
    fill(&folder, root)?;
    write(&folder, &format!("{name}/"), &out.join(format!("{name}.tar.gz")), |_| false)
}

/// Puts what an archive of programs holds into `folder`; the programs are those in `root`.
fn fill(folder: &Path, root: &Path) -> Result<()> {
    pages::write(&folder.join("man/man1"), &folder.join("completions"))?;
    for program in PROGRAMS {
        fs::copy(root.join(BIN).join(program), folder.join(program))?;
    }
    for (name, source) in TEXTS {
        fs::write(folder.join(name), with_whole_links(&fs::read_to_string(project().join(source))?))?;
    }
    Ok(())
}

/// `text` with its links to what is not in the archive leading to the sources of this version.
fn with_whole_links(text: &str) -> String {
    let sources = format!("{}/blob/v{VERSION}/", env!("CARGO_PKG_REPOSITORY"));
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let target = part.split(')').next().unwrap_or_default();
        let leads_there = target.contains("://") || target.starts_with('#');
        text + "]("
            + &match leads_there || TEXTS.iter().any(|(name, _)| *name == target) {
                true => part.to_owned(),
                false => sources.clone() + part.trim_start_matches("../"),
            }
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

/// Whether the checksums in `out`, if there are any, are of an earlier release.
pub(crate) fn are_checksums_ours(out: &Path) -> Result<bool> {
    match fs::read(out.join(CHECKSUMS)) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).lines().all(is_of_ours)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error).with_context(|| format!("can't read {CHECKSUMS} in {}", out.display())),
    }
}

fn is_of_ours(checksum: &str) -> bool {
    checksum.split_once("  ").is_some_and(|(_, name)| is_of_release(Entry::File(Path::new(name))))
}

/// Removes the checksums of what was in `out`, unless they are somebody else's.
pub(crate) fn forget_checksums(out: &Path) -> Result<()> {
    match are_checksums_ours(out)?.then(|| fs::remove_file(out.join(CHECKSUMS))) {
        Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
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
    fn checksums_of_another_image_are_removed_and_those_of_others_stay() {
        let folder = folder("checksums");
        let hash = "0".repeat(64);
        let ours = format!("{hash}  concierge-0.0.9.oci.tar\n{hash}  concierge-chart-0.0.9.tgz\n");
        for text in [ours.clone(), String::new()] {
            fs::write(folder.join(CHECKSUMS), text).unwrap();
            for _ in 0..2 {
                assert!(are_checksums_ours(&folder).unwrap());
                forget_checksums(&folder).unwrap();
                assert!(!folder.join(CHECKSUMS).exists());
            }
        }
        for text in ["kept".to_owned(), format!("{ours}{hash}  thesis.pdf\n")] {
            fs::write(folder.join(CHECKSUMS), &text).unwrap();
            assert!(!are_checksums_ours(&folder).unwrap());
            forget_checksums(&folder).unwrap();
            assert_eq!(fs::read_to_string(folder.join(CHECKSUMS)).unwrap(), text);
        }
        fs::remove_dir_all(folder).unwrap();
    }

    /// A folder of this test.
    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// What an archive of programs holds, with stand-ins for these.
    fn listed() -> Vec<String> {
        let here = folder("archive");
        let (root, filled) = (here.join("root"), here.join("filled"));
        fs::create_dir_all(root.join(BIN)).unwrap();
        PROGRAMS.iter().for_each(|program| fs::write(root.join(BIN).join(program), "").unwrap());
        fill(&filled, &root).unwrap();
        let archive = write(&filled, "", &here.join("a.tar.gz"), |_| false).unwrap();
        let list = tools::said(Command::new("tar").arg("-tzf").arg(archive)).unwrap();
        fs::remove_dir_all(here).unwrap();
        list.lines().map(str::to_owned).collect()
    }

    #[test]
    fn an_archive_holds_what_its_readme_and_the_docs_tell_of() {
        let listed = listed();
        let names = |folder: &str| {
            let within = listed.iter().filter_map(|path| path.strip_prefix(folder));
            within.filter(|path| !path.is_empty()).map(str::to_owned).collect::<Vec<_>>()
        };
        let top: Vec<_> = names("")
            .into_iter()
            .filter(|path| path.find('/').is_none_or(|at| at + 1 == path.len()))
            .collect();
        let expected =
            ["CHANGELOG.md", "LICENSE", "README.md", "completions/", PROGRAMS[1], PROGRAMS[0], "man/"];
        assert_eq!(top, expected);
        assert_eq!(names("completions/").len(), 10, "for each program one of five shells");
        assert!(names("man/man1/").contains(&"concierge-webhook-check.1".to_owned()), "{listed:?}");
        for text in ["release/archive.md", "docs/checking.md"] {
            let text = fs::read_to_string(project().join(text)).unwrap();
            let words = text.split(|c: char| c.is_whitespace() || "`,;()".contains(c));
            let told: Vec<_> = words.filter(|word| word.starts_with("completions/")).collect();
            assert!(
                !told.is_empty() && told.iter().all(|word| listed.iter().any(|path| path == word)),
                "{told:?}"
            );
        }
    }

    #[test]
    fn the_readme_of_an_archive_promises_nothing_that_only_the_sources_have() {
        let text = fs::read_to_string(project().join("release/archive.md")).unwrap();
        for lacking in ["make ", "cargo ", " charts/", "--path", " examples/"] {
            assert!(!text.contains(lacking), "{lacking}");
        }
    }

    #[test]
    fn every_link_of_a_text_in_an_archive_leads_somewhere() {
        let mut whole = 0;
        for (_, file) in TEXTS {
            let text = with_whole_links(&fs::read_to_string(project().join(file)).unwrap());
            for target in text.split("](").skip(1).map(|part| part.split(')').next().unwrap()) {
                let path = target.strip_prefix(env!("CARGO_PKG_REPOSITORY"));
                let path = path.and_then(|path| path.strip_prefix(&format!("/blob/v{VERSION}/")));
                let exists = |path: &str| project().join(path.split('#').next().unwrap()).exists();
                let is_text = TEXTS.iter().any(|(name, _)| *name == target);
                let is_there = path.is_some_and(exists) || is_text || target.starts_with('#');
                assert!(is_there || target.contains("://") && path.is_none(), "{file}: {target}");
                whole += usize::from(path.is_some());
            }
        }
        assert!(whole > 4, "only {whole} links lead to the sources");
    }
}
