//! A fake kubelet: there are no nodes and no containers, but pods come to run, end and fail.
//!
//! What an image is called decides about its containers: a last part of the name that begins with a word of [`Fate`] has that fate,
//! as in `example.com/fail-api:1`; every other one runs. Of an image `namespace` the last word of the namespace's name decides, for what an
//! operator sets for all. Containers of images `local/...` are run: as processes of this machine, with the
//! pod's volumes as folders, the pod's own token, and their programs from `PATH`. Where a container names a path at which something is
//! mounted, in its command, arguments or variables, the folder stands instead: so everything that it needs has to come that way.
//!
//! Not there: namespaces and limits of the kernel, probes, restarts, and any network of pods.

mod container;
mod volumes;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use k8s_openapi::api::core::v1::{Container, Pod};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::controlplane::{ControlPlane, ensure};
use crate::process::built_program;
use container::Ended;

/// How long what is slow takes.
const SLOW: Duration = Duration::from_secs(3);

/// What becomes of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Runs, or ends well when it is one that ends.
    Run,
    /// The same, some seconds later.
    Slow,
    /// Ends with this exit code, again and again.
    Exit(i32),
    /// Its image can't be pulled.
    NoPull,
    /// It is configured as it can't be.
    NoConfig,
    /// Nothing is heard of it.
    Hang,
    /// A process of this machine.
    Local,
}

impl Fate {
    /// By the name of the image.
    pub fn of(image: &str) -> Fate {
        let last = image.rsplit('/').next().unwrap_or_default();
        let begins = |word: &str| last.starts_with(word);
        match () {
            () if image.starts_with("local/") => Fate::Local,
            () if begins("fail") => Fate::Exit(1),
            () if begins("exit137") => Fate::Exit(137),
            () if begins("nopull") => Fate::NoPull,
            () if begins("noconfig") => Fate::NoConfig,
            () if begins("hang") => Fate::Hang,
            () if begins("slow") => Fate::Slow,
            () => Fate::Run,
        }
    }

    fn of_container(pod: &Pod, container: &Container) -> Fate {
        match container.image.as_deref().unwrap_or_default() {
            "namespace" => Fate::of(volumes::namespace(pod).rsplit('-').next().unwrap_or_default()),
            image => Fate::of(image),
        }
    }

    /// Why it is not even started: a reason, and what is said of it.
    fn stuck(self) -> Option<(&'static str, &'static str)> {
        match self {
            Fate::NoPull => Some(("ImagePullBackOff", "Back-off pulling image")),
            Fate::NoConfig => Some(("CreateContainerConfigError", "secret \"missing\" not found")),
            _ => None,
        }
    }
}

/// Looks after all pods of a control plane until it is dropped.
pub struct Kubelet {
    task: JoinHandle<()>,
    dir: TempDir,
}

impl Kubelet {
    /// Starts it; helm, kubectl and our own programs are what local containers find by name.
    ///
    /// # Errors
    /// When one of the programs is not there.
    pub async fn start(plane: &ControlPlane) -> Result<Kubelet> {
        let [helm, kubectl] = ensure(["helm", "kubectl"]).await?;
        let own = built_program("concierge-reconciler")?;
        Kubelet::with(plane, &[("helm", helm), ("kubectl", kubectl), ("concierge-reconciler", own)]).await
    }

    /// Starts one for pods without local containers.
    ///
    /// # Errors
    /// When the control plane does not answer.
    pub async fn without_programs(plane: &ControlPlane) -> Result<Kubelet> {
        Kubelet::with(plane, &[]).await
    }

