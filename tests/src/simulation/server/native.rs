//! What becomes of objects: server-side apply as far as the engine leans on it, and namespaces that take what is in them along.

use concierge_reconciler::engine::cluster::{ClusterError, FIELD_MANAGER, Target};
use concierge_shared::status::LONGEST_STATUS_TEXT;
use serde_json::{Map, Value, json};

use super::{Fault, Name, Server};

/// Whoever else writes.
const OTHERS: &str = "kubectl";

pub(super) fn target_name(target: &Target) -> Name {
    (target.resource.kind.clone(), target.namespace.clone(), target.name.clone())
}

impl Server {
    /// Applies `object`: what was applied before and is not in it goes, all else stays. Lists are replaced.
    fn apply_native(&self, target: &Target, object: &Value, force: bool) -> Result<Value, ClusterError> {
        let name = target_name(target);
        let uid = &object["metadata"]["uid"];
        let Some(stored) = self.stored(&name) else {
            return if uid.is_null() {
                self.create_native(target, object)
            } else {
                Err(ClusterError::Conflict)
            };
        };
        if !uid.is_null() && *uid != stored["metadata"]["uid"] {
            return Err(ClusterError::Conflict);
        }
        let before = applied_before(&stored);
        let mut wished = wishes(object);
        if !force && conflicts(&stored, &wished, &before) {
            return Err(ClusterError::Conflict);
        }
        let mut new = stored.clone();
        remove_unwished(&mut new, &before, &wished);
        merge(&mut new, &wished);
        if new["spec"] != stored["spec"] {
            new["metadata"]["generation"] = (new["metadata"]["generation"].as_i64().unwrap_or(1) + 1).into();
        }
        let others = stored["metadata"]["managedFields"]
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![manager(OTHERS, &json!({}))]);
        let mut managers: Vec<_> = others.into_iter().filter(|one| one["manager"] != FIELD_MANAGER).collect();
        managers.push(manager(FIELD_MANAGER, &wished.take()));
        new["metadata"]["managedFields"] = managers.into();
        Ok(if new == stored { stored } else { self.store("apply", name, new) })
    }

    /// The same, with the fault that is due.
    pub(super) fn apply_child(
        &self,
        target: &Target,
        object: &Value,
        force: bool,
    ) -> Result<Value, ClusterError> {
        let unclear = || ClusterError::Unknown("the connection broke off".into());
        match self.fault("apply") {
            Some(Fault::Lost) => Err(unclear()),
            Some(Fault::Unanswered) => self.apply_native(target, object, force).and(Err(unclear())),
            None => self.apply_native(target, object, force),
        }
    }

    /// A token of a ServiceAccount: nothing is stored.
    pub(super) fn token_of(&self, target: &Target) -> Result<Value, ClusterError> {
        let account = ("ServiceAccount".into(), target.namespace.clone(), target.name.clone());
        self.stored(&account).ok_or(ClusterError::NotFound)?;
        let token = format!("token-of-{}-{}", target.namespace, target.name);
        Ok(json!({ "status": { "token": token } }))
    }

    fn create_native(&self, target: &Target, object: &Value) -> Result<Value, ClusterError> {
        if !target.namespace.is_empty() {
            match self.stored(&("Namespace".into(), String::new(), target.namespace.clone())) {
                None => return Err(ClusterError::NotFound),
                Some(namespace) if !namespace["metadata"]["deletionTimestamp"].is_null() => {
                    return Err(ClusterError::Forbidden("the namespace is being terminated".into()));
                }
                Some(_) => {}
            }
        }
        let mut new = object.clone();
        new["kind"] = target.resource.kind.clone().into();
        new["metadata"]["uid"] = self.next_uid().into();
        new["metadata"]["generation"] = 1.into();
        new["metadata"]["creationTimestamp"] = self.now().to_string().into();
        new["metadata"]["managedFields"] = json!([manager(FIELD_MANAGER, &wishes(object))]);
        Ok(self.store("apply", target_name(target), new))
    }

    /// Deletes the object with this uid. A Namespace goes when nothing with a finalizer is left in it.
    pub(super) fn delete_native(&self, target: &Target, uid: &str) -> Result<(), ClusterError> {
        let name = target_name(target);
        let object = self.stored(&name).ok_or(ClusterError::NotFound)?;
        if object["metadata"]["uid"] != uid {
            return Err(ClusterError::Conflict);
        }
        if name.0 != "Namespace" {
            self.delete("delete", name, object);
            return Ok(());
        }
        for (key, inside) in self.in_namespace(&name.2) {
            self.delete("delete", key, inside);
        }
        match self.in_namespace(&name.2).is_empty() {
            true => self.delete("delete", name, object),
            false => {
                let mut object = object;
                object["metadata"]["deletionTimestamp"] = self.now().to_string().into();
                object["status"]["phase"] = "Terminating".into();
                self.store("delete", name, object);
            }
        }
        Ok(())
    }

    /// What has these labels, written `KEY=VALUE`.
    pub(super) fn labelled(&self, kind: &str, namespace: &str, selector: &str) -> Vec<Value> {
        let mut all = self.of_kind(kind);
        all.retain(|object| namespace.is_empty() || object["metadata"]["namespace"] == namespace);
        if let Some((key, value)) = selector.split_once('=') {
            all.retain(|object| object["metadata"]["labels"][key] == value);
        }
        all
    }
}

