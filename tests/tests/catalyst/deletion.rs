//! However things go, an environment that is deleted goes, with its namespace, and with nothing else.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::{LEASE, MINUTE, ProcessOptions, Simulated, scenarios, server::finalizers};
use serde_json::json;
use tokio::time::sleep;

use crate::world::{HOME, World};

/// What somebody takes away before the environment is gone.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Taken {
    Environment,
    Project,
    Credentials,
    Label,
}

/// All orders of four things.
fn orders() -> Vec<[Taken; 4]> {
    let all = [Taken::Environment, Taken::Project, Taken::Credentials, Taken::Label];
    let mut orders = Vec::new();
    for a in all {
        for b in all.into_iter().filter(|b| *b != a) {
            for c in all.into_iter().filter(|c| *c != a && *c != b) {
                let d = all.into_iter().find(|d| *d != a && *d != b && *d != c).unwrap();
                orders.push([a, b, c, d]);
            }
        }
    }
    orders
}

impl World {
    fn take(&self, what: Taken, environment: &ObjectKey, project: &ObjectKey) {
        match what {
            Taken::Environment => self.server.user_deletes(environment),
            Taken::Project => self.server.user_deletes(project),
            Taken::Credentials => {
                self.server.user_removes(&ObjectKey::new("Secret", "acme", "registry-credentials"));
            }
            Taken::Label => {
                if let Some(mut object) = self.server.read(environment) {
                    object["metadata"]["labels"].as_object_mut().unwrap().remove("catalyst.dev/team");
                    self.server.user_puts_whole(object);
                }
            }
        }
    }
}

/// After which of the four the controller is killed, and another one started.
const KILLS: [&[usize]; 6] = [&[], &[0], &[1], &[2], &[3], &[0, 1, 2, 3]];

async fn play((order, kills): ([Taken; 4], &'static [usize])) {
    let world = World::new();
    world.server.user_puts_whole(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": { "name": "registry-credentials", "namespace": "acme" }, "data": { ".dockerconfigjson": "e30=" },
    }));
    let mut process = world.healthy().await;
    let environment = world.workspace().await;
    let project = ObjectKey::new("Project", "acme", "shop");
    assert!(world.namespace().is_some(), "{}", world.server.status(&environment));
    for (nth, what) in order.into_iter().enumerate() {
        world.take(what, &environment, &project);
        if kills.contains(&nth) {
            drop(process);
            process = world.start(&format!("next-{nth}"), ProcessOptions::default());
        }
        sleep(LEASE / 5).await;
    }
    sleep(10 * MINUTE).await;
    let what = format!("{order:?}, killed after {kills:?}");
    assert_eq!(world.server.read(&environment), None, "{what}");
    assert_eq!(world.namespace(), None, "{what}");
    assert_eq!(world.server.read(&project), None, "{what}");
    let marked =
        |kind: &str| world.server.of_kind(kind).iter().any(|one| one["metadata"]["namespace"] == HOME);
    for kind in ["Secret", "Deployment", "NetworkPolicy", "ResourceQuota"] {
        assert!(!marked(kind), "{what}: {kind}");
    }
}

/// A sample: each of the 24 orders once, in which the kills take turns, so that each of them meets each thing that is taken away first.
/// Every order with every kill is 144, in `make soak`.
#[test]
fn in_each_order_in_which_things_are_taken_away_and_with_some_kills_all_goes() {
    let sample: Vec<_> = orders().into_iter().zip(KILLS.into_iter().cycle()).collect();
    assert_eq!(sample.len(), 24);
    scenarios::play_all(&sample, play);
}

#[test]
#[ignore = "soak"]
fn in_each_order_and_with_each_of_the_kills_all_goes() {
    let all: Vec<_> = orders().into_iter().flat_map(|order| KILLS.map(|kills| (order, kills))).collect();
    assert_eq!(all.len(), 144);
    scenarios::play_all(&all, play);
}

