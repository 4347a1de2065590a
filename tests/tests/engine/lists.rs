//! Before an object goes that others may use, its users are read from the API server: once for all that wait, and never from a list that
//! began before the question.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::{LEASE, MINUTE, Process, ProcessOptions, Simulated};
use serde_json::json;
use tokio::time::sleep;

use crate::world::World;

/// How many objects go at once.
const MANY: usize = 40;
const SECOND: Duration = Duration::from_secs(1);

async fn started(world: &World, options: ProcessOptions) -> Process {
    let process = world.start("a", options);
    sleep(LEASE * 3 + options.lag * 4).await;
    process
}

fn slow_lists(world: &World, time: Duration) {
    world.server.trouble(|trouble| trouble.slow_lists = [("Toy".to_owned(), time)].into());
}

/// Toys of which nothing is left to do but to let them go.
fn toys(world: &World) -> Vec<ObjectKey> {
    let toy = |n| world.toy(&format!("bear-{n}"), json!({ "colour": "brown", "retain": true }));
    (0..MANY).map(toy).collect()
}

#[tokio::test(start_paused = true)]
async fn objects_that_go_together_have_each_kind_listed_together() {
    let world = World::new();
    let toys = toys(&world);
    let _process = started(&world, ProcessOptions { concurrency: MANY, ..ProcessOptions::default() }).await;
    slow_lists(&world, SECOND);
    let kinds = ["Toy", "Ticket", "Chest", "Room"];
    let before = kinds.map(|kind| world.server.lists(kind));
    toys.iter().for_each(|toy| world.server.user_deletes(toy));
    sleep(MINUTE).await;
    assert!(toys.iter().all(|toy| world.server.read(toy).is_none()));
    for (kind, before) in kinds.into_iter().zip(before) {
        let lists = world.server.lists(kind) - before;
        assert!((1..=kinds.len()).contains(&lists), "{lists} lists of kind {kind} for {MANY} deletions");
    }
}

/// Whoever makes and deletes such objects without end keeps one list under way, not one for each.
#[tokio::test(start_paused = true)]
async fn objects_that_go_one_after_the_other_have_one_list_under_way() {
    let world = World::new();
    let toys = toys(&world);
    let _process = started(&world, ProcessOptions { concurrency: MANY, ..ProcessOptions::default() }).await;
    slow_lists(&world, 10 * SECOND);
    let before = world.server.lists("Toy");
    for toy in &toys {
        world.server.user_deletes(toy);
        sleep(SECOND).await;
    }
    sleep(MINUTE).await;
    assert!(toys.iter().all(|toy| world.server.read(toy).is_none()));
    let lists = world.server.lists("Toy") - before;
    assert!((1..=MANY / 10 + 2).contains(&lists), "{lists} lists in {MANY} seconds, of ten each");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_began_before_the_question_does_not_answer_it() {
    let world = World::new();
    let shelves = ["one", "two"].map(|name| world.toy(name, json!({ "colour": "white", "retain": true })));
    let _process = started(&world, ProcessOptions { lag: MINUTE, ..ProcessOptions::default() }).await;
    slow_lists(&world, 20 * SECOND);
    let before = world.server.lists("Toy");
    // The process learns of this after a minute, and begins a list.
    world.server.user_deletes(&shelves[0]);
    sleep(10 * SECOND).await;
    // It learns of this while that list is under way, and of the bear, which is not in the list, too late.
    world.server.user_deletes(&shelves[1]);
    sleep(55 * SECOND).await;
    assert_eq!(world.server.lists("Toy") - before, 1, "the first list is under way");
    world.toy("bear", json!({ "colour": "brown", "inside": "two" }));
    sleep(50 * SECOND).await;
    assert_eq!(world.server.lists("Toy") - before, 2);
    assert!(world.server.read(&shelves[0]).is_none());
    assert!(world.server.read(&shelves[1]).is_some(), "a bear is on it");
}

/// Who needs a Secret is looked for among its neighbours.
#[tokio::test(start_paused = true)]
async fn credentials_are_let_go_without_a_look_into_other_namespaces() {
    let world = World::new();
    world.server.user_puts(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "login", "namespace": "default" },
        "data": { "token": "aHVudGVyMg==" },
    }));
    let spec = json!({ "colour": "brown", "secret": "login", "retain": true });
    let bears = ["bear", "lion"].map(|name| world.toy(name, spec.clone()));
    for n in 0..100 {
        world.server.user_puts(json!({ "apiVersion": "toys.example.com/v1", "kind": "Toy",
            "metadata": { "name": format!("bear-{n}"), "namespace": "store" }, "spec": { "colour": "brown" } }));
    }
    let _process = started(&world, ProcessOptions::default()).await;
    world.server.user_annotates(&bears[0], json!({ "concierge.dev/delete-in-use": "true" }));
    sleep(5 * SECOND).await;
    let before = world.server.reads();
    world.server.user_deletes(&bears[0]);
    sleep(5 * SECOND).await;
    assert!(world.server.read(&bears[0]).is_none());
    let reads = world.server.reads() - before;
    assert!(reads < 50, "{reads} objects were read to let one go");
}
