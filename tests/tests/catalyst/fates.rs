//! What becomes of an environment, for each way to deploy: how it stands, and what people are told to do. What the cluster would say is played;
//! at a real API server: `tests/tests/runner/fates.rs`, `tests/tests/environments`.

use concierge_reconciler::catalyst::runner::said_of;
use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::MINUTE;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{COMMIT, HOME, World};

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Ready,
    ImageNotPulled,
    Exits,
    Hangs,
    QuotaTooSmall,
    /// Wrong is what is deployed itself: a chart, a compose file, a container's configuration.
    Wrong,
    ProjectMissing,
}

/// The environment in this mode; its project is missing where that is its fate.
fn begin(world: &World, mode: &str, fate: Fate) -> ObjectKey {
    world.services.push("acme/shop.git", "main", COMMIT);
    let template = match mode {
        "helm" | "docker-compose" => json!({ "type": mode, "sourceRef": "main", "path": "deploy" }),
        _ => json!({ "type": "", "config": { "image": "shop:1", "ports": [{ "containerPort": 80 }] } }),
    };
    if fate != Fate::ProjectMissing {
        world.project(json!({ "templates": { "development": template } }));
    }
    world.environment(json!({ "deploymentMode": mode }))
}

/// A pod with these labels and one container in this state.
fn pod(world: &World, labels: &Value, container: &str, state: &Value) {
    let status = json!({ "name": container, "image": "shop:1", "imageID": "", "ready": false, "restartCount": 0, "state": state });
    let list = if container == "deploy" || container == "compose" {
        "initContainerStatuses"
    } else {
        "containerStatuses"
    };
    world.server.user_puts_whole(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "pod-1", "namespace": HOME, "labels": labels },
        "status": { list: [status] },
    }));
}

/// What the controllers say of a Deployment.
fn play_deployment(world: &World, key: &ObjectKey, name: &str, fate: Fate) {
    let uid = world.server.read(key).unwrap()["metadata"]["uid"].clone();
    let labels = json!({ "catalyst.dev/environment-uid": uid });
    let failed = |kind: &str, status: &str, reason: &str, message: &str| {
        let mut object = world.child("Deployment", name).unwrap();
        let condition = json!({ "type": kind, "status": status, "reason": reason, "message": message });
        object["status"] = json!({ "observedGeneration": 1, "conditions": [condition] });
        world.server.user_puts_whole(object);
    };
    let waits = |reason: &str| json!({ "waiting": { "reason": reason, "message": "as it is" } });
    match fate {
        Fate::Ready => world.run("Deployment", name),
        Fate::ImageNotPulled => pod(world, &labels, "app", &waits("ImagePullBackOff")),
        Fate::Exits => pod(world, &labels, "app", &json!({ "terminated": { "exitCode": 1 } })),
        Fate::Hangs => failed("Progressing", "False", "ProgressDeadlineExceeded", "has timed out"),
        Fate::QuotaTooSmall => {
            failed("ReplicaFailure", "True", "FailedCreate", "exceeded quota: default-quota")
        }
        Fate::Wrong => pod(world, &labels, "app", &waits("CreateContainerConfigError")),
        Fate::ProjectMissing => {}
    }
}

