//! Users of the control plane, each with a kubeconfig.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::keys::Identity;
use crate::kubectl::Kubectl;

/// Someone who speaks to the control plane: an administrator, an ordinary user or a service account.
#[derive(Clone, Debug)]
pub struct User {
    pub(super) kubeconfig: PathBuf,
    pub(super) kubectl: Kubectl,
}

impl User {
    /// The user's kubeconfig. Its contexts are `apiserver-0` (the current one), `apiserver-1`, ...
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A new client as this user. It belongs to the calling runtime: a test with a runtime of its own makes a
    /// client of its own.
    ///
    /// # Errors
    /// When the kubeconfig can't be read.
    pub async fn client(&self) -> Result<Client> {
        self.client_at(0).await
    }

    /// As [`User::client`], through the API server number `server`.
    ///
    /// # Errors
    /// When there is no such server.
    pub async fn client_at(&self, server: usize) -> Result<Client> {
        Ok(Client::try_from(config(&self.kubeconfig, server).await?)?)
    }

    /// `kubectl` as this user.
    pub fn kubectl(&self) -> Kubectl {
        self.kubectl.clone()
    }
}

/// The client configuration of one API server in `kubeconfig`.
pub(super) async fn config(kubeconfig: &Path, server: usize) -> Result<Config> {
    let file = Kubeconfig::read_from(kubeconfig)
        .with_context(|| format!("can't read the kubeconfig {}", kubeconfig.display()))?;
    let context = Some(context_name(server));
    let options = KubeConfigOptions { context, ..KubeConfigOptions::default() };
    let mut config = Config::from_custom_kubeconfig(file, &options).await?;
    // The environment may name a proxy, which does not reach our loopback.
    config.proxy_url = None;
    Ok(config)
}

/// How a user proves who it is.
pub(super) enum Credential<'a> {
    Certificate(&'a Identity),
    Token(&'a str),
}

/// Writes a kubeconfig with a context for each of `urls`.
pub(super) fn write_kubeconfig(
    path: &Path,
    urls: &[String],
    ca: &Path,
    credential: &Credential<'_>,
) -> Result<()> {
    let user = match credential {
        Credential::Certificate(identity) => {
            json!({"client-certificate": identity.cert, "client-key": identity.key})
        }
        Credential::Token(token) => json!({"token": token}),
    };
    let each = |entry: fn(String, &String, &Path) -> Value| -> Vec<Value> {
        urls.iter().enumerate().map(|(server, url)| entry(context_name(server), url, ca)).collect()
    };
    let kubeconfig = json!({
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": context_name(0),
        "clusters": each(|name, url, ca| {
            json!({"name": name, "cluster": {"server": url, "certificate-authority": ca}})
        }),
        "contexts": each(|name, _, _| json!({"name": name, "context": {"cluster": name, "user": "user"}})),
        "users": [{"name": "user", "user": user}],
    });
    let text = serde_json::to_string_pretty(&kubeconfig)?;
    std::fs::write(path, text).with_context(|| format!("can't write {}", path.display()))
}

fn context_name(server: usize) -> String {
    format!("apiserver-{server}")
}
