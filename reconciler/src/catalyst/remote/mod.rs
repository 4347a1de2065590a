//! What is asked of others: git servers, registries and the web application. Nothing here changes anything there.
//!
//! * Each call goes through an account of the engine's, so it has its turn, its time-out, its metrics and a circuit breaker. Accounts are those
//!   of a team, so that one team's mistakes hinder no other: for git the team's installation of the GitHub App at a host, for registries the
//!   team at a host. The web application is asked for secrets as one account for all.
//! * Answers are remembered for a while, and failures for some seconds: however often an Environment is looked at, nobody is asked in a loop.
//!   Nothing is remembered against somebody who has just changed the object.
//! * What is read is bounded: bytes, lines, redirects. Users' addresses lead nowhere inside unless an operator allowed it ([`way`]).
//! * No text that leaves here holds a secret, and each names the remedy.

pub mod challenge;
pub mod commit;
pub mod image;
pub mod pkt;
mod recent;
pub mod registry;
pub mod transport;
pub mod way;
pub mod web;

use std::{path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use concierge_shared::catalyst::GIT_ACCOUNT;
use reqwest::Url;

use self::{
    challenge::Challenge,
    commit::Newest,
    recent::Recent,
    registry::Manifest,
    transport::{Reach, Sockets, Transport},
    way::Way,
    web::{Web, own_token},
};
pub use self::{
    commit::Branch,
    image::{ImageName, RegistryAuth},
    registry::Lookup,
    web::WebSecrets,
};
pub use crate::common::secret_text::SecretText;
use crate::engine::{Account, Context, Failure, digest};

/// How long the newest commit of a branch is believed to be that.
const COMMIT_FRESH: Duration = Duration::from_secs(60);
/// How long an image that was found is believed to be there.
const IMAGE_FRESH: Duration = Duration::from_secs(600);
/// How long one that was not found is believed to be missing.
const ABSENT_FRESH: Duration = Duration::from_secs(15);
/// How often secrets are asked for: at every look at an environment at rest, which is each ten minutes, give or take one.
const SECRETS_FRESH: Duration = Duration::from_secs(500);
/// How long a token for repositories is used. Those of GitHub last an hour.
const TOKEN_FRESH: Duration = Duration::from_secs(600);
/// How long the web application may take to gather secrets.
const SECRETS_TIMEOUT: Duration = Duration::from_secs(30);

/// Where things are.
#[derive(Clone, Debug)]
pub struct RemoteSettings {
    /// The web application; without one there are no secrets, and no tokens for repositories.
    pub web: Option<Url>,
    /// The file with our ServiceAccount's token.
    pub token_file: PathBuf,
    /// Whether repositories may be inside the cluster and its network.
    pub allow_internal: bool,
}

/// The ways to all of them. Clones are the same.
#[derive(Clone)]
pub struct Remotes(Arc<Inner>);

struct Inner {
    settings: RemoteSettings,
    /// To what users name.
    users: Way,
    /// To what an operator names.
    operators: Way,
    commits: Recent<String>,
    tokens: Recent<SecretText>,
    images: Recent<bool>,
    secrets: Recent<WebSecrets>,
}

impl Remotes {
    /// Over sockets, on which a connection comes about within `connect`.
    ///
    /// # Errors
    /// When there is no HTTP client.
    pub fn over_sockets(connect: Duration, settings: RemoteSettings) -> anyhow::Result<Self> {
        let sockets = Sockets::new(connect).context("no HTTP client")?;
        Ok(Self::new(Arc::new(sockets), settings))
    }

    /// Over another transport.
    pub fn new(transport: Arc<dyn Transport>, settings: RemoteSettings) -> Self {
        let reach = if settings.allow_internal { Reach::Anywhere } else { Reach::Outside };
        let users = Way::new(transport.clone(), reach);
        let operators = Way::new(transport, Reach::Anywhere);
        let (commits, tokens, images, secrets) = Default::default();
        Self(Arc::new(Inner { settings, users, operators, commits, tokens, images, secrets }))
    }

    /// The commit that a branch of a Project in namespace `team` is at.
    ///
    /// # Errors
    /// [`Failure::Auth`] when the repository is closed, [`Failure::DependencyMissing`] when there is no such branch, and others.
    pub async fn newest_commit(
        &self,
        ctx: &Context,
        team: &str,
        branch: &Branch<'_>,
    ) -> Result<String, Failure> {
        let Branch { repository, branch: name, installation, source, namespace: _ } = branch;
        let key = format!("{team}\n{repository}\n{name}\n{source}\n{}", installation.unwrap_or_default());
        if let Some(known) = self.0.commits.get(&key).filter(|_| !ctx.is_edited()) {
            return known;
        }
        let found = self.ask_for_commit(ctx, team, branch).await;
        self.0.commits.put(key, &found, 0, COMMIT_FRESH);
        found
    }

    async fn ask_for_commit(
        &self,
        ctx: &Context,
        team: &str,
        branch: &Branch<'_>,
    ) -> Result<String, Failure> {
        let (way, installation) = (&self.0.users, branch.installation.unwrap_or("none"));
        let host = authority(&branch.url()?);
        let account = Account::new("git", format!("{team} installation {installation} at {host}"));
        let ctx = ctx.elsewhere(&account).probe_if_edited();
        let token_key = format!("{team}\n{installation}");
        let known = self.0.tokens.get(&token_key).and_then(Result::ok);
        let newest = ctx.read(commit::OPERATION, branch.newest(way, known.as_ref(), ctx.now())).await;
        let newest = match newest {
            Ok(Newest::Closed) => {
                let token = self.git_token(&ctx, team, installation, branch.namespace).await?;
                self.0.tokens.put(token_key.clone(), &Ok(token.clone()), 0, TOKEN_FRESH);
                ctx.read(commit::OPERATION, branch.newest(way, Some(&token), ctx.now())).await
            }
            other => other,
        };
        match newest {
            Ok(Newest::Commit(commit)) => Ok(commit),
            Ok(Newest::Closed) => Err(Failure::Auth(format!("{branch} can't be read"))),
            Err(failure) => {
                if matches!(failure, Failure::Auth(_) | Failure::DependencyMissing(_)) {
                    self.0.tokens.forget(&token_key);
                }
                Err(failure)
            }
        }
    }

    /// A token for the repositories of an installation. That it is refused is told to the team's runs of that installation.
    async fn git_token(
        &self,
        ctx: &Context,
        team: &str,
        installation: &str,
        namespace: Option<&str>,
    ) -> Result<SecretText, Failure> {
        let url = self.web_url()?;
        let token = match namespace {
            Some(namespace) => SecretText::new(&ctx.account_token(namespace, GIT_ACCOUNT).await?),
            None => own_token(&self.0.settings.token_file).await?,
        };
        let account = Account::new("catalyst-web", format!("{team} installation {installation}"));
        let ctx = ctx.elsewhere(&account).probe_if_edited();
        let web = Web { url, token: &token };
        ctx.read(web::GIT_TOKEN, web.git_token(&self.0.operators, installation, ctx.now())).await
    }

    /// Whether there is a web application to ask.
    pub fn has_web(&self) -> bool {
        self.0.settings.web.is_some()
    }

    /// The address of the web application, if there is one.
    pub fn web_address(&self) -> Option<&str> {
        self.0.settings.web.as_ref().map(Url::as_str)
    }

    fn web_url(&self) -> Result<&Url, Failure> {
        let none = "there is no web application to ask; an operator sets rules.catalyst.webUrl";
        self.0.settings.web.as_ref().ok_or_else(|| Failure::DependencyMissing(none.into()))
    }

    /// Whether an image is in its registry, which a Project in namespace `team` is to use.
    ///
    /// # Errors
    /// [`Failure::Auth`] when the registry refuses who asks, and others.
    pub async fn is_pushed(&self, ctx: &Context, team: &str, lookup: Lookup<'_>) -> Result<bool, Failure> {
        let credentials = format!("{:x}", digest(lookup.auth));
        let key = format!("{team}\n{}\n{credentials}", lookup.image);
        if let Some(known) = self.0.images.get(&key).filter(|_| !ctx.is_edited()) {
            return known;
        }
        let account = Account::new("registry", format!("{team} at {}", lookup.image.registry));
        let ctx = ctx.elsewhere(&account.with_credentials(credentials)).probe_if_edited();
        let found = self.look(&ctx, lookup).await;
        let fresh = if found == Ok(true) { IMAGE_FRESH } else { ABSENT_FRESH };
        self.0.images.put(key, &found, 0, fresh);
        found
    }

    async fn look(&self, ctx: &Context, lookup: Lookup<'_>) -> Result<bool, Failure> {
        let (way, now) = (&self.0.operators, ctx.now());
        let found = match ctx.read(registry::HEAD, lookup.as_nobody(way, now)).await? {
            Manifest::Asks(Challenge::Basic) => ctx.read(registry::HEAD, lookup.as_user(way, now)).await?,
            Manifest::Asks(Challenge::Bearer { realm, service, scope }) => {
                let asked = lookup.token(way, &realm, service.as_deref(), scope.as_deref(), now);
                let token = ctx.read(registry::TOKEN, asked).await?;
                ctx.read(registry::HEAD, lookup.with_token(way, &token, now)).await?
            }
            other => other,
        };
        Ok(found == Manifest::There)
    }

    /// The secrets that the web application keeps for the environment with this id.
    ///
    /// # Errors
    /// [`Failure::Auth`] when our token is refused, [`Failure::DependencyMissing`] when there is no such environment, and others.
    pub async fn secrets(&self, ctx: &Context, id: &str) -> Result<WebSecrets, Failure> {
        let key = format!("{}\n{id}", ctx.key());
        if let Some(known) = self.0.secrets.get(&key).filter(|_| !ctx.is_edited()) {
            return known;
        }
        let found = self.ask_for_secrets(ctx, id).await;
        let bytes = found.as_ref().map_or(0, |found| {
            found.values.iter().map(|(name, value)| name.len() + value.expose().len()).sum()
        });
        self.0.secrets.put(key, &found, bytes, SECRETS_FRESH);
        found
    }

    async fn ask_for_secrets(&self, ctx: &Context, id: &str) -> Result<WebSecrets, Failure> {
        let (url, token) = (self.web_url()?, own_token(&self.0.settings.token_file).await?);
        let account = Account::new("catalyst-web", authority(url));
        let ctx = ctx.elsewhere(&account).probe_if_edited();
        let web = Web { url, token: &token };
        ctx.read_within(web::SECRETS, SECRETS_TIMEOUT, web.secrets(&self.0.operators, id, ctx.now())).await
    }
}

/// The host of an address, with its port.
fn authority(url: &Url) -> String {
    url.authority().rsplit('@').next().unwrap_or_default().to_owned()
}
