//! The cluster, Concierge in it, and the ordinary user whose commands are run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::terminal::{prompt, say};
use super::{catalyst, coffee};
use crate::catalyst::kubelet::Kubelet;
use crate::cluster::{Cluster, Existing, Site};
use crate::controlplane::ControlPlane;
use crate::kubectl::Kubectl;
use crate::process::{Signal, built_program};
use crate::s3::{self, Server};
use crate::shop::{Served, Shop};
use crate::stack::{NAMESPACE, Plan, RELEASE, Stack};

/// The namespace of the user who types.
const HOME: &str = "concierge-demo";
/// The user's service account in it.
const USER: &str = "visitor";
/// How many webhook replicas there are.
const REPLICAS: usize = 2;
/// A lease that was not there before is relied on only after its duration, and the audience would wait that long.
const SHORT_LEASE: [&str; 4] = ["--lease-duration", "6s", "--request-timeout", "2s"];
/// What our CRDs are found by.
const OURS: &str = "app.kubernetes.io/part-of=concierge";
/// How long a started replica may take to be ready, and the user to get its rights.
const PATIENCE: Duration = Duration::from_secs(30);

/// What both programs are told about environments.
const ENVIRONMENTS: &str = "--catalyst-preview-domain=example.com";
/// Those of a project's environments, of another team, and two that were made by hand: one stays, the other one will be deleted.
const MORE_NAMESPACES: [&str; 4] =
    ["concierge-demo-shop", "concierge-demo-bank", "concierge-demo-shop-live", "concierge-demo-shop-pr-7"];

/// The user, with the rights that every user with the role `edit` has.
const VISITOR: &str = "
apiVersion: v1
kind: Namespace
metadata: {name: concierge-demo}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: visitor, namespace: concierge-demo}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: visitor, namespace: concierge-demo}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: ServiceAccount, name: visitor, namespace: concierge-demo}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: visitor, namespace: concierge-demo-shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: edit}
subjects: [{kind: ServiceAccount, name: visitor, namespace: concierge-demo}]
";

/// The role that the reconciler has where objects name Secrets; of the chart, a value binds it.
const SECRETS: &str = "concierge-secrets";
/// The role with which it makes namespaces and what is in them; of the chart, a value binds it too.
const CHILDREN: &str = "concierge-children-catalyst";

/// A cluster with Concierge in it, and whom the commands are run as.
pub(super) struct DemoCluster {
    context: Option<String>,
    host: String,
    installed: Option<Before>,
    set: Option<Set>,
}

/// What a cluster that is not our own had before.
#[derive(Clone, Copy)]
struct Before {
    namespace: bool,
    crds: bool,
}

/// A cluster that is set.
struct Set {
    stack: Stack<Site>,
    shop: Served,
    store: Server,
    /// Of a client of S3.
    python: PathBuf,
    kubeconfig: PathBuf,
    kubectl: Kubectl,
    /// Of an own cluster, which has no nodes.
    kubelet: Option<Kubelet>,
}

impl DemoCluster {
    /// The cluster of `context`, or one of its own.
    pub(super) fn new(context: Option<String>, host: String) -> DemoCluster {
        DemoCluster { context, host, installed: None, set: None }
    }

    /// Starts and installs everything.
    pub(super) async fn set(&mut self) -> Result<()> {
        let start = Instant::now();
        // Meanwhile; the first time on a machine, it is fetched.
        let store = tokio::spawn(Server::moto());
        let site = match &self.context {
            Some(context) => {
                say(&format!("Installing Concierge in the cluster of context {context} ...\n"));
                let cluster = Existing::connect(context, &self.host).await?;
                self.installed = Some(look_around(&cluster).await?);
                Site::There(cluster)
            }
            None => {
                say("Starting a Kubernetes control plane and Concierge in it ...\n");
                Site::Own(Box::new(ControlPlane::start().await?))
            }
        };
        let kubectl = site.kubectl();
        for name in MORE_NAMESPACES {
            kubectl.run(&["create", "namespace", name]).await?.ok()?;
        }
        kubectl.apply_text(VISITOR).await?.ok()?;
        let kubelet = match &site {
            Site::Own(plane) => {
                bind(&kubectl).await?;
                Some(Kubelet::without_programs(plane).await?)
            }
            Site::There(_) => None,
        };
        let plan = plan(matches!(site, Site::Own(_)));
        let stack = Stack::start_on(site, plan).await?;
        kubectl.apply_text(catalyst::OTHERS).await?.ok()?;
        let kubeconfig = stack.plane.dir().join(format!("{USER}.kubeconfig"));
        std::fs::rename(stack.plane.service_account_kubeconfig(HOME, USER).await?, &kubeconfig)?;
        let kubectl = kubectl.with_kubeconfig(&kubeconfig);
        kubectl.run(&["config", "set-context", "--current", "--namespace", HOME]).await?.ok()?;
        wait_for_rights(&kubectl).await?;
        let shop = Shop::start().await?;
        shop.account(coffee::TOKEN);
        let store = store.await.context("the S3 service was not started")??;
        let python = s3::python().await?;
        let took = start.elapsed().as_secs();
        say(&format!("{REPLICAS} webhook replicas and the reconciler run, after {took} s.\n"));
        say("From here on, everything is typed by an ordinary user, who may edit two namespaces:\n\n");
        say(&format!("{}\n", prompt(&format!("export KUBECONFIG={}", kubeconfig.display()))));
        self.set = Some(Set { stack, shop, store, python, kubeconfig, kubectl, kubelet });
        Ok(())
    }

