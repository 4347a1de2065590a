//! Environments of which a source says what runs: which commit is deployed, by which Job, and how often anybody is asked or tries.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::catalyst::services::{GIT_TOKEN, REFS};
use concierge_tests::simulation::MINUTE;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::world::{COMMIT, HOME, HOUR, OTHER_COMMIT, World};

fn chart() -> Value {
    json!({ "templates": { "development": { "type": "helm", "sourceRef": "main", "path": "chart", "values": { "replicas": 1 } } } })
}

/// The environment of a chart at the newest commit of a branch, a minute after it was made.
async fn of_chart(world: &World, spec: Value) -> ObjectKey {
    world.services.push("acme/shop.git", "main", COMMIT);
    world.project(chart());
    let key = world.environment(spec);
    sleep(MINUTE).await;
    key
}

#[tokio::test(start_paused = true)]
async fn what_a_chart_says_is_deployed_once_for_each_commit() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = of_chart(&world, json!({})).await;
    assert_eq!(world.phase(&key), "Deploying", "{}", world.server.status(&key));
    assert_eq!(world.server.condition(&key, "SourceReady"), "True Ready");
    assert_eq!(world.server.condition(&key, "BuildReady"), "True NotNeeded");
    assert_eq!(world.server.status(&key)["commits"], json!({ "main": COMMIT }));
    let binding = world.child("RoleBinding", "runner").unwrap();
    assert_eq!(binding["roleRef"]["name"], "concierge-catalyst-runner");
    assert_eq!(binding["subjects"][0]["namespace"], HOME);

    let first = world.job("runner-").unwrap();
    world.end_job("runner-", "Complete", json!({}));
    sleep(MINUTE).await;
    assert!(world.server.is_ready(&key), "{}", world.server.status(&key));
    assert_eq!(world.phases(), ["Provisioning", "Deploying", "Ready"]);
    assert_eq!(world.server.status(&key)["url"], format!("https://{HOME}.example.com/"));
    assert_eq!(
        world.job("runner-"),
        Some(world.server.read(&ObjectKey::new("Job", HOME, name(&first))).unwrap())
    );

    // The branch goes on, and the environment with it.
    world.services.push("acme/shop.git", "main", OTHER_COMMIT);
    sleep(15 * MINUTE).await;
    assert_eq!(world.phase(&key), "Deploying");
    assert_eq!(world.server.status(&key)["commits"], json!({ "main": OTHER_COMMIT }));
    let second = world.job("runner-").unwrap();
    assert_ne!(name(&first), name(&second));
    assert_eq!(world.jobs("runner-").len(), 1, "the one before is gone");
}

/// Two at a time would undo each other's work.
#[tokio::test(start_paused = true)]
async fn another_commit_is_deployed_after_the_pods_of_the_job_before_are_gone() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = of_chart(&world, json!({})).await;
    let mut first = world.job("runner-").unwrap();
    // So the API server keeps a Job that is to go after its pods.
    first["metadata"]["finalizers"] = json!(["foregroundDeletion"]);
    world.server.user_puts_whole(first.clone());
    world.services.push("acme/shop.git", "main", OTHER_COMMIT);
    sleep(15 * MINUTE).await;
    let left = world.jobs("runner-");
    assert_eq!(left.iter().map(name).collect::<Vec<_>>(), [name(&first)]);
    assert!(!left[0]["metadata"]["deletionTimestamp"].is_null());
    assert!(world.server.message(&key, "Ready").contains("out of date"), "{}", world.server.status(&key));
    world.server.user_removes(&ObjectKey::new("Job", HOME, name(&first)));
    sleep(MINUTE).await;
    assert_ne!(name(&world.job("runner-").unwrap()), name(&first));
}

fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

#[tokio::test(start_paused = true)]
async fn at_rest_the_branch_is_asked_for_each_ten_minutes_and_nothing_is_written() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = of_chart(&world, json!({})).await;
    world.end_job("runner-", "Complete", json!({}));
    sleep(HOUR).await;
    assert!(world.server.is_ready(&key), "{}", world.server.status(&key));
    let (writes, refs) = (world.server.writes(), world.services.count(REFS));
    sleep(4 * HOUR).await;
    assert_eq!(world.server.writes(), writes);
    let asked = world.services.count(REFS) - refs;
    assert!((20..=30).contains(&asked), "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_commit_is_deployed_without_asking_and_a_short_one_when_it_is_the_newest() {
    let upper = COMMIT.to_uppercase();
    for (written, expect, calls) in [(COMMIT, COMMIT, 0), (&upper, COMMIT, 0), (&COMMIT[..7], COMMIT, 1)] {
        let world = World::new();
        let _process = world.healthy().await;
        let source = json!({ "name": "primary", "commitSha": written, "branch": "main" });
        let key = of_chart(&world, json!({ "sources": [source] })).await;
        assert_eq!(world.server.status(&key)["commits"]["main"], expect, "{}", world.server.status(&key));
        assert_eq!(world.services.count(REFS).min(1), calls, "{written}");
    }
    let world = World::new();
    let _process = world.healthy().await;
    let source = json!({ "name": "main", "commitSha": "fffffff", "branch": "main" });
    let key = of_chart(&world, json!({ "sources": [source] })).await;
    assert_eq!(world.server.condition(&key, "SourceReady"), "False CommitShort");
    assert!(world.server.message(&key, "Ready").contains("write all 40"), "{}", world.server.status(&key));
    assert_eq!((world.phase(&key), world.job("runner-")), ("Failed".into(), None));
}

