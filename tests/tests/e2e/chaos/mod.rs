//! What befalls clusters, on a real control plane with real processes, while there is something of every kind: after each,
//! Concierge is as before in a few seconds, has judged nothing wrongly, made nothing twice and left nothing behind.
//!
//! A group joins with an entry in [`house::GROUPS`]; a test fails when a kind is not among what it brings.

mod house;

use std::time::{Duration, Instant};

use concierge_tests::process::Signal;
use concierge_tests::soak;
use concierge_tests::stack::Plan;

use self::house::House;
use crate::world::pet;

/// How soon all is as before, once the cause is gone.
const SOON: Duration = Duration::from_secs(5);
/// The same where another has to get the lease first.
const WITH_LEASE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn an_api_server_that_stands_still_is_waited_for() {
    let house = House::open(Plan::default()).await;
    let pauses = [(10, SOON), (60, WITH_LEASE), (120, WITH_LEASE)];
    for &(seconds, within) in soak::sample("pauses of the API server", &pauses, 2) {
        house.plane().signal_apiserver(0, Signal::Stop).await.unwrap();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        house.plane().signal_apiserver(0, Signal::Cont).await.unwrap();
        house
            .assert_well(&format!("the API server stood still for {seconds} s"), Instant::now(), within)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn an_api_server_that_is_killed_and_comes_back_is_found_again() {
    let house = House::open(Plan::default()).await;
    for _ in 0..2 {
        house.plane().restart_apiserver(0).await.unwrap();
        house.assert_well("the API server was killed and started", Instant::now(), SOON).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn a_database_that_stands_still_is_waited_for() {
    let house = House::open(Plan::default()).await;
    for &(seconds, within) in soak::sample("pauses of etcd", &[(10, SOON), (60, WITH_LEASE)], 1) {
        house.plane().etcd().signal(Signal::Stop).unwrap();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        house.plane().etcd().signal(Signal::Cont).unwrap();
        house.assert_well(&format!("etcd stood still for {seconds} s"), Instant::now(), within).await;
    }
}

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
