//! What of a Project its Environments use, and so may not go.

use std::collections::{BTreeSet, HashMap};

use super::{Project, ProjectSpec, REPOSITORY_MOVED, SOURCE_USED, Source, TEMPLATE_USED};
use crate::{
    admission::{
        problem::{Cause, Problems},
        reference::referrers_key,
        review::Review,
        rule::AdmissionRule,
    },
    catalyst::{environment::Environment, repository::Repository},
    field::{FieldPath, at},
    index::Stored,
    kind::Kind,
};

/// The index key of the Environments that use a source of a Project.
pub(in crate::catalyst) fn source_key(namespace: &str, project: &str, source: &str) -> String {
    format!("source:{namespace}/{project}/{source}")
}

/// The index key of the Environments that use a template of a Project.
pub(in crate::catalyst) fn template_key(namespace: &str, project: &str, template: &str) -> String {
    format!("template:{namespace}/{project}/{template}")
}

/// Adds a problem for each thing that goes and is used.
pub(super) fn check_change(review: &Review<'_, Project>, old: &Project, problems: &mut Problems) {
    let name = review.object.metadata.name.as_deref().unwrap_or_default();
    let (new, old) = (&review.object.spec, &old.spec);
    let kept: BTreeSet<_> = new.sources.iter().map(|source| source.name.as_str()).collect();
    let gone: BTreeSet<_> = old.sources.iter().map(|source| source.name.as_str()).collect();
    for source in gone.difference(&kept) {
        let key = source_key(review.namespace, name, source);
        let what = format!("source {source:?}");
        check_used(review, &key, |_| true, &SOURCE_USED, at("spec.sources"), &what, problems);
        let key = referrers_key(Project::NAME, review.namespace, name);
        let uses = |user: &Stored| needs_unnamed(user, source, old);
        check_used(review, &key, uses, &SOURCE_USED, at("spec.sources"), &what, problems);
    }
    let templates = |spec: &ProjectSpec| {
        spec.templates.iter().flatten().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>()
    };
    for template in templates(old).difference(&templates(new)) {
        let key = template_key(review.namespace, name, template);
        let what = format!("template {template:?}");
        check_used(review, &key, |_| true, &TEMPLATE_USED, at("spec.templates"), &what, problems);
    }
    check_moved(review, old, problems);
}

/// Whether `user` needs the source of `project` without naming it: by its template, as the first one, or by another name that the web
/// application gives the only one.
fn needs_unnamed(user: &Stored, source: &str, project: &ProjectSpec) -> bool {
    let Some(environment) = user.get::<Environment>() else { return false };
    let spec = &environment.spec;
    let is_named = spec.sources.iter().flatten().any(|one| one.name == source);
    !is_named && spec.needed_sources(project).contains(source)
}

fn check_used(
    review: &Review<'_, Project>,
    key: &str,
    uses: impl Fn(&Stored) -> bool,
    rule: &'static AdmissionRule,
    field: FieldPath,
    what: &str,
    problems: &mut Problems,
) {
    review.users(key, |_, user| uses(user)).check(problems, field.clone(), &[rule], |users, problems| {
        if !users.is_empty() {
            let message =
                format!("no longer has {what}, which is in use by {users}; keep it, or delete those first");
            problems.add(rule, Cause::Forbidden, field, message);
        }
    });
}

fn check_moved(review: &Review<'_, Project>, old: &ProjectSpec, problems: &mut Problems) {
    let parsed = |source: &Source| Repository::parse(&source.repository_url);
    let before: HashMap<_, _> = old.sources.iter().map(|source| (&source.name, parsed(source))).collect();
    for (nth, source) in review.object.spec.sources.iter().enumerate() {
        if before.get(&source.name).is_none_or(|before| *before == parsed(source)) {
            continue;
        }
        let field = at("spec.sources").index(nth).field("repositoryUrl");
        let name = review.object.metadata.name.as_deref().unwrap_or_default();
        let users = review.users(&source_key(review.namespace, name, &source.name), |_, _| true);
        users.check(problems, field.clone(), &[&REPOSITORY_MOVED], |users, problems| {
            if !users.is_empty() {
                let message = format!("leads to another repository than before, and is in use by {users}; their commits may not be there");
                problems.add(&REPOSITORY_MOVED, Cause::Invalid, field, message);
            }
        });
    }
}