    async fn with(plane: &ControlPlane, programs: &[(&str, PathBuf)]) -> Result<Kubelet> {
        let dir = tempfile::Builder::new().prefix("kubelet-").tempdir_in(plane.dir())?;
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin)?;
        for (name, program) in programs {
            std::os::unix::fs::symlink(program, bin.join(name))?;
        }
        let node =
            Node { client: plane.client().await?, url: plane.url().to_owned(), dir: dir.path().to_owned() };
        Ok(Kubelet { task: tokio::spawn(node.run()), dir })
    }

    /// The folder that stands for the volume of a claim. It is there once a pod with a local container has had it.
    pub fn claim(&self, namespace: &str, name: &str) -> PathBuf {
        volumes::claim(self.dir.path(), namespace, name)
    }
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where all pods are.
#[derive(Clone)]
struct Node {
    client: Client,
    url: String,
    dir: PathBuf,
}

impl Node {
    async fn run(self) {
        // Ends with this task, and every pod's with it.
        let mut pods = tokio::task::JoinSet::new();
        let mut known = HashMap::new();
        let events = watcher(Api::<Pod>::all(self.client.clone()), watcher::Config::default());
        let mut events = std::pin::pin!(events.default_backoff().touched_objects());
        loop {
            let pod = match events.try_next().await {
                Ok(Some(pod)) => pod,
                Ok(None) => return,
                Err(_) => continue,
            };
            let uid = pod.metadata.uid.clone().unwrap_or_default();
            if pod.metadata.deletion_timestamp.is_some() {
                if let Some(task) = known.remove(&uid).flatten() {
                    tokio::task::AbortHandle::abort(&task);
                }
                let node = self.clone();
                known.insert(uid, None);
                pods.spawn(async move { node.remove(&pod).await });
            } else if is_new(&pod) && !known.contains_key(&uid) {
                let node = self.clone();
                let task = pods.spawn(async move { node.look_after(&pod).await });
                known.insert(uid, Some(task));
            }
        }
    }

    fn api(&self, pod: &Pod) -> Api<Pod> {
        Api::namespaced(self.client.clone(), pod.metadata.namespace.as_deref().unwrap_or_default())
    }

    async fn remove(&self, pod: &Pod) {
        let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::default() };
        // It may be gone already.
        let _ = self.api(pod).delete(pod.metadata.name.as_deref().unwrap_or_default(), &now).await;
    }

    /// The whole life of a pod.
    async fn look_after(&self, pod: &Pod) {
        let mut life = Life::new(self, pod);
        if let Err(error) = life.live().await {
            let status =
                json!({ "phase": "Failed", "reason": "FakeKubelet", "message": format!("{error:#}") });
            life.tell(status).await;
        }
    }
}

/// A pod on its way.
struct Life<'a> {
    node: &'a Node,
    pod: &'a Pod,
    /// Whether its containers are to end.
    ends: bool,
    init: Vec<Value>,
    containers: Vec<Value>,
}

impl<'a> Life<'a> {
    fn new(node: &'a Node, pod: &'a Pod) -> Self {
        let spec = pod.spec.as_ref();
        let ends =
            spec.and_then(|spec| spec.restart_policy.as_deref()).is_some_and(|policy| policy != "Always");
        Self { node, pod, ends, init: Vec::new(), containers: Vec::new() }
    }

    async fn live(&mut self) -> Result<()> {
        let spec = self.pod.spec.as_ref().context("a pod has a spec")?;
        let all = || spec.init_containers.iter().flatten().chain(&spec.containers);
        let has_local = all().any(|one| Fate::of_container(self.pod, one) == Fate::Local);
        let room = tempfile::Builder::new().prefix("pod-").tempdir_in(&self.node.dir)?;
        let volumes = match has_local {
            true => volumes::make(self.node, self.pod, room.path()).await?,
            false => HashMap::new(),
        };
        for (nth, container) in spec.init_containers.iter().flatten().enumerate() {
            let Some(state) = self.end_of(container, &volumes, room.path(), true).await? else {
                return Ok(());
            };
            self.init.push(self.status(container, &state, state["terminated"]["exitCode"] == 0));
            if self.init[nth]["ready"] == false {
                let phase = if self.ends { "Failed" } else { "Pending" };
                self.tell(json!({ "phase": phase })).await;
                return Ok(());
            }
        }
        let mut failed = false;
        for container in &spec.containers {
            let Some(state) = self.end_of(container, &volumes, room.path(), self.ends).await? else {
                return Ok(());
            };
            failed |= state["terminated"]["exitCode"].as_i64().is_some_and(|code| code != 0)
                || state.get("waiting").is_some();
            self.containers.push(self.status(container, &state, state.get("running").is_some()));
        }
        let phase = match (self.ends, failed) {
            (true, true) => "Failed",
            (true, false) => "Succeeded",
            (false, _) => "Running",
        };
        self.tell(json!({ "phase": phase, "podIP": "10.9.8.7" })).await;
        Ok(())
    }

