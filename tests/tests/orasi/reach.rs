//! Storages and connectors: what a look at them comes to.

use std::time::Duration;

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::{
    faults::{Fault, Rule},
    s3::fake::{Bucket, KEY},
    simulation::MINUTE,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::world::{SECRET, World};

const CONFIG: &str = r#"{"defaults": {}, "overrides": {}}"#;

/// What an object says after a minute: Ready, Checked, and the message of that.
async fn comes_to(world: &World, kind: &'static str, spec: Value) -> (String, String, String) {
    let key = world.put(kind, "one", spec);
    let _process = world.healthy();
    world.until("looked at", MINUTE, |world| !world.server.condition(&key, "Checked").is_empty()).await;
    let [ready, checked] = world.says(&key);
    (ready, checked, world.server.message(&key, "Checked"))
}

async fn check(kind: &'static str, spec: Value, expect: [&str; 3]) {
    let world = World::new();
    world.wire.open("hive.data.svc", 9083);
    world.wire.open("myorg-acc.snowflakecomputing.com", 443);
    world.wire.open("kafka-2", 9092);
    world.wire.answers("https://iceberg.example/v1/config?warehouse=lake", 200, CONFIG);
    world.wire.answers("https://closed.example/v1/config?warehouse=lake", 401, "");
    world.wire.answers("https://web.example/v1/config?warehouse=lake", 200, "<html>");
    let (ready, checked, message) = comes_to(&world, kind, spec.clone()).await;
    assert_eq!([&*ready, &*checked, &*message], expect, "{spec:#}");
}

const READY: &str = "True Reconciled";
const UNTRIED: &str = "credentials were not tried";

#[tokio::test(start_paused = true)]
async fn each_type_of_storage_says_what_could_be_found_out() {
    let delta = |path: &str| json!({ "type": "DeltaLake", "deltaLake": { "storagePath": path } });
    let local = "it is a path of the machines that use it, where nobody can look from here";
    check("Storage", delta("/data/lake"), [READY, "False NotCheckable", local]).await;
    let bucket = "the path names a bucket, but neither its service nor who asks there; nobody looks";
    check("Storage", delta("s3://lake/raw"), [READY, "False NotCheckable", bucket]).await;
    let mut hive = delta("s3://lake/raw");
    hive["deltaLake"]["catalog"] = "thrift://hive.data.svc".into();
    let connected = |to: &str| format!("{to} takes connections; {UNTRIED}");
    check("Storage", hive, [READY, "True Connected", &connected("hive.data.svc:9083")]).await;
    let snowflake = json!({ "type": "Snowflake", "snowflake": {
        "account": "MYORG-ACC", "database": "d", "schema": "s", "authentication": { "method": "None" },
    } });
    let host = "myorg-acc.snowflakecomputing.com:443";
    check("Storage", snowflake, [READY, "True Connected", &connected(host)]).await;
    let iceberg =
        |uri: &str| json!({ "type": "Iceberg", "iceberg": { "catalogUri": uri, "warehouse": "lake" } });
    check("Storage", iceberg("https://iceberg.example"), [READY, "True Answered", UNTRIED]).await;
    let closed = "it wants to know who asks; credentials were not tried";
    check("Storage", iceberg("https://closed.example/"), [READY, "True Answered", closed]).await;
    let web = "GET /v1/config was answered 200, and not as Iceberg's catalogs do; correct the address and the warehouse";
    check("Storage", iceberg("https://web.example"), ["False Refused", "False Refused", web]).await;
    let gone = "no connection to gone:9083: refused";
    check("Storage", iceberg("thrift://gone"), ["False NeverSent", "False NoAnswer", gone]).await;
}

#[tokio::test(start_paused = true)]
async fn a_connector_is_looked_for_where_it_has_an_address() {
    let kafka = json!({ "type": "Kafka", "kafka": {
        "cluster": { "bootstrapServers": "kafka-1:9092,kafka-2:9092" }, "topic": { "name": "t" },
    } });
    let connected = "kafka-2:9092 takes connections; credentials were not tried";
    check("Connector", kafka, [READY, "True Connected", connected]).await;
    let none = "it has no address of its own; what it writes to is a Storage, which is looked at";
    check("Connector", json!({ "type": "Snowflake" }), [READY, "False NotCheckable", none]).await;
}

#[tokio::test(start_paused = true)]
async fn a_bucket_is_looked_for_and_what_is_wrong_is_told() {
    let world = World::new();
    world.store.with(|state| {
        state.buckets.insert("closed".to_owned(), Bucket::default());
        state
            .buckets
            .insert("far".to_owned(), Bucket { region: Some("eu-west-1".into()), ..Bucket::default() });
    });
    let good = world.storage("good", json!({}));
    let missing = world.storage("missing", json!({ "bucket": "nowhere" }));
    let far = world.storage("far", json!({ "bucket": "far" }));
    let nobody =
        world.storage("nobody", json!({ "prefix": "public", "authentication": { "method": "None" } }));
    let keyless = json!({ "prefix": "keyless", "caSecretRef": { "name": "none", "key": "ca.crt" } });
    let keyless = world.storage("keyless", keyless);
    let _process = world.healthy();
    world.until_done(&good).await;
    let told = |key: &ObjectKey, message: &str| {
        (world.says(key)[1].clone(), world.server.message(key, "Ready"))
            == ("False Missing".into(), message.into())
    };
    let text = "bucket nowhere does not exist; create it, or correct spec.s3.bucket";
    world.until("told", MINUTE, |_| told(&missing, text)).await;
    let text = "Secret default/none does not exist; create it";
    world.until("told", MINUTE, |_| told(&keyless, text)).await;
    assert_eq!(world.says(&keyless)[0], "False ReferencesMissing");
    let looked = |key: &ObjectKey| !world.server.status(key)["lastChecked"].is_null();
    assert!(looked(&good) && looked(&missing) && !looked(&keyless), "{}", world.dump());
    world.until("refused", MINUTE, |world| world.says(&far) == ["False Refused", "False Refused"]).await;
    assert!(world.server.message(&far, "Ready").contains("eu-west-1"), "{}", world.dump());
    world
        .until("refused", MINUTE, |world| world.says(&nobody) == ["False Unauthorised", "False Refused"])
        .await;
    let says = world.server.message(&nobody, "Ready");
    assert_eq!(says, "the service wants to know who asks; set spec.s3.authentication");
    assert_eq!(world.says(&good), [READY, "True Answered"]);

    world.store.with(|state| state.denied.extend(["ListObjectsV2"]));
    world.server.user_annotates(&good, json!({ "concierge.dev/reconcile-at": "now" }));
    world.until("told", MINUTE, |world| world.says(&good) == ["False Unauthorised", "False Denied"]).await;
    assert!(
        world.server.message(&good, "Ready").ends_with("let the access key list bucket lake (s3:ListBucket)")
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_service_refuses_to_head_without_a_word_is_told_by_the_list() {
    let world = World::new();
    let storage = world.storage("lake", json!({}));
    world.store.faults().inject(Rule::on("HeadBucket"), Fault::StatusBefore(400));
    world.store.with(|state| state.denied.extend(["ListObjectsV2"]));
    let _process = world.healthy();
    world.until("told", MINUTE, |world| world.says(&storage) == ["False Unauthorised", "False Denied"]).await;
    assert!(world.server.message(&storage, "Ready").contains("let the access key list bucket lake"));
}

#[tokio::test(start_paused = true)]
async fn what_can_be_no_id_of_an_access_key_is_not_sent() {
    let world = World::new();
    world.credentials("-----BEGIN PRIVATE KEY-----", SECRET);
    let storage = world.storage("lake", json!({}));
    let _process = world.healthy();
    world.until("told", MINUTE, |world| world.says(&storage) == ["False Refused", "False Refused"]).await;
    let says = world.server.message(&storage, "Ready");
    assert!(says.contains("usernameSecretRef") && !says.contains("PRIVATE"), "{says}");
    assert_eq!(world.store.calls(), 0);
    world.credentials(KEY, SECRET);
    world.until("noticed", Duration::from_secs(15), |world| world.is_done(&storage)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_asked_for_no_more_often_than_what_is_well() {
    let world = World::new();
    world.wire.answers("https://web.example/v1/config?warehouse=lake", 200, "<html>");
    let iceberg = json!({ "catalogUri": "https://web.example", "warehouse": "lake" });
    let web = world.put("Storage", "web", json!({ "type": "Iceberg", "iceberg": iceberg }));
    let _process = world.healthy();
    world.until("refused", MINUTE, |world| world.says(&web)[1] == "False Refused").await;
    let came = world.wire.came().len();
    sleep(20 * MINUTE).await;
    let asked = world.wire.came().len() - came;
    assert!((8..=12).contains(&asked), "{asked} questions: one every two minutes");
}

/// What `Checked` says is of the object as it is: what was told of an earlier look goes when a run ends before its look.
#[tokio::test(start_paused = true)]
async fn what_ends_before_the_look_is_told_too() {
    let world = World::new();
    let url = "https://iceberg.example/v1/config?warehouse=lake";
    world.wire.answers(url, 200, CONFIG);
    let iceberg = |warehouse: &str| json!({ "type": "Iceberg", "iceberg": { "catalogUri": "https://iceberg.example", "warehouse": warehouse } });
    let storage = world.put("Storage", "lake", iceberg("lake"));
    let _process = world.healthy();
    world.until_done(&storage).await;
    world.wire.answers(url, 429, "");
    world.until("noticed", 3 * MINUTE, |world| world.says(&storage) == [READY, "False NoAnswer"]).await;
    world.wire.answers(url, 200, CONFIG);
    world.until_done(&storage).await;
    assert_eq!(world.says(&storage)[1], "True Answered");
    world.put("Storage", "lake", iceberg(""));
    world.until("noticed", MINUTE, |world| world.says(&storage) == ["False Invalid", "False Invalid"]).await;
}

#[tokio::test(start_paused = true)]
async fn of_two_storages_that_are_in_each_other_the_older_is_used() {
    let world = World::new();
    let outer = world.storage("outer", json!({ "prefix": "a" }));
    sleep(MINUTE).await;
    let inner = world.storage("inner", json!({ "prefix": "a/b" }));
    let _process = world.healthy();
    world.until_done(&outer).await;
    let told = |world: &World| world.server.condition(&inner, "Valid") == "False Conflict";
    world.until("told", 5 * MINUTE, told).await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_is_tried_seldom_and_forgotten_once_mended() {
    let world = World::new();
    world.credentials("AKIANOBODYNOBODYNOBO", "nobody-knows-this-secret");
    let storage = world.storage("lake", json!({}));
    let _process = world.healthy();
    world
        .until("refused", MINUTE, |world| world.says(&storage) == ["False Unauthorised", "False Refused"])
        .await;
    let says = world.server.message(&storage, "Ready");
    assert_eq!(says, "the service refuses the access key in Secret login; correct it");
    sleep(5 * MINUTE).await;
    assert!(world.store.calls() <= 16, "{:?}", world.store.asked_from(0));
    world.credentials(KEY, SECRET);
    world.until("noticed", Duration::from_secs(15), |world| world.is_done(&storage)).await;
    let told = world.dump();
    assert!(!told.contains(SECRET) && !told.contains("nobody-knows"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_written_and_little_is_asked_while_nothing_changes() {
    let world = World::new();
    let storage = world.storage("lake", json!({}));
    let _process = world.healthy();
    world.until_done(&storage).await;
    sleep(MINUTE).await;
    let (writes, calls) = (world.server.writes(), world.store.calls());
    sleep(50 * MINUTE).await;
    assert_eq!(world.server.writes(), writes);
    let asked = world.store.calls() - calls;
    assert!((40..=60).contains(&asked), "{asked} calls: two every two minutes");
}

/// What a service that is stopped for two minutes is asked meanwhile, and how long afterwards its Storage says that it is back.
async fn stopped(fault: Fault) -> (usize, usize, Duration) {
    let world = World::new();
    let storage = world.storage("lake", json!({}));
    let _process = world.healthy();
    world.until_done(&storage).await;
    world.store.faults().inject(Rule::any(), fault);
    world.until("noticed", 3 * MINUTE, |world| world.says(&storage)[1] == "False NoAnswer").await;
    let (calls, tries) = (world.store.calls(), world.store.with(|state| state.refused));
    sleep(2 * MINUTE).await;
    assert!(world.server.is_ready(&storage), "as last seen");
    let asked = world.store.calls() - calls;
    let tried = world.store.with(|state| state.refused) - tries;
    world.store.faults().clear();
    let over = Instant::now();
    world.until("back", MINUTE, |world| world.is_done(&storage)).await;
    assert_eq!(world.says(&storage), [READY, "True Answered"]);
    (asked, tried, over.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_service_that_is_stopped_is_asked_seldom_and_its_return_is_seen() {
    let (asked, tried, back) = stopped(Fault::Refuse).await;
    assert_eq!(asked, 0, "nothing reaches it");
    assert!((10..=40).contains(&tried), "{tried} attempts to connect in two minutes");
    assert!(back <= Duration::from_secs(10), "{back:?}");
    for fault in [Fault::DropBefore, Fault::StatusBefore(503)] {
        let (asked, _, back) = stopped(fault.clone()).await;
        assert!((3..=4).contains(&asked), "{fault:?}: {asked} calls: one in half a minute");
        assert!(back <= Duration::from_secs(35), "{fault:?}: {back:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_closed_for_two_minutes_is_seen_to_be_open_again() {
    let world = World::new();
    world.wire.open("hive", 9083);
    let hive =
        json!({ "type": "Iceberg", "iceberg": { "catalogUri": "thrift://hive", "warehouse": "lake" } });
    let storage = world.put("Storage", "hive", hive);
    let _process = world.healthy();
    world.until_done(&storage).await;
    world.wire.close("hive", 9083);
    world.until("noticed", 3 * MINUTE, |world| world.says(&storage) == [READY, "False NoAnswer"]).await;
    sleep(2 * MINUTE).await;
    let came = world.wire.came().len();
    world.wire.open("hive", 9083);
    world.until("back", Duration::from_secs(10), |world| world.is_done(&storage)).await;
    assert_eq!(world.wire.came().len(), came + 1);
}

/// The account lets one call through while nothing answers: it tries all servers.
#[tokio::test(start_paused = true)]
async fn of_a_cluster_that_was_gone_the_server_that_comes_back_is_seen_whichever_it_is() {
    let world = World::new();
    let cluster = json!({ "bootstrapServers": "kafka-1:9092,kafka-2:9092" });
    let kafka = json!({ "type": "Kafka", "kafka": { "cluster": cluster, "topic": { "name": "t" } } });
    let key = world.put("Connector", "kafka", kafka);
    let _process = world.healthy();
    world.until("noticed", MINUTE, |world| world.says(&key)[1] == "False NoAnswer").await;
    let told = "no connection to kafka-1:9092: refused; no connection to kafka-2:9092: refused";
    assert_eq!(world.server.message(&key, "Checked"), told);
    sleep(2 * MINUTE).await;
    world.wire.open("kafka-2", 9092);
    world.until("back", Duration::from_secs(10), |world| world.is_done(&key)).await;
    assert_eq!(world.says(&key)[1], "True Connected");
}

/// Each look at a host that drops packets takes seconds of a worker, and there are four workers.
#[tokio::test(start_paused = true)]
async fn services_that_do_not_even_refuse_connections_leave_workers_for_others() {
    let world = World::new();
    world.wire.deafens("deaf", Duration::from_millis(2500));
    let kafka = |host: &str| {
        json!({ "type": "Kafka", "kafka": {
        "cluster": { "bootstrapServers": format!("{host}:9092") }, "topic": { "name": "t" },
    } })
    };
    let all: Vec<_> =
        (0..40).map(|n| world.put("Connector", &format!("deaf-{n}"), kafka(&format!("deaf-{n}")))).collect();
    let _process = world.healthy();
    let noticed = |world: &World| all.iter().all(|key| world.says(key)[1] == "False NoAnswer");
    world.until("noticed", 5 * MINUTE, noticed).await;
    sleep(MINUTE).await;
    world.wire.open("kafka", 9092);
    for n in 0..10 {
        let quick = world.put("Connector", &format!("quick-{n}"), kafka("kafka"));
        world.until("looked at", Duration::from_secs(1), |world| world.is_done(&quick)).await;
        sleep(Duration::from_secs(3)).await;
    }
    world.wire.open("deaf-7", 9092);
    world.until("back", 15 * MINUTE, |world| world.is_done(&all[7])).await;
}
