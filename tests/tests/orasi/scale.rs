//! What a run reads does not grow with the number of objects.

use std::time::Duration;

use concierge_reconciler::engine::annotation::RECONCILE_AT;
use concierge_tests::simulation::MINUTE;
use serde_json::json;
use tokio::time::sleep;

use crate::world::World;

/// How many objects are read because of a Storage in whose place so many others want to be.
async fn reads_around(others: usize) -> u64 {
    let world = World::new();
    let outer = world.storage("outer", json!({}));
    let process = world.healthy();
    world.until_done(&outer).await;
    for n in 0..others {
        world.storage(&format!("inner-{n}"), json!({ "prefix": format!("texts/{n}") }));
    }
    sleep(10 * MINUTE).await;
    let (runs, read) = (process.metrics.runs_of("Storage", "ok"), world.server.reads());
    world.server.user_annotates(&outer, json!({ RECONCILE_AT: "now" }));
    sleep(Duration::from_secs(1)).await;
    assert!(process.metrics.runs_of("Storage", "ok") > runs, "it is the oldest, and so still right");
    world.server.reads() - read
}

#[tokio::test(start_paused = true)]
async fn a_run_over_a_storage_reads_as_much_with_many_inside_of_its_place_as_with_some() {
    let (some, many) = (reads_around(100).await, reads_around(400).await);
    assert!(many <= some + 100, "{some} objects with 100 others, {many} with 400");
}
