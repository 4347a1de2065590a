//! What an object says of itself.

use concierge_reconciler::engine::ObjectKey;
use serde_json::Value;

use super::server::Server;

impl Server {
    /// The object's status; null when there is none.
    pub fn status(&self, key: &ObjectKey) -> Value {
        self.inspect(key, |object| object["status"].clone()).unwrap_or_default()
    }

    /// The condition of this type, as `status reason`; empty when there is none.
    pub fn condition(&self, key: &ObjectKey, kind: &str) -> String {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        self.find(key, kind)
            .map_or(String::new(), |one| format!("{} {}", text(&one["status"]), text(&one["reason"])))
    }

    /// What a condition says.
    pub fn message(&self, key: &ObjectKey, kind: &str) -> String {
        let found = self.find(key, kind);
        found.and_then(|one| one["message"].as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Whether the object is ready as it is now specified.
    pub fn is_ready(&self, key: &ObjectKey) -> bool {
        let is_ready = |object: &Value| {
            let generation = &object["metadata"]["generation"];
            condition(object, "Ready")
                .is_some_and(|ready| ready["status"] == "True" && ready["observedGeneration"] == *generation)
        };
        self.inspect(key, is_ready).unwrap_or_default()
    }

    /// The call that was written down and has not been concluded.
    pub fn intent(&self, key: &ObjectKey) -> Option<Value> {
        self.inspect(key, |object| object["status"]["intent"].clone()).filter(|intent| !intent.is_null())
    }

    fn find(&self, key: &ObjectKey, kind: &str) -> Option<Value> {
        self.inspect(key, |object| condition(object, kind).cloned())?
    }
}

fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    object["status"]["conditions"].as_array()?.iter().find(|one| one["type"] == kind)
}
