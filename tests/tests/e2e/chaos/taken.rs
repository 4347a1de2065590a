//! What Concierge stands on is taken from it, and given back.

use std::time::{Duration, Instant};

use concierge_shared::kind::{KINDS, by_name};
use concierge_tests::{
    PATIENCE,
    kubectl::{ESTABLISHED, TIMEOUT},
    stack::NAMESPACE,
};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::setup::{HOME, Setup};

impl Setup {
    /// Manifests of what is there, such as they can be created again.
    async fn manifests(&self, args: &[&str]) -> Value {
        let listed = self.kubectl(&[&["get", "-o", "json"], args].concat()).await;
        let mut list: Value = serde_json::from_str(&listed).unwrap();
        if list["kind"] != "List" {
            list = json!({"apiVersion": "v1", "kind": "List", "items": [list]});
        }
        for item in list["items"].as_array_mut().unwrap() {
            item.as_object_mut().unwrap().remove("status");
            let meta = item["metadata"].as_object_mut().unwrap();
            meta.retain(|key, _| matches!(&**key, "name" | "namespace" | "labels" | "annotations"));
            if let Some(annotations) = meta.get_mut("annotations").and_then(Value::as_object_mut) {
                annotations.retain(|key, _| !key.starts_with("concierge.dev/"));
            }
        }
        list
    }

    pub(super) async fn create_all(&self, list: &Value) {
        let created = self.plane().kubectl().run_with_input(&["create", "-f", "-"], &list.to_string()).await;
        created.unwrap().ok().unwrap();
    }

    /// A kind's definition goes with all its objects, and comes back; then the objects are made anew.
    pub(super) async fn without_definition(&self, kind: &str, time: Duration) -> Instant {
        let kind = by_name(kind).unwrap();
        let crd = &format!("{}.{}", (kind.plural)(), (kind.group)());
        let definition = self.manifests(&["crd", crd]).await;
        let objects = self.manifests(&["-n", HOME, crd]).await;
        self.kubectl(&["delete", "crd", crd, TIMEOUT]).await;
        sleep(time).await;
        self.create_all(&definition).await;
        self.kubectl(&["wait", ESTABLISHED, "crd", crd, TIMEOUT]).await;
        let since = Instant::now();
        for object in objects["items"].as_array().unwrap() {
            self.assert_made(object, since).await;
        }
        since
    }

    /// The programs' bindings of this kind are gone for a while.
    pub(super) async fn without_rights(&self, resource: &str, time: Duration) -> Instant {
        let mut bindings = self.manifests(&["-A", resource]).await;
        let ours = |binding: &Value| {
            let mut subjects = binding["subjects"].as_array().into_iter().flatten();
            subjects.any(|one| one["kind"] == "ServiceAccount" && one["namespace"] == NAMESPACE)
        };
        bindings["items"].as_array_mut().unwrap().retain(ours);
        assert!(!bindings["items"].as_array().unwrap().is_empty(), "no {resource} of ours");
        let delete = ["delete", "--wait=false", "-f", "-"];
        let kubectl = self.plane().kubectl();
        kubectl.run_with_input(&delete, &bindings.to_string()).await.unwrap().ok().unwrap();
        sleep(time).await;
        self.create_all(&bindings).await;
        Instant::now()
    }

    /// Every connection between the programs and the API server is reset, and those that come in their place too.
    pub(super) async fn reset_connections(&self) {
        let controls = self.stack().controls().unwrap();
        let mut reset = 0;
        for _ in 0..3 {
            for _ in 0..controls.wire.open() {
                reset += usize::from(controls.wire.reset_one());
                sleep(Duration::from_millis(100)).await;
            }
        }
        assert!(reset >= KINDS.len(), "only {reset} connections were reset");
    }

    /// Fails unless the leader writes this time into its lease: its clock has stepped.
    pub(super) async fn assert_clock_is(&self, seconds: i64) {
        let path = ["-n", NAMESPACE, "lease/concierge-reconciler", "-o=jsonpath={.spec.renewTime}"];
        let until = Instant::now() + PATIENCE;
        loop {
            let renewed: Timestamp = self.kubectl(&[&["get"], &path[..]].concat()).await.parse().unwrap();
            let ahead = renewed.duration_since(Timestamp::now()).as_secs();
            if (ahead - seconds).abs() < 60 {
                return;
            }
            assert!(Instant::now() < until, "the lease is {ahead} s ahead, not {seconds}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Steps the programs' clocks to so many seconds ahead of the API server's.
    pub(super) fn step_clock(&self, seconds: i64) {
        self.stack().controls().unwrap().clock.step_to(seconds).unwrap();
    }
}
