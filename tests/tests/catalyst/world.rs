//! What the tests share: an API server with a project and its environments.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::engine::{Kinds, ObjectKey};
use concierge_shared::{
    catalyst::{Environment, Project},
    group,
    kind::KindInfo,
};
use concierge_tests::simulation::{LEASE, MINUTE, Process, ProcessOptions, Server, Simulated};
use serde_json::{Value, json};
use tokio::time::sleep;

static KINDS: [KindInfo; 2] = [KindInfo::of::<Project>(), KindInfo::of::<Environment>()];

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// The namespace of the environment `pr-1` of the project `shop` of the team `acme`.
pub(crate) const HOME: &str = "acme-shop-pr-1";

/// An API server.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    pub(crate) rules: group::Settings,
}

impl Simulated for World {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn watched(&self) -> &'static [KindInfo] {
        &KINDS
    }

    fn reconcilers(&self) -> Kinds {
        concierge_reconciler::catalyst::kinds(Kinds::default())
    }

    fn rules(&self) -> group::Settings {
        self.rules.clone()
    }
}

impl World {
    /// With the domain example.com.
    pub(crate) fn new() -> Self {
        let mut rules = group::Settings::default();
        rules.catalyst.preview_domain = "example.com".into();
        Self { server: Server::new(), rules }
    }

    /// Starts a process that is in good health, and gives it time to lead.
    pub(crate) async fn healthy(&self) -> Process {
        let process = self.start("healthy", ProcessOptions::default());
        sleep(LEASE * 3).await;
        process
    }

    /// The project `shop` of the team `acme`, with these fields besides.
    pub(crate) fn project(&self, more: Value) -> ObjectKey {
        let source =
            json!({ "name": "main", "repositoryUrl": "https://github.com/acme/shop.git", "branch": "main" });
        let mut spec = json!({ "sources": [source] });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.server.user_puts(json!({
            "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Project",
            "metadata": { "name": "shop", "namespace": "acme" }, "spec": spec,
        }));
        ObjectKey::new("Project", "acme", "shop")
    }

    /// The environment `pr-1`, with this spec besides its project.
    pub(crate) fn environment(&self, more: Value) -> ObjectKey {
        let mut spec = json!({ "projectRef": { "name": "shop" }, "type": "development" });
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let labels = json!({
            "catalyst.dev/team": "acme", "catalyst.dev/project": "shop", "catalyst.dev/environment": "pr-1",
        });
        self.server.user_puts(json!({
            "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Environment",
            "metadata": { "name": "pr-1", "namespace": "acme-shop", "labels": labels }, "spec": spec,
        }));
        ObjectKey::new("Environment", "acme-shop", "pr-1")
    }

    /// The workspace `pr-1`, a minute after it was made.
    pub(crate) async fn workspace(&self) -> ObjectKey {
        self.project(json!({}));
        let key = self.environment(json!({ "deploymentMode": "workspace" }));
        sleep(MINUTE).await;
        key
    }

    /// Something in the environment's namespace.
    pub(crate) fn child(&self, kind: &'static str, name: &str) -> Option<Value> {
        self.server.read(&ObjectKey::new(kind, HOME, name))
    }

    pub(crate) fn namespace(&self) -> Option<Value> {
        self.server.read(&ObjectKey::new("Namespace", "", HOME))
    }

    /// What a controller makes of a workload whose one pod is ready.
    pub(crate) fn run(&self, kind: &'static str, name: &str) {
        let mut object = self.child(kind, name).unwrap();
        object["status"] = json!({
            "observedGeneration": object["metadata"]["generation"], "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1,
        });
        self.server.user_forces(object);
    }

    /// The phases that the environment's status has had, each as often as it changed.
    pub(crate) fn phases(&self) -> Vec<String> {
        let log = self.server.log_from(0).into_iter().filter(|entry| entry.name.0 == "Environment");
        let phase = |object: Value| object["status"]["phase"].as_str().map(str::to_owned);
        let mut phases: Vec<_> = log.filter_map(|entry| phase(entry.object?)).collect();
        phases.dedup();
        phases
    }

    pub(crate) fn phase(&self, key: &ObjectKey) -> String {
        self.server.status(key)["phase"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn told(&self) -> Vec<String> {
        let events = self.server.events().into_iter();
        events.map(|event| format!("{} {}", event.reason, event.message)).collect()
    }
}
