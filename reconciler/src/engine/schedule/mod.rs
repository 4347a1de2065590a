//! The loop: what changes is queued, what is due is given to a worker, and only while this process leads.

mod claims;
pub(crate) mod queue;
mod unreadable;
mod wake;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    sync::broadcast::error::RecvError,
    task::{Id, JoinError, JoinSet},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::{
    queue::{Due, Lane, Queue},
    wake::{Runners, Seen},
};
use crate::engine::{
    account::Accounts,
    children::{self, ChildChange, Remembered},
    cluster::{
        lists::Lists,
        objects::{Newer, ObjectKey, Unreadable},
    },
    kinds::Kinds,
    metrics::Metrics,
    once::{self, calls::Calls},
    retry::{BackOff, Requeue, after},
    run::unwritten::Unwritten,
    shared::{Dependencies, Settings, Shared},
};

/// How often objects are counted for the metrics.
const COUNT: Duration = Duration::from_secs(30);
/// How long runs under way may take to end after shutdown, beside one remote call.
const GRACE: Duration = Duration::from_secs(10);

/// One loop for every kind.
pub struct Engine {
    shared: Arc<Shared>,
    runners: Runners,
    seen: Seen,
    running: JoinSet<Option<(Lane, Duration)>>,
    keys: HashMap<Id, ObjectKey>,
    /// The leader's tasks beside the runs; dropped at the end of the term.
    chores: JoinSet<()>,
    fencing_token: Option<String>,
    /// The unreadable objects of which people were told in this term.
    told: HashSet<Unreadable>,
}

impl Engine {
    /// An engine for `kinds`, which does nothing before it [runs](Self::run).
    pub fn new(outside: Dependencies, settings: Settings, metrics: Metrics, kinds: Kinds) -> Self {
        let Dependencies { cluster, objects, children, clock, random, term, hook } = outside;
        let queue = Arc::new(Queue::default());
        let accounts = Accounts::new(queue.clone(), metrics.clone(), clock.clone());
        let shared = Shared {
            cluster,
            objects,
            child_cache: children,
            clock,
            random,
            term,
            hook,
            settings,
            accounts,
            calls: Calls::new(queue.clone()),
            lists: Lists::default(),
            metrics,
            queue,
            back_off: BackOff::default(),
            newer: Newer::default(),
            unwritten: Unwritten::default(),
            remembered: Remembered::default(),
            releasing: tokio::sync::Mutex::default(),
            cluster_uid: OnceLock::default(),
            kinds: kinds.readers,
        };
        Self {
            shared: Arc::new(shared),
            runners: kinds.runners,
            seen: Seen::default(),
            running: JoinSet::new(),
            keys: HashMap::new(),
            chores: JoinSet::new(),
            fencing_token: None,
            told: HashSet::new(),
        }
    }

