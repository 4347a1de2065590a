//! What runs: the modes whose configuration says it, and what is told when it does not run.

use concierge_tests::simulation::MINUTE;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{HOME, World};

fn template() -> Value {
    json!({ "templates": { "development": { "type": "", "config": {
        "image": "node:22-slim",
        "ports": [{ "containerPort": 3000 }],
        "env": [{ "name": "NODE_ENV", "value": "development" }],
        "initContainers": [{ "name": "migrate", "command": ["npm", "run", "migrate"] }],
        "services": [{
            "name": "db", "database": "shop",
            "container": { "image": "postgres:16" },
            "storage": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } },
        }],
    } } } })
}

#[tokio::test(start_paused = true)]
async fn a_development_environment_has_its_services_with_generated_credentials() {
    let world = World::new();
    let _process = world.healthy().await;
    world.project(template());
    let key = world.environment(json!({ "deploymentMode": "development" }));
    sleep(MINUTE).await;
    let credentials = world.child("Secret", "db-credentials").unwrap()["data"].clone();
    assert!(credentials["POSTGRES_PASSWORD"].as_str().unwrap().len() > 40);
    let web = world.child("Deployment", "web").unwrap();
    let app = &web["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(
        app["env"][1]["valueFrom"]["secretKeyRef"],
        json!({ "name": "db-credentials", "key": "DATABASE_URL" })
    );
    assert_eq!(world.child("Service", "web").unwrap()["spec"]["ports"][0]["targetPort"], 3000);
    let url = format!("https://{HOME}.example.com/");
    assert_eq!(world.server.status(&key)["url"], url);
    for (kind, name) in [("StatefulSet", "db"), ("Deployment", "web")] {
        world.run(kind, name);
    }
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&key), "{}", world.server.status(&key));
    assert_eq!(world.child("Secret", "db-credentials").unwrap()["data"], credentials, "generated once");

    // A change of the configuration rolls out; other credentials do too.
    world.environment(json!({ "deploymentMode": "development", "config": { "image": "node:24-slim" } }));
    sleep(MINUTE).await;
    let changed = world.child("Deployment", "web").unwrap();
    assert_eq!(changed["spec"]["template"]["spec"]["containers"][0]["image"], "node:24-slim");
    let digest = |web: &Value| {
        web["spec"]["template"]["metadata"]["annotations"]["catalyst.dev/secrets-digest"].clone()
    };
    assert_eq!(digest(&changed), digest(&web));
    world.server.user_removes(&concierge_reconciler::engine::ObjectKey::new(
        "Secret",
        HOME,
        "db-credentials",
    ));
    sleep(MINUTE).await;
    assert_ne!(digest(&world.child("Deployment", "web").unwrap()), digest(&web));
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_taken_out_of_the_configuration_goes_and_its_volume_stays() {
    let world = World::new();
    let _process = world.healthy().await;
    world.project(template());
    let config = json!({
        "image": "node:22-slim",
        "volumes": [{ "name": "cache", "persistentVolumeClaim": { "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": "1Gi" } } } }],
    });
    world.environment(json!({ "deploymentMode": "development", "config": config }));
    sleep(MINUTE).await;
    assert!(
        world.child("StatefulSet", "db").is_some() && world.child("PersistentVolumeClaim", "cache").is_some()
    );
    world
        .environment(json!({ "deploymentMode": "development", "config": { "services": [], "volumes": [] } }));
    sleep(MINUTE).await;
    assert_eq!((world.child("StatefulSet", "db"), world.child("Secret", "db-credentials")), (None, None));
    assert!(world.child("PersistentVolumeClaim", "cache").is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_changed_by_hand_is_set_back() {
    let world = World::new();
    let _process = world.healthy().await;
    world.workspace().await;
    let mut policy = world.child("NetworkPolicy", "default-policy").unwrap();
    let before = policy["spec"]["egress"].clone();
    policy["spec"]["egress"] = json!([{}]);
    world.server.user_puts_whole(policy);
    sleep(MINUTE).await;
    assert_eq!(world.child("NetworkPolicy", "default-policy").unwrap()["spec"]["egress"], before);
}

/// A pod of the environment, as the kubelet tells of it.
fn pod(world: &World, uid: &str, status: Value) {
    world.server.user_puts_whole(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "workspace-1", "namespace": HOME, "labels": { "catalyst.dev/environment-uid": uid } },
        "status": status,
    }));
}

#[tokio::test(start_paused = true)]
async fn why_a_pod_does_not_run_is_told_with_what_to_do_and_no_longer_when_it_runs() {
    let waiting = json!([{ "name": "workspace", "image": "nopull:1", "state": { "waiting": { "reason": "ImagePullBackOff" } } }]);
    let crashed = json!([{ "name": "workspace", "ready": false, "state": {}, "lastState": { "terminated": { "exitCode": 1 } } }]);
    let killed = json!([{ "name": "workspace", "ready": false, "state": {}, "lastState": { "terminated": { "exitCode": 137 } } }]);
    for (containers, reason, remedy) in [
        (waiting, "ImageNotPulled", "registry-credentials"),
        (crashed, "ContainerExited", "kubectl logs"),
        (killed, "ContainerKilled", "limits.memory"),
    ] {
        let world = World::new();
        let _process = world.healthy().await;
        let key = world.workspace().await;
        let uid = world.server.read(&key).unwrap()["metadata"]["uid"].as_str().unwrap().to_owned();
        pod(&world, &uid, json!({ "containerStatuses": containers }));
        sleep(MINUTE).await;
        assert_eq!(world.server.condition(&key, "DeploymentReady"), format!("False {reason}"));
        assert_eq!(world.phase(&key), "Failed");
        assert!(world.server.message(&key, "Ready").contains(remedy), "{}", world.server.status(&key));
        pod(&world, &uid, json!({}));
        world.run("Deployment", "workspace");
        sleep(MINUTE).await;
        assert_eq!(world.phase(&key), "Ready", "{}", world.server.status(&key));
    }
}

#[tokio::test(start_paused = true)]
async fn a_quota_that_is_too_small_is_told_with_what_to_do() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = world.workspace().await;
    let mut object = world.child("Deployment", "workspace").unwrap();
    object["status"] = json!({ "observedGeneration": 1, "conditions": [{
        "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
        "message": "pods \"workspace-1\" is forbidden: exceeded quota: default-quota",
    }] });
    world.server.user_puts_whole(object);
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "DeploymentReady"), "False QuotaExceeded");
    assert!(world.server.message(&key, "Ready").contains("raise resources.defaultQuota"));
}

#[tokio::test(start_paused = true)]
async fn a_project_tells_how_many_environments_it_has() {
    let world = World::new();
    let _process = world.healthy().await;
    let project = world.project(json!({ "environments": { "max": 1 } }));
    sleep(MINUTE).await;
    assert_eq!(world.server.status(&project)["environments"], 0);
    let key = world.environment(json!({ "deploymentMode": "workspace" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.status(&project)["environments"], 1);
    assert_eq!(world.server.condition(&project, "EnvironmentsAvailable"), "False Full");
    world.server.user_deletes(&key);
    sleep(2 * MINUTE).await;
    assert_eq!(world.server.status(&project)["environments"], 0);
}
