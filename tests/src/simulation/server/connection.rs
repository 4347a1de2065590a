//! What a process asks of the API server.

use std::sync::Arc;

use concierge_reconciler::engine::cluster::{
    Answer, Cluster, ClusterError, MetadataPatch, ObjectEvent, Target,
};
use kube::core::ApiResource;
use serde_json::Value;
use tokio::sync::watch;

use super::native::{forbidden, holds_too_long_a_text, merge_applied};
use super::{Fault, Server, name_of};

/// One process's connection to the API server, which can be made to stand still.
pub struct Connection {
    /// Where it leads.
    pub server: Arc<Server>,
    /// Whether it stands still.
    pub frozen: watch::Receiver<bool>,
}

impl Connection {
    fn permitted(&self, verb: &'static str, kind: &str) -> Result<(), ClusterError> {
        let trouble = self.server.trouble.lock();
        match trouble.forbidden.contains(kind) || trouble.forbidden_verbs.contains(&(kind.to_owned(), verb)) {
            true => Err(forbidden(verb, kind)),
            false => Ok(()),
        }
    }

    fn may_change(&self, verb: &'static str, kind: &str) -> Result<(), ClusterError> {
        self.permitted(verb, kind)?;
        match self.server.trouble.lock().read_only.contains(kind) {
            true => Err(forbidden(verb, kind)),
            false => Ok(()),
        }
    }

    async fn thawed(&self) {
        let _ = self.frozen.clone().wait_for(|frozen| !frozen).await;
        tokio::task::yield_now().await;
    }
}

impl Cluster for Connection {
    fn get<'a>(&'a self, target: &'a Target) -> Answer<'a, Option<Value>> {
        Box::pin(async move {
            self.thawed().await;
            self.permitted("get", &target.resource.kind)?;
            if self.server.fault("get") == Some(Fault::Lost) {
                return Ok(None);
            }
            self.server.count_reads(1);
            let name = (target.resource.kind.clone(), target.namespace.clone(), target.name.clone());
            Ok(self.server.state.lock().objects.get(&name).cloned())
        })
    }

    fn namespaces(&self) -> Vec<String> {
        let watched = self.server.trouble.lock().namespaces.clone();
        if watched.is_empty() { vec![String::new()] } else { watched }
    }

