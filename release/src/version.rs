//! The version, which is Cargo's; the chart and CHANGELOG.md have to agree.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};

use crate::project;

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
const UNRELEASED: &str = "Unreleased";

/// Files for users that name the version, and what stands before it each time.
const NAMED: [(&str, &str); 8] = [
    ("docs/ci/github.yaml", "version="),
    ("docs/ci/gitlab.yaml", "version="),
    ("docs/checking.md", "rev: v"),
    ("docs/install.md", "dist/concierge-"),
    ("docs/install.md", "oci.tar:"),
    ("docs/install.md", "REGISTRY/concierge:"),
    ("docs/install.md", "--version "),
    ("Dockerfile", "--build-arg VERSION="),
];

/// Whether all places name one version. What is not released yet may stand in CHANGELOG.md as such.
pub(crate) fn agreed() -> Result<()> {
    let chart = read("charts/concierge/Chart.yaml")?;
    for field in ["version", "appVersion"] {
        let line = format!("{field}: {VERSION}");
        ensure!(chart.lines().any(|one| one == line), "Chart.yaml lacks the line `{line}`");
    }
    for (file, before) in NAMED {
        let text = read(file)?;
        let named: Vec<_> = text.split(before).skip(1).map(version_at_start).collect();
        ensure!(!named.is_empty(), "{file} names no version behind `{before}`");
        let other = named.iter().find(|version| **version != VERSION);
        ensure!(other.is_none(), "{file} has `{before}{}`, the version is {VERSION}", other.unwrap_or(&""));
    }
    let head = changes()?;
    let known = head == UNRELEASED || head.starts_with(&format!("{VERSION} "));
    ensure!(
        known,
        "CHANGELOG.md begins with `{head}`, which is neither `{UNRELEASED}` nor {VERSION} and its date"
    );
    Ok(())
}

/// The version with which `text` begins.
fn version_at_start(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

/// Whether `tag` is the version, and CHANGELOG.md has closed it.
pub(crate) fn of_release(tag: &str) -> Result<()> {
    agreed()?;
    ensure!(
        tag == format!("v{VERSION}"),
        "the tag is `{tag}`, the version is `v{VERSION}`: see docs/releasing.md"
    );
    let head = changes()?;
    ensure!(head != UNRELEASED, "CHANGELOG.md still begins with `{UNRELEASED}`: see docs/releasing.md");
    Ok(())
}

/// When the sources were changed last, in seconds since 1970: the time of all that is made of them.
pub(crate) fn time() -> Result<u64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().context("SOURCE_DATE_EPOCH is no number"),
        Err(_) => {
            Ok(git(&["log", "-1", "--format=%ct"]).and_then(|text| text.parse().ok()).unwrap_or_default())
        }
    }
}

/// The commit, where there is one.
pub(crate) fn revision() -> String {
    git(&["rev-parse", "HEAD"]).unwrap_or_default()
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).current_dir(project()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

/// What the first heading of CHANGELOG.md says.
fn changes() -> Result<String> {
    let text = read("CHANGELOG.md")?;
    let head =
        text.lines().find_map(|line| line.strip_prefix("## ")).context("CHANGELOG.md has no heading")?;
    Ok(head.to_owned())
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(project().join(file)).with_context(|| format!("can't read {file}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cargo_chart_docs_and_changelog_name_one_version() {
        agreed().unwrap();
    }

    #[test]
    fn a_version_ends_where_a_file_name_goes_on() {
        for (text, version) in [("0.1.0.oci.tar", "0.1.0"), ("1.20.3\n", "1.20.3"), ("VERSION", "")] {
            assert_eq!(version_at_start(text), version);
        }
    }

    #[test]
    fn one_compiler_is_named_everywhere() {
        let version = env!("CARGO_PKG_RUST_VERSION");
        assert!(read("Dockerfile").unwrap().contains(&format!(" rust:{version}-")));
        let workflow = read(".github/workflows/release.yml").unwrap();
        assert!(workflow.contains(&format!("RUST: \"{version}\"")), "{workflow}");
    }

    #[test]
    fn a_tag_that_is_not_the_version_is_refused() {
        for tag in ["v99.0.0", VERSION, ""] {
            assert!(of_release(tag).is_err(), "{tag}");
        }
    }
}
