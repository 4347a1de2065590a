//! The repositories of a project.

use std::collections::HashSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{INTERNAL, Project, REPOSITORY_URL, SAME_REPOSITORY, SOURCE_NAME, SOURCES};
use crate::{
    admission::{
        lookup::{Lookup, LookupExt, Query},
        problem::{Cause, Problems},
        review::Review,
    },
    catalyst::{
        git::{self, check_branch},
        repository::Repository,
    },
    common::names::is_namespace,
    field::{FieldPath, at},
    index::Stored,
    kind::Kind,
};

/// A repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Source {
    /// Its name in the project.
    #[schemars(length(max = 253))]
    pub name: String,
    /// Its https address, without credentials.
    #[schemars(length(max = 2048))]
    pub repository_url: String,
    /// The branch that is deployed unless an Environment names another.
    #[schemars(length(max = git::MAX_BRANCH))]
    pub branch: String,
}

/// The repositories that have an address, with the places of their sources.
fn repositories(project: &Project) -> impl Iterator<Item = (usize, Repository)> {
    let sources = project.spec.sources.iter().enumerate();
    sources.filter_map(|(nth, source)| Some((nth, Repository::parse(&source.repository_url).ok()?)))
}

/// The index keys of a project: of each of its repositories, in its namespace.
pub(super) fn keys(project: &Project) -> Vec<String> {
    let namespace = project.metadata.namespace.as_deref().unwrap_or_default();
    repositories(project).map(|(_, repository)| repository_key(namespace, &repository)).collect()
}

/// The index key of the Projects of a namespace with this repository.
fn repository_key(namespace: &str, repository: &Repository) -> String {
    format!("repository:{namespace}:{}", repository.key())
}

pub(super) fn check(review: &Review<'_, Project>, problems: &mut Problems) {
    let spec = &review.object.spec;
    if spec.sources.is_empty() {
        let message = "is empty; name the repositories that the project is in, each with name, repositoryUrl and branch";
        problems.add(&SOURCES, Cause::Required, "spec.sources", message);
    }
    let mut seen = HashSet::new();
    for (nth, source) in spec.sources.iter().enumerate() {
        let field = |name: &str| at("spec.sources").index(nth).field(name);
        if source.name.is_empty() {
            problems.add(&SOURCES, Cause::Required, field("name"), "is required; set it");
        } else if !seen.insert(&source.name) {
            problems.add(&SOURCES, Cause::Duplicate, field("name"), "is the name of two sources; rename one");
        } else if !is_namespace(&source.name) {
            let message =
                "has other characters than small letters, digits and '-'; rename it, also where it is named";
            problems.add(&SOURCE_NAME, Cause::Invalid, field("name"), message);
        }
        check_repository(review, &source.repository_url, field("repositoryUrl"), problems);
        check_branch(&source.branch, field("branch"), problems);
    }
}

fn check_repository(review: &Review<'_, Project>, url: &str, field: FieldPath, problems: &mut Problems) {
    let settings = &review.settings.catalyst;
    match Repository::parse(url) {
        Err(message) => problems.add(&REPOSITORY_URL, Cause::Invalid, field, message),
        Ok(repository) if repository.ssh && !settings.allow_ssh_repositories => {
            let message = "is an ssh address, which no operator has allowed; use https";
            problems.add(&REPOSITORY_URL, Cause::Forbidden, field, message);
        }
        Ok(repository) if repository.is_internal() && !settings.allow_internal_repositories => {
            let message =
                "leads into the cluster or its network, which no operator has allowed; use a public address";
            problems.add(&INTERNAL, Cause::Forbidden, field, message);
        }
        Ok(_) => {}
    }
}

/// How many Projects of a repository are looked at. More are stored by whoever does not mind the warning.
const LOOKED_AT: usize = 50;

pub(super) fn check_same_repository(review: &Review<'_, Project>, problems: &mut Problems) {
    for (nth, repository) in repositories(review.object) {
        let key = repository_key(review.namespace, &repository);
        let keeps = review.old.is_none_or(|old| keys(old).contains(&key));
        let is_other = |other: &Stored| !review.is_self(other) && review.gives_way(other.meta(), keeps);
        let others = review
            .look_up(|lookup: &dyn Lookup| {
                let query = Query::all(Project::NAME, review.namespace, &key);
                lookup.first_among(query, LOOKED_AT, 1, &is_other).found
            })
            .by_name();
        let field = at("spec.sources").index(nth).field("repositoryUrl");
        others.check(problems, field.clone(), &[&SAME_REPOSITORY], |others, problems| {
            let Some(other) = others.first() else { return };
            let message = format!(
                "is the repository of Project {:?} too; use that one, or remove it there",
                other.name()
            );
            problems.add(&SAME_REPOSITORY, Cause::Duplicate, field, message);
        });
    }
}
