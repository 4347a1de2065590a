//! However things go, an environment that is deleted goes, with its namespace, and with nothing else.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::{LEASE, MINUTE, ProcessOptions, Simulated, server::finalizers};
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

async fn play(order: [Taken; 4], kills: &[usize]) {
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

#[tokio::test(start_paused = true)]
async fn in_whichever_order_things_are_taken_away_and_whenever_the_controller_is_killed_all_goes() {
    let all = orders();
    assert_eq!(all.len(), 24);
    for order in all {
        for kills in KILLS {
            play(order, kills).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_finalizer_goes_after_the_namespace() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = world.workspace().await;
    // Something in it that takes its time.
    world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": { "name": "slow", "namespace": HOME, "finalizers": ["somebody.else/finalizer"] },
    }));
    world.server.user_deletes(&key);
    sleep(10 * MINUTE).await;
    assert_eq!(world.phase(&key), "Terminating");
    assert!(
        world.server.message(&key, "Deleting").contains(HOME),
        "{}",
        world.server.message(&key, "Deleting")
    );
    assert!(!finalizers(&world.server.read(&key).unwrap()).is_empty());
    world.server.user_removes(&ObjectKey::new("ConfigMap", HOME, "slow"));
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