#[tokio::test(start_paused = true)]
async fn the_finalizer_goes_after_the_namespace() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = world.workspace().await;
    let slow = world.hold_up();
    world.server.user_deletes(&key);
    sleep(10 * MINUTE).await;
    assert_eq!(world.phase(&key), "Terminating");
    assert!(
        world.server.message(&key, "Deleting").contains(HOME),
        "{}",
        world.server.message(&key, "Deleting")
    );
    assert!(!finalizers(&world.server.read(&key).unwrap()).is_empty());
    world.server.user_removes(&slow);
    world.server.user_removes(&ObjectKey::new("Namespace", "", HOME));
    sleep(MINUTE).await;
    assert_eq!(world.server.read(&key), None);
}

#[tokio::test(start_paused = true)]
async fn a_namespace_that_somebody_took_over_stays() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = world.workspace().await;
    let mut theirs = world.namespace().unwrap();
    theirs["metadata"]["labels"].as_object_mut().unwrap().remove(concierge_shared::child::OWNER_UID_LABEL);
    // In one instant, before anybody looks.
    world.server.user_puts_whole(theirs);
    world.server.user_deletes(&key);
    sleep(10 * MINUTE).await;
    assert!(world.namespace().is_some());
    assert_eq!(world.server.read(&key), None);
}

/// Somebody makes an object with the mark of `owner`.
fn forge(
    world: &World,
    owner: &ObjectKey,
    (kind, namespace, name): (&'static str, &str, &str),
) -> serde_json::Value {
    world.server.user_puts(json!({
        "apiVersion": if kind == "Job" { "batch/v1" } else { "v1" }, "kind": kind,
        "metadata": {
            "name": name, "namespace": namespace, "finalizers": ["mallory/stays"],
            "labels": { "concierge.dev/owner-uid": world.server.read(owner).unwrap()["metadata"]["uid"] },
            "annotations": { "concierge.dev/owner": owner.to_string() },
        },
    }))
}

/// Whoever may label anything anywhere could keep the reconciler busy.
#[tokio::test(start_paused = true)]
async fn marks_that_somebody_forges_elsewhere_wake_nobody() {
    let world = World::new();
    let process = world.healthy().await;
    let key = world.workspace().await;
    world.run("Deployment", "workspace");
    sleep(2 * MINUTE).await;
    assert!(world.server.is_ready(&key), "{}", world.server.status(&key));
    let runs = || process.metrics.runs_of("Environment", "ok");
    let before = runs();
    let second = LEASE / 15;
    for name in
        [("Secret", "mallory", "forged"), ("ConfigMap", "acme-shop", "forged"), ("Namespace", "", "forged")]
    {
        forge(&world, &key, name);
        sleep(second).await;
        assert_eq!(runs(), before, "{name:?}");
    }
    forge(&world, &key, ("ConfigMap", HOME, "forged"));
    sleep(second).await;
    assert!(runs() > before, "in its own namespace it is looked at");
}

#[tokio::test(start_paused = true)]
async fn marks_that_somebody_forges_elsewhere_hold_nothing_up() {
    let world = World::new();
    let _process = world.healthy().await;
    world.services.push("acme/shop.git", "main", crate::world::COMMIT);
    world.project(
        json!({ "templates": { "development": { "type": "helm", "sourceRef": "main", "path": "chart" } } }),
    );
    let key = world.environment(json!({}));
    // In the namespace of another team, in that of the Environment, and a Namespace.
    let names = [
        ("Job", "mallory", "runner-forged-1"),
        ("Job", "acme-shop", "runner-forged-1"),
        ("Namespace", "", "forged"),
    ];
    let before = names.map(|name| forge(&world, &key, name));
    sleep(MINUTE).await;
    assert!(world.job("runner-").is_some(), "no forged Job is waited for: {}", world.server.status(&key));
    world.server.user_deletes(&key);
    sleep(MINUTE).await;
    assert_eq!((world.server.read(&key), world.namespace()), (None, None));
    for ((kind, namespace, name), object) in names.into_iter().zip(before) {
        assert_eq!(world.server.read(&ObjectKey::new(kind, namespace, name)), Some(object), "{namespace}");
    }
}
