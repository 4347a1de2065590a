//! What is made at most once and replaced now and then: the new one is made and recorded before the old one goes.

use std::time::Duration;

use concierge_reconciler::engine::{ObjectKey, seams::CrashPoint};
use concierge_tests::simulation::{MINUTE, ProcessOptions, Simulated, server::Fault};
use serde_json::json;
use tokio::time::sleep;

use crate::{remote::Treat, world::World};

fn renew(world: &World, renewal: &str) -> ObjectKey {
    world.put("Ticket", "one", json!({}), json!({ "what": "opera", "free": true, "renewal": renewal }))
}

/// An object that has its first, while the call that makes the second is under way.
async fn in_the_second_call(world: &World) -> ObjectKey {
    let key = renew(world, "first");
    sleep(MINUTE).await;
    world.service.state.lock().treats.push_back(Treat::Slow);
    renew(world, "second");
    sleep(Duration::from_secs(2)).await;
    key
}

/// The order that the ticket has recorded is the only one that there is, and there were never more than two.
fn assert_replaced(world: &World, key: &ObjectKey, renewal: &str, context: &str) {
    let status = world.server.status(key);
    assert_eq!(status["renewed"], renewal, "{context}: {status:#}");
    assert!(status["previousId"].is_null() && status["intent"].is_null(), "{context}: {status:#}");
    let state = world.service.state.lock();
    let live: Vec<_> = state.orders.iter().filter(|order| !order.cancelled).collect();
    assert_eq!(live.len(), 1, "{context}: {live:#?}");
    assert_eq!(status["orderId"], live[0].id.as_str(), "{context}");
    assert!(state.most_orders <= 2, "{context}: {}", state.most_orders);
}

#[tokio::test(start_paused = true)]
async fn whatever_becomes_of_the_call_one_replaces_the_other() {
    for treat in Treat::ALL {
        let world = World::new();
        let _process = world.patient().await;
        let key = renew(&world, "first");
        sleep(MINUTE).await;
        assert_replaced(&world, &key, "first", "before");
        world.service.state.lock().treats.push_back(*treat);
        renew(&world, "second");
        sleep(5 * 60 * MINUTE).await;
        assert_replaced(&world, &key, "second", &format!("{treat:?}"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_id_is_recorded_beside_the_old_one_however_often_the_write_fails() {
    for fault in [Fault::Lost, Fault::Unanswered] {
        let world = World::new();
        let _process = world.healthy().await;
        let key = in_the_second_call(&world).await;
        (0..6).for_each(|_| world.server.fail_next("status", fault));
        world.server.user_annotates(&key, json!({ "note": "somebody writes in between" }));
        sleep(10 * MINUTE).await;
        assert_replaced(&world, &key, "second", &format!("{fault:?}"));
        let lost = world.server.events().iter().any(|told| told.message.contains("belongs to no object"));
        assert!(!lost, "{fault:?}: {:#?}", world.server.events());
        assert_eq!(world.service.state.lock().orders.len(), 2, "{fault:?}");
    }
}

/// With an old id recorded, that there is no intent says nothing of the new one.
#[tokio::test(start_paused = true)]
async fn an_id_is_recorded_beside_the_old_one_although_somebody_puts_an_old_status_back() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = in_the_second_call(&world).await;
    let mut object = world.server.read(&key).unwrap();
    assert!(object["status"]["intent"].is_object());
    object["status"].as_object_mut().unwrap().remove("intent");
    world.server.user_puts_whole(object);
    sleep(10 * MINUTE).await;
    assert_replaced(&world, &key, "second", "put back");
    assert_eq!(world.service.state.lock().orders.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_rotation_survives_the_death_of_its_maker_at_every_step() {
    for point in CrashPoint::ALL {
        for treat in [Treat::Well, Treat::DropAfterCommit] {
            let world = World::new();
            let first = world.healthy().await;
            let key = renew(&world, "first");
            sleep(MINUTE).await;
            first.stop().await;
            world.service.state.lock().treats.push_back(treat);
            renew(&world, "second");
            let crashing = ProcessOptions { crash_at: Some((*point, 1)), ..ProcessOptions::default() };
            let mut process = world.start("crashing", crashing);
            for _ in 0..40 {
                sleep(Duration::from_secs(15)).await;
                if *process.interrupted.borrow() {
                    process = world.start("next", ProcessOptions::default());
                }
            }
            drop(process);
            assert_replaced(&world, &key, "second", &format!("{point:?} {treat:?}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_in_our_hands_although_its_answer_was_lost_is_adopted_and_not_removed() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = renew(&world, "first");
    sleep(MINUTE).await;
    {
        let mut state = world.service.state.lock();
        state.kept = true;
        state.treats.push_back(Treat::DropAfterCommit);
    }
    renew(&world, "second");
    sleep(20 * MINUTE).await;
    assert_replaced(&world, &key, "second", "kept");
    assert_eq!(world.service.state.lock().orders.len(), 2, "the lost one is the one that is used");
}

#[tokio::test(start_paused = true)]
async fn both_go_with_their_object() {
    let world = World::new();
    let _process = world.healthy().await;
    let key = in_the_second_call(&world).await;
    world.server.user_deletes(&key);
    sleep(10 * MINUTE).await;
    assert!(world.server.read(&key).is_none());
    let state = world.service.state.lock();
    assert_eq!((state.orders.len(), state.orders.iter().filter(|order| !order.cancelled).count()), (2, 0));
}
