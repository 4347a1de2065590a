//! A cluster is lost, and all that was in it is restored from a backup, which has no status.

use std::time::{Duration, Instant};

use concierge_shared::kind::KINDS;
use concierge_tests::PATIENCE;
use concierge_tests::process::Signal;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::setup::{HOME, Setup, is_settled, told};
use crate::shopping::condition;
use crate::world::{Created, api, create};

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}

fn keep_what_backups_keep(object: &mut Value) {
    let kept = ["name", "namespace", "labels", "annotations", "finalizers"];
    object["metadata"].as_object_mut().unwrap().retain(|key, _| kept.contains(&&**key));
}

impl Setup {
    /// Takes everything away behind the reconciler's back, and puts it back as a backup has it; then does about what is
    /// held what docs/operating.md says. Nothing may be bought meanwhile.
    pub(super) async fn restore_backup(&self) -> Instant {
        let (backup, secrets) = (self.objects().await, self.minted_secrets().await);
        assert!(!secrets.is_empty(), "no Secret of ours to be lost");
        let bought = self.charges();
        self.stack().reconciler(0, |program| program.process.signal(Signal::Stop)).unwrap();
        self.lose(&backup).await;
        let list = json!({"apiVersion": "v1", "kind": "List", "items": secrets});
        self.create_all(&list).await;
        self.put_back(backup).await;
        self.stack().reconciler(0, |program| program.process.signal(Signal::Cont)).unwrap();
        let since = Instant::now();
        loop {
            let waiting = self.answered().await;
            if waiting.is_empty() {
                break;
            }
            assert!(since.elapsed() < PATIENCE, "not ready: {waiting:#?}");
            sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(self.charges(), bought, "restored orders were bought again");
        self.give_children_back().await;
        Instant::now()
    }

    /// Gives what Buckets made back to them, as docs/operating.md says.
    async fn give_children_back(&self) {
        let buckets = || async { self.objects().await.into_iter().filter(|one| one["kind"] == "Bucket") };
        for bucket in buckets().await {
            let (name, uid) = (&bucket["metadata"]["name"], &bucket["metadata"]["uid"]);
            let owner =
                json!({"apiVersion": "s3.cloud37.dev/v1alpha1", "kind": "Bucket", "name": name, "uid": uid});
            let patch = Patch::Merge(json!({"metadata": {"ownerReferences": [owner]}}));
            for (kind, end) in [("User", "user"), ("AccessKey", "accesskey"), ("BucketPolicy", "policy")] {
                let child = format!("{}-{end}", name.as_str().unwrap());
                let patched =
                    api(self.client(), kind, Some(HOME)).patch(&child, &PatchParams::default(), &patch).await;
                // A policy is not made beside another.
                assert!(patched.as_ref().err().is_none_or(is_not_found), "{child}: {patched:?}");
            }
        }
        let since = Instant::now();
        loop {
            let alone = |bucket: &Value| !condition(bucket, "ChildrenReady").starts_with("True");
            let waiting: Vec<_> = buckets().await.filter(alone).collect();
            if waiting.is_empty() {
                break;
            }
            assert!(since.elapsed() < PATIENCE, "without its children: {waiting:#?}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// All objects end without the reconciler, as with their cluster.
    async fn lose(&self, objects: &[Value]) {
        let metadata = json!({"finalizers": null, "annotations": {"concierge.dev/delete-in-use": "true"}});
        let patch = Patch::Merge(json!({"metadata": metadata}));
        for object in objects {
            let api = api(self.client(), object["kind"].as_str().unwrap(), Some(HOME));
            let name = object["metadata"]["name"].as_str().unwrap();
            // What another object owns goes with it.
            for gone in [
                api.patch(name, &PatchParams::default(), &patch).await.err(),
                api.delete(name, &DeleteParams::default()).await.err(),
            ] {
                assert!(gone.as_ref().is_none_or(is_not_found), "{name}: {gone:?}");
            }
        }
        let until = Instant::now() + PATIENCE;
        loop {
            let left = [self.objects().await, self.minted_secrets().await].concat();
            let Some(one) = left.first() else { return };
            assert!(Instant::now() < until, "not lost: {one:#}");
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// The Secrets that were made for objects, such as they can be restored: one that names an owner of before would be
    /// collected.
    async fn minted_secrets(&self) -> Vec<Value> {
        let all = self.kubectl(&["get", "secrets", "-n", HOME, "-o", "json"]).await;
        let mut all: Value = serde_json::from_str(&all).unwrap();
        let mut secrets = std::mem::take(all["items"].as_array_mut().unwrap());
        secrets.retain(|secret| secret["metadata"]["ownerReferences"].is_array());
        for secret in &mut secrets {
            keep_what_backups_keep(secret);
        }
        secrets
    }

    /// Restores objects; those that refer to others come once these are there.
    async fn put_back(&self, mut objects: Vec<Value>) {
        let until = Instant::now() + PATIENCE;
        for object in &mut objects {
            object.as_object_mut().unwrap().remove("status");
            keep_what_backups_keep(object);
            let kind = KINDS.iter().find(|kind| object["kind"] == kind.name).unwrap();
            object["apiVersion"] = kind.api_version().into();
        }
        while !objects.is_empty() {
            let mut refused = Vec::new();
            for object in std::mem::take(&mut objects) {
                match create(self.client(), &object, "none", false).await {
                    Created::Stored => {}
                    // Products are also made anew from the shop's list.
                    Created::Failed(why) if why.contains("AlreadyExists") => {}
                    why => refused.push((object, why)),
                }
            }
            assert!(Instant::now() < until, "not restored: {refused:#?}");
            objects = refused.into_iter().map(|(object, _)| object).collect();
        }
    }

    /// Says of what waits for a person what docs/operating.md says to; what is not ready.
    async fn answered(&self) -> Vec<String> {
        let objects = self.objects().await;
        for object in &objects {
            let ready = condition(object, "Ready");
            let (key, answer) = match ready.split([' ', ':']).nth(1) {
                Some("Held") => ("resolve-unknown", resolved(object)),
                Some("OwnedByOther") => ("adopt", "true".to_owned()),
                _ => continue,
            };
            let patch = json!({"metadata": {"annotations": {format!("concierge.dev/{key}"): answer}}});
            let api = api(self.client(), object["kind"].as_str().unwrap(), Some(HOME));
            let name = object["metadata"]["name"].as_str().unwrap();
            // It may change meanwhile.
            let _ = api.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await;
        }
        objects.iter().filter(|one| !is_settled(one)).map(told).collect()
    }
}

/// It is done, if an id is recorded.
fn resolved(object: &Value) -> String {
    let recorded = object["metadata"]["annotations"]["concierge.dev/recorded"].as_str();
    let id = recorded.and_then(|ids| ids.split(',').next());
    id.map_or("retry".to_owned(), |id| format!("adopt={id}"))
}
