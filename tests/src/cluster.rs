//! Where Concierge can be installed: a control plane of the tests' own, or a cluster that is there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::controlplane::{ControlPlane, ensure_tool};
use crate::kubectl::{Kubectl, Output, Tool};

/// A cluster whose administrator we are.
pub trait Cluster {
    /// A folder for logs and kubeconfigs; it goes with this value.
    fn dir(&self) -> &Path;

    /// The name under which the cluster's API servers reach this machine.
    fn host(&self) -> &str;

    /// `kubectl` as the administrator.
    fn kubectl(&self) -> Kubectl;

    /// Runs `helm ARGS` as the administrator; a command that fails says so in [`Output::status`].
    fn helm(&self, args: &[&str]) -> impl Future<Output = Result<Output>> + Send;

    /// A kubeconfig with a token of the service account `name` in `namespace`.
    fn service_account_kubeconfig(
        &self,
        namespace: &str,
        name: &str,
    ) -> impl Future<Output = Result<PathBuf>> + Send;
}

impl Cluster for ControlPlane {
    fn dir(&self) -> &Path {
        ControlPlane::dir(self)
    }

    fn host(&self) -> &str {
        "localhost"
    }

    fn kubectl(&self) -> Kubectl {
        ControlPlane::kubectl(self)
    }

    async fn helm(&self, args: &[&str]) -> Result<Output> {
        ControlPlane::helm(self, args).await
    }

    async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        ControlPlane::service_account_kubeconfig(self, namespace, name).await
    }
}

/// One that others use as well.
impl<C: Cluster + Sync> Cluster for &C {
    fn dir(&self) -> &Path {
        C::dir(self)
    }

    fn host(&self) -> &str {
        C::host(self)
    }

    fn kubectl(&self) -> Kubectl {
        C::kubectl(self)
    }

    async fn helm(&self, args: &[&str]) -> Result<Output> {
        C::helm(self, args).await
    }

    async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        C::service_account_kubeconfig(self, namespace, name).await
    }
}

/// Either of the two.
pub enum Site {
    /// A control plane of its own, which ends with this value.
    Own(Box<ControlPlane>),
    /// A cluster that was there before and stays.
    There(Existing),
}

impl Cluster for Site {
    fn dir(&self) -> &Path {
        match self {
            Site::Own(plane) => plane.dir(),
            Site::There(cluster) => cluster.dir(),
        }
    }

    fn host(&self) -> &str {
        match self {
            Site::Own(plane) => plane.host(),
            Site::There(cluster) => cluster.host(),
        }
    }

    fn kubectl(&self) -> Kubectl {
        match self {
            Site::Own(plane) => plane.kubectl(),
            Site::There(cluster) => cluster.kubectl(),
        }
    }

    async fn helm(&self, args: &[&str]) -> Result<Output> {
        match self {
            Site::Own(plane) => plane.helm(args).await,
            Site::There(cluster) => cluster.helm(args).await,
        }
    }

    async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        match self {
            Site::Own(plane) => plane.service_account_kubeconfig(namespace, name).await,
            Site::There(cluster) => cluster.service_account_kubeconfig(namespace, name).await,
        }
    }
}

/// A cluster that a kubeconfig leads to. Dropping this leaves it alone.
pub struct Existing {
    host: String,
    /// The one cluster and context in use, with all files inlined.
    kubeconfig: Value,
    kubectl: Kubectl,
    helm: Tool,
    dir: TempDir,
}

impl Existing {
    /// The cluster of `context` in the user's kubeconfig, whose API servers reach this machine as `host`.
    ///
    /// # Errors
    /// When there is no such context, or its API server does not answer.
    pub async fn connect(context: &str, host: &str) -> Result<Existing> {
        let dir = tempfile::Builder::new().prefix("concierge-").tempdir().context("no temporary folder")?;
        let (kubectl, helm) = (ensure_tool("kubectl").await?, ensure_tool("helm").await?);
        let users = Tool::plain(&kubectl);
        let view = ["config", "view", "--raw", "--flatten", "--minify", "-o", "json", "--context", context];
        let view = users.run(&view, "").await?.ok();
        let view = view.with_context(|| format!("no context {context:?} in the kubeconfig"))?;
        let kubeconfig: Value = serde_json::from_str(&view).context("kubectl showed no kubeconfig")?;
        let admin = dir.path().join("admin.kubeconfig");
        std::fs::write(&admin, &view).with_context(|| format!("can't write {}", admin.display()))?;
        let cluster = Existing {
            host: host.to_owned(),
            kubeconfig,
            kubectl: Kubectl::new(&kubectl, &admin, &dir.path().join("kubectl")),
            helm: Tool::new(&helm, &admin),
            dir,
        };
        let ready = cluster.kubectl.run(&["get", "--raw", "/readyz"]).await?.ok();
        ready.with_context(|| format!("the API server of context {context:?} does not answer"))?;
        Ok(cluster)
    }
}

impl Cluster for Existing {
    fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn host(&self) -> &str {
        &self.host
    }

    fn kubectl(&self) -> Kubectl {
        self.kubectl.clone()
    }

    async fn helm(&self, args: &[&str]) -> Result<Output> {
        self.helm.run(args, "").await
    }

    async fn service_account_kubeconfig(&self, namespace: &str, name: &str) -> Result<PathBuf> {
        let request = ["create", "token", name, "--namespace", namespace, "--duration=24h"];
        let token = self.kubectl.run(&request).await?.ok()?;
        let mut kubeconfig = self.kubeconfig.clone();
        kubeconfig["users"] = json!([{"name": name, "user": {"token": token.trim()}}]);
        kubeconfig["contexts"][0]["context"]["user"] = json!(name);
        let path = self.dir().join(format!("{namespace}-{name}.kubeconfig"));
        let text = serde_json::to_string_pretty(&kubeconfig)?;
        std::fs::write(&path, text).with_context(|| format!("can't write {}", path.display()))?;
        Ok(path)
    }
}
