//! Whose certificates a Provider believes, over real sockets.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::{
    s3::fake::{KEY, Store},
    tls::behind_tls,
};
use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::world::{SECRET, World};

const SOON: Duration = Duration::from_secs(60);

/// The Provider with these settings of TLS.
fn provider(world: &World, url: &str, tls: Value) -> ObjectKey {
    world.provider(json!({ "endpoint": url, "iamEndpoint": url, "tls": tls }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_believes_the_authority_that_it_names_or_anybody_when_it_is_told_so() {
    let store = Store::start().await.unwrap();
    let (url, pem) = behind_tls(store.url().trim_start_matches("http://")).await.unwrap();
    let world = World::over_http(KEY, SECRET);
    world.server.user_puts(json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": { "name": "authority", "namespace": "default" },
        "data": { "ca.crt": ByteString(pem.into_bytes()) },
    }));
    let key = provider(&world, &url, json!({}));
    let _process = world.healthy();
    world.until("refused", SOON, |world| world.server.condition(&key, "Synced").starts_with("False")).await;
    let says = world.server.message(&key, "Synced");
    assert!(says.contains("certificate"), "{says}");
    assert_eq!(store.calls(), 0);

    provider(&world, &url, json!({ "caCertSecretRef": { "name": "authority" } }));
    world.until("believed", SOON, |world| world.server.is_ready(&key) && world.is_synced(&key)).await;
    provider(&world, &url, json!({ "caCertSecretRef": { "name": "login", "key": "access-key" } }));
    world.until("no bundle", SOON, |world| world.server.message(&key, "Ready").contains("CA bundle")).await;
    provider(&world, &url, json!({ "insecureSkipVerify": true }));
    world.until("anybody", SOON, |world| world.server.is_ready(&key) && world.is_synced(&key)).await;
}
