//! Secrets, keys and answers that are lost.

use concierge_tests::{
    faults::{Fault, Hidden},
    simulation::MINUTE,
};
use jiff::SignedDuration;
use serde_json::json;
use tokio::time::sleep;

use super::{ALICE, assert_in_order, ids, is_in_order, is_live, key, pair, secret_key};
use crate::world::World;

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_lost_gets_another_key_and_the_old_one_goes_in_time() {
    let spoil: [fn(&World); 3] = [
        |world| world.server.user_deletes(&secret_key("web")),
        |world| {
            let mut secret = world.server.read(&secret_key("web")).unwrap();
            secret["data"] = json!({});
            world.server.user_puts(secret);
        },
        |world| {
            let mut secret = world.server.read(&secret_key("web")).unwrap();
            secret["data"]["access-key-id"] = json!("QUtJQVNPTUVCT0RZRUxTRVM=");
            world.server.user_puts(secret);
        },
    ];
    for spoil in spoil {
        let world = World::new();
        let web = key(&world, json!({ "previousKeysRetentionDays": 1 }));
        let _process = world.healthy();
        world.until_ready(&web).await;
        let old = pair(&world, "web").unwrap().0;
        spoil(&world);
        world
            .until("made again", 15 * MINUTE, |world| {
                pair(world, "web").is_some_and(|(id, _)| id != old) && is_in_order(world, &web)
            })
            .await;
        assert_eq!(world.server.status(&web)["previousAccessKeyId"], old.as_str());
        world.server.step_clock(SignedDuration::from_hours(24));
        sleep(15 * MINUTE).await;
        assert_in_order(&world, &web, "later");
        assert_eq!(world.store.keys(ALICE).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_lost_beside_somebody_elses_key_gets_another_key_in_place_of_ours() {
    let world = World::new();
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    let theirs = world.store.with(|state| state.iam.give_key(ALICE, world.server.now()).unwrap());
    let old = pair(&world, "web").unwrap().0;
    world.server.user_deletes(&secret_key("web"));
    world
        .until("made again", 15 * MINUTE, |world| {
            pair(world, "web").is_some_and(|(id, _)| id != old) && world.server.is_ready(&web)
        })
        .await;
    let (mine, keys) = (pair(&world, "web").unwrap().0, ids(&world.store.keys(ALICE)));
    assert_eq!(keys, [mine, theirs.id].into());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_somebody_deletes_at_the_service_is_made_again() {
    let world = World::new();
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    sleep(15 * MINUTE).await;
    world.store.with(|state| state.iam.users.get_mut(ALICE).unwrap().keys.clear());
    world.until("made again", 15 * MINUTE, |world| is_in_order(world, &web)).await;
    assert_eq!(world.store.count("CreateAccessKey"), 2);
}

/// A person says which key it is. That makes it no new one, which the service need not list yet.
#[tokio::test(start_paused = true)]
async fn a_key_that_is_taken_over_after_a_restore_and_is_gone_is_made_again_at_once() {
    let world = World::new();
    let web = key(&world, json!({}));
    let process = world.healthy();
    world.until_ready(&web).await;
    let old = pair(&world, "web").unwrap().0;
    drop(process);
    world.store.with(|state| state.iam.users.get_mut(ALICE).unwrap().keys.clear());
    let mut restored = world.server.read(&web).unwrap();
    restored.as_object_mut().unwrap().remove("status");
    world.server.user_puts_whole(restored);
    let adopt = json!({ "concierge.dev/resolve-unknown": format!("adopt={old}") });
    world.server.user_annotates(&web, adopt);
    let _process = world.healthy();
    world.until("made again", 5 * MINUTE, |world| is_live(world, "web") && world.server.is_ready(&web)).await;
    assert_eq!(world.store.count("CreateAccessKey"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_listed_late_is_neither_made_again_nor_forgotten() {
    let world = World::new();
    let web = key(&world, json!({}));
    let hidden = Hidden::For(5 * MINUTE);
    world.store.faults().once("CreateAccessKey", Fault::Hide(hidden));
    let _process = world.healthy();
    world.until_ready(&web).await;
    sleep(20 * MINUTE).await;
    assert_in_order(&world, &web, "shown");
    assert_eq!(world.store.count("CreateAccessKey"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_not_listed_yet_goes_with_its_object() {
    for hidden in [Hidden::For(5 * MINUTE), Hidden::Lists(1000)] {
        let world = World::new();
        let web = key(&world, json!({}));
        world.store.faults().once("CreateAccessKey", Fault::Hide(hidden));
        let _process = world.healthy();
        world.until_ready(&web).await;
        assert_eq!(world.store.keys(ALICE).len(), 1);
        world.server.user_deletes(&web);
        world.until_gone(&web).await;
        assert!(world.store.keys(ALICE).is_empty(), "{hidden:?}: {:?}", world.store.keys(ALICE));
    }
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_deletion_was_not_answered_does_not_hold_up_its_object() {
    let world = World::new();
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    world.store.faults().once("DeleteAccessKey", Fault::DropAfter);
    world.server.user_deletes(&web);
    world.until("gone", 2 * MINUTE, |world| world.server.read(&web).is_none()).await;
    assert!(world.store.keys(ALICE).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_key_that_somebody_deletes_at_once_does_not_hold_up_its_object_for_ever() {
    let world = World::new();
    let web = key(&world, json!({}));
    let _process = world.healthy();
    world.until_ready(&web).await;
    world.store.with(|state| state.iam.users.get_mut(ALICE).unwrap().keys.clear());
    world.server.user_deletes(&web);
    world.until_gone(&web).await;
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_answer_was_lost_and_that_is_listed_late_is_deleted() {
    let world = World::new();
    let web = key(&world, json!({}));
    let hidden = Hidden::For(2 * MINUTE);
    world.store.faults().once("CreateAccessKey", Fault::Hide(hidden));
    world.store.faults().once("CreateAccessKey", Fault::DropAfter);
    let _process = world.healthy();
    world.until("made", 30 * MINUTE, |world| is_in_order(world, &web)).await;
    assert_eq!((world.store.keys(ALICE).len(), world.store.count("DeleteAccessKey")), (1, 1));
}
