use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{limiter::UNUSED, *};
use crate::engine::{retry::Failure, schedule::queue::Lane};

fn refuse<T>() -> Result<T, Failure> {
    Err(Failure::Auth("401".into()))
}

/// A clock that stands still.
struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }
}

fn accounts() -> Accounts {
    Accounts::new(Arc::default(), Metrics::default(), Arc::new(Noon))
}

fn key(name: &str) -> ObjectKey {
    ObjectKey::new("Toy", "default", name)
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_let_through_and_then_the_rate_holds() {
    let limits = Limits { concurrency: 1, rate: 2.0, burst: 4 };
    let limiter = accounts().limiter(&Account::new("toys", "a").with_limits(limits));
    let began = Instant::now();
    for _ in 0..4 {
        limiter.turn().await.unwrap();
    }
    assert_eq!(began.elapsed(), Duration::ZERO);
    for _ in 0..6 {
        limiter.turn().await.unwrap();
    }
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_rest_fills_the_bucket_no_higher_than_the_burst() {
    let limits = Limits { concurrency: 1, rate: 1.0, burst: 2 };
    let limiter = accounts().limiter(&Account::new("toys", "a").with_limits(limits));
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let began = Instant::now();
    for _ in 0..5 {
        limiter.turn().await.unwrap();
    }
    assert_eq!(began.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn retry_after_pauses_the_whole_account() {
    let limiter = accounts().limiter(&Account::new("toys", "a"));
    let began = Instant::now();
    limiter.note_result::<()>(
        &Err(Failure::Throttled { message: String::new(), retry_after: Some(Duration::from_secs(9)) }),
        None,
    );
    limiter.turn().await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 9);
}

#[tokio::test(start_paused = true)]
async fn the_longest_queue_is_not_waited_in() {
    let limits = Limits { concurrency: 1, rate: 0.01, burst: 1 };
    let limiter = accounts().limiter(&Account::new("toys", "a").with_limits(limits));
    limiter.turn().await.unwrap();
    assert!(matches!(limiter.turn().await, Err(Failure::Throttled { .. })));
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_open_the_breaker_and_one_probe_goes_per_cool_down() {
    let limiter = accounts().limiter(&Account::new("toys", "a"));
    limiter.turn().await.unwrap();
    limiter.note_result::<()>(&refuse(), None);
    let mut probes = Vec::new();
    for second in 0..300 {
        if limiter.turn().await.is_ok() {
            probes.push(second);
            limiter.note_result::<()>(&refuse(), None);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(probes, [30, 90, 210]);
}

#[tokio::test(start_paused = true)]
async fn success_new_credentials_and_a_person_close_the_breaker() {
    let accounts = accounts();
    let account = Account::new("toys", "a").with_credentials("old");
    let limiter = accounts.limiter(&account);
    limiter.note_result::<()>(&refuse(), None);
    assert!(limiter.turn().await.is_err());
    accounts.limiter(&account.clone().with_credentials("new"));
    assert!(limiter.turn().await.is_ok());
    limiter.note_result::<()>(&refuse(), None);
    assert!(limiter.turn().await.is_err());
    limiter.allow_probe();
    assert!(limiter.turn().await.is_ok());
    assert!(limiter.turn().await.is_err(), "one probe, no more");
    limiter.note_result(&Ok(()), None);
    assert!(limiter.turn().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_full_account_parks_objects_and_wakes_them_in_order() {
    let queue = Arc::new(Queue::default());
    let accounts = Accounts::new(queue.clone(), Metrics::default(), Arc::new(Noon));
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let limiter = accounts.limiter(&Account::new("toys", "a").with_limits(limits));
    let permit = limiter.permit(&key("a"), Lane::Change).unwrap();
    assert!(limiter.permit(&key("b"), Lane::Change).is_none());
    assert!(queue.is_empty());
    assert!(limiter.permit(&key("c"), Lane::Change).is_none());
    drop(permit);
    assert_eq!(queue.next().await.key, key("b"));
    assert!(queue.is_empty(), "one place, one object");
    accounts.wake_parked();
    assert_eq!(queue.next().await.key, key("c"), "b did not take its place");
}

#[tokio::test(start_paused = true)]
async fn no_pause_outlasts_an_hour_a_person_or_new_credentials() {
    let accounts = accounts();
    let account = Account::new("toys", "a").with_credentials("old");
    let limiter = accounts.limiter(&account);
    let pause = |wait| {
        let throttled = Failure::Throttled { message: String::new(), retry_after: Some(wait) };
        limiter.note_result::<()>(&Err(throttled), None);
    };
    pause(Duration::MAX);
    assert!(limiter.turn().await.is_err());
    tokio::time::sleep(Duration::from_secs(3601)).await;
    assert!(limiter.turn().await.is_ok());
    pause(Duration::MAX);
    limiter.allow_probe();
    assert!(limiter.turn().await.is_ok());
    pause(Duration::MAX);
    accounts.limiter(&account.with_credentials("new"));
    assert!(limiter.turn().await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn resyncs_take_half_of_what_an_account_can_bear() {
    let limiter = accounts().limiter(&Account::new("toys", "a"));
    let usual = Duration::from_secs(600);
    assert_eq!(limiter.bearable(usual), usual);
    for n in 0..6000 {
        drop(limiter.permit(&key(&format!("toy-{n}")), Lane::Clock));
        limiter.turn().await.unwrap();
    }
    assert_eq!(limiter.bearable(usual).as_secs() / 60, 20, "6,000 calls at 5 a second");
    (0..6000).for_each(|n| limiter.forget(&key(&format!("toy-{n}"))));
    assert_eq!(limiter.bearable(usual), usual);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_nobody_uses_is_forgotten() {
    let accounts = accounts();
    for n in 0..100 {
        accounts.limiter(&Account::new("toys", format!("{n}")));
    }
    accounts.prune();
    assert_eq!(accounts.all.lock().len(), 100);
    tokio::time::sleep(UNUSED * 2).await;
    let used = accounts.limiter(&Account::new("toys", "7"));
    accounts.prune();
    assert_eq!(accounts.all.lock().len(), 1);
    drop(used);
}

#[tokio::test(start_paused = true)]
async fn a_change_gets_the_next_free_place() {
    let queue = Arc::new(Queue::default());
    let accounts = Accounts::new(queue.clone(), Metrics::default(), Arc::new(Noon));
    let limits = Limits { concurrency: 1, ..Limits::default() };
    let limiter = accounts.limiter(&Account::new("toys", "a").with_limits(limits));
    let permit = limiter.permit(&key("a"), Lane::Clock).unwrap();
    assert!(limiter.permit(&key("b"), Lane::Clock).is_none());
    assert!(limiter.permit(&key("c"), Lane::Clock).is_none());
    assert!(limiter.permit(&key("c"), Lane::Change).is_none());
    drop(permit);
    let next = queue.next().await;
    assert_eq!((next.key, next.lane), (key("c"), Lane::Change));
}

/// When calls go in five minutes in which each ends as `failure` says.
async fn tried(failure: Failure) -> Vec<u64> {
    let limiter = accounts().limiter(&Account::new("toys", "a"));
    let began = Instant::now();
    let mut tried = Vec::new();
    while began.elapsed() < Duration::from_secs(300) {
        if limiter.turn().await.is_ok() {
            tried.push(began.elapsed().as_secs());
            limiter.note_result::<()>(&Err(failure.clone()), None);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    tried
}

#[tokio::test(start_paused = true)]
async fn a_service_in_trouble_is_asked_once_in_half_a_minute_and_one_that_is_not_there_looked_for_sooner() {
    let asked = tried(Failure::Transient("502".into())).await;
    let (before, probes) = asked.split_at(5);
    assert_eq!(before, [0, 1, 2, 3, 4]);
    assert_eq!(probes, [34, 64, 94, 124, 154, 184, 214, 244, 274]);
    let looked_for = tried(Failure::NeverSent("refused".into())).await;
    let waits: Vec<_> = looked_for[5..].windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits.iter().all(|wait| *wait == 5), "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_answered_lets_one_call_through_when_one_before_was_not() {
    let limiter = accounts().limiter(&Account::new("toys", "a"));
    for _ in 0..5 {
        assert!(!limiter.is_silent());
        limiter.note_result::<()>(&Err(Failure::Transient("502".into())), None);
    }
    assert!(limiter.is_silent());
    assert!(!limiter.probed(true), "an endpoint that answers all along tells nothing");
    assert!(limiter.turn().await.is_err());
    assert!(!limiter.probed(false));
    assert!(limiter.probed(true) && limiter.turn().await.is_ok());
    assert!(limiter.turn().await.is_err(), "one call, no more");
    limiter.note_result(&Ok(()), None);
    assert!(!limiter.is_silent());
}

#[tokio::test(start_paused = true)]
async fn what_watches_over_an_account_is_woken_when_a_call_has_no_answer() {
    let queue = Arc::new(Queue::default());
    let accounts = Accounts::new(queue.clone(), Metrics::default(), Arc::new(Noon));
    let limiter = accounts.limiter(&Account::new("toys", "a").watched_by(key("provider")));
    limiter.note_result(&Ok(()), None);
    limiter.note_result::<()>(&refuse(), None);
    assert!(queue.is_empty());
    limiter.note_result::<()>(&Err(Failure::Transient("502".into())), None);
    assert_eq!(queue.next().await.key, key("provider"));
}

/// Why a call of the account `a` is not made.
async fn told(limiter: &Limiter) -> String {
    limiter.turn().await.unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_told_the_kind_of_failure_and_nothing_that_the_service_said() {
    let accounts = accounts();
    let limiter = accounts.limiter(&Account::new("toys", "a"));
    let said = || Failure::Transient("GET /bear of another: it is secret".into());
    for _ in 0..5 {
        limiter.note_result::<()>(&Err(said()), Some(503));
    }
    assert_eq!(
        told(&limiter).await,
        "toys does not answer as it should at account a (it answered 503, since 2026-11-21T12:00Z); it is asked again within half a minute"
    );
    let limiter = accounts.limiter(&Account::new("toys", "b"));
    limiter.note_result::<()>(&refuse(), Some(401));
    assert_eq!(
        told(&limiter).await,
        "toys refused the credentials of account b (it answered 401, since 2026-11-21T12:00Z); correct them"
    );
    let limiter = accounts.limiter(&Account::new("toys", "c"));
    let asks = Failure::Throttled { message: "another".into(), retry_after: Some(Duration::from_secs(300)) };
    limiter.note_result::<()>(&Err(asks), Some(429));
    assert_eq!(
        told(&limiter).await,
        "toys asks account c for patience (it answered 429, since 2026-11-21T12:00Z); the next call goes about 2026-11-21T12:05Z"
    );
    let limiter = accounts.limiter(&Account::new("toys", "d"));
    for _ in 0..5 {
        limiter.note_result::<()>(&Err(Failure::NeverSent("of another".into())), None);
    }
    assert!(told(&limiter).await.contains("(there was no connection, since"));
}