/// What the runner's own program says of a Deployment and its pod to which this happens, with its exit code.
fn said(fate: Fate) -> (u8, String) {
    let state = match fate {
        Fate::ImageNotPulled => json!({ "waiting": { "reason": "ImagePullBackOff" } }),
        Fate::Exits => json!({ "terminated": { "exitCode": 1 } }),
        _ => json!({ "running": {} }),
    };
    let owner = json!({ "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "app", "uid": "u" });
    let container = json!({ "name": "app", "image": "shop:1", "imageID": "", "ready": false, "restartCount": 0, "state": state });
    let pod = json!({
        "metadata": { "name": "app-1", "namespace": HOME, "ownerReferences": [owner] },
        "status": { "containerStatuses": [container] },
    });
    let refused =
        json!({ "type": "ReplicaFailure", "status": "True", "message": "exceeded quota: default-quota" });
    let conditions = if fate == Fate::QuotaTooSmall { vec![refused] } else { Vec::new() };
    let deployment = json!({
        "metadata": { "name": "app", "generation": 1 }, "spec": { "selector": {}, "template": {} },
        "status": { "observedGeneration": 1, "replicas": 1, "conditions": conditions },
    });
    let [pods, deployments] = [json!([pod]), json!([deployment])];
    said_of(serde_json::from_value(pods).unwrap(), serde_json::from_value(deployments).unwrap()).unwrap()
}

/// What the runner says of what it deployed.
fn play_runner(world: &World, mode: &str, fate: Fate) {
    let Some(job) = world.job("runner-") else { return };
    let labels = json!({ "batch.kubernetes.io/job-name": job["metadata"]["name"] });
    let ended = |container: &str, code: u8, words: &str| {
        pod(world, &labels, container, &json!({ "terminated": { "exitCode": code, "message": words } }));
        world.end_job("runner-", "Failed", json!("BackoffLimitExceeded"));
    };
    match fate {
        Fate::Ready => world.end_job("runner-", "Complete", json!({})),
        Fate::ImageNotPulled | Fate::Exits | Fate::Hangs | Fate::QuotaTooSmall => {
            let (code, words) = said(fate);
            ended("wait", code, &words);
        }
        Fate::Wrong if mode == "helm" => ended("deploy", 1, "Error: template: bad"),
        Fate::Wrong => ended("compose", 1, "compose.yaml:1:1: is not as compose files have it"),
        Fate::ProjectMissing => {}
    }
}

/// The reason, and what has to be in the message.
fn expected(mode: &str, fate: Fate) -> (&'static str, &'static str) {
    match (fate, mode) {
        (Fate::Ready, _) => ("Ready", ""),
        (Fate::ImageNotPulled, _) => ("ImageNotPulled", "correct its name"),
        (Fate::Exits, _) => ("ContainerExited", "kubectl logs"),
        (Fate::Hangs, _) => ("NotReadyInTime", "readiness"),
        (Fate::QuotaTooSmall, _) => ("QuotaExceeded", "raise resources.defaultQuota"),
        (Fate::Wrong, "helm") => ("ChartFailed", "correct the chart"),
        (Fate::Wrong, "docker-compose") => ("InvalidComposeFile", "correct the compose file"),
        (Fate::Wrong, _) => ("ContainerNotStarted", "correct its configuration"),
        (Fate::ProjectMissing, _) => ("ReferencesMissing", "Project acme/shop does not exist; create it"),
    }
}

async fn play(mode: &str, fate: Fate) {
    let world = World::new();
    let _process = world.healthy().await;
    let key = begin(&world, mode, fate);
    sleep(MINUTE).await;
    match mode {
        _ if fate == Fate::ProjectMissing => {}
        "helm" | "docker-compose" => play_runner(&world, mode, fate),
        "workspace" => play_deployment(&world, &key, "workspace", fate),
        _ => play_deployment(&world, &key, "web", fate),
    }
    sleep(MINUTE / 2).await;
    let (reason, remedy) = expected(mode, fate);
    let (case, status) = (format!("{mode}, {fate:?}"), world.server.status(&key));
    match fate {
        Fate::Ready => assert_eq!(world.phase(&key), "Ready", "{case}: {status}"),
        Fate::ProjectMissing => {
            assert_eq!(world.phase(&key), "Pending", "{case}: {status}");
            assert!(world.server.condition(&key, "Ready").contains(reason), "{case}: {status}");
        }
        _ => {
            assert_eq!(world.server.condition(&key, "DeploymentReady"), format!("False {reason}"), "{case}");
            assert_eq!(world.phase(&key), "Failed", "{case}: {status}");
        }
    }
    let message = world.server.message(&key, "Ready");
    assert!(message.contains(remedy), "{case}: {message}");
    assert!(world.told().iter().any(|told| told.contains(remedy)), "{case}: {:?}", world.told());
}

/// A test for each fate of a mode.
macro_rules! fates {
    ($($module:ident $mode:literal)*) => {$(
        mod $module {
            use super::{Fate, play};

            #[tokio::test(start_paused = true)]
            async fn becomes_ready() {
                play($mode, Fate::Ready).await;
            }

            #[tokio::test(start_paused = true)]
            async fn an_image_that_can_not_be_pulled_is_told_with_a_remedy() {
                play($mode, Fate::ImageNotPulled).await;
            }

            #[tokio::test(start_paused = true)]
            async fn a_container_that_exits_is_told_with_a_remedy() {
                play($mode, Fate::Exits).await;
            }

            #[tokio::test(start_paused = true)]
            async fn one_that_hangs_is_told_with_a_remedy() {
                play($mode, Fate::Hangs).await;
            }

            #[tokio::test(start_paused = true)]
            async fn a_quota_that_is_too_small_is_told_with_a_remedy() {
                play($mode, Fate::QuotaTooSmall).await;
            }

            #[tokio::test(start_paused = true)]
            async fn a_chart_or_what_else_is_deployed_that_is_wrong_is_told_with_a_remedy() {
                play($mode, Fate::Wrong).await;
            }

            #[tokio::test(start_paused = true)]
            async fn a_project_that_is_missing_is_told_with_a_remedy() {
                play($mode, Fate::ProjectMissing).await;
            }
        }
    )*};
}

fates! {
    workspace "workspace"
    development "development"
    production "production"
    helm "helm"
    docker_compose "docker-compose"
}
