//! What a run reads does not grow with the number of objects.

use std::time::Duration;

use concierge_reconciler::engine::annotation::RECONCILE_AT;
use concierge_tests::simulation::MINUTE;
use serde_json::json;
use tokio::time::sleep;

use crate::world::World;

/// How many objects are read because of a Project whose repository so many others of the team have too.
async fn reads_around(others: usize) -> u64 {
    let world = World::new();
    let project = world.project(json!({}));
    let process = world.healthy().await;
    let spec = world.server.read(&project).unwrap()["spec"].clone();
    for n in 0..others {
        world.server.user_puts(json!({
            "apiVersion": "catalyst.catalyst.dev/v1alpha1", "kind": "Project",
            "metadata": { "name": format!("copy-{n}"), "namespace": "acme" }, "spec": spec,
        }));
    }
    sleep(10 * MINUTE).await;
    let (runs, read) = (process.metrics.runs_of("Project", "ok"), world.server.reads());
    world.server.user_annotates(&project, json!({ RECONCILE_AT: "now" }));
    sleep(Duration::from_secs(1)).await;
    assert!(process.metrics.runs_of("Project", "ok") > runs);
    world.server.reads() - read
}

#[tokio::test(start_paused = true)]
async fn a_run_over_a_project_reads_as_much_beside_many_of_its_repository_as_beside_some() {
    let (some, many) = (reads_around(100).await, reads_around(400).await);
    assert!(many <= some + 100, "{some} objects with 100 others, {many} with 400");
}
