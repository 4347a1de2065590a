//! What users do at the API server.

use concierge_reconciler::engine::ObjectKey;
use serde_json::{Value, json};

use super::server::{Server, full, name_of};

impl Server {
    /// A user creates, or changes, an object.
    pub fn user_puts(&self, mut object: Value) -> Value {
        let _alone = self.writing.lock();
        let name = name_of(&object);
        let old = self.stored(&name);
        let metadata = object["metadata"].as_object_mut().unwrap();
        match &old {
            None => {
                let uid = self.next_uid();
                metadata.insert("uid".into(), uid.into());
                metadata.insert("generation".into(), 1.into());
                metadata.insert("creationTimestamp".into(), self.now().to_string().into());
            }
            Some(old) => {
                let generation = old["metadata"]["generation"].as_i64().unwrap();
                let changed = i64::from(old["spec"] != object["spec"]);
                let mut merged = old["metadata"].as_object().unwrap().clone();
                merged.extend(object["metadata"].as_object().unwrap().clone());
                merged.insert("generation".into(), (generation + changed).into());
                object["metadata"] = merged.into();
                object["status"] = old["status"].clone();
            }
        }
        self.store("user", name, object)
    }

    /// The lease as a leader leaves it that had nothing under way: a lease that is not there yet, a process relies on only after
    /// its duration, which a test in real time would wait.
    pub fn lease_is_free(&self) {
        self.user_puts(json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": { "name": "reconciler", "namespace": "concierge" }, "spec": { "leaseTransitions": 0 },
        }));
    }

    /// Stores an object as it is, with its status and all its metadata: as a backup, a predecessor, or a user who may do anything left it.
    pub fn user_puts_whole(&self, object: Value) -> Value {
        let name = name_of(&object);
        self.store("user", name, object)
    }

    /// A user creates, or changes, the object of this name in the namespace `default`.
    pub fn user_makes(
        &self,
        api_version: &str,
        kind: &'static str,
        name: &str,
        metadata: Value,
        spec: Value,
    ) -> ObjectKey {
        let mut object = json!({
            "apiVersion": api_version,
            "kind": kind,
            "metadata": { "name": name, "namespace": "default" },
            "spec": spec,
        });
        object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        self.user_puts(object);
        ObjectKey::new(kind, "default", name)
    }

    /// A user sets annotations; `null` removes one.
    pub fn user_annotates(&self, key: &ObjectKey, annotations: Value) {
        let _alone = self.writing.lock();
        let mut object = self.read(key).unwrap();
        let metadata = object["metadata"].as_object_mut().unwrap();
        let all = metadata.entry("annotations").or_insert_with(|| json!({})).as_object_mut().unwrap();
        for (key, value) in annotations.as_object().unwrap() {
            match value.is_null() {
                true => drop(all.remove(key)),
                false => drop(all.insert(key.clone(), value.clone())),
            }
        }
        self.store("user", full(key), object);
    }

    pub fn user_deletes(&self, key: &ObjectKey) {
        let _alone = self.writing.lock();
        let Some(object) = self.read(key) else { return };
        self.delete("user", full(key), object);
    }

    /// The last finalizer of an object that is being deleted is taken away by whoever held it.
    pub fn user_removes(&self, key: &ObjectKey) {
        self.remove("user", full(key));
    }
}