#[tokio::test(start_paused = true)]
async fn of_a_repository_by_ssh_nothing_is_deployed_and_its_https_address_is_asked_for() {
    for commit in ["", COMMIT] {
        let mut world = World::new();
        world.rules.catalyst.allow_ssh_repositories = true;
        let _process = world.healthy().await;
        let source =
            json!({ "name": "main", "repositoryUrl": "git@github.com:acme/shop.git", "branch": "main" });
        let mut project = chart();
        project["sources"] = json!([source]);
        world.project(project);
        let source = json!({ "name": "main", "commitSha": commit, "branch": "main" });
        let key = world.environment(json!({ "sources": [source] }));
        sleep(MINUTE).await;
        assert_eq!(
            world.server.condition(&key, "SourceReady"),
            "False Unsupported",
            "{}",
            world.server.status(&key)
        );
        assert!(world.server.message(&key, "Ready").contains("write its https address"));
        assert_eq!((world.phase(&key), world.job("runner-")), ("Failed".into(), None));
    }
}

#[tokio::test(start_paused = true)]
async fn the_environments_branch_goes_before_the_projects() {
    let world = World::new();
    let _process = world.healthy().await;
    world.services.push("acme/shop.git", "feature/a", OTHER_COMMIT);
    let source = json!({ "name": "main", "commitSha": "", "branch": "feature/a" });
    let key = of_chart(&world, json!({ "sources": [source] })).await;
    assert_eq!(world.server.status(&key)["commits"]["main"], OTHER_COMMIT);
}

/// A pod that `owner` keeps, in this phase, whose container has ended before.
fn crashed_pod(world: &World, owner: &str, phase: &str, ready: bool) {
    let owner = json!({ "apiVersion": "v1", "kind": owner, "name": "x", "uid": "u" });
    let state = json!({ "terminated": { "exitCode": 1 } });
    let status = json!({ "name": "app", "image": "", "imageID": "", "ready": ready, "restartCount": 4, "state": {}, "lastState": state });
    world.server.user_puts_whole(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "shop-1", "namespace": HOME, "ownerReferences": [owner] },
        "status": { "phase": phase, "containerStatuses": [status] },
    }));
}

#[tokio::test(start_paused = true)]
async fn what_crashes_after_it_was_deployed_is_told_until_it_runs_again() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = of_chart(&world, json!({})).await;
    world.end_job("runner-", "Complete", json!({}));
    sleep(MINUTE).await;
    // Somebody's CronJob is not the environment, and what was evicted has another in its place.
    for (owner, phase) in [("Job", "Running"), ("ReplicaSet", "Failed")] {
        crashed_pod(&world, owner, phase, false);
        sleep(15 * MINUTE).await;
        assert!(world.server.is_ready(&key), "{owner} {phase}: {}", world.server.status(&key));
    }
    crashed_pod(&world, "ReplicaSet", "Running", false);
    sleep(15 * MINUTE).await;
    assert_eq!(world.phase(&key), "Degraded", "{}", world.server.status(&key));
    assert_eq!(world.server.condition(&key, "DeploymentReady"), "False ContainerExited");
    assert!(world.server.message(&key, "Ready").contains("kubectl logs -n acme-shop-pr-1 shop-1"));
    let job = world.job("runner-");
    crashed_pod(&world, "ReplicaSet", "Running", true);
    sleep(2 * MINUTE).await;
    assert!(world.server.is_ready(&key), "{}", world.server.status(&key));
    assert_eq!(world.job("runner-"), job, "nothing is deployed again");
}

/// The pod of a Job, whose container `deploy` ended with these words.
fn failed_pod(world: &World, job: &Value, words: &str) {
    let state = json!({ "terminated": { "exitCode": 1, "message": words } });
    let status = json!({ "name": "deploy", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": state });
    let labels = json!({ "batch.kubernetes.io/job-name": name(job) });
    let owner =
        json!({ "apiVersion": "batch/v1", "kind": "Job", "name": name(job), "uid": job["metadata"]["uid"] });
    world.server.user_puts_whole(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "runner-pod", "namespace": HOME, "labels": labels, "ownerReferences": [owner] },
        "status": { "initContainerStatuses": [status] },
    }));
}

