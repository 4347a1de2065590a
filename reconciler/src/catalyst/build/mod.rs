//! One Job that builds an image of a source and pushes it. Everything here is pure data.
//!
//! What is built is known by a digest of repository, commit, Dockerfile and folder: the image's tag ends in it, so what was built once is found in
//! the registry, by every environment of the project; and another commit, or another Dockerfile, is another image. The Job's containers:
//!
//! | container | image | does |
//! |---|---|---|
//! | `git` | git | fetches the commit, as for the [runner](super::runner) |
//! | `build` | kaniko or buildah | builds and pushes |
//!
//! A Dockerfile runs what it wants in `build`. The container has no token of a ServiceAccount, no rights on the node beyond those that the
//! profile `baseline` of PodSecurity allows, and the registry's credentials of its own team alone.

mod job;
mod outcome;

use concierge_shared::{
    catalyst::{Build, Hierarchy, sanitised},
    common::words::hex,
};
use sha2::{Digest, Sha256};

pub(super) use self::{
    job::{BuildSettings, Builder, CREDENTIALS, of},
    outcome::outcome,
};
use super::remote::ImageName;

/// How the names of the Jobs begin.
const PREFIX: &str = "build-";
/// How many digits of a commit a tag has: enough for people.
const SHOWN: usize = 12;
/// How many digits of the digest a tag has.
const DIGITS: usize = 16;

/// What is built, and where.
#[derive(Clone, Copy, Debug)]
pub(super) struct BuildInput<'a> {
    /// The environment's own namespace.
    pub(super) namespace: &'a str,
    pub(super) build: &'a Build,
    pub(super) repository: &'a str,
    /// All 40 digits.
    pub(super) commit: &'a str,
    /// The GitHub App's installation that may read the repository.
    pub(super) installation: Option<&'a str>,
    /// What it is called in the registry.
    pub(super) image: &'a ImageName,
    /// Whether the namespace has credentials of the registry.
    pub(super) credentials: bool,
}

impl BuildInput<'_> {
    /// What the names of the Jobs that build this begin with; the number of the attempt follows.
    pub(super) fn base(&self) -> String {
        let key = key(self.repository, self.commit, self.build);
        format!("{PREFIX}{}", digest(&format!("{key} {}", self.image)))
    }

    fn dockerfile(&self) -> &str {
        dockerfile(self.build)
    }

    /// The folder, from the source's own: empty for the whole source.
    fn folder(&self) -> &str {
        folder(self.build)
    }
}

fn dockerfile(build: &Build) -> &str {
    build.dockerfile.as_deref().filter(|path| !path.is_empty()).unwrap_or("Dockerfile")
}

fn folder(build: &Build) -> &str {
    build.path.as_deref().unwrap_or_default().trim_start_matches("./").trim_matches('/')
}

/// What the result depends on.
fn key(repository: &str, commit: &str, build: &Build) -> String {
    format!("{:?}", (repository, commit, dockerfile(build), folder(build)))
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))[..DIGITS].to_owned()
}

/// What the image is called that is built of this commit: in `registry` (`host[:port][/prefix]`), below the team and the project.
pub(super) fn image(
    registry: &str,
    whose: &Hierarchy<'_>,
    build: &Build,
    repository: &str,
    commit: &str,
) -> ImageName {
    let (host, prefix) = registry.split_once('/').unwrap_or((registry, ""));
    let (team, project) = (sanitised(whose.team), sanitised(whose.project));
    let parts = [prefix.trim_matches('/'), &team, &project, &build.name];
    let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let tag = format!("{}-{}", &commit[..SHOWN.min(commit.len())], digest(&key(repository, commit, build)));
    ImageName { registry: host.to_owned(), repository: parts.join("/"), tag }
}

#[cfg(test)]
mod tests;