    fn for_each<'a>(
        &'a self,
        resource: &'a ApiResource,
        namespace: &'a str,
        visit: &'a mut (dyn FnMut(Value) + Send),
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.thawed().await;
            self.permitted("list", &resource.kind)?;
            let part = (resource.kind.clone(), namespace.to_owned());
            let trouble = self.server.trouble.lock().clone();
            match () {
                () if trouble.missing.contains(&resource.kind) => return Err(ClusterError::NotFound),
                () if trouble.forbidden_in.contains(&part) => {
                    return Err(forbidden("list", &resource.kind));
                }
                () => {}
            }
            let here = |object: &Value| namespace.is_empty() || object["metadata"]["namespace"] == namespace;
            let found: Vec<_> = self.server.of_kind(&resource.kind).into_iter().filter(here).collect();
            self.server.count_reads(found.len());
            *self.server.lists.lock().entry(resource.kind.clone()).or_default() += 1;
            if let Some(time) = trouble.slow_lists.get(&resource.kind) {
                tokio::time::sleep(*time).await;
            }
            found.into_iter().for_each(visit);
            Ok(())
        })
    }

    fn create<'a>(&'a self, target: &'a Target, object: &'a Value) -> Answer<'a, Value> {
        Box::pin(async move {
            self.thawed().await;
            self.permitted("create", &target.resource.kind)?;
            if target.resource.kind == "TokenRequest" {
                return self.server.token_of(target);
            }
            let mut object = object.clone();
            object["kind"] = target.resource.kind.clone().into();
            let name = name_of(&object);
            let _alone = self.server.writing.lock();
            if self.server.state.lock().objects.contains_key(&name) {
                return Err(ClusterError::Exists);
            }
            let uid = self.server.next_uid();
            object["metadata"]["uid"] = uid.into();
            object["metadata"]["generation"] = 1.into();
            object["metadata"]["creationTimestamp"] = self.server.now().to_string().into();
            Ok(self.server.store("create", name, object))
        })
    }

    fn replace<'a>(&'a self, target: &'a Target, object: &'a Value) -> Answer<'a, Value> {
        Box::pin(async move {
            self.thawed().await;
            self.may_change("update", &target.resource.kind)?;
            let version = object["metadata"]["resourceVersion"].as_str();
            self.server.write("replace", target, version, |stored| stored["spec"] = object["spec"].clone())
        })
    }

    fn apply<'a>(&'a self, target: &'a Target, object: &'a Value) -> Answer<'a, Value> {
        Box::pin(async move {
            self.thawed().await;
            let version = object["metadata"]["resourceVersion"].as_str();
            match self.server.write("apply", target, version, |stored| merge_applied(stored, object)) {
                Err(ClusterError::NotFound) if version.is_none() => self.create(target, object).await,
                other => other,
            }
        })
    }

    fn apply_status<'a>(
        &'a self,
        target: &'a Target,
        resource_version: &'a str,
        status: &'a Value,
    ) -> Answer<'a, Value> {
        Box::pin(async move {
            self.thawed().await;
            if self.server.trouble.lock().read_only_status.contains(&target.resource.kind) {
                return Err(forbidden("patch", &target.resource.kind));
            }
            if holds_too_long_a_text(status) {
                return Err(ClusterError::Refused("Too long".into()));
            }
            let change = |stored: &mut Value| stored["status"] = status.clone();
            self.server.write("status", target, Some(resource_version), change)
        })
    }

    fn patch_metadata<'a>(&'a self, target: &'a Target, patch: &'a MetadataPatch) -> Answer<'a, Value> {
        Box::pin(async move {
            self.thawed().await;
            self.may_change("patch", &target.resource.kind)?;
            if self.server.trouble.lock().vanished.contains(&target.resource.kind) {
                return Err(ClusterError::NotFound);
            }
            let body = patch.to_json();
            self.server.write("metadata", target, Some(&patch.resource_version), |stored| {
                if let Some(finalizers) = body["metadata"].get("finalizers") {
                    stored["metadata"]["finalizers"] = finalizers.clone();
                }
                for (key, value) in body["metadata"]["annotations"].as_object().into_iter().flatten() {
                    let all = &mut stored["metadata"]["annotations"];
                    match value.is_null() {
                        true => drop(all.as_object_mut().and_then(|all| all.remove(key))),
                        false => all[key] = value.clone(),
                    }
                }
            })
        })
    }

    fn delete<'a>(&'a self, target: &'a Target, uid: &'a str, version: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.thawed().await;
            let name = (target.resource.kind.clone(), target.namespace.clone(), target.name.clone());
            let _alone = self.server.writing.lock();
            let object =
                self.server.state.lock().objects.get(&name).cloned().ok_or(ClusterError::NotFound)?;
            if object["metadata"]["uid"] != uid || object["metadata"]["resourceVersion"] != version {
                return Err(ClusterError::Conflict);
            }
            self.server.delete("delete", name, object);
            Ok(())
        })
    }

    fn list_labelled<'a>(
        &'a self,
        resource: &'a ApiResource,
        namespace: &'a str,
        selector: &'a str,
        visit: &'a mut (dyn FnMut(Value) + Send),
    ) -> Answer<'a, ()> {
        Box::pin(async move {
            self.thawed().await;
            self.permitted("list", &resource.kind)?;
            self.server.labelled(&resource.kind, namespace, selector).into_iter().for_each(visit);
            Ok(())
        })
    }

    fn apply_child<'a>(&'a self, target: &'a Target, object: &'a Value, force: bool) -> Answer<'a, Value> {
        Box::pin(async move {
            self.thawed().await;
            self.may_change("patch", &target.resource.kind)?;
            self.server.apply_child(target, object, force)
        })
    }

    fn delete_by_uid<'a>(&'a self, target: &'a Target, uid: &'a str) -> Answer<'a, ()> {
        Box::pin(async move {
            self.thawed().await;
            self.may_change("delete", &target.resource.kind)?;
            self.server.delete_native(target, uid)
        })
    }

    fn emit_event<'a>(&'a self, event: &'a ObjectEvent) -> Answer<'a, ()> {
        Box::pin(async move {
            self.thawed().await;
            self.server.state.lock().events.push(event.clone());
            Ok(())
        })
    }
}
