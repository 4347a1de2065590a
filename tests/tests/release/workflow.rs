//! The workflow that publishes does what can be run by hand.

use std::fs;

use serde_json::Value;

use super::project;

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
    let makefile = fs::read_to_string(project().join("Makefile")).unwrap();
    assert!(makefile.contains("DIST=$(DIST) cargo test --package concierge-tests --test release"));
}
