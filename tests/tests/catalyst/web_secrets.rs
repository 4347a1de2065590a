//! The secrets that the web application keeps for environments.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::catalyst::services::SECRETS;
use concierge_tests::faults::{Fault, Rule};
use concierge_tests::simulation::MINUTE;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{HOUR, WEB, World};

fn world() -> World {
    let mut world = World::new();
    world.rules.catalyst.web_url = WEB.into();
    world.rules.catalyst.environment_id_setters = vec!["web".into()];
    world.services.keep_secrets("own", "e-1", json!({ "API_KEY": "s3cret" }));
    world
}

/// An environment with the id `e-1`, a minute after it was made.
async fn begin(world: &World) -> ObjectKey {
    world.project(json!({ "templates": { "production": { "type": "" } } }));
    let key = world.environment(json!({ "type": "production", "config": { "image": "shop:1" } }));
    world.server.user_annotates(&key, json!({ "catalyst.dev/environment-id": "e-1" }));
    sleep(MINUTE).await;
    key
}

fn digest(world: &World) -> Value {
    let web = world.child("Deployment", "web").unwrap();
    web["spec"]["template"]["metadata"]["annotations"]["catalyst.dev/secrets-digest"].clone()
}

#[tokio::test(start_paused = true)]
async fn they_come_with_the_pods_which_are_replaced_when_they_change() {
    let world = world();
    let _process = world.healthy().await;
    let key = begin(&world).await;
    assert_eq!(world.child("Secret", "catalyst-secrets").unwrap()["data"], json!({ "API_KEY": "czNjcmV0" }));
    assert_eq!(world.server.condition(&key, "SecretsReady"), "True Ready", "{}", world.server.status(&key));
    world.run("Deployment", "web");
    sleep(HOUR).await;
    let (before, calls) = (digest(&world), world.services.count(SECRETS));
    assert!(before.is_string() && (5..=9).contains(&calls), "{calls}");
    world.services.keep_secrets("own", "e-1", json!({ "API_KEY": "other", "not a name": "s3cret" }));
    sleep(12 * MINUTE).await;
    assert_eq!(world.child("Secret", "catalyst-secrets").unwrap()["data"], json!({ "API_KEY": "b3RoZXI=" }));
    assert_ne!(digest(&world), before);
    assert_eq!(world.server.condition(&key, "SecretsReady"), "False SecretsLeftOut");
    assert!(world.server.message(&key, "SecretsReady").contains("\"not a name\""));
    let told = format!("{} {:?}", world.server.status(&key), world.told());
    assert!(!told.contains("s3cret") && !told.contains("czNjcmV0"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn without_them_nothing_starts_and_with_the_last_ones_all_goes_on() {
    let world = world();
    world.services.faults().inject(Rule::on(SECRETS), Fault::StatusBefore(503));
    let _process = world.healthy().await;
    let key = begin(&world).await;
    assert_eq!(
        world.server.condition(&key, "SecretsReady"),
        "False Transient",
        "{}",
        world.server.status(&key)
    );
    assert_eq!((world.child("Deployment", "web"), world.phase(&key)), (None, "Pending".into()));
    sleep(30 * MINUTE).await;
    let calls = world.services.count(SECRETS);
    assert!((10..=45).contains(&calls), "{calls}");
    world.services.faults().clear();
    sleep(3 * MINUTE).await;
    world.run("Deployment", "web");
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&key), "{}", world.server.status(&key));

    let before = digest(&world);
    world.services.faults().inject(Rule::on(SECRETS), Fault::StatusBefore(401));
    sleep(HOUR).await;
    assert_eq!(world.server.condition(&key, "SecretsReady"), "False Unauthorised");
    assert!(world.server.message(&key, "SecretsReady").contains("the last ones"));
    assert!(world.server.is_ready(&key), "{}", world.server.status(&key));
    assert_eq!(digest(&world), before);
    world.services.faults().clear();
    sleep(12 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "SecretsReady"), "True Ready");
}

#[tokio::test(start_paused = true)]
async fn while_anybody_may_write_the_id_of_another_environment_nobody_is_asked() {
    let mut world = world();
    world.rules.catalyst.environment_id_setters = Vec::new();
    let _process = world.healthy().await;
    let key = begin(&world).await;
    assert_eq!(world.server.condition(&key, "SecretsReady"), "False NotConfigured");
    let message = world.server.message(&key, "Ready");
    assert!(
        message.contains("an operator names in rules.catalyst.environmentIdSetters who may"),
        "{message}"
    );
    assert_eq!((world.services.count(SECRETS), world.child("Secret", "catalyst-secrets")), (0, None));
    assert_eq!((world.child("Deployment", "web"), world.phase(&key)), (None, "Failed".into()));
}

#[tokio::test(start_paused = true)]
async fn without_a_web_application_or_an_id_nobody_is_asked() {
    let mut world = world();
    world.rules.catalyst.web_url = String::new();
    let _process = world.healthy().await;
    let key = begin(&world).await;
    assert_eq!(world.server.condition(&key, "SecretsReady"), "True NotNeeded");
    assert_eq!((world.services.count(SECRETS), world.child("Secret", "catalyst-secrets")), (0, None));
}
