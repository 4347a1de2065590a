//! Images that are built before anything is deployed. That one is really built can't be shown without a container engine.

use base64::{Engine, prelude::BASE64_STANDARD};
use concierge_reconciler::engine::ObjectKey;
use concierge_tests::catalyst::services::MANIFEST;
use concierge_tests::faults::{Fault, Rule};
use concierge_tests::simulation::MINUTE;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{COMMIT, HOUR, OTHER_COMMIT, World};

/// A chart with two images.
fn project() -> Value {
    json!({ "githubInstallationId": "42", "templates": { "development": {
        "type": "helm", "sourceRef": "main", "path": "chart",
        "builds": [{ "name": "web", "sourceRef": "main" }, { "name": "api", "sourceRef": "main", "path": "api" }],
    } } })
}

async fn begin(world: &mut World) -> ObjectKey {
    world.rules.catalyst.registry = "registry.example/apps".into();
    world.services.push("acme/shop.git", "main", COMMIT);
    world.project(project());
    world.environment(json!({}))
}

/// What the runner is told.
fn values(world: &World) -> Value {
    let runner = world.job("runner-").unwrap();
    let name = runner["metadata"]["name"].as_str().unwrap().rsplit_once('-').unwrap().0.to_owned();
    let secret = world.child("Secret", &name).unwrap();
    let bytes = BASE64_STANDARD.decode(secret["data"]["values.yaml"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test(start_paused = true)]
async fn images_are_built_one_after_the_other_and_then_deployed() {
    let mut world = World::new();
    let key = begin(&mut world).await;
    let _process = world.healthy().await;
    sleep(MINUTE).await;
    assert_eq!(world.phase(&key), "Building", "{}", world.server.status(&key));
    assert_eq!(world.server.condition(&key, "BuildReady"), "False Reconciling");
    assert_eq!(world.server.condition(&key, "DeploymentReady"), "False Waiting");
    assert_eq!((world.jobs("build-").len(), world.job("runner-")), (1, None));
    let asked = world.services.count(MANIFEST);
    sleep(30 * MINUTE).await;
    assert_eq!(world.services.count(MANIFEST), asked, "nobody is asked while the Job runs");
    world.end_job("build-", "Complete", json!({}));
    sleep(MINUTE).await;
    assert_eq!(world.jobs("build-").len(), 2, "{}", world.server.status(&key));
    world.end_job("build-", "Complete", json!({}));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "BuildReady"), "True Ready", "{}", world.server.status(&key));
    let image = world.server.status(&key)["images"]["web"].as_str().unwrap().to_owned();
    let (repository, tag) = image.split_once(':').unwrap();
    assert!(repository == "registry.example/apps/acme/shop/web" && tag.starts_with(&COMMIT[..12]), "{image}");
    assert_eq!(values(&world)["global"]["images"]["web"], json!({ "repository": repository, "tag": tag }));

    // The records of builds go after a day, and nothing is built again.
    world.end_job("runner-", "Complete", json!({}));
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&key), "{}", world.server.status(&key));
    for job in world.jobs("build-") {
        let name = job["metadata"]["name"].as_str().unwrap();
        world.server.user_removes(&ObjectKey::new("Job", crate::world::HOME, name));
    }
    let asked = world.services.count(MANIFEST);
    sleep(HOUR).await;
    assert_eq!((world.jobs("build-").len(), world.services.count(MANIFEST)), (0, asked));
    assert!(world.server.is_ready(&key));

    world.services.push("acme/shop.git", "main", OTHER_COMMIT);
    sleep(15 * MINUTE).await;
    assert_eq!((world.phase(&key).as_str(), world.jobs("build-").len()), ("Building", 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_in_the_registry_is_not_built() {
    let mut world = World::new();
    let key = begin(&mut world).await;
    let process = world.healthy().await;
    sleep(MINUTE).await;
    let build = world.job("build-").unwrap();
    let command = &build["spec"]["template"]["spec"]["containers"][0]["command"];
    let destination =
        command.as_array().unwrap().iter().find_map(|word| word.as_str()?.strip_prefix("--destination="));
    let (name, tag) =
        destination.unwrap().strip_prefix("registry.example/").unwrap().rsplit_once(':').unwrap();
    let (name, tag) = (name.to_owned(), tag.to_owned());
    drop((key, process));

    let mut world = World::new();
    world.services.push_image(&name, &tag);
    let key = begin(&mut world).await;
    let _process = world.healthy().await;
    sleep(MINUTE).await;
    assert_eq!(world.jobs("build-").len(), 1, "only the other one");
    assert_eq!(world.server.status(&key)["images"]["web"], format!("registry.example/{name}:{tag}"));
}

#[tokio::test(start_paused = true)]
async fn a_registry_in_trouble_is_asked_seldom_and_told_of() {
    let mut world = World::new();
    world.services.faults().inject(Rule::on(MANIFEST), Fault::StatusBefore(503));
    let key = begin(&mut world).await;
    let _process = world.healthy().await;
    sleep(MINUTE).await;
    assert_eq!(
        world.server.condition(&key, "BuildReady"),
        "False Transient",
        "{}",
        world.server.status(&key)
    );
    let asked = world.services.count(MANIFEST);
    sleep(30 * MINUTE).await;
    let calls = world.services.count(MANIFEST) - asked;
    assert!((10..=40).contains(&calls), "{calls}");
    assert_eq!(world.job("build-"), None);
    world.services.faults().clear();
    sleep(3 * MINUTE).await;
    assert_eq!(world.phase(&key), "Building", "{}", world.server.status(&key));
}

#[tokio::test(start_paused = true)]
async fn without_a_registry_nothing_is_built_and_it_is_told_who_can_change_that() {
    let mut world = World::new();
    let key = begin(&mut world).await;
    world.rules.catalyst.registry = String::new();
    let _process = world.healthy().await;
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "BuildReady"), "False NotConfigured");
    assert!(world.server.message(&key, "Ready").contains("rules.catalyst.registry"));
    assert_eq!(world.phase(&key), "Failed");
}

#[tokio::test(start_paused = true)]
async fn a_container_whose_image_is_called_as_a_build_runs_what_was_built() {
    let mut world = World::new();
    world.rules.catalyst.registry = "registry.example".into();
    world.services.push("acme/shop.git", "main", COMMIT);
    let _process = world.healthy().await;
    world.project(json!({ "githubInstallationId": "42", "templates": { "production": {
        "type": "", "builds": [{ "name": "web", "sourceRef": "main" }], "config": { "image": "web" },
    } } }));
    let key = world.environment(json!({ "type": "production" }));
    sleep(MINUTE).await;
    assert_eq!(world.child("Deployment", "web"), None);
    world.end_job("build-", "Complete", json!({}));
    sleep(MINUTE).await;
    let web = world.child("Deployment", "web").unwrap();
    let image = web["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap().to_owned();
    assert!(image.starts_with("registry.example/acme/shop/web:"), "{image}");
    assert_eq!(world.server.status(&key)["images"], json!({ "app": image, "web": image }));
}
