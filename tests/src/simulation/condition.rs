//! What an object says of itself.

use concierge_reconciler::engine::ObjectKey;
use serde_json::Value;

use super::server::Server;

impl Server {
    /// The object's status; null when there is none.
    pub fn status(&self, key: &ObjectKey) -> Value {
        self.read(key).map(|object| object["status"].clone()).unwrap_or_default()
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
        let generation = self.read(key).unwrap_or_default()["metadata"]["generation"].clone();
        self.find(key, "Ready")
            .is_some_and(|ready| ready["status"] == "True" && ready["observedGeneration"] == generation)
    }

    /// The call that was written down and has not been concluded.
    pub fn intent(&self, key: &ObjectKey) -> Option<Value> {
        Some(self.status(key)["intent"].clone()).filter(|intent| !intent.is_null())
    }

    fn find(&self, key: &ObjectKey, kind: &str) -> Option<Value> {
        let all = self.status(key)["conditions"].as_array().cloned().unwrap_or_default();
        all.into_iter().find(|one| one["type"] == kind)
    }
}
