//! An environment with a ttl.

use std::time::Duration;

use concierge_tests::catalyst::services::REFS;
use concierge_tests::faults::{Fault, Pause, Rule};
use concierge_tests::simulation::MINUTE;
use serde_json::json;
use tokio::time::sleep;

use crate::world::{COMMIT, HOUR, World};

#[tokio::test(start_paused = true)]
async fn an_environment_with_a_ttl_says_so_an_hour_before_and_goes() {
    let world = World::new();
    let _process = world.healthy().await;
    world.project(json!({}));
    let key = world.environment(json!({ "deploymentMode": "workspace", "ttl": "3h" }));
    sleep(MINUTE).await;
    assert!(world.server.status(&key)["expiresAt"].is_string());
    sleep(2 * HOUR - 3 * MINUTE).await;
    let notices = || world.told().into_iter().filter(|told| told.contains("when its ttl is over")).count();
    assert_eq!(notices(), 0, "{:?}", world.told());
    sleep(5 * MINUTE).await;
    assert_eq!(notices(), 1, "{:?}", world.told());
    assert_eq!(world.server.condition(&key, "Expiring"), "True TtlOver");
    sleep(HOUR - 10 * MINUTE).await;
    assert_eq!(notices(), 1, "told once");
    assert!(world.server.read(&key).is_some());
    sleep(20 * MINUTE).await;
    assert_eq!((world.server.read(&key), world.namespace()), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_longer_ttl_is_told_of_no_more() {
    let world = World::new();
    let _process = world.healthy().await;
    world.project(json!({}));
    let key = world.environment(json!({ "deploymentMode": "workspace", "ttl": "1h" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "Expiring"), "True TtlOver");
    world.environment(json!({ "deploymentMode": "workspace", "ttl": "5h" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&key, "Expiring"), "");
    sleep(3 * HOUR).await;
    assert!(world.server.read(&key).is_some());
}

#[tokio::test(start_paused = true)]
async fn what_is_kept_outlives_its_ttl_and_says_why() {
    for spec in [json!({ "protect": true }), json!({ "type": "production" })] {
        let world = World::new();
        let _process = world.healthy().await;
        world.project(json!({}));
        let mut spec = spec;
        spec["deploymentMode"] = "workspace".into();
        spec["ttl"] = "10m".into();
        let key = world.environment(spec);
        sleep(2 * HOUR).await;
        assert!(world.server.read(&key).unwrap()["metadata"]["deletionTimestamp"].is_null());
        assert!(
            world.server.message(&key, "Expiring").contains("it is kept"),
            "{}",
            world.server.status(&key)
        );
        world.server.user_annotates(&key, json!({ "concierge.dev/confirm-delete": "pr-1" }));
        sleep(2 * MINUTE).await;
        let protects = world.server.read(&key).is_some_and(|object| object["spec"]["protect"] == true);
        assert_eq!(world.server.read(&key).is_none(), !protects);
    }
}

/// Whoever may edit it can raise its ttl, and not have it without.
#[tokio::test(start_paused = true)]
async fn no_annotation_and_nothing_that_is_missing_outlives_a_ttl() {
    for annotation in ["paused", "observe-only", ""] {
        let world = World::new();
        let _process = world.healthy().await;
        let project = world.project(json!({}));
        let key = world.environment(json!({ "deploymentMode": "workspace", "ttl": "2h" }));
        sleep(MINUTE).await;
        assert!(world.namespace().is_some(), "{}", world.server.status(&key));
        match annotation {
            // It refers to nothing that there is.
            "" => world.server.user_removes(&project),
            _ => world.server.user_annotates(&key, json!({ format!("concierge.dev/{annotation}"): "true" })),
        }
        sleep(2 * HOUR - 5 * MINUTE).await;
        assert!(world.server.read(&key).is_some() && world.namespace().is_some(), "{annotation:?}");
        sleep(10 * MINUTE).await;
        assert_eq!((world.server.read(&key), world.namespace()), (None, None), "{annotation:?}");
        assert!(world.told().iter().any(|told| told.contains("the time is over")), "{:?}", world.told());
    }
}

#[tokio::test(start_paused = true)]
async fn a_ttl_that_ends_while_a_git_server_is_waited_for_ends_the_environment_and_not_ten_minutes_later() {
    const SECOND: Duration = Duration::from_secs(1);
    let world = World::new();
    let _process = world.healthy().await;
    world.services.push("acme/shop.git", "main", COMMIT);
    let template = json!({ "type": "helm", "sourceRef": "main", "path": "chart" });
    world.project(json!({ "templates": { "development": template } }));
    let key = world.environment(json!({ "ttl": "10m" }));
    sleep(10 * MINUTE - SECOND).await;
    assert!(world.namespace().is_some(), "{}", world.server.status(&key));
    world.services.faults().inject(Rule::on(REFS), Fault::SlowBefore(Pause::For(2 * SECOND)));
    let calls = world.services.count(REFS);
    world.server.user_annotates(&key, json!({ "concierge.dev/reconcile-at": "now" }));
    sleep(SECOND + SECOND / 2).await;
    assert!(world.server.read(&key).is_some(), "the run is not over");
    sleep(MINUTE / 2).await;
    assert!(world.services.count(REFS) > calls);
    assert_eq!((world.server.read(&key), world.namespace()), (None, None));
}
