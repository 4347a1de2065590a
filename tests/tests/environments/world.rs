//! The cluster that all tests of this program share at the same time, each as a team of its own.

use anyhow::{Context, Result, bail, ensure};
use concierge_shared::catalyst::{Environment, Project};
use concierge_tests::PATIENCE;
use concierge_tests::catalyst::{git::GitServer, kubelet::Kubelet};
use concierge_tests::controlplane::{ControlPlane, User};
use concierge_tests::kubectl::Output;
use concierge_tests::stack::{Plan, Stack};
use futures::{StreamExt as _, stream::BoxStream};
use k8s_openapi::api::core::v1::Namespace;
use kube::runtime::{WatchStreamExt as _, wait, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

const GROUP: &str = "catalyst.catalyst.dev/v1alpha1";
/// What an operator sets, for both programs.
const SETTINGS: [&str; 6] = [
    "--catalyst-environment-id-setters=web",
    "--catalyst-allow-internal-repositories",
    "--catalyst-preview-domain=example.com",
    "--catalyst-workspace-image=namespace",
    "--catalyst-git-image=local/git",
    "--catalyst-deploy-image=local/deploy",
];

pub(crate) struct World {
    pub(crate) stack: Stack,
    pub(crate) git: GitServer,
    pub(crate) client: Client,
    pub(crate) kubelet: Kubelet,
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
            let kubelet = Kubelet::start(&plane).await?;
            let (client, settings) = (plane.client().await?, SETTINGS.map(str::to_owned));
            let own = ["--children=catalyst,orasi", "--image=local/concierge"].map(str::to_owned);
            let plan = Plan {
                values: vec!["reconciler.children={catalyst,orasi}".into()],
                webhook_args: settings.to_vec(),
                reconciler_args: [settings.to_vec(), own.to_vec()].concat(),
                ..Plan::default()
            };
            let stack = Stack::start_on(plane, plan).await?;
            anyhow::Ok(World { stack, git, client, kubelet })
        });
        world.await?
    }

    /// Runs `kubectl ARGS` as the administrator.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> Result<Output> {
        self.stack.plane.kubectl().run(args).await
    }
}

/// A team with its project `shop`, and a user who may have its environments and nothing else in the cluster.
pub(crate) struct Team {
    pub(crate) world: &'static World,
    pub(crate) name: &'static str,
    user: User,
    client: Client,
}

impl Team {
    pub(crate) async fn new(name: &'static str) -> Result<Team> {
        let world = World::get().await?;
        let plane = &world.stack.plane;
        plane.kubectl().apply_text(&rights(name)).await?.ok()?;
        let user = plane.user(name, &[])?;
        let client = user.client().await?;
        Ok(Team { world, name, user, client })
    }

    /// The namespace of the environment `name`.
    pub(crate) fn namespace(&self, name: &str) -> String {
        format!("{}-shop-{name}", self.name)
    }

    /// Makes a source that consists of `files`; the commit.
    pub(crate) async fn commit(&self, files: &[(&str, &str)]) -> Result<String> {
        self.world.git.commit(self.name, files).await
    }

    /// The project, whose environments of type development are deployed by this template.
    pub(crate) async fn project(&self, template: Value) -> Result<()> {
        self.project_called("shop", template).await
    }

    pub(crate) async fn project_called(&self, name: &str, template: Value) -> Result<()> {
        self.project_with(name, json!({ "templates": { "development": template } })).await
    }

    /// A project with its source and this spec besides.
    pub(crate) async fn project_with(&self, name: &str, more: Value) -> Result<()> {
        let source =
            json!({ "name": "main", "repositoryUrl": self.world.git.url(self.name), "branch": "main" });
        let mut spec = more;
        spec["sources"] = json!([source]);
        let metadata = json!({ "name": name, "namespace": self.name });
        let project: Project = serde_json::from_value(
            json!({ "apiVersion": GROUP, "kind": "Project", "metadata": metadata, "spec": spec }),
        )?;
        Api::namespaced(self.world.client.clone(), self.name)
            .create(&kube::api::PostParams::default(), &project)
            .await?;
        Ok(())
    }

    /// Runs `kubectl ARGS` as the team's user.
    pub(crate) async fn kubectl(&self, args: &[&str]) -> Result<Output> {
        self.user.kubectl().run(args).await
    }

    fn environments(&self) -> Api<Environment> {
        Api::namespaced(self.client.clone(), &format!("{}-shop", self.name))
    }

