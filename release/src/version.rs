//! The version, which is Cargo's; the chart and CHANGELOG.md have to agree.

use std::{fs, process::Command};

use anyhow::{Context, Result, ensure};

use crate::project;

pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
const UNRELEASED: &str = "Unreleased";

/// Whether all places name one version. What is not released yet may stand in CHANGELOG.md as such.
pub(crate) fn agreed() -> Result<()> {
    let chart = read("charts/concierge/Chart.yaml")?;
    for field in ["version", "appVersion"] {
        let line = format!("{field}: {VERSION}");
        ensure!(chart.lines().any(|one| one == line), "Chart.yaml lacks the line `{line}`");
    }
    for file in ["docs/ci/github.yaml", "docs/ci/gitlab.yaml"] {
        let key = format!("concierge-webhook-{VERSION}");
        ensure!(read(file)?.contains(&key), "{file} lacks the cache's key `{key}`");
    }
    let hook = format!("rev: v{VERSION}");
    ensure!(read("docs/checking.md")?.contains(&hook), "docs/checking.md lacks the hook's `{hook}`");
    let head = changes()?;
    let known = head == UNRELEASED || head.starts_with(&format!("{VERSION} "));
    ensure!(
        known,
        "CHANGELOG.md begins with `{head}`, which is neither `{UNRELEASED}` nor {VERSION} and its date"
    );
    Ok(())
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
    fn a_tag_that_is_not_the_version_is_refused() {
        for tag in ["v99.0.0", VERSION, ""] {
            assert!(of_release(tag).is_err(), "{tag}");
        }
    }
}
