//! What the tests share: an API server with a project and its environments.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::catalyst::{
    Means,
    remote::{RemoteSettings, Remotes},
};
use concierge_reconciler::engine::{Kinds, ObjectKey};
use concierge_shared::{
    catalyst::{Environment, Project},
    group,
    kind::KindInfo,
};
use concierge_tests::catalyst::services::Services;
use concierge_tests::simulation::{LEASE, MINUTE, Process, ProcessOptions, Server, Simulated};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use tokio::time::sleep;

static KINDS: [KindInfo; 2] = [KindInfo::of::<Project>(), KindInfo::of::<Environment>()];

pub(crate) const HOUR: Duration = Duration::from_secs(3600);
/// The namespace of the environment `pr-1` of the project `shop` of the team `acme`.
pub(crate) const HOME: &str = "acme-shop-pr-1";

/// Two commits.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
pub(crate) const OTHER_COMMIT: &str = "89abcdef0123456789abcdef0123456789abcdef";
/// The address of the web application, where there is one.
pub(crate) const WEB: &str = "https://web.example/";

/// An API server, and what environments come from.
pub(crate) struct World {
    pub(crate) server: Arc<Server>,
    pub(crate) services: Services,
    pub(crate) rules: group::Settings,
    token: NamedTempFile,
}

impl Simulated for World {
    fn server(&self) -> &Arc<Server> {
        &self.server
    }

    fn watched(&self) -> &'static [KindInfo] {
        &KINDS
    }

    fn reconcilers(&self) -> Kinds {
        let settings = &self.rules.catalyst;
        let remotes = RemoteSettings {
            web: settings.web_url.parse().ok(),
            token_file: self.token.path().to_owned(),
            allow_internal: settings.allow_internal_repositories,
        };
        let remotes = Remotes::new(Arc::new(self.services.clone()), remotes);
        let (image, role_prefix) = ("concierge:1".to_owned(), "concierge-".to_owned());
        concierge_reconciler::catalyst::kinds(Kinds::default(), Means { remotes, image, role_prefix })
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
        let (services, token) = (Services::default(), NamedTempFile::new().unwrap());
        std::fs::write(token.path(), "own\n").unwrap();
        Self { server: Server::new(), services, rules, token }
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

    /// Puts something into its namespace that takes its time to go.
    pub(crate) fn hold_up(&self) -> ObjectKey {
        self.server.user_puts(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": { "name": "slow", "namespace": HOME, "finalizers": ["somebody.else/finalizer"] },
        }));
        ObjectKey::new("ConfigMap", HOME, "slow")
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

    /// The environment's Jobs whose names begin like this, the one with the highest number last.
    pub(crate) fn jobs(&self, start: &str) -> Vec<Value> {
        let all = self.server.of_kind("Job").into_iter();
        let is_it = |job: &Value| {
            job["metadata"]["namespace"] == HOME
                && job["metadata"]["name"].as_str().is_some_and(|name| name.starts_with(start))
        };
        let mut jobs: Vec<_> = all.filter(is_it).collect();
        jobs.sort_by_key(|job| job["metadata"]["creationTimestamp"].as_str().map(str::to_owned));
        jobs
    }

    /// The newest of them.
    pub(crate) fn job(&self, start: &str) -> Option<Value> {
        self.jobs(start).pop()
    }

    /// The newest of them has ended, with this condition and reason.
    pub(crate) fn end_job(&self, start: &str, condition: &str, reason: Value) {
        let mut job = self.job(start).unwrap();
        let now = self.server.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let condition =
            json!({ "type": condition, "status": "True", "reason": reason, "lastTransitionTime": now });
        job["status"] = json!({ "conditions": [condition] });
        self.server.user_puts_whole(job);
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
        self.server.user_puts_whole(object);
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