    /// The state that a container comes to; `None` when nothing more is heard of the pod.
    async fn end_of(
        &mut self,
        container: &Container,
        volumes: &HashMap<String, PathBuf>,
        room: &Path,
        ends: bool,
    ) -> Result<Option<Value>> {
        let fate = Fate::of_container(self.pod, container);
        if fate == Fate::Slow {
            tokio::time::sleep(SLOW).await;
        }
        if let Some((reason, message)) = fate.stuck() {
            let state = json!({ "waiting": { "reason": reason, "message": message } });
            let status = self.status(container, &state, false);
            let is_init = container_is_init(self.pod, &container.name);
            let list = if is_init { &mut self.init } else { &mut self.containers };
            list.push(status);
            self.tell(json!({ "phase": "Pending" })).await;
            return Ok(None);
        }
        let state = match fate {
            Fate::Hang | Fate::NoPull | Fate::NoConfig => return Ok(None),
            Fate::Local => container::run(self.node, self.pod, container, volumes, room).await?.state(),
            Fate::Run | Fate::Slow if !ends => json!({ "running": { "startedAt": now() } }),
            Fate::Run | Fate::Slow => Ended { code: 0, message: String::new() }.state(),
            Fate::Exit(code) if ends => Ended { code, message: String::new() }.state(),
            Fate::Exit(_) => {
                json!({ "waiting": { "reason": "CrashLoopBackOff", "message": "back-off restarting failed container" } })
            }
        };
        Ok(Some(state))
    }

    /// As the API has it.
    fn status(&self, container: &Container, state: &Value, ready: bool) -> Value {
        let mut status = json!({
            "name": container.name, "image": container.image, "imageID": "", "ready": ready, "restartCount": 0, "state": state,
        });
        if let (Some("CrashLoopBackOff"), Fate::Exit(code)) =
            (state["waiting"]["reason"].as_str(), Fate::of_container(self.pod, container))
        {
            status["restartCount"] = 3.into();
            status["lastState"] = Ended { code, message: String::new() }.state();
        }
        status
    }

    /// Writes the status of the pod, with what is known of its containers.
    async fn tell(&self, mut status: Value) {
        let is_ready = !self.ends
            && !self.containers.is_empty()
            && self.containers.iter().all(|one| one["ready"] == true);
        let condition = |kind: &str| json!({ "type": kind, "status": if is_ready { "True" } else { "False" }, "lastTransitionTime": now() });
        status["conditions"] = ["Initialized", "Ready", "ContainersReady"].map(condition).into();
        status["initContainerStatuses"] = self.init.clone().into();
        status["containerStatuses"] = self.containers.clone().into();
        let name = self.pod.metadata.name.as_deref().unwrap_or_default();
        let patch = Patch::Strategic(json!({ "status": status }));
        // Whoever deleted it meanwhile does not want to know.
        let _ = self.node.api(self.pod).patch_status(name, &PatchParams::default(), &patch).await;
    }
}

/// Not one that another looked after.
fn is_new(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()).is_none_or(|phase| phase == "Pending")
}

fn container_is_init(pod: &Pod, name: &str) -> bool {
    let init = pod.spec.iter().flat_map(|spec| spec.init_containers.iter().flatten());
    init.into_iter().any(|one| one.name == name)
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
