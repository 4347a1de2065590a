//! What befalls clusters, on a real control plane with real processes, while there is something of every kind: after each,
//! Concierge is as before in a few seconds, has judged nothing wrongly, made nothing twice and left nothing behind.
//!
//! A group joins with an entry in [`house::GROUPS`]; a test fails when a kind is not among what it brings.

mod house;

use std::time::{Duration, Instant};

use concierge_tests::stack::Plan;

use self::house::House;
use crate::world::pet;

/// How soon all is as before, once the cause is gone.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn an_id_can_be_used_again_at_once() {
    let house = House::open(Plan::default()).await;
    for round in 0..20 {
        let one = pet(house::HOME, &format!("again-{round}"), 7777);
        house.assert_made(&one, Instant::now(), SOON).await;
        let name = format!("pet/again-{round}");
        house.kubectl(&["delete", &name, "-n", house::HOME, "--timeout=30s"]).await;
    }
    house.assert_well("ids were used again", Instant::now(), SOON).await;
}