    /// `text` with what stands for each `{NAME}`.
    pub(super) fn fill_in(&self, text: &str) -> String {
        let Some(set) = &self.set else { return text.to_owned() };
        let store = set.store.endpoint.s3.as_str().trim_end_matches('/');
        let mut text = text.replace("{shop}", &set.shop.url()).replace("{store}", store);
        // Where there are no nodes, it takes as long as a pull.
        let image = if set.kubelet.is_some() { "example.com/slow-shop:1" } else { "nginx:1.29" };
        let admin = set.stack.plane.kubectl().kubeconfig().display().to_string();
        text = text.replace("{image}", image).replace("{admin}", &admin);
        for number in 0..set.stack.webhooks() {
            let name = format!("{{webhook-{number}}}");
            if text.contains(&name) {
                let pid = set.stack.webhook(number, |program| program.process.pid());
                text = text.replace(&name, &pid.to_string());
            }
        }
        text
    }

    /// What makes the user's commands find the cluster, kubectl and our programs.
    pub(super) fn environment(&self) -> Result<Vec<(&'static str, OsString)>> {
        let set = self.set.as_ref().context("the cluster is not set")?;
        let path = std::env::var_os("PATH").unwrap_or_default();
        let ours = [set.kubectl.program(), &built_program("concierge-webhook")?, &set.python];
        let folders = ours.iter().filter_map(|program| program.parent().map(Path::to_owned));
        let path = std::env::join_paths(folders.chain(std::env::split_paths(&path)))?;
        let cache = set.stack.plane.dir().join("kubectl");
        Ok(vec![
            ("KUBECONFIG", set.kubeconfig.clone().into()),
            ("PATH", path),
            ("KUBECACHEDIR", cache.into()),
            // As a client of S3 takes them.
            ("AWS_ENDPOINT_URL", set.store.endpoint.s3.as_str().into()),
            ("AWS_DEFAULT_REGION", "eu-central-2".into()),
            ("AWS_ACCESS_KEY_ID", set.store.admin.id.clone().into()),
            ("AWS_SECRET_ACCESS_KEY", set.store.admin.secret.clone().into()),
        ])
    }

    /// Sends `signal` to a webhook replica.
    pub(super) fn signal_webhook(&self, number: usize, signal: Signal) -> Result<()> {
        self.set.as_ref().context("the cluster is not set")?.stack.signal_webhook(number, signal)
    }

    /// Runs `kubectl ARGS` as whoever may do all.
    pub(super) async fn run_as_administrator(&self, args: &[&str]) -> Result<()> {
        let set = self.set.as_ref().context("the cluster is not set")?;
        set.stack.plane.kubectl().run(args).await?.ok().map(drop)
    }

    /// The shop hands all that is ordered to the carrier.
    pub(super) fn ship(&self) -> Result<()> {
        let shop = &self.set.as_ref().context("the cluster is not set")?.shop;
        for charge in shop.charges() {
            shop.ship(&charge.order);
        }
        Ok(())
    }