#[tokio::test(start_paused = true)]
async fn a_deployment_that_failed_says_why_and_is_tried_again_less_and_less_often() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = of_chart(&world, json!({})).await;
    failed_pod(&world, &world.job("runner-").unwrap(), "Error: template: shop/templates/web.yaml: bad");
    world.end_job("runner-", "Failed", json!("BackoffLimitExceeded"));
    sleep(MINUTE / 4).await;
    assert_eq!(world.server.condition(&key, "DeploymentReady"), "False ChartFailed");
    let message = world.server.message(&key, "Ready");
    assert!(message.contains("correct the chart") && message.contains("tried again at"), "{message}");
    assert_eq!(world.phase(&key), "Failed");
    let mut attempts = 1;
    for _ in 0..100 {
        sleep(MINUTE).await;
        let running = world.job("runner-").filter(|job| job["status"]["conditions"].is_null());
        if running.is_some() {
            attempts += 1;
            world.end_job("runner-", "Failed", json!("BackoffLimitExceeded"));
        }
    }
    // After 1, 2, 5, 15 and 60 minutes, each a minute late at most.
    assert_eq!(attempts, 6);
    assert_eq!(world.jobs("runner-").len(), 1);
    // Whoever changes something need not wait.
    world.server.user_annotates(&key, json!({ "concierge.dev/reconcile-at": "now" }));
    sleep(MINUTE).await;
    assert!(world.job("runner-").unwrap()["status"]["conditions"].is_null());
}

#[tokio::test(start_paused = true)]
async fn while_git_can_not_be_reached_it_is_asked_seldom_and_what_runs_stays() {
    let world = World::new();
    let _process = world.healthy().await;
    world.services.take_down("github.com");
    let key = of_chart(&world, json!({})).await;
    assert_eq!(world.server.condition(&key, "SourceReady"), "False NeverSent");
    assert_eq!(world.server.condition(&key, "DeploymentReady"), "False Waiting");
    assert_eq!(world.phase(&key), "Pending", "{}", world.server.status(&key));
    let writes = world.server.writes();
    sleep(30 * MINUTE).await;
    assert!(world.server.writes() - writes <= 10, "{} writes", world.server.writes() - writes);
    world.services.bring_up();
    sleep(3 * MINUTE).await;
    world.end_job("runner-", "Complete", json!({}));
    sleep(MINUTE).await;
    assert_eq!(world.phase(&key), "Ready", "{}", world.server.status(&key));

    world.services.take_down("github.com");
    sleep(30 * MINUTE).await;
    assert_eq!(world.phase(&key), "Ready", "{}", world.server.status(&key));
    assert_eq!(world.server.condition(&key, "SourceReady"), "False NeverSent");
    assert!(world.server.message(&key, "SourceReady").contains(&format!("commit {COMMIT} stays")));
    assert_eq!(world.jobs("runner-").len(), 1);
    world.services.bring_up();
    sleep(3 * MINUTE).await;
    assert_eq!(world.server.condition(&key, "SourceReady"), "True Ready");
}

#[tokio::test(start_paused = true)]
async fn a_closed_repository_is_read_by_its_installation_which_is_left_alone_when_refused() {
    let mut world = World::new();
    world.rules.catalyst.web_url = crate::world::WEB.into();
    world.services.close_repositories("ghs_right");
    world.services.install("42", "ghs_wrong");
    // The web application looks at whose token it is.
    world.services.keep_secrets(&format!("token-of-{HOME}-concierge-git"), "none", json!({}));
    let _process = world.healthy().await;
    world.services.push("acme/shop.git", "main", COMMIT);
    let mut spec = chart();
    spec["githubInstallationId"] = "42".into();
    world.project(spec);
    let key = world.environment(json!({}));
    sleep(MINUTE).await;
    assert_eq!(
        world.server.condition(&key, "SourceReady"),
        "False Unauthorised",
        "{}",
        world.server.status(&key)
    );
    assert_eq!(world.phase(&key), "Failed");
    let before = [REFS, GIT_TOKEN].map(|operation| world.services.count(operation));
    sleep(30 * MINUTE).await;
    let [refs, tokens] = [REFS, GIT_TOKEN].map(|operation| world.services.count(operation));
    // Once in five minutes: as nobody, for a token, and with it.
    assert!(refs - before[0] <= 16 && tokens - before[1] <= 8, "{refs} {tokens} {before:?}");
    world.services.install("42", "ghs_right");
    world.server.user_annotates(&key, json!({ "concierge.dev/reconcile-at": "now" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.status(&key)["commits"]["main"], COMMIT, "{}", world.server.status(&key));
    let told = format!("{} {:?}", world.server.status(&key), world.told());
    assert!(!told.contains("ghs_") && !told.contains("token-of"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn a_closed_repository_without_a_web_application_says_who_has_to_set_what() {
    let world = World::new();
    world.services.close_repositories("ghs_right");
    world.services.push("acme/shop.git", "main", COMMIT);
    let _process = world.healthy().await;
    let mut spec = chart();
    spec["githubInstallationId"] = "42".into();
    world.project(spec);
    let key = world.environment(json!({}));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "SourceReady"), "False ReferencesMissing");
    let message = world.server.message(&key, "SourceReady");
    assert!(message.contains("an operator sets rules.catalyst.webUrl"), "{message}");
}
