//! Who leads, and until when others may rely on it.

use std::{sync::Arc, time::Duration};

use concierge_reconciler::engine::{
    ObjectKey,
    cluster::Cluster,
    lease::{Leadership, LeaseSettings, Term},
};
use concierge_tests::simulation::{
    Chance, Connection, LEASE, REQUEST, Server, ServerClock, log::Log, server::Fault,
};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::Level;

struct Contender {
    term: watch::Receiver<Option<Term>>,
    frozen: watch::Sender<bool>,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

fn contend(server: &Arc<Server>, identity: &str) -> Contender {
    let (frozen, freezing) = watch::channel(false);
    let cluster: Arc<dyn Cluster> = Arc::new(Connection { server: server.clone(), frozen: freezing });
    let settings = LeaseSettings {
        namespace: "concierge".into(),
        name: "reconciler".into(),
        identity: identity.into(),
        duration: LEASE,
        request_timeout: REQUEST,
    };
    let (leadership, term) = Leadership::new(
        cluster,
        Arc::new(ServerClock(server.clone())),
        Arc::new(Chance::of(identity)),
        settings,
    );
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(leadership.keep(shutdown.clone()));
    Contender { term, frozen, shutdown, task }
}

impl Contender {
    fn token(&self) -> Option<String> {
        self.term.borrow().as_ref().map(|term| term.token.clone())
    }

