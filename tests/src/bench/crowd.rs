//! Thousands of objects, written into the database itself: through the API server fifty thousand would take half an hour, and how they
//! came to be is not what is measured.

use anyhow::Result;
use concierge_shared::admission::claim::claim_name;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

/// How many objects are written at once.
const AT_ONCE: usize = 64;
/// How many pets a store may hold, and so how many are in one namespace.
pub const IN_NAMESPACE: usize = 10_000;
/// The store of each namespace.
pub const STORE: &str = "crowd";
/// When everything was made.
const CREATED: &str = "2026-01-01T00:00:00Z";

/// The namespace of the pet with this number.
pub fn namespace_of(number: usize) -> String {
    format!("crowd-{}", number / IN_NAMESPACE)
}

/// The name of the pet with this number.
pub fn name_of(number: usize) -> String {
    format!("pet-{number}")
}

/// Writes objects into the database.
pub struct Database {
    http: reqwest::Client,
    url: String,
}

impl Database {
    /// The one that listens at `url`.
    pub fn new(url: &str) -> Self {
        Self { http: reqwest::Client::new(), url: format!("{url}/v3/kv/put") }
    }

    /// Stores the pets `from..to`, with their claims, as if somebody had created them and the webhook had let them in. They have the
    /// status that `status` makes for each.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn store_pets(
        &self,
        numbers: std::ops::Range<usize>,
        status: impl Fn(usize) -> Option<Value>,
    ) -> Result<()> {
        let of_pet = |number: usize| {
            let key =
                format!("/registry/petstore.example.com/pets/{}/{}", namespace_of(number), name_of(number));
            [(key, pet(number, status(number))), claim(number)]
        };
        let all = stream::iter(numbers.flat_map(of_pet).map(|(key, object)| self.put(key, object)));
        all.buffer_unordered(AT_ONCE).try_for_each(|()| async { Ok(()) }).await
    }

    /// One by one: the API server takes all that has one revision of the database for one change.
    async fn put(&self, key: String, object: Value) -> Result<()> {
        let [key, value] = [key, object.to_string()].map(|text| ByteString(text.into_bytes()));
        let put = json!({ "key": key, "value": value });
        self.http.post(&self.url).json(&put).send().await?.error_for_status()?;
        Ok(())
    }
}

fn pet(number: usize, status: Option<Value>) -> Value {
    let tag = ["cat", "dog", "owl"][number % 3];
    let mut pet = json!({
        "apiVersion": "petstore.example.com/v1", "kind": "Pet",
        "metadata": {
            "name": name_of(number), "namespace": namespace_of(number), "uid": uid(1, number),
            "generation": 1, "creationTimestamp": CREATED,
            "labels": { "app.kubernetes.io/managed-by": "kustomize" },
            "annotations": { "example.com/keeper": "ada@example.com" },
            "managedFields": [{
                "manager": "kubectl", "operation": "Update", "apiVersion": "petstore.example.com/v1",
                "time": CREATED, "fieldsType": "FieldsV1",
                "fieldsV1": { "f:spec": { ".": {}, "f:id": {}, "f:name": {}, "f:tag": {} } },
            }],
        },
        "spec": { "id": number + 1, "name": format!("Pet {number}"), "tag": tag },
    });
    if let Some(status) = status {
        pet["status"] = status;
    }
    pet
}

fn claim(number: usize) -> (String, Value) {
    let (rule, key) = ("pets.pet.unique-id", (number + 1).to_string());
    let name = claim_name(rule, &key);
    let claim = json!({
        "apiVersion": "concierge.dev/v1", "kind": "Claim",
        "metadata": { "name": name, "uid": uid(2, number), "generation": 1, "creationTimestamp": CREATED },
        "spec": {
            "rule": rule, "key": key,
            "holder": {
                "kind": "Pet", "namespace": namespace_of(number), "name": name_of(number), "uid": uid(1, number),
            },
        },
    });
    (format!("/registry/concierge.dev/claims/{name}"), claim)
}

fn uid(what: usize, number: usize) -> String {
    format!("{what:08x}-0000-4000-8000-{number:012x}")
}
