//! A bucket with its policy, and a user with its key, are deleted in every order: nothing is left but what Retain says.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::{
    s3::Server,
    simulation::{MINUTE, scenarios::play_all},
};
use serde_json::json;
use tokio::time::sleep;

use crate::{users::reads, world::World};

const BUCKET: &str = "photos";

/// How the four are deleted.
#[derive(Clone, Copy, Debug)]
struct Scenario {
    order: [usize; 4],
    /// Between one and the next.
    pause: Duration,
    /// The Provider, its Secret and what else there is go before them, as when the namespace goes.
    namespace: bool,
    retain: bool,
}

/// Every order of four.
fn orders() -> Vec<[usize; 4]> {
    let all = (0..256).map(|n| [n / 64 % 4, n / 16 % 4, n / 4 % 4, n % 4]);
    all.filter(|order| (0..4).all(|one| order.contains(&one))).collect()
}

/// What there is.
struct Things {
    /// The bucket, its policy, the user and its key.
    four: [ObjectKey; 4],
    /// What they need.
    needed: Vec<ObjectKey>,
}

async fn make(world: &World, scenario: Scenario, iam_policies: bool, within: Duration) -> Things {
    let policy = if scenario.retain { "Retain" } else { "Delete" };
    let bucket = world.bucket(BUCKET, json!({ "deletionPolicy": policy }));
    let ready = |world: &World, key: &ObjectKey| world.server.is_ready(key) && world.is_synced(key);
    world.until("ready", within, |world| ready(world, &bucket)).await;
    let provider = ObjectKey::new("Provider", "default", "p");
    let caller = world.server.status(&provider)["callerArn"].as_str().unwrap().to_owned();
    let statement = json!({
        "effect": "Allow", "principal": { "AWS": caller }, "action": "s3:GetObject",
        "resource": format!("arn:aws:s3:::{BUCKET}/*"),
    });
    let spec = json!({ "bucketRef": { "name": BUCKET }, "policy": { "version": "2012-10-17", "statement": [statement] } });
    let policy = world.put("BucketPolicy", "readers", spec);
    let mut needed = vec![ObjectKey::new("Secret", "default", "login"), provider];
    let user = match iam_policies {
        true => {
            needed.push(world.iam_policy("shared", reads()));
            world.user("web", json!({ "policyRef": { "name": "shared" } }))
        }
        false => world.user("web", json!({ "policy": reads() })),
    };
    let key = world.put(
        "AccessKey",
        "laptop",
        json!({ "providerRef": { "name": "p" }, "userRef": { "name": "web" }, "rotate": {} }),
    );
    let four = [bucket, policy, user, key];
    for one in four.iter().chain(&needed[1..]) {
        world.until("ready", within, |world| ready(world, one)).await;
    }
    Things { four, needed }
}

/// Deletes all as the scenario says, and waits until the objects are gone.
async fn end(world: &World, scenario: Scenario, things: &Things, within: Duration) {
    let Things { four, needed } = things;
    if scenario.namespace {
        needed.iter().for_each(|key| world.server.user_deletes(key));
        sleep(scenario.pause).await;
    }
    for one in scenario.order {
        world.server.user_deletes(&four[one]);
        sleep(scenario.pause).await;
    }
    if !scenario.namespace {
        needed.iter().for_each(|key| world.server.user_deletes(key));
    }
    for key in four.iter().chain(needed) {
        world
            .until(&format!("gone, {scenario:?}: {}", key.kind), within, |world| {
                world.server.read(key).is_none()
            })
            .await;
    }
}

async fn at_fake(scenario: Scenario) {
    let world = World::new();
    let _process = world.healthy();
    let things = make(&world, scenario, true, 10 * MINUTE).await;
    end(&world, scenario, &things, 60 * MINUTE).await;
    world.store.with(|state| {
        assert_eq!(state.buckets.contains_key(BUCKET), scenario.retain, "{scenario:?}");
        let parts = state.buckets.get(BUCKET).map(|bucket| &bucket.parts);
        let left = parts.map_or(0, |parts| {
            assert!(
                !parts.get("tagging").is_some_and(|tags| tags.contains("concierge.dev/owner")),
                "{scenario:?}"
            );
            usize::from(parts.contains_key("policy"))
        });
        assert_eq!((left, state.iam.users.len(), state.iam.policies.len()), (0, 0, 0), "{scenario:?}");
    });
}

/// All orders; whether the namespace goes, and whether the bucket stays, take turns with the pauses.
fn scenarios() -> Vec<Scenario> {
    let orders = orders();
    assert_eq!(orders.len(), 24);
    orders
        .iter()
        .enumerate()
        .flat_map(|(index, order)| {
            [(Duration::ZERO, true), (Duration::ZERO, false), (MINUTE, true), (MINUTE, false)].map(
                |(pause, namespace)| Scenario {
                    order: *order,
                    pause,
                    namespace,
                    retain: (index % 2 == 0) == namespace,
                },
            )
        })
        .collect()
}

/// Each of the 24 orders in one way, so that each way has six.
#[test]
fn in_every_order_of_deletion_nothing_is_left_but_what_retain_says() {
    let some: Vec<_> = scenarios().chunks(4).enumerate().map(|(n, ways)| ways[n % 4]).collect();
    assert_eq!(some.len(), 24);
    play_all(&some, at_fake);
}

#[test]
#[ignore = "soak"]
fn in_all_orders_and_ways_of_deletion_nothing_is_left_but_what_retain_says() {
    play_all(&scenarios(), at_fake);
}

async fn at_versitygw(scenario: Scenario) {
    const SOON: Duration = Duration::from_secs(60);
    let server = Server::versitygw().await.unwrap();
    let world = World::of(&server.endpoint, &server.admin, json!({ "type": "versitygw" }));
    let _process = world.healthy();
    let things = make(&world, scenario, false, SOON).await;
    end(&world, scenario, &things, SOON).await;
    let clients = server.clients(&server.admin).unwrap();
    let (s3, iam) = (clients.s3, clients.iam.unwrap());
    assert_eq!(s3.head_bucket().bucket(BUCKET).send().await.is_ok(), scenario.retain, "{scenario:?}");
    if scenario.retain {
        let mark = s3.get_bucket_tagging().bucket(BUCKET).send().await;
        assert!(mark.is_err(), "{scenario:?}: {mark:?}");
        let policy = s3.get_bucket_policy().bucket(BUCKET).send().await;
        assert!(policy.is_err(), "{scenario:?}: {policy:?}");
    }
    let users = iam.list_users().send().await.unwrap();
    let names: Vec<_> = users.users().iter().map(|user| user.user_name()).collect();
    assert_eq!(names, ["concierge"], "{scenario:?}");
}

/// Six, with the bucket, the user and the namespace first among them, each at a service of its own.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn in_six_orders_of_deletion_nothing_is_left_at_versitygw_but_what_retain_says() {
    let six = [
        ([0, 1, 2, 3], true, false),
        ([3, 2, 1, 0], true, true),
        ([2, 0, 3, 1], true, false),
        ([0, 2, 1, 3], false, true),
        ([1, 3, 0, 2], false, false),
        ([2, 3, 1, 0], false, false),
    ];
    let all = six.map(|(order, namespace, retain)| {
        let pause = if namespace { Duration::ZERO } else { Duration::from_millis(300) };
        at_versitygw(Scenario { order, pause, namespace, retain })
    });
    futures::future::join_all(all).await;
}
