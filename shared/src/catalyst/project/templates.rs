//! What can be wrong with the templates of a Project.

use std::collections::{BTreeMap, HashSet};

use super::{BUILDS, INSTALLATION, PATH, PATH_ROOTED, TEMPLATE_SOURCE, TEMPLATE_TYPE, TEMPLATES, VALUES};
use crate::{
    admission::problem::{Cause, Problems},
    catalyst::{
        config::{check_amounts, check_value},
        template::{Build, Template},
    },
    common::names::is_namespace,
    field::{FieldPath, at},
};

/// The types of templates.
const TYPES: [&str; 4] = ["helm", "docker-compose", "manifest", "kustomize"];
/// The longest name of a build: it is part of the names of Jobs.
const LONGEST_BUILD: usize = 40;

impl Template {
    fn check(&self, sources: &HashSet<&str>, at: &FieldPath, problems: &mut Problems) {
        if !TYPES.contains(&self.kind.as_str()) {
            let message = format!("is none of {}; then config alone says what runs", TYPES.join(", "));
            problems.add(&TEMPLATE_TYPE, Cause::NotSupported, at.clone().field("type"), message);
        }
        check_source(self.source_ref.as_deref(), self.is_in_source(), sources, at, problems);
        check_path(self.path.as_deref(), at.clone().field("path"), problems);
        if let Some(values) = &self.values {
            let at = at.clone().field("values");
            match values.is_object() {
                true => check_value(values, &at, problems),
                false => problems.add(
                    &VALUES,
                    Cause::TypeInvalid,
                    at,
                    "is no map; write the chart's values as fields",
                ),
            }
        }
        if let Some(config) = &self.config {
            config.check(&at.clone().field("config"), problems);
        }
        let mut seen = HashSet::new();
        for (nth, build) in self.builds.iter().flatten().enumerate() {
            let at = at.clone().field("builds").index(nth);
            build.check(sources, &at, problems);
            if !seen.insert(build.name.as_str()) {
                problems.add(&BUILDS, Cause::Duplicate, at.field("name"), "is listed twice; rename one");
            }
        }
    }
}

impl Build {
    fn check(&self, sources: &HashSet<&str>, at: &FieldPath, problems: &mut Problems) {
        if !is_namespace(&self.name) || self.name.len() > LONGEST_BUILD {
            let message = "can't be the name of a build; use up to 40 small letters, digits and '-', with a letter or digit at both ends";
            problems.add(&BUILDS, Cause::Invalid, at.clone().field("name"), message);
        }
        check_source(Some(&self.source_ref), true, sources, at, problems);
        check_path(self.path.as_deref(), at.clone().field("path"), problems);
        check_path(self.dockerfile.as_deref(), at.clone().field("dockerfile"), problems);
        check_amounts(self.resources.as_ref(), at, problems);
    }
}

fn check_source(
    source: Option<&str>,
    needed: bool,
    sources: &HashSet<&str>,
    at: &FieldPath,
    problems: &mut Problems,
) {
    let field = at.clone().field("sourceRef");
    match source.filter(|source| !source.is_empty()) {
        None if needed => {
            let message = "is required; name one of the sources";
            problems.add(&TEMPLATE_SOURCE, Cause::Required, field, message);
        }
        Some(source) if !sources.contains(source) => {
            let message =
                format!("{source:?} is none of the sources; add it to spec.sources, or correct the name");
            problems.add(&TEMPLATE_SOURCE, Cause::NotFound, field, message);
        }
        _ => {}
    }
}

/// Adds a problem when a path leads out of the source that it is in.
fn check_path(path: Option<&str>, field: FieldPath, problems: &mut Problems) {
    let Some(path) = path else { return };
    if path.split(['/', '\\']).any(|part| part == "..")
        || path.chars().any(char::is_control)
        || path.starts_with('-')
    {
        let message =
            "leads out of the source, or begins like an option; use a path inside of it, without '..'";
        problems.add(&PATH, Cause::Invalid, field, message);
    } else if path.starts_with('/') {
        let message = "is taken as relative to the source; write it without '/' in front";
        problems.add(&PATH_ROOTED, Cause::Invalid, field, message);
    }
}

/// Adds what is wrong with the templates of a Project.
pub(super) fn check(
    templates: &BTreeMap<String, Template>,
    sources: &HashSet<&str>,
    installation: Option<&str>,
    problems: &mut Problems,
) {
    for (name, template) in templates {
        let at = at("spec.templates").key(name);
        if !is_namespace(name) {
            let message = "can't be the name of a template; use up to 63 small letters, digits and '-'";
            problems.add(&TEMPLATES, Cause::Invalid, at.clone(), message);
        }
        template.check(sources, &at, problems);
    }
    let builds = templates.values().any(|template| template.builds.iter().flatten().next().is_some());
    if builds && installation.is_none_or(str::is_empty) {
        let message =
            "is required, since templates have builds; write the number of the GitHub App's installation";
        problems.add(&INSTALLATION, Cause::Required, "spec.githubInstallationId", message);
    }
}