    /// Works until `shutdown`, then until the runs under way have ended, within bounds. Dropping the future stops everything at once, as
    /// the death of the process would.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let shared = self.shared.clone();
        let mut changes = shared.objects.changes();
        let mut child_changes = shared.child_cache.child_changes();
        let mut term = shared.term.clone();
        let mut count = tokio::time::interval(COUNT);
        count.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.follow_term();
        loop {
            let free = self.fencing_token.is_some() && self.running.len() < shared.settings.concurrency;
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Ok(()) = term.changed() => self.follow_term(),
                change = changes.recv() => match change {
                    Ok(change) => self.changed(&ObjectKey::from(change)),
                    Err(RecvError::Lagged(_)) => self.catch_up(),
                    Err(RecvError::Closed) => break,
                },
                change = child_changes.recv() => match change {
                    Ok(change) => self.child_changed(&change),
                    Err(RecvError::Lagged(_)) => self.wake_owners(),
                    Err(RecvError::Closed) => break,
                },
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                _ = count.tick() => self.measure(),
                due = shared.queue.next(), if free => self.start(due),
            }
        }
        self.drain().await;
    }

    /// Begins or ends a term.
    fn follow_term(&mut self) {
        let fencing_token = self.shared.term.borrow().as_ref().map(|term| term.token.clone());
        if fencing_token == self.fencing_token {
            return;
        }
        self.shared.metrics.leader.set(i64::from(fencing_token.is_some()));
        self.chores.abort_all();
        self.told.clear();
        self.shared.remembered.clear();
        self.fencing_token.clone_from(&fencing_token);
        match fencing_token {
            Some(fencing_token) => {
                tracing::info!(fencing_token, "leading");
                self.chores.spawn(once::count_calls(self.shared.clone(), fencing_token.clone()));
                self.chores.spawn(claims::keep(self.shared.clone(), fencing_token));
                self.seen.all(&self.shared);
                // Whoever led before tells of them no more.
                self.shared.count_objects();
            }
            None => {
                tracing::info!("not leading");
                self.shared.queue.clear();
                self.shared.metrics.forget_objects();
                self.seen.clear();
            }
        }
    }

    /// Only the leader tells of objects: summed over replicas they would count several times.
    fn measure(&mut self) {
        if self.fencing_token.is_some() {
            self.shared.count_objects();
            self.tell_unreadable();
        }
        self.shared.accounts.prune();
        let objects = &self.shared.objects;
        self.shared.newer.prune(|key| objects.find(key.kind, &key.namespace, &key.name));
    }

    /// Tells people of objects that nothing can be done about, once a term: a log line reaches nobody who could correct them.
    fn tell_unreadable(&mut self) {
        let unreadable = self.shared.objects.unreadable();
        self.told.retain(|told| unreadable.contains(told));
        let news: Vec<_> = unreadable.into_iter().filter(|one| !self.told.contains(one)).collect();
        self.told.extend(news.iter().cloned());
        if !news.is_empty() {
            self.chores.spawn(unreadable::tell(self.shared.clone(), news));
        }
    }

    fn catch_up(&mut self) {
        if self.fencing_token.is_some() {
            self.seen.catch_up(&self.shared, &self.runners);
        }
    }

    fn changed(&mut self, key: &ObjectKey) {
        if self.fencing_token.is_some() {
            self.seen.changed(&self.shared, &self.runners, key);
        }
    }

    /// Wakes the owner, unless the change is the effect of our own write, or of somebody who wrote a mark elsewhere.
    fn child_changed(&self, change: &ChildChange) {
        if self.fencing_token.is_some() && !self.shared.remembered.is_known(change) {
            let owner = children::owner_of(&self.shared, change);
            owner.into_iter().for_each(|owner| self.shared.queue.add(owner));
        }
    }

    /// Changes of children were missed, because there were too many at once: wakes every owner.
    fn wake_owners(&self) {
        if self.fencing_token.is_some() {
            let owners = self.shared.all().filter(|(reader, _)| reader.has_children());
            owners.for_each(|(_, object)| self.shared.queue.add(ObjectKey::from(&object)));
        }
    }

    fn start(&mut self, Due { key, since, lane }: Due) {
        let (Some(fencing_token), Some(runner)) = (self.fencing_token.clone(), self.runners.get(key.kind))
        else {
            return self.shared.queue.done(&key, None);
        };
        self.shared.metrics.queue_age.observe(since.elapsed().as_secs_f64());
        let id = self.shared.random.id()[..16].to_owned();
        let span = tracing::info_span!(
            "reconcile",
            kind = key.kind,
            namespace = key.namespace,
            name = key.name,
            run = id
        );
        let run = runner.run(self.shared.clone(), key.clone(), lane, id, fencing_token);
        let handle = self.running.spawn(run.instrument(span));
        self.keys.insert(handle.id(), key);
    }

    fn ended(&mut self, ended: Result<(Id, Option<(Lane, Duration)>), JoinError>) {
        let id = ended.as_ref().map_or_else(|error| error.id(), |(id, _)| *id);
        if let Some(key) = self.keys.remove(&id) {
            let next = match ended {
                Ok((_, next)) => next,
                Err(error) => {
                    // The code of a kind panicked; the panic hook has logged the place.
                    tracing::error!(%key, %error, "a run broke off");
                    let Shared { back_off, random, .. } = &*self.shared;
                    Requeue::BackOff.next(back_off, &**random, &key, None)
                }
            };
            self.shared.queue.done(&key, next.map(|(lane, wait)| (lane, after(wait))));
        }
        self.shared.accounts.wake_parked();
        // How many wait is counted seldom; that none does is known.
        if self.shared.queue.is_dry() {
            self.shared.metrics.queue_depth.set(0);
        }
    }

    /// Starts nothing more, and lets what has begun end.
    async fn drain(&mut self) {
        self.chores.abort_all();
        let most = self.shared.settings.request_timeout + GRACE;
        let ended =
            tokio::time::timeout(most, async { while self.running.join_next().await.is_some() {} }).await;
        if ended.is_err() {
            tracing::warn!(runs = self.running.len(), "runs did not end in time and are aborted");
        }
    }
}
