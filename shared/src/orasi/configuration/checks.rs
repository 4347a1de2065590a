//! Names and paths.

use std::collections::BTreeSet;

use super::{CONFIG_MAP, ConfigurationSpec, DEPLOYMENT, PATH};
use crate::{
    admission::{
        problem::{Cause, Problems},
        rule::AdmissionRule,
    },
    common::names::is_name,
    field::at,
};

pub(super) fn check(spec: &ConfigurationSpec, problems: &mut Problems) {
    let no_name =
        "is no name; use lower-case letters, digits, '-' and '.', with a letter or digit at both ends";
    let published = spec.publish.as_ref().and_then(|publish| publish.config_map_name.as_ref());
    if published.is_some_and(|name| !is_name(name)) {
        problems.add(&CONFIG_MAP, Cause::Invalid, "spec.publish.configMapName", no_name);
    }
    if spec.rollout.as_ref().is_some_and(|rollout| !is_name(&rollout.deployment_ref.name)) {
        problems.add(&DEPLOYMENT, Cause::Invalid, "spec.rollout.deploymentRef.name", no_name);
    }
    let anomalies = spec.processing.as_ref().and_then(|processing| processing.anomaly_detection.as_ref());
    let model = anomalies.and_then(|anomalies| anomalies.ml_model_path.as_deref());
    check_path("spec.processing.anomalyDetection.mlModelPath", model, problems);
    let file = spec.advanced.as_ref().and_then(|advanced| advanced.config_file.as_deref());
    check_path("spec.advanced.configFile", file, problems);
}

/// Adds a problem when the path of a file in the bridge's container leads elsewhere than it says.
pub(super) fn check_path(field: &str, path: Option<&str>, problems: &mut Problems) {
    let Some(path) = path else { return };
    let leads_back = path.split('/').any(|part| part == "..");
    if !path.starts_with('/') || leads_back || path.contains(char::is_control) {
        let message =
            "is no path from '/' on without '..' and control characters; write for instance /var/lib/orasi";
        problems.add(&PATH, Cause::Invalid, field, message);
    }
}

/// Adds a problem for each entry of a list that has no name, or that of another.
pub(super) fn check_names<'a>(
    list: &str,
    names: impl Iterator<Item = &'a str>,
    rule: &'static AdmissionRule,
    problems: &mut Problems,
) {
    let mut seen = BTreeSet::new();
    for (nth, name) in names.enumerate() {
        let field = at(list).index(nth).field("name");
        if name.trim().is_empty() {
            problems.add(rule, Cause::Required, field, "is blank; fill it in");
        } else if !seen.insert(name) {
            problems.add(rule, Cause::Duplicate, field, "is the name of two entries; rename one");
        }
    }
}
