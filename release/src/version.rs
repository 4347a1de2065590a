//! The version, which is Cargo's; the chart and CHANGELOG.md have to agree.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};

use crate::project;

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
const UNRELEASED: &str = "Unreleased";

/// Files for users that name the version, and what stands before it each time.
const NAMED: [(&str, &str); 9] = [
    ("docs/ci/github.yaml", "version="),
    ("docs/ci/gitlab.yaml", "version="),
    ("docs/checking.md", "rev: v"),
    ("docs/install.md", "dist/concierge-"),
    ("docs/install.md", "oci.tar:"),
    ("docs/install.md", "REGISTRY/concierge:"),
    ("docs/install.md", "--version "),
    ("release/archive.md", "--version "),
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
        let mut named = text.split(before).skip(1).peekable();
        ensure!(named.peek().is_some(), "{file} names no version behind `{before}`");
        let other = named.find(|rest| !begins_with_version(rest, VERSION));
        let other = other.and_then(|rest| rest.lines().next()).map(|rest| format!("{before}{rest}"));
        ensure!(other.is_none(), "{file} has `{}`, the version is {VERSION}", other.unwrap_or_default());
    }
    let head = changes()?;
    let known = head == UNRELEASED || head.starts_with(&format!("{VERSION} "));
    ensure!(
        known,
        "CHANGELOG.md begins with `{head}`, which is neither `{UNRELEASED}` nor {VERSION} and its date"
    );
    Ok(())
}

/// Whether `text` begins with `version`, and not with one that goes on: 0.1.0 is neither 0.1.01 nor 0.1.0-rc.1.
fn begins_with_version(text: &str, version: &str) -> bool {
    text.strip_prefix(version).is_some_and(|rest| {
        let goes_on = |rest: &str| rest.starts_with(|c: char| c.is_ascii_digit());
        !goes_on(rest) && !rest.strip_prefix('.').is_some_and(goes_on) && !rest.starts_with("-rc")
    })
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
        let same =
            [("0.1.0.oci.tar", "0.1.0"), ("1.20.3\n", "1.20.3"), ("0.2.0-rc.1-linux-amd64", "0.2.0-rc.1")];
        assert!(same.iter().all(|(text, version)| begins_with_version(text, version)));
        let others =
            [("0.1.01", "0.1.0"), ("0.1.0.1", "0.1.0"), ("0.2.0-rc.1", "0.2.0"), ("VERSION", "0.1.0")];
        assert!(!others.iter().any(|(text, version)| begins_with_version(text, version)));
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
