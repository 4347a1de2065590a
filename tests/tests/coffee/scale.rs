//! What a run reads does not grow with the number of objects.

use concierge_shared::kind::KINDS;
use concierge_tests::simulation::{MINUTE, Process};
use tokio::time::sleep;

use crate::world::World;

fn runs(process: &Process) -> u64 {
    let results = ["ok", "parked", "Transient", "Throttled", "Reconciling", "Conflict"];
    let all = KINDS.iter().flat_map(|kind| results.iter().map(|result| (kind.name, *result)));
    all.map(|(kind, result)| process.metrics.runs_of(kind, result)).sum()
}

/// How many objects were read for each run until so many orders were placed, half of them with a card of their own.
async fn reads_for_each_run(orders: usize) -> u64 {
    let world = World::ready_to_order();
    let process = world.healthy();
    let order = |n: usize| {
        let name = format!("order-{n}");
        if n.is_multiple_of(2) { world.order(&name) } else { world.order_with_own_card(&name) }
    };
    let keys: Vec<_> = (0..orders).map(order).collect();
    world.until("ordered", 600 * MINUTE, |world| keys.iter().all(|key| world.server.is_ready(key))).await;
    sleep(MINUTE).await;
    world.server.reads() / runs(&process)
}

#[tokio::test(start_paused = true)]
async fn a_run_reads_as_much_among_two_hundred_orders_as_among_twenty() {
    let (few, many) = (reads_for_each_run(20).await, reads_for_each_run(200).await);
    println!("{few} objects for each run among 20 orders, {many} among 200");
    assert!(many <= few + few / 2 + 1, "{few} objects for each run among 20 orders, {many} among 200");
}