    /// The environment `name` of the project, as this team would write it, with this spec besides.
    pub(crate) fn environment(&self, name: &str, more: &Value) -> Value {
        let labels = json!({
            "catalyst.dev/team": self.name, "catalyst.dev/project": "shop", "catalyst.dev/environment": name,
        });
        let mut spec = json!({ "projectRef": { "name": "shop" }, "type": "development" });
        spec.as_object_mut()
            .into_iter()
            .for_each(|spec| spec.extend(more.as_object().cloned().unwrap_or_default()));
        json!({
            "apiVersion": GROUP, "kind": "Environment", "spec": spec,
            "metadata": { "name": name, "namespace": format!("{}-shop", self.name), "labels": labels },
        })
    }

    /// Creates an environment as the team's user, and watches it.
    pub(crate) async fn create(&self, environment: &Value) -> Result<Watched> {
        let environments = self.environments();
        let name = environment["metadata"]["name"].as_str().unwrap_or_default();
        let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
        let changes = watcher(environments.clone(), config).default_backoff().applied_objects();
        let changes = changes.filter_map(|changed| std::future::ready(changed.ok())).boxed();
        let made: Environment = serde_json::from_value(environment.clone())?;
        environments.create(&kube::api::PostParams::default(), &made).await?;
        Ok(Watched { changes, phases: Vec::new() })
    }

    /// What the API server says to an environment that is refused.
    pub(crate) async fn refused(&self, environment: &Value) -> Result<String> {
        let made: Environment = serde_json::from_value(environment.clone())?;
        match self.environments().create(&kube::api::PostParams::default(), &made).await {
            Ok(_) => bail!("it was created"),
            Err(error) => Ok(error.to_string()),
        }
    }

    /// Deletes the environment as the team's user, and waits until it is gone.
    pub(crate) async fn delete_alone(&self, name: &str) -> Result<()> {
        let environments = self.environments();
        let uid = environments.get(name).await?.metadata.uid.unwrap_or_default();
        environments.delete(name, &kube::api::DeleteParams::default()).await?;
        let gone = wait::await_condition(environments, name, wait::conditions::is_deleted(&uid));
        tokio::time::timeout(PATIENCE, gone).await.context("the Environment stays")??;
        Ok(())
    }

    /// The same; its namespace has to be gone by then.
    pub(crate) async fn delete(&self, name: &str) -> Result<()> {
        self.delete_alone(name).await?;
        let namespaces = Api::<Namespace>::all(self.world.client.clone());
        ensure!(namespaces.get_opt(&self.namespace(name)).await?.is_none(), "its namespace is left");
        Ok(())
    }
}

/// An environment that is looked at as it changes.
pub(crate) struct Watched {
    changes: BoxStream<'static, Environment>,
    /// The phases that were seen, each as often as it changed.
    pub(crate) phases: Vec<String>,
}

impl Watched {
    /// Its status, once this is so.
    pub(crate) async fn until(&mut self, done: impl Fn(&Value) -> bool) -> Result<Value> {
        let mut last = Value::Null;
        let looking = async {
            while let Some(environment) = self.changes.next().await {
                last = serde_json::to_value(&environment.status)?;
                let phase = last["phase"].as_str().unwrap_or("Pending").to_owned();
                if self.phases.last() != Some(&phase) {
                    self.phases.push(phase);
                }
                if done(&last) {
                    return Ok(());
                }
            }
            bail!("the watch ended")
        };
        match tokio::time::timeout(PATIENCE, looking).await {
            Ok(found) => found.map(|()| last),
            Err(_) => bail!("after {:?}, it is {last:#}", self.phases),
        }
    }

    pub(crate) async fn until_phase(&mut self, phase: &str) -> Result<Value> {
        self.until(|status| status["phase"] == phase).await
    }

    /// The reason and the message of a condition that is false, once it is so for one of these reasons.
    pub(crate) async fn until_false(&mut self, condition: &str, reason: &str) -> Result<String> {
        let found = |status: &Value| {
            let all = status["conditions"].as_array().cloned().unwrap_or_default();
            all.into_iter()
                .find(|one| one["type"] == condition && one["status"] == "False" && one["reason"] == reason)
        };
        let status = self.until(|status| found(status).is_some()).await?;
        Ok(found(&status).and_then(|one| one["message"].as_str().map(str::to_owned)).unwrap_or_default())
    }
}

/// Namespaces of a team, and what its user may do there.
fn rights(team: &str) -> String {
    format!(
        r"
apiVersion: v1
kind: Namespace
metadata: {{name: {team}}}
---
apiVersion: v1
kind: Namespace
metadata: {{name: {team}-shop}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: environments, namespace: {team}-shop}}
rules: [{{apiGroups: [catalyst.catalyst.dev], resources: [environments], verbs: ['*']}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: environments, namespace: {team}-shop}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: environments}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {team}}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: projects, namespace: {team}}}
rules: [{{apiGroups: [catalyst.catalyst.dev], resources: [projects], verbs: [get]}}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: projects, namespace: {team}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: projects}}
subjects: [{{apiGroup: rbac.authorization.k8s.io, kind: User, name: {team}}}]
"
    )
}