    /// Whether the replica ends, now or soon.
    pub(super) async fn webhook_ends(&self, number: usize) -> bool {
        let Some(set) = &self.set else { return true };
        let until = Instant::now() + PATIENCE;
        while set.stack.webhook(number, |program| program.process.exited().is_none()) {
            if Instant::now() > until {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        true
    }

    /// Starts a replica in the place of one that has ended.
    pub(super) async fn replace_webhook(&self) -> Result<()> {
        let stack = &self.set.as_ref().context("the cluster is not set")?.stack;
        stack.add_webhook().await?;
        stack.balancer.wait_ready(REPLICAS, PATIENCE).await
    }

    /// Tells how to go on by hand.
    pub(super) async fn invite(&self) -> Result<()> {
        let Some(set) = &self.set else { return Ok(()) };
        let mut lines = format!("export KUBECONFIG={}\n", set.kubeconfig.display());
        let own = |dir: PathBuf| dir.join("kubectl").is_file();
        if !std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(own) {
            lines.push_str(&format!("alias kubectl={}\n", set.kubectl.program().display()));
        }
        lines.push_str("kubectl get pets,petstores");
        let lines: Vec<String> = lines.lines().map(prompt).collect();
        let logs = set.stack.plane.dir().display();
        let end = match self.context {
            Some(_) => "ends it and removes what it put into the cluster",
            None => "ends it all",
        };
        say(&format!(
            "\nConcierge goes on running. In another terminal:\n\n{}\n\nLogs are in {logs}. Ctrl-C {end}.\n",
            lines.join("\n")
        ));
        Ok(())
    }

    /// Ends everything. A cluster that was there before is left as it was.
    pub(super) async fn clear(&mut self) -> Result<()> {
        let set = self.set.take();
        if let (Some(before), Some(context)) = (self.installed.take(), &self.context) {
            say(&format!("Removing Concierge from the cluster of context {context} ...\n"));
            let cluster = Existing::connect(context, &self.host).await?;
            remove(&cluster, before, set).await?;
        }
        Ok(())
    }
}

pub(super) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// What is there before we come. Somebody's installation is nothing to play with.
async fn look_around(cluster: &Existing) -> Result<Before> {
    if cluster.helm(&["status", RELEASE, "--namespace", NAMESPACE]).await?.status.success() {
        bail!("Concierge is installed in this cluster already, and the demo would change and remove that");
    }
    let kubectl = cluster.kubectl();
    let exists = async |args: &[&str]| -> Result<bool> {
        let args = [args, &["--output=name", "--ignore-not-found"]].concat();
        Ok(!kubectl.run(&args).await?.ok()?.is_empty())
    };
    for name in MORE_NAMESPACES.into_iter().chain([HOME]) {
        if exists(&["get", "namespace", name]).await? {
            bail!(
                "there is a namespace {name} already: `kubectl delete namespace {name}`, if a demo left it"
            );
        }
    }
    Ok(Before {
        namespace: exists(&["get", "namespace", NAMESPACE]).await?,
        crds: exists(&["get", "crd", "--selector", OURS]).await?,
    })
}

/// What is started, and set for environments: by values of the chart, or by flags where there is no helm.
fn plan(without_helm: bool) -> Plan {
    let reconciler_args = [&SHORT_LEASE[..], &[ENVIRONMENTS, "--children=catalyst"]].concat();
    Plan {
        webhooks: REPLICAS,
        values: vec![
            format!("reconciler.secretNamespaces={{{HOME}}}"),
            "reconciler.children={catalyst}".to_owned(),
        ],
        webhook_args: vec![ENVIRONMENTS.to_owned()],
        reconciler_args: reconciler_args.into_iter().map(str::to_owned).collect(),
        without_helm,
        ..Plan::default()
    }
}

/// Binds what values of the chart bind.
async fn bind(kubectl: &Kubectl) -> Result<()> {
    let account = format!("--serviceaccount={NAMESPACE}:{RELEASE}");
    for (role, kind, namespace) in
        [(SECRETS, "rolebinding", HOME), (CHILDREN, "clusterrolebinding", NAMESPACE)]
    {
        let bind = ["create", kind, role, "--namespace", namespace, "--clusterrole", role, &account];
        kubectl.run(&bind).await?.ok()?;
    }
    Ok(())
}

/// Aggregated roles get their rights a moment after the chart is installed.
async fn wait_for_rights(kubectl: &Kubectl) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while !kubectl.run(&["auth", "can-i", "create", "pets.petstore.example.com"]).await?.status.success() {
        if Instant::now() > until {
            bail!("the role edit does not get the right to create pets");
        }
    }
    Ok(())
}

/// Objects first, while the reconciler can still let them go; then what the chart installed.
async fn remove(cluster: &Existing, before: Before, set: Option<Set>) -> Result<()> {
    let kubectl = cluster.kubectl();
    let delete = async |args: &[&str]| -> Result<()> {
        let args = [&["delete", "--ignore-not-found", "--timeout=60s"], args].concat();
        kubectl.run(&args).await?.ok().map(drop)
    };
    // It may be gone, or have let go.
    kubectl.run(&catalyst::LET_GO).await?;
    // First of all environments, since their project waits for them.
    delete(&[&["namespace"][..], &MORE_NAMESPACES].concat()).await?;
    delete(&["namespace", HOME]).await?;
    if !before.crds {
        delete(&["crd", "--selector", OURS]).await?;
    }
    drop(set);
    let uninstall = ["uninstall", RELEASE, "--namespace", NAMESPACE, "--ignore-not-found", "--wait"];
    cluster.helm(&uninstall).await?.ok()?;
    if !before.namespace {
        delete(&["namespace", NAMESPACE]).await?;
    }
    Ok(())
}
