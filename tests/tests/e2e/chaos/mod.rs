//! What befalls clusters, on a real control plane with real processes, while there is something of every kind: after each,
//! Concierge is as before by itself, says after how long, has judged nothing wrongly, made nothing twice, left nothing behind, and logged
//! nothing above INFO that docs/operating.md has no answer to.
//!
//! A group joins with an entry in [`setup::GROUPS`]; a test fails when a kind is not among what it brings.

mod backup;
mod forged;
mod namespaces;
mod setup;
mod sizes;
mod taken;
mod watching;

use std::time::{Duration, Instant};

use concierge_tests::kubectl::TIMEOUT;
use concierge_tests::process::Signal;
use concierge_tests::soak;
use concierge_tests::stack::Plan;

use self::setup::{GROUPS, Group, HOME, Setup};
use crate::world::pet;

/// Longer than a lease and than a cache is believed without a watch.
const UNLED: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn outages_of_the_api_server_and_of_its_database_are_waited_for() {
    let setup = Setup::open(Plan { controlled: true, ..Plan::default() }).await;
    for &seconds in soak::sample("pauses of the API server", &[10, 60, 120], 2) {
        setup.plane().signal_apiserver(0, Signal::Stop).await.unwrap();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        setup.plane().signal_apiserver(0, Signal::Cont).await.unwrap();
        let after = format!("the API server stood still for {seconds} s");
        setup.assert_well(&after, Instant::now()).await;
    }
    for _ in 0..2 {
        setup.plane().restart_apiserver(0).await.unwrap();
        setup.assert_well("the API server was killed and started", Instant::now()).await;
    }
    for &seconds in soak::sample("pauses of etcd", &[10, 60], 1) {
        setup.plane().etcd().signal(Signal::Stop).unwrap();
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        setup.plane().etcd().signal(Signal::Cont).unwrap();
        setup.assert_well(&format!("etcd stood still for {seconds} s"), Instant::now()).await;
    }
    setup.reset_connections().await;
    setup.assert_well("all connections were reset one by one", Instant::now()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn definitions_and_rights_that_were_taken_away_are_found_again() {
    let setup = Setup::open(Plan::default()).await;
    for Group { unneeded, .. } in &GROUPS {
        for gone in [Duration::ZERO, Duration::from_secs(12)] {
            let since = setup.without_definition(unneeded, gone).await;
            let after =
                format!("the definition of {unneeded} was gone with all objects for {gone:?} and came back");
            setup.assert_well(&after, since).await;
        }
    }
    let since = setup.without_rights("clusterrolebindings", UNLED).await;
    setup.assert_well("rights to all kinds were gone", since).await;
    let since = setup.without_rights("rolebindings", UNLED).await;
    setup.assert_well("rights to the lease and to Secrets were gone", since).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn steps_of_the_clock_and_ids_used_again_change_nothing() {
    let setup = Setup::open(Plan { controlled: true, ..Plan::default() }).await;
    let steps = [300, -300, 0, 3 * 3600, -3 * 3600, 0];
    for seconds in steps {
        setup.step_clock(seconds);
        let after = format!("the programs' clocks stepped to {seconds} s ahead");
        setup.assert_well(&after, Instant::now()).await;
        setup.assert_clock_is(seconds).await;
    }
    for round in 0..20 {
        let one = pet(HOME, &format!("again-{round}"), 7777);
        setup.assert_made(&one, Instant::now()).await;
        setup.kubectl(&["delete", &format!("pet/again-{round}"), "-n", HOME, TIMEOUT]).await;
    }
    setup.assert_well("ids were used again", Instant::now()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn a_backup_without_status_is_restored_and_nothing_is_bought_again() {
    let setup = Setup::open(Plan::default()).await;
    let since = setup.restore_backup().await;
    setup.assert_well("everything was restored without its status", since).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn the_largest_objects_and_forged_calls_do_no_harm() {
    let setup = Setup::open(Plan::default()).await;
    setup.with_largest(100).await;
    setup.assert_well("100 objects as large as can be came and went", Instant::now()).await;
    setup.call_forged().await;
    setup.assert_well("somebody who is no API server called", Instant::now()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "soak"]
async fn a_second_cluster_at_the_same_account_does_no_harm() {
    let setup = Setup::open(Plan::default()).await;
    setup.with_second_cluster().await;
    setup.assert_well("a second cluster used the same account and left", Instant::now()).await;
}
