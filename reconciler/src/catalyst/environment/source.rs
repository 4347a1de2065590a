//! Which commit of each source is deployed.

use std::collections::BTreeMap;

use concierge_shared::{
    catalyst::{Commit, EnvironmentSource, GIT_ACCOUNT, Source},
    child::Child,
};
use k8s_openapi::api::core::v1::ServiceAccount;

use super::{
    basis::{Basis, Wishes},
    network,
    part::{Part, Trouble},
};
use crate::{
    catalyst::{remote::Branch, runner},
    engine::Failure,
};

/// A source at a commit.
#[derive(Clone, Debug)]
pub(super) struct At<'a> {
    pub(super) repository: &'a str,
    /// All 40 digits.
    pub(super) commit: String,
}

/// By name.
pub(super) type Sources<'a> = BTreeMap<&'a str, At<'a>>;

/// Finds their commits out; `None` when one is not known.
pub(super) async fn wish<'a>(basis: &Basis<'a>, wishes: &mut Wishes) -> Result<Option<Sources<'a>>, Failure> {
    let mut sources = Sources::new();
    let names = basis.needed_sources();
    if !names.is_empty() {
        means_to_fetch(basis, wishes)?;
    }
    for name in names {
        let Some(source) = basis.project.spec.sources.iter().find(|source| source.name == name) else {
            let message = format!("the Project has no source {name:?}; add it, or correct the template");
            wishes.refuse(Part::Source, "SourceMissing", message);
            return Ok(None);
        };
        let Some(commit) = commit(basis, source, wishes).await else { return Ok(None) };
        wishes.commits.insert(name.to_owned(), commit.clone());
        sources.insert(name, At { repository: &source.repository_url, commit });
    }
    Ok(Some(sources))
}

/// What the Jobs need that fetch sources.
fn means_to_fetch(basis: &Basis<'_>, wishes: &mut Wishes) -> Result<(), Failure> {
    let (environment, place) = (basis.environment(), basis.place);
    if let Some(policy) = network::of_jobs(place) {
        wishes.add(environment, Part::Policies, &policy)?;
    }
    wishes.add(environment, Part::Source, &runner::scripts(place.namespace))?;
    let account = ServiceAccount {
        metadata: place.named(GIT_ACCOUNT),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    };
    wishes.add(environment, Part::Source, &account)
}

/// What the Environment says of a source. The web application calls the only source of a project `main` or `primary`, whatever it is called.
fn said<'a>(basis: &Basis<'a>, source: &Source) -> Option<&'a EnvironmentSource> {
    let all = basis.environment().spec.sources.as_deref().unwrap_or_default();
    let named = all.iter().find(|one| one.name == source.name);
    let only = || all.first().filter(|_| all.len() == 1 && basis.project.spec.sources.len() == 1);
    named.or_else(only)
}

/// The commit of a source; `None` when it is not known, which is noted.
async fn commit(basis: &Basis<'_>, source: &Source, wishes: &mut Wishes) -> Option<String> {
    let said = said(basis, source);
    let wanted = said.map(|said| said.commit_sha.as_str()).unwrap_or_default();
    let before =
        basis.environment().status.as_ref().and_then(|status| status.commits.as_ref()?.get(&source.name));
    let branch = said.map(|said| said.branch.as_str()).filter(|branch| !branch.is_empty());
    let branch = Branch {
        source: &source.name,
        repository: &source.repository_url,
        branch: branch.unwrap_or(&source.branch),
        installation: basis.installation(),
        namespace: Some(basis.place.namespace),
    };
    // By ssh nothing is fetched, whichever commit is named.
    if let Err(failure) = branch.url() {
        wishes.refuse(Part::Source, failure.reason().as_str(), failure.to_string());
        return None;
    }
    match Commit::of(wanted) {
        Commit::Full => return Some(wanted.to_ascii_lowercase()),
        Commit::Wrong => {
            let message = format!("{wanted:?} is no commit; write all 40 digits in spec.sources[].commitSha");
            wishes.refuse(Part::Source, "CommitInvalid", message);
            return None;
        }
        Commit::Short if before.is_some_and(|before| is_short_for(wanted, before)) => return before.cloned(),
        Commit::Short | Commit::Newest => {}
    }
    let newest = newest(basis, &branch, before, wishes).await?;
    if is_short_for(wanted, &newest) {
        return Some(newest);
    }
    let message = format!(
        "{wanted:?} is not the branch's newest commit, so its other digits can't be found out; write all 40"
    );
    wishes.refuse(Part::Source, "CommitShort", message);
    None
}

fn is_short_for(text: &str, commit: &str) -> bool {
    commit.starts_with(&text.to_ascii_lowercase()) || Commit::of(text) == Commit::Newest
}

/// The newest commit of a branch, or the one `before` while nobody tells.
async fn newest(
    basis: &Basis<'_>,
    branch: &Branch<'_>,
    before: Option<&String>,
    wishes: &mut Wishes,
) -> Option<String> {
    let remotes = &basis.means.remotes;
    if branch.installation.is_some() && remotes.has_web() && !has_account(basis) {
        wishes
            .wait(Part::Source, format!("waits for ServiceAccount {}/{GIT_ACCOUNT}", basis.place.namespace));
        return None;
    }
    match (remotes.newest_commit(basis.ctx, basis.team(), branch).await, before) {
        (Ok(commit), _) => Some(commit),
        (Err(failure), Some(before)) => {
            let trouble = Trouble::of(Part::Source, &failure);
            wishes.troubles.push(trouble.borne(&format!("commit {before} stays")));
            Some(before.clone())
        }
        (Err(failure), None) => {
            wishes.troubles.push(Trouble::of(Part::Source, &failure));
            None
        }
    }
}

/// Whether there is the ServiceAccount in whose name tokens for repositories are asked for.
fn has_account(basis: &Basis<'_>) -> bool {
    let is_it = |resource, name: &str| resource == Child::of::<ServiceAccount>() && name == GIT_ACCOUNT;
    basis.known.iter().any(|(key, _)| is_it(key.resource, &key.name))
}
