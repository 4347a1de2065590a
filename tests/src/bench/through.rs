//! Through the real API server: what the webhook adds to a create.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use futures::{StreamExt, TryStreamExt, stream};
use kube::api::{ApiResource, DynamicObject, GroupVersionKind, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

/// The namespace whose objects the webhook decides about.
pub const WITH: &str = "bench-with";
/// The namespace that the webhook configurations leave out.
pub const WITHOUT: &str = "bench-without";
/// The namespace, left out as well, whose objects the floor admits.
pub const FLOOR: &str = "bench-floor";
/// The namespace, left out as well, of objects that are there to be cached.
pub const CROWD: &str = "bench-crowd";
/// How many objects of the crowd are created at once.
const AT_ONCE: usize = 32;

/// How long each create took.
#[derive(Debug, Default)]
pub struct Creates {
    /// In [`WITHOUT`].
    pub without: Vec<Duration>,
    /// In [`FLOOR`].
    pub floor: Vec<Duration>,
    /// In [`WITH`].
    pub with: Vec<Duration>,
}

/// Creates `count` objects made by `object` without a webhook, with the floor, and with Concierge, in turn.
/// Whatever else the machine does meets all alike.
///
/// # Errors
/// When one is refused.
pub async fn creates(client: &Client, count: usize, object: impl Fn(usize) -> Value) -> Result<Creates> {
    let mut creates = Creates::default();
    for number in 0..count {
        creates.without.push(create(client, WITHOUT, object(3 * number)).await?);
        creates.floor.push(create(client, FLOOR, object(3 * number + 1)).await?);
        creates.with.push(create(client, WITH, object(3 * number + 2)).await?);
    }
    Ok(creates)
}

/// Creates `count` pets that nobody looks at.
///
/// # Errors
/// When one is refused.
pub async fn crowd(client: &Client, count: usize) -> Result<()> {
    let pets = stream::iter((0..count).map(|number| create(client, CROWD, pet(1_000_000 + number))));
    pets.buffer_unordered(AT_ONCE).try_for_each(|_| async { Ok(()) }).await
}

/// Creates `object`; how long that took.
///
/// # Errors
/// When it is refused.
pub async fn create(client: &Client, namespace: &str, object: Value) -> Result<Duration> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let types = object.types.clone().context("an object without a kind")?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(types)?);
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let started = Instant::now();
    api.create(&PostParams::default(), &object).await?;
    Ok(started.elapsed())
}

/// A pet with an id of its own, which costs a claim.
pub fn pet(number: usize) -> Value {
    json!({
        "apiVersion": "petstore.example.com/v1", "kind": "Pet",
        "metadata": {"name": format!("pet-{number}")},
        "spec": {"id": number + 1, "name": format!("Pet {number}"), "tag": "dog"},
    })
}

/// A store, which claims nothing.
pub fn store(number: usize) -> Value {
    json!({
        "apiVersion": "petstore.example.com/v1", "kind": "PetStore",
        "metadata": {"name": format!("store-{number}")},
        "spec": {
            "name": format!("Store {number}"),
            "description": "Small animals, and food for them.",
            "config": {"maxPets": 10000, "allowedTags": ["cat", "dog"]},
            "endpoints": {"baseUrl": "https://petstore.example.com/api/v3"},
        },
    })
}
