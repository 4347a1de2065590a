//! Statuses that the API server does not take after a call that may be sent once: what came of it is kept, and no other object waits.

use concierge_reconciler::engine::ObjectKey;
use concierge_tests::simulation::{MINUTE, log::Log};
use serde_json::json;
use tokio::time::sleep;
use tracing::Level;

use crate::{remote::Treat, world::World};

/// As many calls as an account bears are under way; then the status of tickets can't be written any more.
async fn forbid_meanwhile(world: &World, treat: Treat) -> Vec<ObjectKey> {
    world.service.state.lock().treats.extend([treat; 4]);
    let tickets: Vec<_> =
        (0..12).map(|n| world.ticket(&format!("ticket-{n}"), &format!("opera {n}"))).collect();
    let under_way = || tickets.iter().filter(|ticket| world.server.intent(ticket).is_some()).count() == 4;
    assert!(world.server.until(MINUTE, under_way).await);
    world.server.trouble(|trouble| trouble.read_only_status = ["Ticket".to_owned()].into());
    sleep(10 * MINUTE).await;
    tickets
}

fn allow(world: &World) {
    world.server.trouble(|trouble| trouble.read_only_status.clear());
}

#[tokio::test(start_paused = true)]
async fn statuses_that_may_not_be_written_keep_no_worker_and_lose_no_order() {
    let world = World::new();
    let _process = world.healthy().await;
    let tickets = forbid_meanwhile(&world, Treat::Slow).await;
    let others: Vec<_> =
        (0..10).map(|n| world.toy(&format!("toy-{n}"), json!({ "colour": "red" }))).collect();
    sleep(5 * MINUTE).await;
    assert!(others.iter().all(|toy| world.server.is_ready(toy)), "toys wait for tickets");
    allow(&world);
    sleep(30 * MINUTE).await;
    assert!(tickets.iter().all(|ticket| world.server.is_ready(ticket)));
    let state = world.service.state.lock();
    assert_eq!((state.orders.len(), state.sends.values().sum::<usize>()), (12, 12));
}

#[tokio::test(start_paused = true)]
async fn a_refusal_that_could_not_be_written_is_not_asked_for_again() {
    let world = World::new();
    let _process = world.healthy().await;
    let tickets = forbid_meanwhile(&world, Treat::Refuse).await;
    allow(&world);
    sleep(10 * MINUTE).await;
    assert_eq!(world.service.state.lock().sends.values().sum::<usize>(), 12);
    let refused = |ticket: &&ObjectKey| world.server.message(ticket, "Ready").contains("out of stock");
    assert_eq!(tickets.iter().filter(refused).count(), 4);
}

#[tokio::test(start_paused = true)]
async fn what_may_not_be_written_is_logged_once_for_each_object_and_cause() {
    let kept = Log::keep(Level::INFO);
    let world = World::new();
    let _process = world.patient().await;
    world.server.trouble(|trouble| trouble.read_only_status = ["Toy".to_owned()].into());
    let bear = world.toy("bear", json!({ "colour": "brown" }));
    sleep(300 * MINUTE).await;
    let told = kept.log.text();
    assert_eq!(kept.log.count("WARN"), 1, "{told}");
    assert!(told.contains("cannot patch resource") && kept.log.count("tried again") == 1, "{told}");
    allow_toys(&world);
    sleep(10 * MINUTE).await;
    assert!(world.server.is_ready(&bear));
    assert_eq!(kept.log.count("written, after it was tried in vain"), 1, "{}", kept.log.text());
}

#[tokio::test(start_paused = true)]
async fn a_definition_without_what_is_written_is_logged_once_for_each_object() {
    let kept = Log::keep(Level::INFO);
    let world = World::new();
    let _process = world.patient().await;
    world.server.trouble(|trouble| trouble.vanished = ["Toy".to_owned()].into());
    world.toy("bear", json!({ "colour": "brown" }));
    sleep(300 * MINUTE).await;
    let told = kept.log.text();
    assert_eq!((kept.log.count("can't be written"), kept.log.count("a write")), (1, 0), "{told}");
}

fn allow_toys(world: &World) {
    world.server.trouble(|trouble| {
        trouble.read_only_status.clear();
        trouble.read_only.clear();
    });
}

#[tokio::test(start_paused = true)]
async fn a_right_that_is_missing_is_named_and_who_can_give_it() {
    let world = World::new();
    let _process = world.healthy().await;
    world.server.trouble(|trouble| trouble.read_only = ["Toy".to_owned()].into());
    let bear = world.toy("bear", json!({ "colour": "brown" }));
    sleep(MINUTE).await;
    assert_eq!(world.server.condition(&bear, "Synced"), "False Forbidden");
    let told = world.server.message(&bear, "Ready");
    assert!(told.contains("cannot patch resource \"toys\"") && told.contains("helm upgrade"), "{told}");
    allow_toys(&world);
    sleep(10 * MINUTE).await;
    assert!(world.server.is_ready(&bear));
}
