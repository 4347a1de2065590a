//! The source in mode development: which commit is put onto the volume, who sees a token for it, and what is told when it does not come. That it is
//! really put there: `tests/tests/environments/development.rs`.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::catalyst::services::REFS;
use concierge_tests::simulation::MINUTE;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{COMMIT, HOME, OTHER_COMMIT, WEB, World};

fn config() -> Value {
    let claim =
        json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } });
    json!({
        "image": "node:22-slim",
        "ports": [{ "containerPort": 3000 }],
        "volumeMounts": [{ "name": "code", "mountPath": "/code" }],
        "volumes": [{ "name": "code", "persistentVolumeClaim": claim }],
        "initContainers": [{ "name": "install", "command": ["npm", "ci"] }],
    })
}

/// An environment in mode development, a minute after it was made.
async fn begin(world: &World, project: Value) -> ObjectKey {
    world.services.push("acme/shop.git", "main", COMMIT);
    world.project(project);
    let key = world.environment(json!({ "deploymentMode": "development" }));
    sleep(MINUTE).await;
    key
}

fn of(config: Value) -> Value {
    json!({ "templates": { "development": { "type": "", "config": config } } })
}

/// The template of the main container's pods.
fn pods(world: &World) -> Value {
    world.child("Deployment", "web").unwrap()["spec"]["template"].clone()
}

/// The containers before the main one.
fn inits(world: &World) -> Vec<Value> {
    pods(world)["spec"]["initContainers"].as_array().cloned().unwrap_or_default()
}

fn commit(world: &World) -> Value {
    let fetches = inits(world)[0]["env"].as_array().cloned().unwrap_or_default();
    fetches.into_iter().find(|one| one["name"] == "COMMIT").unwrap()["value"].clone()
}

#[tokio::test(start_paused = true)]
async fn the_source_is_put_onto_the_first_volume_before_anything_runs_and_follows_its_branch() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = begin(&world, of(config())).await;
    let names: Vec<_> = inits(&world).iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, ["git-clone", "git-checkout", "install"]);
    let mounts = inits(&world)[1]["volumeMounts"].clone();
    assert!(
        mounts.as_array().unwrap().contains(&json!({
            "name": "code", "mountPath": "/volume", "readOnly": false,
        })),
        "{mounts}"
    );
    assert_eq!(commit(&world), COMMIT);
    assert_eq!(world.server.condition(&key, "SourceReady"), "True Ready", "{}", world.server.status(&key));
    assert_eq!(world.server.status(&key)["commits"], json!({ "main": COMMIT }));

    let mut claim = world.child("PersistentVolumeClaim", "code").unwrap();
    claim["status"] = json!({ "phase": "Bound" });
    world.server.user_puts_whole(claim);
    world.run("Deployment", "web");
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&key), "{}", world.server.status(&key));
    world.services.push("acme/shop.git", "main", OTHER_COMMIT);
    sleep(15 * MINUTE).await;
    assert_eq!(commit(&world), OTHER_COMMIT);
    assert_eq!(world.phase(&key), "Deploying", "{}", world.server.status(&key));
}

#[tokio::test(start_paused = true)]
async fn where_there_is_no_volume_for_it_and_in_other_modes_no_source_is_fetched() {
    let mut bare = config();
    bare["volumeMounts"] = json!([]);
    let production = json!({ "templates": { "production": { "type": "", "config": config() } } });
    for (project, spec) in [
        (of(bare), json!({ "deploymentMode": "development" })),
        (production, json!({ "type": "production" })),
    ] {
        let world = World::new();
        let _process = world.healthy().await;
        world.project(project);
        let key = world.environment(spec);
        sleep(MINUTE).await;
        let names: Vec<_> = inits(&world).iter().map(|one| one["name"].clone()).collect();
        assert_eq!(names, ["install"]);
        assert_eq!(world.server.condition(&key, "SourceReady"), "True NotNeeded");
        assert_eq!(world.services.count(REFS), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_starts_before_the_commit_is_known() {
    let world = World::new();
    world.services.take_down("github.com");
    let _process = world.healthy().await;
    let key = begin(&world, of(config())).await;
    assert_eq!(world.server.condition(&key, "SourceReady"), "False NeverSent");
    assert_eq!((world.phase(&key), world.child("Deployment", "web")), ("Pending".into(), None));
    world.services.bring_up();
    sleep(3 * MINUTE).await;
    assert_eq!(commit(&world), COMMIT, "{}", world.server.status(&key));
}

#[tokio::test(start_paused = true)]
async fn the_token_of_a_closed_repository_is_in_the_container_that_fetches_and_in_no_other() {
    let mut world = World::new();
    world.rules.catalyst.web_url = WEB.into();
    world.services.close_repositories("ghs_right");
    world.services.install("42", "ghs_right");
    world.services.keep_secrets(&format!("token-of-{HOME}-concierge-git"), "none", json!({}));
    let _process = world.healthy().await;
    let mut project = of(config());
    project["githubInstallationId"] = "42".into();
    let key = begin(&world, project).await;
    sleep(MINUTE).await;
    assert_eq!(commit(&world), COMMIT, "{}", world.server.status(&key));
    let pods = pods(&world);
    assert_eq!(pods["spec"]["serviceAccountName"], "concierge-git");
    assert_eq!(pods["spec"]["automountServiceAccountToken"], false);
    assert_eq!(pods["metadata"]["labels"]["catalyst.dev/runner"], "true", "the web application is reached");
    let all = [inits(&world), vec![pods["spec"]["containers"][0].clone()]].concat();
    let sees = |one: &&Value| {
        one["volumeMounts"].as_array().is_some_and(|all| all.iter().any(|one| one["name"] == "git-token"))
    };
    let seen: Vec<_> = all.iter().filter(sees).map(|one| one["name"].clone()).collect();
    assert_eq!(seen, ["git-clone"]);
    assert!(!pods.to_string().contains("ghs_"), "{pods}");
}

#[tokio::test(start_paused = true)]
async fn why_the_source_does_not_come_is_told_with_a_remedy_and_without_secrets() {
    for (container, words, reason, remedy) in [
        ("git-clone", "fatal: remote error: not our ref 0123 ghs_hunter2", "CommitNotFound", "was it pushed"),
        ("git-clone", "fatal: Authentication failed", "RepositoryDenied", "githubInstallationId"),
        ("git-checkout", "error: files would be overwritten by checkout", "CheckoutFailed", "mount another"),
    ] {
        let world = World::new();
        let _process = world.healthy().await;
        let key = begin(&world, of(config())).await;
        let uid = world.server.read(&key).unwrap()["metadata"]["uid"].clone();
        let last = json!({ "terminated": { "exitCode": 128, "message": words } });
        let state = json!({ "waiting": { "reason": "CrashLoopBackOff" } });
        let status = json!({ "name": container, "image": "", "imageID": "", "ready": false, "restartCount": 1, "state": state, "lastState": last });
        world.server.user_puts_whole(json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": { "name": "web-1", "namespace": HOME, "labels": { "catalyst.dev/environment-uid": uid } },
            "status": { "initContainerStatuses": [status] },
        }));
        sleep(MINUTE).await;
        assert_eq!(world.server.condition(&key, "SourceReady"), format!("False {reason}"));
        assert_eq!(world.phase(&key), "Failed", "{}", world.server.status(&key));
        let message = world.server.message(&key, "Ready");
        assert!(message.contains(remedy) && !message.contains("hunter2"), "{message}");
    }
}
