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
