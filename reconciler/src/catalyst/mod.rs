//! Catalyst: environments of projects, each a namespace with what runs in it.

mod attempt;
mod build;
mod convert;
mod environment;
mod means;
mod obstacle;
mod pods;
mod project;
pub mod remote;
pub mod runner;

use std::time::Duration;

use anyhow::Context as _;
use concierge_shared::catalyst::Settings;
use reqwest::Url;

pub use self::means::Means;
use self::remote::{RemoteSettings, Remotes};
use crate::engine::Kinds;

/// Where a pod has the token of its ServiceAccount.
const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// What is known of this installation.
#[derive(Clone, Debug, Default)]
pub struct Installed {
    /// Our own image.
    pub image: String,
    /// How the names of our ClusterRoles begin.
    pub role_prefix: String,
}

/// Adds the reconcilers of this group.
///
/// # Errors
/// When there is no HTTP client, or the web application's address is none.
pub fn add(
    kinds: Kinds,
    connect: Duration,
    installed: Installed,
    settings: &Settings,
) -> anyhow::Result<Kinds> {
    let remotes = RemoteSettings {
        web: web(&settings.web_url)?,
        token_file: TOKEN.into(),
        allow_internal: settings.allow_internal_repositories,
    };
    let remotes = Remotes::over_sockets(connect, remotes)?;
    let Installed { image, role_prefix } = installed;
    Ok(self::kinds(kinds, Means { remotes, image, role_prefix }))
}

/// Adds them with other means.
pub fn kinds(kinds: Kinds, means: Means) -> Kinds {
    kinds.with(project::ProjectReconciler).with(environment::EnvironmentReconciler::new(means))
}

fn web(address: &str) -> anyhow::Result<Option<Url>> {
    if address.is_empty() {
        return Ok(None);
    }
    let wrong = || format!("--catalyst-web-url: {address:?} is no http address");
    let url =
        Url::parse(address).ok().filter(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    Ok(Some(url.with_context(wrong)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_web_application_has_an_address_or_there_is_none() {
        assert!(web("").unwrap().is_none());
        assert_eq!(web("http://web.svc:3000").unwrap().unwrap().as_str(), "http://web.svc:3000/");
        for bad in ["web", "ftp://web", "http://"] {
            assert!(web(bad).unwrap_err().to_string().contains("--catalyst-web-url"), "{bad}");
        }
    }
}
