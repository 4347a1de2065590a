//! The workflow that publishes does what can be run by hand.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use serde_json::Value;
use tempfile::TempDir;

use super::{project, run};

#[test]
fn every_step_of_the_workflow_that_makes_something_is_a_target_of_make() {
    let workflow = fs::read_to_string(project().join(".github/workflows/release.yml")).unwrap();
    let workflow: Value = serde_saphyr::from_str(&workflow).unwrap();
    let makefile = fs::read_to_string(project().join("Makefile")).unwrap();
    let jobs = workflow["jobs"].as_object().unwrap();
    let steps = jobs.values().flat_map(|job| job["steps"].as_array().unwrap());
    let lines = steps.filter_map(|step| step["run"].as_str()).flat_map(str::lines);
    let targets: Vec<_> =
        lines.filter_map(|line| line.trim().strip_prefix("make ")?.split(' ').next()).collect();
    assert!(targets.contains(&"release-dry-run"), "{targets:?}");
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}: ")), "make {target}");
    }
    assert_eq!(jobs["publish"]["needs"], "test", "nothing is published that was not tested");
}

#[test]
fn the_tag_is_looked_at_before_anything_is_tested() {
    let workflow = fs::read_to_string(project().join(".github/workflows/release.yml")).unwrap();
    let place = |line: &str| workflow.find(line).unwrap_or_else(|| panic!("the workflow lacks {line}"));
    assert!(place("make release-check TAG=\"$GITHUB_REF_NAME\"") < place("bash .ci/run"));
}

#[test]
fn what_runs_as_root_finds_the_tools_of_whoever_called_sudo() {
    let workflow = fs::read_to_string(project().join(".github/workflows/release.yml")).unwrap();
    let whole = workflow.replace("\\\n", " ");
    let as_root: Vec<_> = whole
        .lines()
        .filter(|line| line.contains("sudo ") && (line.contains(" make ") || line.contains(".ci/run")))
        .collect();
    assert_eq!(as_root.len(), 2, "{as_root:?}");
    for line in as_root {
        // sudo has a PATH of its own, whatever it is told to keep.
        assert!(line.contains("sudo env \"PATH=$PATH\""), "{line}");
    }
}

/// The first version of each action that runs on Node 24: GitHub's machines have no older one.
const ACTIONS: [(&str, u32); 3] =
    [("actions/checkout", 5), ("actions/upload-artifact", 6), ("github/codeql-action/upload-sarif", 4)];

#[test]
fn every_action_runs_on_what_the_machines_have() {
    for file in [".github/workflows/release.yml", "docs/ci/github.yaml"] {
        let text = fs::read_to_string(project().join(file)).unwrap();
        let used: Vec<_> = text.lines().filter_map(|line| line.split_once("uses: ")).collect();
        assert!(!used.is_empty(), "{file}");
        for (_, action) in used {
            let (name, version) = action.split_once("@v").unwrap();
            let first =
                ACTIONS.iter().find(|(known, _)| *known == name).unwrap_or_else(|| panic!("{name}")).1;
            assert!(version.parse::<u32>().unwrap() >= first, "{file}: {action}");
        }
    }
}

#[test]
fn what_the_workflow_publishes_is_what_it_has_run() {
    let workflow = fs::read_to_string(project().join(".github/workflows/release.yml")).unwrap();
    let place = |line: &str| workflow.find(line).unwrap_or_else(|| panic!("the workflow lacks {line}"));
    assert!(place("make release-dry-run") < place("FULL=1 DIST=target/dist make release-test"));
    for published in ["oci-archive:target/dist/", "helm push \"target/dist/", "target/dist/*"] {
        assert!(place("make release-test") < place(published), "{published}");
    }
}

/// A folder of its own, with a program `name` that says what it gets.
fn stub(name: &str, script: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let stub = folder.path().join(name);
    fs::write(&stub, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&stub, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

/// PATH with `folder` before everything.
fn path_with(folder: &TempDir) -> String {
    format!("{}:{}", folder.path().display(), std::env::var("PATH").unwrap())
}

#[test]
fn a_version_to_try_is_not_published_as_the_latest() {
    let workflow = fs::read_to_string(project().join(".github/workflows/release.yml")).unwrap();
    let workflow: Value = serde_saphyr::from_str(&workflow).unwrap();
    let steps = workflow["jobs"]["publish"]["steps"].as_array().unwrap();
    let script =
        steps.iter().find(|step| step["name"] == "Publish the release").unwrap()["run"].as_str().unwrap();
    let folder = stub("gh", "printf '<%s>' \"$@\"");
    for (tag, is_to_try) in [("v1.2.3", false), ("v1.2.3-rc.1", true)] {
        let mut bash = Command::new("bash");
        bash.args(["-e", "-u", "-c", script]).env("GITHUB_REF_NAME", tag).env("PATH", path_with(&folder));
        let told = run(bash.current_dir(folder.path()));
        assert!(told.starts_with(&format!("<release><create><{tag}>")), "{told}");
        assert_eq!(told.contains("<--prerelease>"), is_to_try, "{told}");
        assert!(!told.contains("<>"), "{told}");
    }
}

/// What `make ARGS` starts, for each program the words that it gets and the variables that are for it.
fn started(args: &[&str]) -> String {
    let folder = stub("cargo", "printf '<%s>' \"$@\" \"FULL=$FULL\" \"DIST=$DIST\"");
    let mut make = Command::new("make");
    // As if this test were not run by `make test`.
    for variable in ["MAKEFLAGS", "MAKELEVEL", "TAG", "ARCH", "FULL", "DIST"] {
        make.env_remove(variable);
    }
    run(make.arg("--silent").args(args).env("PATH", path_with(&folder)).current_dir(project()))
}

#[test]
fn make_hands_on_what_it_is_given_as_it_is() {
    for (target, variable, flag) in [
        ("release-check", "TAG", "<check>"),
        ("release-dry-run", "TAG", "<--tag>"),
        ("release-dry-run", "ARCH", "<--arch>"),
        ("image", "ARCH", "<--arch>"),
    ] {
        let told = started(&[target, &format!("{variable}=v1;echo 'a b'\"")]);
        assert!(told.contains(&format!("{flag}<v1;echo 'a b'\">")), "{target} {variable}: {told}");
    }
    assert!(started(&["release-dry-run"]).contains("<--><all><FULL=>"), "nothing is made of nothing");
    let told = started(&["release-test", "FULL=1", "DIST=my dist;id"]);
    assert!(told.contains("<release>") && told.contains("<FULL=1><DIST=my dist;id>"), "{told}");
    for target in ["soak", "ci"] {
        assert!(started(&[target, "FULL=1"]).contains("<FULL=1>"), "{target}");
    }
}