fn manager(name: &str, applied: &Value) -> Value {
    json!({ "manager": name, "applied": applied })
}

/// What was applied last, so that it is known what is to go.
fn applied_before(stored: &Value) -> Value {
    let managers = stored["metadata"]["managedFields"].as_array().into_iter().flatten();
    let ours = managers.filter(|one| one["manager"] == FIELD_MANAGER);
    ours.map(|one| one["applied"].clone()).next().unwrap_or_default()
}

/// The fields that an apply sets.
fn wishes(object: &Value) -> Value {
    let mut wished = object.clone();
    if let Some(fields) = wished.as_object_mut() {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
    if let Some(metadata) = wished["metadata"].as_object_mut() {
        metadata.retain(|key, _| key == "labels" || key == "annotations");
    }
    wished
}

/// True when a field that somebody else has set is to get another value.
fn conflicts(stored: &Value, wished: &Value, before: &Value) -> bool {
    match (stored, wished) {
        (Value::Object(stored), Value::Object(wished)) => wished
            .iter()
            .any(|(key, value)| stored.get(key).is_some_and(|stored| conflicts(stored, value, &before[key]))),
        _ => stored != wished && stored != before,
    }
}

fn remove_unwished(stored: &mut Value, before: &Value, wished: &Value) {
    let (Some(fields), Some(before)) = (stored.as_object_mut(), before.as_object()) else { return };
    for (key, old) in before {
        match (wished.get(key), fields.get_mut(key)) {
            (None, _) if !old.is_object() => drop(fields.remove(key)),
            (wished, Some(inner)) => {
                remove_unwished(inner, old, wished.unwrap_or(&Value::Null));
                if wished.is_none() && inner.as_object().is_some_and(Map::is_empty) {
                    fields.remove(key);
                }
            }
            (_, None) => {}
        }
    }
}

fn merge(stored: &mut Value, wished: &Value) {
    match wished {
        Value::Object(fields) if stored.is_object() || stored.is_null() => {
            for (key, value) in fields {
                merge(&mut stored[key], value);
            }
        }
        _ => *stored = wished.clone(),
    }
}

/// What server-side apply makes of `stored`: maps are merged by key.
pub(super) fn merge_applied(stored: &mut Value, applied: &Value) {
    for map in ["labels", "annotations"] {
        for (key, value) in applied["metadata"][map].as_object().into_iter().flatten() {
            stored["metadata"][map][key] = value.clone();
        }
    }
    if let Some(spec) = applied.get("spec").filter(|spec| **spec != stored["spec"]) {
        stored["spec"] = spec.clone();
        let generation = stored["metadata"]["generation"].as_i64().unwrap_or_default();
        stored["metadata"]["generation"] = (generation + 1).into();
    }
    if let Some(data) = applied.get("data") {
        stored["data"] = data.clone();
    }
}

/// What a schema of ours refuses in a status.
pub(super) fn holds_too_long_a_text(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > LONGEST_STATUS_TEXT,
        Value::Array(items) => items.iter().any(holds_too_long_a_text),
        Value::Object(fields) => fields.values().any(holds_too_long_a_text),
        _ => false,
    }
}

/// In the API server's words.
pub(super) fn forbidden(verb: &str, kind: &str) -> ClusterError {
    let resource = format!("{}s", kind.to_lowercase());
    ClusterError::Forbidden(format!(
        "it is forbidden: User \"concierge\" cannot {verb} resource \"{resource}\""
    ))
}
