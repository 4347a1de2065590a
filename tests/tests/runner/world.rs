//! The control plane that all tests of this program share at the same time, each in a namespace of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use concierge_reconciler::catalyst::runner::{
    JobOutcome, RunnerInput, RunnerSettings, objects, outcome, scripts,
};
use concierge_shared::catalyst::{DeploymentMode, RUNNER_ROLE, runner_rights};
use concierge_tests::PATIENCE;
use concierge_tests::catalyst::{git::GitServer, kubelet::Kubelet};
use concierge_tests::controlplane::ControlPlane;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{Api, Client, api::ListParams, runtime::wait::await_condition};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

pub(crate) struct World {
    pub(crate) plane: ControlPlane,
    pub(crate) git: GitServer,
    _kubelet: Kubelet,
}

impl World {
    pub(crate) async fn get() -> Result<&'static World> {
        static WORLD: OnceCell<World> = OnceCell::const_new();
        WORLD.get_or_try_init(World::start).await
    }

    /// On a runtime of its own: that of a test ends with the test.
    async fn start() -> Result<World> {
        let runtime: &'static _ = Box::leak(Box::new(tokio::runtime::Runtime::new()?));
        let world = runtime.spawn(async {
            // As in nearly every cluster; else it is not PodSecurity that refuses.
            let plane = ControlPlane::builder().apiserver_arg("--allow-privileged=true").start().await?;
            let git = GitServer::start(plane.dir()).await?;
            let role = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": RUNNER_ROLE },
                "rules": runner_rights(),
            });
            plane.kubectl().apply_text(&role.to_string()).await?.ok()?;
            let kubelet = Kubelet::start(&plane).await?;
            anyhow::Ok(World { plane, git, _kubelet: kubelet })
        });
        world.await?
    }

    /// Runs `kubectl ARGS` in a namespace; standard output.
    pub(crate) async fn get_all(&self, namespace: &str, args: &[&str]) -> Result<String> {
        let all = [&["get", "-n", namespace], args].concat();
        self.plane.kubectl().run(&all).await?.ok()
    }

    /// A namespace as environments have it, with this profile of PodSecurity.
    async fn namespace(&self, name: &str, profile: &str, quota: &str) -> Result<()> {
        let container = json!({ "type": "Container", "default": { "cpu": "200m", "memory": "256Mi" }, "defaultRequest": { "cpu": "50m", "memory": "64Mi" } });
        let hard = json!({ "requests.cpu": quota, "requests.memory": "4Gi", "limits.cpu": "8", "limits.memory": "8Gi", "pods": "20", "services.nodeports": "0" });
        let all = json!({ "apiVersion": "v1", "kind": "List", "items": [
            { "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": name, "labels": { "pod-security.kubernetes.io/enforce": profile } } },
            { "apiVersion": "v1", "kind": "LimitRange", "metadata": { "name": "defaults", "namespace": name }, "spec": { "limits": [container] } },
            { "apiVersion": "v1", "kind": "ResourceQuota", "metadata": { "name": "default-quota", "namespace": name }, "spec": { "hard": hard } },
        ] });
        self.plane.kubectl().apply_text(&all.to_string()).await?.ok()?;
        Ok(())
    }
}

/// An environment that is deployed, again and again.
pub(crate) struct Environment {
    pub(crate) world: &'static World,
    pub(crate) namespace: String,
    pub(crate) mode: DeploymentMode,
    pub(crate) path: &'static str,
    pub(crate) values: Value,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) images: BTreeMap<String, String>,
    pub(crate) timeout: Duration,
    pub(crate) repository: String,
    pub(crate) web_url: Option<String>,
}

impl Environment {
    pub(crate) async fn new(name: &str, mode: DeploymentMode, path: &'static str) -> Result<Environment> {
        Environment::within(name, mode, path, "baseline", "2").await
    }

    pub(crate) async fn within(
        name: &str,
        mode: DeploymentMode,
        path: &'static str,
        profile: &str,
        quota: &str,
    ) -> Result<Environment> {
        let world = World::get().await?;
        world.namespace(name, profile, quota).await?;
        Ok(Environment {
            world,
            namespace: name.to_owned(),
            mode,
            path,
            values: json!({}),
            variables: BTreeMap::new(),
            images: BTreeMap::new(),
            timeout: Duration::from_secs(60),
            repository: world.git.url(name),
            web_url: None,
        })
    }

    /// Deploys a source that consists of `files`.
    pub(crate) async fn deploy(&self, files: &[(&str, &str)]) -> Result<JobOutcome> {
        let commit = self.world.git.commit(&self.namespace, files).await?;
        self.deploy_commit(&commit).await
    }

    pub(crate) async fn deploy_commit(&self, commit: &str) -> Result<JobOutcome> {
        let input = RunnerInput {
            namespace: &self.namespace,
            name: "main",
            mode: self.mode,
            repository: &self.repository,
            commit,
            path: self.path,
            installation: self.web_url.as_ref().map(|_| "42"),
            values: Some(&self.values),
            variables: &self.variables,
            images: &self.images,
            attempt: 1,
        };
        let (list, name) = self.objects(&input)?;
        self.world.plane.kubectl().apply_text(&list).await?.ok()?;
        Box::pin(self.outcome(&input, &name)).await
    }

    /// All that is applied, and the name of the Job.
    fn objects(&self, input: &RunnerInput<'_>) -> Result<(String, String)> {
        let objects = objects(input, &self.settings());
        let all = [
            serde_json::to_value(scripts(&self.namespace))?,
            serde_json::to_value(&objects.service_account)?,
            serde_json::to_value(&objects.role_binding)?,
            serde_json::to_value(&objects.secret)?,
            serde_json::to_value(&objects.job)?,
        ];
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": all });
        Ok((list.to_string(), objects.job.metadata.name.context("a Job has a name")?))
    }

    async fn outcome(&self, input: &RunnerInput<'_>, name: &str) -> Result<JobOutcome> {
        let client = self.world.plane.admin().client().await?;
        let jobs = Api::<Job>::namespaced(client.clone(), &self.namespace);
        let ended =
            |job: Option<&Job>| job.is_some_and(|job| outcome(input, job, &[]) != JobOutcome::Running);
        let job = tokio::time::timeout(PATIENCE, await_condition(jobs, name, ended)).await;
        let Ok(job) = job else {
            anyhow::bail!(
                "Job {name} does not end: {}",
                self.world.get_all(&self.namespace, &["pods,events"]).await?
            );
        };
        let job = job?.context("the Job is there")?;
        Ok(outcome(input, &job, &pods(&client, &self.namespace, name).await?))
    }

    fn settings(&self) -> RunnerSettings {
        RunnerSettings {
            git_image: "local/git".into(),
            deploy_image: "local/deploy".into(),
            concierge_image: "local/concierge".into(),
            web_url: self.web_url.clone(),
            role: RUNNER_ROLE.into(),
            timeout: self.timeout,
            patience: Duration::from_secs(1),
        }
    }
}

async fn pods(client: &Client, namespace: &str, job: &str) -> Result<Vec<Pod>> {
    let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={job}"));
    Ok(Api::namespaced(client.clone(), namespace).list(&of_job).await?.items)
}
