//! Keys that are replaced: on a schedule, on request, and never more often than that.

use concierge_tests::simulation::MINUTE;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use tokio::time::sleep;

use super::{ALICE, assert_in_order, ids, is_in_order, key, key_of, pair, rotate};
use crate::world::World;

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

fn time(world: &World, key: &concierge_reconciler::engine::ObjectKey, field: &str) -> Timestamp {
    world.server.status(key)[field].as_str().unwrap().parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_key_is_replaced_when_it_is_due_and_the_old_one_goes_when_its_time_is_over() {
    let world = World::new();
    let rotation = json!({ "enabled": true, "intervalDays": 2, "previousKeysRetentionDays": 1 });
    let web = key(&world, rotation);
    let _process = world.healthy();
    world.until_ready(&web).await;
    let (first, made) = (pair(&world, "web").unwrap(), time(&world, &web, "lastRotateTime"));
    assert_eq!(time(&world, &web, "nextRotateTime"), made + hours(48));
    world.server.step_clock(hours(47));
    sleep(55 * MINUTE).await;
    assert_eq!(pair(&world, "web").unwrap(), first, "not yet");
    sleep(10 * MINUTE).await;
    assert_in_order(&world, &web, "replaced");
    let second = pair(&world, "web").unwrap();
    assert_eq!(ids(&world.store.keys(ALICE)), [first.0.clone(), second.0.clone()].into());
    let late = time(&world, &web, "lastRotateTime").duration_since(made) - hours(48);
    assert!(late.abs() <= SignedDuration::from_secs(60), "{late}");
    world.server.step_clock(hours(23));
    sleep(50 * MINUTE).await;
    assert_eq!(world.store.keys(ALICE).len(), 2, "the old one is kept for a day");
    sleep(15 * MINUTE).await;
    assert_in_order(&world, &web, "the old one is gone");
    assert_eq!(ids(&world.store.keys(ALICE)), [second.0].into());
    world.server.step_clock(hours(24));
    sleep(15 * MINUTE).await;
    assert_in_order(&world, &web, "replaced once more");
    assert_eq!(world.store.count("CreateAccessKey"), 3);
}

#[tokio::test(start_paused = true)]
async fn without_a_time_to_keep_it_the_old_key_goes_once_the_new_one_is_in_the_secret() {
    let world = World::new();
    let web = key(&world, json!({ "previousKeysRetentionDays": 0 }));
    let _process = world.healthy();
    world.until_ready(&web).await;
    let first = pair(&world, "web").unwrap().0;
    rotate(&world, &web, "leaked");
    world.until("gone", MINUTE, |world| !ids(&world.store.keys(ALICE)).contains(&first)).await;
    world.until("in order", MINUTE, |world| is_in_order(world, &web) && world.is_synced(&web)).await;
    assert_eq!(world.store.keys(ALICE).len(), 1);
    let asked = world.store.asked_from(0);
    let place = |operation: &str| asked.iter().rposition(|one| *one == operation).unwrap();
    assert!(place("CreateAccessKey") < place("DeleteAccessKey"), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn every_new_text_of_the_annotation_replaces_the_key_and_the_same_text_does_not() {
    let world = World::new();
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    let first = pair(&world, "web").unwrap().0;
    rotate(&world, &web, "leaked in March");
    world.until("replaced", MINUTE, |world| pair(world, "web").unwrap().0 != first).await;
    let second = pair(&world, "web").unwrap().0;
    sleep(60 * MINUTE).await;
    assert_in_order(&world, &web, "once");
    assert_eq!(ids(&world.store.keys(ALICE)), [first.clone(), second.clone()].into());

    // The slot of the first is needed.
    rotate(&world, &web, "leaked in April");
    world.until("replaced", MINUTE, |world| pair(world, "web").unwrap().0 != second).await;
    sleep(60 * MINUTE).await;
    assert_in_order(&world, &web, "twice");
    assert!(!ids(&world.store.keys(ALICE)).contains(&first));
    assert_eq!(world.store.count("CreateAccessKey"), 3);

    world.server.user_annotates(&web, json!({ "s3.cloud37.dev/rotate": null }));
    sleep(20 * MINUTE).await;
    assert_eq!(world.store.count("CreateAccessKey"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_steps_replaces_a_key_once_at_most() {
    for (steps, made) in [([10, -10], 1), ([-400, 400], 1), ([400, -400], 2), ([400, 0], 2)] {
        let world = World::new();
        let rotation = json!({ "enabled": true, "intervalDays": 90, "previousKeysRetentionDays": 7 });
        let web = key(&world, rotation);
        let _process = world.healthy();
        world.until_ready(&web).await;
        for step in steps {
            world.server.step_clock(hours(24 * step));
            sleep(25 * MINUTE).await;
        }
        sleep(25 * MINUTE).await;
        assert_in_order(&world, &web, &format!("{steps:?}"));
        assert_eq!(world.store.count("CreateAccessKey"), made, "{steps:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_beside_which_another_access_key_has_one_is_not_replaced_and_says_so() {
    let world = World::new();
    let web = key(&world, json!({}));
    let batch = key_of(&world, "batch", json!({}));
    let _process = world.healthy();
    for key in [&web, &batch] {
        world.until_ready(key).await;
    }
    assert!(pair(&world, "web") != pair(&world, "batch") && world.store.keys(ALICE).len() == 2);
    rotate(&world, &web, "now");
    let blocked = |world: &World| world.server.condition(&web, "Rotation") == "False NoRoom";
    world.until("blocked", MINUTE, blocked).await;
    let other = pair(&world, "batch").unwrap().0;
    assert_eq!(
        world.server.message(&web, "Rotation"),
        format!(
            "user alice has as many access keys as a user can have beside this object's: {other} of AccessKey batch; delete one of \
             them, or give this AccessKey a User of its own"
        )
    );
    assert!(world.server.is_ready(&web) && world.is_synced(&web), "{}", world.dump());
    world.server.user_deletes(&batch);
    world.until_gone(&batch).await;
    let replaced = |world: &World| world.server.condition(&web, "Rotation") == "True OnTime";
    world.until("replaced", 15 * MINUTE, replaced).await;
    assert_in_order(&world, &web, "alone");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_a_person_made_inactive_is_left_so_and_replaced_on_request() {
    let world = World::new();
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    world.store.with(|state| state.iam.users.get_mut(ALICE).unwrap().keys[0].active = false);
    let held = |world: &World| world.server.condition(&web, "Ready") == "False Held";
    world.until("told", 15 * MINUTE, held).await;
    sleep(60 * MINUTE).await;
    assert_eq!(world.store.count("CreateAccessKey"), 1);
    rotate(&world, &web, "now");
    world.until_ready(&web).await;
    assert_in_order(&world, &web, "replaced");
}
