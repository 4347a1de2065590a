//! Whose an environment is: its name, its labels and its namespace, and that they never change.

use super::{Environment, IMMUTABLE, LABELS_RULE, NAME, NAMESPACE, PROJECT_EXISTS, PROJECT_LABEL_RULE};
use crate::{
    admission::{
        problem::{Cause, Problems},
        review::Review,
    },
    catalyst::hierarchy::{ENVIRONMENT_LABEL, LABELS, PROJECT_LABEL, sanitised},
    common::names::{is_name, is_namespace},
    field::{FieldPath, at},
};

fn label<'a>(environment: &'a Environment, key: &str) -> Option<&'a str> {
    environment.metadata.labels.as_ref()?.get(key).map(String::as_str)
}

pub(super) fn check(review: &Review<'_, Environment>, problems: &mut Problems) {
    let environment = review.object;
    let name = environment.metadata.name.as_deref();
    if name.is_some_and(|name| !is_namespace(name)) {
        let message =
            "can't be the name of an Environment; use up to 63 small letters, digits and '-', without '.'";
        problems.add(&NAME, Cause::Invalid, "metadata.name", message);
    }
    if !is_name(&environment.spec.project_ref.name) {
        let message = "is no name of a Project; use small letters, digits, '-' and '.'";
        problems.add(&PROJECT_EXISTS, Cause::Invalid, "spec.projectRef.name", message);
    }
    for key in LABELS {
        check_label(environment, key, problems);
    }
    check_namespace(review, problems);
    if let Some(old) = review.old {
        check_unchanged(environment, old, problems);
    }
}

fn check_label(environment: &Environment, key: &str, problems: &mut Problems) {
    let field = at("metadata.labels").key(key);
    let Some(value) = label(environment, key).filter(|value| !value.is_empty()) else {
        let message = "is required: it says whose the Environment is; set it";
        return problems.add(&LABELS_RULE, Cause::Required, field, message);
    };
    let (plain, name) = (sanitised(value), environment.metadata.name.as_deref());
    let project = &environment.spec.project_ref.name;
    if plain != value || plain.is_empty() {
        let message =
            format!("has other characters than small letters, digits and single '-'; write {plain:?}");
        problems.add(&LABELS_RULE, Cause::Invalid, field, message);
    } else if key == ENVIRONMENT_LABEL && name.is_some_and(|name| name != value) {
        let message = format!("is not the Environment's name; write {:?}", name.unwrap_or_default());
        problems.add(&LABELS_RULE, Cause::Invalid, field, message);
    } else if key == PROJECT_LABEL && project != value {
        let message = format!("is not the name of the Project; write {project:?}, or refer to that Project");
        problems.add(&PROJECT_LABEL_RULE, Cause::Invalid, field, message);
    }
}

fn check_namespace(review: &Review<'_, Environment>, problems: &mut Problems) {
    let Some(hierarchy) = review.object.hierarchy() else { return };
    let expected = hierarchy.project_namespace();
    if review.namespace != expected {
        let message = format!(
            "is not the namespace of the team's project; move the Environment to {expected}, or correct its labels"
        );
        problems.add(&NAMESPACE, Cause::Invalid, "metadata.namespace", message);
    }
}

fn check_unchanged(new: &Environment, old: &Environment, problems: &mut Problems) {
    let mode = |one: &Environment| one.spec.deployment_mode.clone().unwrap_or_default();
    let spec = [
        ("spec.projectRef.name", new.spec.project_ref != old.spec.project_ref),
        ("spec.type", new.spec.kind != old.spec.kind),
        ("spec.deploymentMode", mode(new) != mode(old)),
    ];
    let spec = spec.into_iter().map(|(field, differs)| (at(field), differs));
    let labels = LABELS.iter().map(|key| {
        // Whoever lacked a label had no environment yet.
        let before = label(old, key).filter(|value| !value.is_empty());
        let differs = before.is_some_and(|before| label(new, key) != Some(before));
        (at("metadata.labels").key(key), differs)
    });
    let changed: Vec<FieldPath> =
        spec.chain(labels).filter(|(_, differs)| *differs).map(|(field, _)| field).collect();
    for field in changed {
        let message =
            "is immutable, since the environment would be another one; create another Environment instead";
        problems.add(&IMMUTABLE, Cause::Forbidden, field, message);
    }
}
