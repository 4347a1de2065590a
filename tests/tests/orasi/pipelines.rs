//! A pipeline is as ready as its connector and its storage.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::server::finalizers;
use serde_json::json;
use tokio::time::sleep;

use crate::graph::{World, runs};

const HOUR: Duration = Duration::from_secs(3600);
/// Longer than it takes to wake who waits, and shorter than until anything is looked at by itself.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(start_paused = true)]
async fn a_pipeline_says_what_it_waits_for_and_is_woken_by_it() {
    let world = World::new();
    let spans = world.pipeline("spans", "lake", json!({}));
    let _process = world.healthy().await;
    let condition = |kind| world.server.condition(&spans, kind);
    assert_eq!(condition("ReferencesResolved"), "False ReferencesMissing");
    assert_eq!(world.waiting_for(&spans), json!(["Connector default/hudi", "Storage default/lake"]));

    world.connector("hudi");
    let lake = world.storage("lake");
    sleep(SOON).await;
    assert_eq!(condition("Ready"), "True Reconciled");
    assert!(world.waiting_for(&spans).is_null());
    assert!(world.server.status(&spans)["message"].is_null());

    world.turns(&lake, false);
    sleep(SOON).await;
    assert_eq!(condition("Ready"), "False ReferencesMissing");
    assert_eq!(world.waiting_for(&spans), json!(["Storage default/lake"]));
    assert_eq!(world.server.status(&spans)["message"], "Storage default/lake is not ready");
    // What breaks a rule waits for nothing.
    let spec = json!({ "connectorRef": { "name": "hudi" }, "storageRef": { "name": "lake" }, "table": "" });
    world.put("Pipeline", "spans", json!({}), spec);
    sleep(SOON).await;
    assert_eq!(condition("Ready"), "False Invalid");
    assert!(world.waiting_for(&spans).is_null());
    world.pipeline("spans", "lake", json!({}));
    world.turns(&lake, true);
    sleep(SOON).await;
    assert_eq!(condition("Ready"), "True Reconciled");
}

#[tokio::test(start_paused = true)]
async fn a_storage_of_another_namespace_is_not_there_until_it_permits_the_pipeline() {
    let world = World::new();
    world.connector("hudi");
    let hudi = json!({ "storagePath": "s3://lakes/far", "tableType": "COPY_ON_WRITE" });
    let spec = json!({ "type": "Hudi", "hudi": hudi });
    let far = world.put("Storage", "lake", json!({ "namespace": "data" }), spec);
    let far = ObjectKey { namespace: "data".into(), ..far };
    let storage = json!({ "name": "lake", "namespace": "data" });
    let spec = json!({ "connectorRef": { "name": "hudi" }, "storageRef": storage, "table": "spans" });
    let spans = world.put("Pipeline", "spans", json!({}), spec);
    let _process = world.healthy().await;
    assert_eq!(
        world.server.status(&spans)["message"],
        "Storage data/lake does not exist or does not allow references from namespace default"
    );
    world.server.user_annotates(&far, json!({ "concierge.dev/allow-references-from": "default" }));
    sleep(SOON).await;
    assert!(world.server.is_ready(&spans));
}

/// A thousand pipelines on ten storages.
#[tokio::test(start_paused = true)]
async fn one_storage_of_ten_wakes_its_hundred_pipelines_of_a_thousand() {
    let world = World::new();
    world.connector("hudi");
    let lakes: Vec<_> = (0..10).map(|n| world.storage(&format!("lake-{n}"))).collect();
    let pipeline = |n: usize| world.pipeline(&format!("p-{n}"), &format!("lake-{}", n % 10), json!({}));
    let pipelines: Vec<_> = (0..1000).map(pipeline).collect();
    let process = world.healthy().await;
    assert!(pipelines.iter().all(|key| world.server.is_ready(key)));

    for ready in [false, true] {
        let (ran, written) = (runs(&process, "Pipeline"), world.server.writes());
        world.turns(&lakes[3], ready);
        sleep(SOON).await;
        assert_eq!(runs(&process, "Pipeline") - ran, 100, "ready: {ready}");
        assert_eq!(world.server.writes() - written, 100, "one status each");
        let changed = pipelines.iter().filter(|key| world.server.is_ready(key) != ready);
        assert_eq!(changed.count(), if ready { 0 } else { 900 });
        let of_lake = |n: usize| world.server.is_ready(&pipelines[n]) == (ready || n % 10 != 3);
        assert!((0..1000).all(of_lake));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_at_rest_and_a_pipeline_goes_at_once() {
    let world = World::new();
    world.connector("hudi");
    world.storage("lake");
    let spans = world.pipeline("spans", "lake", json!({ "team": "web" }));
    let process = world.healthy().await;
    assert!(world.server.is_ready(&spans));
    assert!(finalizers(&world.server.read(&spans).unwrap()).is_empty());
    let (written, ran) = (world.server.writes(), runs(&process, "Pipeline"));
    sleep(HOUR).await;
    assert!(runs(&process, "Pipeline") > ran, "it is looked at now and then, or this shows nothing");
    assert_eq!(world.server.writes(), written);
    world.server.user_deletes(&spans);
    assert!(world.server.read(&spans).is_none());
}
