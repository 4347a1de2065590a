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
