//! What befalls clusters, on a real control plane with real processes, while there is something of every kind: after each,
//! Concierge is as before in a few seconds, has judged nothing wrongly, made nothing twice, left nothing behind, and logged
//! nothing above INFO that docs/operating.md has no answer to.
//!
//! A group joins with an entry in [`house::GROUPS`]; a test fails when a kind is not among what it brings.

mod backup;
mod house;
mod namespaces;
mod sizes;
mod taken;
mod watching;

use std::time::{Duration, Instant};

use concierge_tests::process::Signal;
use concierge_tests::soak;
use concierge_tests::stack::Plan;

use self::house::{HOME, House};
use crate::world::pet;

/// How soon all is as before, once the cause is gone.
const SOON: Duration = Duration::from_secs(5);
/// The same where another has to get the lease first.
const WITH_LEASE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn outages_of_the_api_server_and_of_its_database_are_waited_for() {
    let house = House::open(Plan::default()).await;
    let pauses = [(10, SOON), (60, WITH_LEASE), (120, WITH_LEASE)];
    for &(seconds, within) in soak::sample("pauses of the API server", &pauses, 2) {
        house.plane().signal_apiserver(0, Signal::Stop).await.unwrap();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        house.plane().signal_apiserver(0, Signal::Cont).await.unwrap();
        let after = format!("the API server stood still for {seconds} s");
        house.assert_well(&after, Instant::now(), within).await;
    }
    for _ in 0..2 {
        house.plane().restart_apiserver(0).await.unwrap();
        house.assert_well("the API server was killed and started", Instant::now(), SOON).await;
    }
    for &(seconds, within) in soak::sample("pauses of etcd", &[(10, SOON), (60, WITH_LEASE)], 1) {
        house.plane().etcd().signal(Signal::Stop).unwrap();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        house.plane().etcd().signal(Signal::Cont).unwrap();
        house.assert_well(&format!("etcd stood still for {seconds} s"), Instant::now(), within).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn definitions_and_rights_that_were_taken_away_are_found_again() {
    let house = House::open(Plan::default()).await;
    for (crd, resource) in
        [("pets.petstore.example.com", "pets"), ("coffeeapps.coffee.terminal.sh", "coffeeapps")]
    {
        for gone in [Duration::ZERO, Duration::from_secs(12)] {
            let since = house.without_definition(crd, resource, gone).await;
            let after = format!("{crd} was gone with its objects for {gone:?} and came back");
            house.assert_well(&after, since, SOON).await;
        }
    }
    let since = house.without_rights("clusterrolebindings", Duration::from_secs(30)).await;
    house.assert_well("rights to all kinds were gone for 30 s", since, SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn steps_of_the_clock_and_ids_used_again_change_nothing() {
    let house = House::open(Plan { handled: true, ..Plan::default() }).await;
    let steps = [300, -300, 0, 3 * 3600, -3 * 3600, 0];
    for seconds in steps {
        house.step_clock(seconds);
        let after = format!("the programs' clocks stepped to {seconds} s ahead");
        house.assert_well(&after, Instant::now(), WITH_LEASE).await;
        house.assert_clock_is(seconds).await;
    }
    for round in 0..20 {
        let one = pet(HOME, &format!("again-{round}"), 7777);
        house.assert_made(&one, Instant::now(), SOON).await;
        house.kubectl(&["delete", &format!("pet/again-{round}"), "-n", HOME, "--timeout=30s"]).await;
    }
    house.assert_well("ids were used again", Instant::now(), SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn a_backup_without_status_is_restored_and_nothing_is_bought_again() {
    let house = House::open(Plan::default()).await;
    let since = house.restore_backup().await;
    house.assert_well("everything was restored without its status", since, WITH_LEASE).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn the_largest_objects_do_no_harm() {
    let house = House::open(Plan::default()).await;
    house.with_largest(100).await;
    house.assert_well("100 objects as large as can be came and went", Instant::now(), SOON).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn a_second_cluster_at_the_same_account_does_no_harm() {
    let house = House::open(Plan::default()).await;
    house.with_second_cluster().await;
    house.assert_well("a second cluster used the same account and left", Instant::now(), SOON).await;
}