    /// True when a call of no length may be sent now.
    fn may_send(&self, server: &Server) -> bool {
        self.term.borrow().as_ref().is_some_and(|term| term.covers(Duration::ZERO, server.now()))
    }
}

fn lease() -> ObjectKey {
    ObjectKey::new("Lease", "concierge", "reconciler")
}

async fn until(what: &str, done: impl Fn() -> bool) -> Duration {
    let began = Instant::now();
    while !done() {
        sleep(Duration::from_millis(50)).await;
        assert!(began.elapsed() < LEASE * 20, "not {what}");
    }
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_not_there_is_relied_on_only_after_its_duration() {
    let server = Server::new();
    let one = contend(&server, "one");
    let took = until("leading", || one.token().is_some()).await;
    assert!(took >= LEASE && took < LEASE * 2, "somebody may have led until now: {took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_leader_is_followed_after_the_lease_and_its_calls_are_waited_for() {
    let server = Server::new();
    let one = contend(&server, "one");
    until("leading", || one.token().is_some()).await;
    let two = contend(&server, "two");
    sleep(LEASE * 4).await;
    assert_eq!(two.token(), None, "while the first renews");
    let (deadline, token) = {
        let term = one.term.borrow();
        let term = term.as_ref().unwrap();
        (term.deadline, term.token.clone())
    };
    one.task.abort();
    until("followed", || two.token().is_some()).await;
    assert!(Instant::now() >= deadline, "the first could still send");
    assert_ne!(two.token(), Some(token));
    let term = two.term.borrow().clone().unwrap();
    assert!(term.foreign_after >= Instant::now() + LEASE + REQUEST - Duration::from_millis(50));
}

#[tokio::test(start_paused = true)]
async fn a_lease_given_up_is_taken_at_once() {
    let server = Server::new();
    let one = contend(&server, "one");
    until("leading", || one.token().is_some()).await;
    sleep(LEASE * 4).await;
    let two = contend(&server, "two");
    sleep(LEASE).await;
    one.shutdown.cancel();
    let took = until("followed", || two.token().is_some()).await;
    assert!(took < LEASE / 2, "{took:?}");
    let waits = two.term.borrow().clone().unwrap().foreign_after.saturating_duration_since(Instant::now());
    assert!(waits <= Duration::from_secs(1), "nothing can be under way: {waits:?}");
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_leader_may_have_under_way_is_handed_on_with_the_lease() {
    let server = Server::new();
    let one = contend(&server, "one");
    until("leading", || one.token().is_some()).await;
    let two = contend(&server, "two");
    sleep(LEASE).await;
    one.task.abort();
    until("followed", || two.token().is_some()).await;
    let waits = two.term.borrow().clone().unwrap().foreign_after;
    let three = contend(&server, "three");
    sleep(Duration::from_secs(1)).await;
    two.shutdown.cancel();
    until("followed again", || three.token().is_some()).await;
    assert!(three.term.borrow().clone().unwrap().foreign_after >= waits);
}

#[tokio::test(start_paused = true)]
async fn unclear_answers_cost_no_leadership() {
    let server = Server::new();
    let one = contend(&server, "one");
    until("leading", || one.token().is_some()).await;
    let token = one.token();
    for fault in [Fault::Unanswered, Fault::Lost, Fault::Unanswered] {
        server.fail_next("replace", fault);
        sleep(LEASE).await;
        assert_eq!(one.token(), token, "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_removed_ends_the_term_and_begins_another_later() {
    let server = Server::new();
    let one = contend(&server, "one");
    until("leading", || one.token().is_some()).await;
    let (before, two) = (one.token(), contend(&server, "two"));
    sleep(LEASE).await;
    server.user_deletes(&lease());
    until("ended", || one.token().is_none()).await;
    let took = until("led again", || one.token().is_some() || two.token().is_some()).await;
    assert!(took >= LEASE / 2, "{took:?}");
    let after = one.token().or(two.token());
    assert_ne!(after, before, "another lease, another token, although it counts from 0 again");
}

/// Takes a right to the lease away for a while from whoever leads and whoever stands by. Returns whether nobody led in the end.
async fn without(verb: &'static str, removes_lease: bool) -> bool {
    let kept = Log::keep(Level::WARN);
    let server = Server::new();
    let (one, two) = (contend(&server, "one"), contend(&server, "two"));
    let leads = || one.token().is_some() || two.token().is_some();
    until("leading", leads).await;
    server.trouble(|trouble| trouble.forbidden_verbs = [("Lease".to_owned(), verb)].into());
    if removes_lease {
        server.user_deletes(&lease());
    }
    let reads = server.reads();
    sleep(LEASE * 4).await;
    let line = format!("cannot {verb} resource \"leases\"");
    assert!(kept.log.count(&line) >= 1, "{verb}: {}", kept.log.text());
    assert!(server.reads() - reads < 200, "{verb}: each asks about once a second");
    let ended = !leads();
    server.trouble(|trouble| trouble.forbidden_verbs.clear());
    let took = until("leading again", leads).await;
    // A lease that has to be made anew is relied on after its duration.
    let most = if removes_lease { LEASE * 2 } else { LEASE / 3 };
    assert!(took < most, "{verb}: {took:?}");
    ended
}

#[tokio::test(start_paused = true)]
async fn a_right_to_the_lease_that_is_missing_is_named_and_used_soon_after_it_is_given_back() {
    assert!(!without("get", false).await, "whoever leads need not read");
    assert!(without("update", false).await, "nobody can renew");
    assert!(without("create", true).await, "nobody can make it anew");
}

#[tokio::test(start_paused = true)]
async fn another_right_that_is_missing_soon_after_the_first_is_named_too() {
    let kept = Log::keep(Level::WARN);
    let server = Server::new();
    let one = contend(&server, "one");
    until("leading", || one.token().is_some()).await;
    for verb in ["update", "create"] {
        server.trouble(|trouble| trouble.forbidden_verbs = [("Lease".to_owned(), verb)].into());
        server.user_deletes(&lease());
        sleep(LEASE * 4).await;
        let line = format!("cannot {verb} resource \"leases\"");
        assert_eq!(kept.log.count(&line), 1, "{}", kept.log.text());
    }
}

#[tokio::test(start_paused = true)]
async fn there_are_never_two_who_may_send_whoever_stands_still_or_is_cut_off() {
    nobody_sends_beside_another(0..4).await;
}

#[tokio::test(start_paused = true)]
#[ignore = "soak"]
async fn of_twenty_times_three_there_are_never_two_who_may_send() {
    nobody_sends_beside_another(0..20).await;
}

async fn nobody_sends_beside_another(seeds: std::ops::Range<u64>) {
    for seed in seeds {
        let server = Server::new();
        let contenders: Vec<_> = ["one", "two", "three"].iter().map(|name| contend(&server, name)).collect();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut led = [0_usize; 3];
        for _ in 0..2000 {
            sleep(Duration::from_millis(random.u64(1..2000))).await;
            for contender in &contenders {
                if random.u8(..) < 8 {
                    let frozen = *contender.frozen.borrow();
                    contender.frozen.send_replace(!frozen);
                }
            }
            if random.u8(..) < 10 {
                server.fail_next("replace", if random.bool() { Fault::Lost } else { Fault::Unanswered });
            }
            let may: Vec<_> = contenders.iter().map(|one| one.may_send(&server)).collect();
            may.iter().zip(&mut led).for_each(|(may, led)| *led += usize::from(*may));
            assert!(may.iter().filter(|may| **may).count() <= 1, "seed {seed}: {may:?}");
        }
        assert!(led.iter().filter(|led| **led > 0).count() > 1, "leadership moved: {led:?}");
    }
}
