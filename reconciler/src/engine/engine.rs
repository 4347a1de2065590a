//! The loop: what changes is queued, what is due is given to a worker, and only while this process leads.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tokio::{
    sync::broadcast::error::RecvError,
    task::{Id, JoinError, JoinSet},
    time::{Instant, MissedTickBehavior},
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::{
    account::Accounts,
    backoff::BackOff,
    calls::Calls,
    driver::Kinds,
    held::Held,
    hub::{Hub, Outside, Settings},
    key::ObjectKey,
    latest::Latest,
    metrics::Metrics,
    next::{Next, Verdict},
    queue::Queue,
    sweep,
    wake::Seen,
};

/// How often objects are counted for the metrics.
const COUNT: Duration = Duration::from_secs(30);
/// How long passes under way may take to end after shutdown, beside one remote call.
const GRACE: Duration = Duration::from_secs(10);

/// One loop for every kind.
pub struct Engine {
    hub: Arc<Hub>,
    seen: Seen,
    running: JoinSet<(ObjectKey, Verdict)>,
    keys: HashMap<Id, ObjectKey>,
    /// Work of the leader beside the passes; dropped with the term.
    chores: JoinSet<()>,
    token: Option<String>,
}

impl Engine {
    /// An engine for `kinds`, which does nothing before it [runs](Self::run).
    pub fn new(outside: Outside, settings: Settings, metrics: Metrics, kinds: Kinds) -> Self {
        let Outside { cluster, objects, clock, random, term, hook } = outside;
        let queue = Arc::new(Queue::default());
        let hub = Hub {
            cluster,
            objects,
            clock,
            random,
            term,
            hook,
            settings,
            accounts: Accounts::new(queue.clone(), metrics.clone()),
            calls: Calls::new(queue.clone()),
            metrics,
            queue,
            back_off: BackOff::default(),
            latest: Latest::default(),
            held: Held::default(),
            kinds: kinds.0,
        };
        Self {
            hub: Arc::new(hub),
            seen: Seen::default(),
            running: JoinSet::new(),
            keys: HashMap::new(),
            chores: JoinSet::new(),
            token: None,
        }
    }

    /// Works until `shutdown`, then until the passes under way have ended, within bounds. Dropping the future stops everything at once, as
    /// the death of the process would.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let hub = self.hub.clone();
        let mut changes = hub.objects.changes();
        let mut term = hub.term.clone();
        let mut count = tokio::time::interval(COUNT);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.follow_term();
        loop {
            let free = self.token.is_some() && self.running.len() < hub.settings.concurrency;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Ok(()) = term.changed() => self.follow_term(),
                change = changes.recv() => match change {
                    Ok(change) => self.changed(&ObjectKey::from(change)),
                    Err(RecvError::Lagged(_)) => self.everything(),
                    Err(RecvError::Closed) => break,
                },
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                _ = count.tick() => sweep::count(&hub),
                (key, due) = hub.queue.next(), if free => self.start(key, due),
            }
        }
        self.drain().await;
    }

    /// Begins or ends a term.
    fn follow_term(&mut self) {
        let token = self.hub.term.borrow().as_ref().map(|term| term.token.clone());
        if token == self.token {
            return;
        }
        self.hub.metrics.leader.set(i64::from(token.is_some()));
        self.chores.abort_all();
        self.token.clone_from(&token);
        match token {
            Some(token) => {
                tracing::info!(token, "leading");
                self.chores.spawn(sweep::count_calls(self.hub.clone(), token.clone()));
                self.chores.spawn(sweep::keep_claims(self.hub.clone(), token));
                self.everything();
            }
            None => {
                tracing::info!("not leading");
                self.hub.queue.clear();
                self.seen.clear();
            }
        }
    }

    fn everything(&mut self) {
        if self.token.is_some() {
            self.seen.all(&self.hub);
        }
    }

    fn changed(&mut self, key: &ObjectKey) {
        if self.token.is_some() {
            self.seen.changed(&self.hub, key);
        }
    }

    fn start(&mut self, key: ObjectKey, due: Instant) {
        let (Some(token), Some(driver)) = (self.token.clone(), self.hub.kinds.get(key.kind)) else {
            return self.hub.queue.done(&key, None);
        };
        self.hub.metrics.queue_depth.set(i64::try_from(self.hub.queue.len()).unwrap_or(i64::MAX));
        self.hub.metrics.queue_age.observe(due.elapsed().as_secs_f64());
        let pass = self.hub.random.id()[..16].to_owned();
        let span = tracing::info_span!(
            "reconcile",
            kind = key.kind,
            namespace = key.namespace,
            name = key.name,
            pass
        );
        let work = driver.pass(self.hub.clone(), key.clone(), pass, token);
        let (hub, own) = (self.hub.clone(), key.clone());
        let began = Instant::now();
        let task = async move {
            let verdict = work.await;
            tracing::debug!(result = verdict.result, next = ?verdict.next, "looked at");
            hub.metrics.pass(own.kind, verdict.result.clone(), began.elapsed());
            (own, verdict)
        };
        let handle = self.running.spawn(task.instrument(span));
        self.keys.insert(handle.id(), key);
    }

    fn ended(&mut self, ended: Result<(Id, (ObjectKey, Verdict)), JoinError>) {
        match ended {
            Ok((id, (key, verdict))) => {
                self.keys.remove(&id);
                let wait = verdict.next.wait(&self.hub, &key, verdict.generation);
                self.hub.queue.done(&key, wait.map(|wait| Instant::now() + wait));
            }
            // A kind's code panicked. What it was about is known; why, it has said itself.
            Err(error) => {
                if let Some(key) = self.keys.remove(&error.id()) {
                    tracing::error!(%key, %error, "a pass broke off");
                    let wait = Next::Retry(super::failure::Retry::BackOff).wait(&self.hub, &key, None);
                    self.hub.queue.done(&key, wait.map(|wait| Instant::now() + wait));
                }
            }
        }
        self.hub.accounts.wake_parked();
    }

    /// Starts nothing more, and lets what has begun end.
    async fn drain(&mut self) {
        self.chores.abort_all();
        let most = self.hub.settings.request_timeout + GRACE;
        let ended =
            tokio::time::timeout(most, async { while self.running.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!(passes = self.running.len(), "passes did not end in time and are broken off");
        }
    }
}
