use std::collections::BTreeSet;

use futures::FutureExt;

use super::*;

#[test]
fn a_call_takes_at_most_a_third_of_the_lease_and_a_connection_less_than_a_call() {
    let seconds = Duration::from_secs;
    assert!(check_times(seconds(5), seconds(15)).is_ok());
    assert!(check_times(seconds(6), seconds(15)).is_err());
    assert!(check_times(seconds(14), seconds(15)).is_err());
    assert!(connect_time(seconds(5)) < seconds(5));
}

async fn panics() {
    panic!("as a bug would");
}

#[tokio::test]
async fn the_process_ends_when_nobody_keeps_the_lease() {
    let left = CancellationToken::new();
    for dead in [panics().boxed(), std::future::ready(()).boxed()] {
        let ended = run_while_leading(std::future::pending(), dead, left.clone()).await;
        assert!(ended.unwrap_err().to_string().contains("no longer kept"));
    }
}

#[tokio::test]
async fn the_lease_is_given_up_after_the_last_run() {
    let left = CancellationToken::new();
    let ended = run_while_leading(async {}, left.clone().cancelled_owned(), left.clone()).await;
    assert!(ended.is_ok() && left.is_cancelled());
}

#[test]
fn the_kinds_that_say_so_have_a_reconciler_and_no_others() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let registered: BTreeSet<_> = kinds(
        Duration::from_secs(5),
        Installed::default(),
        &group::Settings::default(),
        &DocumentCounts::default(),
    )
    .unwrap()
    .readers
    .keys()
    .copied()
    .collect();
    let declared = KINDS.iter().filter(|kind| kind.reconciled).map(|kind| kind.name);
    assert_eq!(registered, declared.collect());
}
