//! Leadership by a Lease, as client-go does it, with what at-most-once needs beside: a deadline that is
//! never later than the one others wait for, and a fencing token. See `docs/decisions/0002-lease.md`.

use std::{sync::Arc, time::Duration};

use concierge_runtime::{logs::Seldom, warn_seldom};
use jiff::Timestamp;
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
};
use kube::core::ApiResource;
use tokio::{
    sync::watch,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    cluster::{Cluster, ClusterError, Target},
    retry::spread,
    seams::{Clock, Random},
};

/// A term of leadership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    /// Tells this term from any other: the fencing token.
    pub token: String,
    /// From when on intents that others wrote may be touched: no call of theirs can be under way any more.
    pub foreign_after: Instant,
    /// When another may take over, by a clock that never jumps.
    pub deadline: Instant,
    /// The same by the wall clock. The earlier of the two counts: one stands still while a machine is
    /// suspended, the other can be set back.
    pub deadline_wall: Timestamp,
}

impl Term {
    /// True when a call that is begun now and takes `most` ends before anybody else may lead.
    pub fn covers(&self, most: Duration, now_wall: Timestamp) -> bool {
        let wall_end = now_wall.saturating_add(most).unwrap_or(Timestamp::MAX);
        Instant::now() + most < self.deadline && wall_end < self.deadline_wall
    }
}

/// Which lease, and by whom.
#[derive(Clone, Debug)]
pub struct LeaseSettings {
    /// The Lease's namespace.
    pub namespace: String,
    pub name: String,
    /// Tells this process from any other, also from an earlier one in the same pod.
    pub identity: String,
    /// How long it lasts without renewal. It is renewed three times as often.
    pub duration: Duration,
    /// How long a remote call of a leader may take.
    pub request_timeout: Duration,
}

/// The Lease as it was last seen, and since when it has been so.
struct Seen {
    lease: Lease,
    since: Instant,
}

/// Tries to lead, and keeps leading, until `shutdown`; then the lease is given up for others to take at once.
pub struct Leadership {
    cluster: Arc<dyn Cluster>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    settings: LeaseSettings,
    term: watch::Sender<Option<Term>>,
    seen: Option<Seen>,
    /// From when on a lease that was created here may be relied on.
    created: Option<Instant>,
    /// What was forbidden last, and for the line about it.
    forbidden: (String, Seldom),
}

impl Leadership {
    /// Leadership that nobody has tried to get yet, and where the terms are told of.
    pub fn new(
        cluster: Arc<dyn Cluster>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
        settings: LeaseSettings,
    ) -> (Self, watch::Receiver<Option<Term>>) {
        let (term, told) = watch::channel(None);
        let (seen, created, forbidden) = Default::default();
        let leadership = Self { cluster, clock, random, settings, term, seen, created, forbidden };
        (leadership, told)
    }

    /// Tries to lead, and keeps leading, until `shutdown`; then gives the lease up.
    pub async fn keep(mut self, shutdown: CancellationToken) {
        loop {
            let pause = self.settings.duration / 3;
            let result = timeout(pause, self.try_once())
                .await
                .unwrap_or_else(|_| Err(ClusterError::Unknown("the lease request took too long".to_owned())));
            let wait = match &result {
                Ok(()) => spread(pause, 0.1, &*self.random),
                Err(error) => {
                    self.tell(error);
                    spread(pause / 5, 0.3, &*self.random)
                }
            };
            self.expire();
            let wait = self
                .created
                .map_or(wait, |at| wait.min(at.saturating_duration_since(Instant::now()).max(pause / 5)));
            let deadline = self.deadline();
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
                () = async { match deadline { Some(at) => sleep_until(at).await, None => std::future::pending().await } } => self.expire(),
            }
        }
        self.release().await;
    }

    /// Logs why the lease is neither taken nor renewed: what passes by itself each time, a missing right seldom, because only a person
    /// can give it.
    fn tell(&mut self, error: &ClusterError) {
        let ClusterError::Forbidden(why) = error else {
            return tracing::info!(%error, "the lease is neither taken nor renewed; trying again");
        };
        // Another right than the one before is told of at once.
        if self.forbidden.0 != *why {
            self.forbidden = (why.clone(), Seldom::default());
        }
        warn_seldom!(self.forbidden.1, %error, "the lease may not be used; trying again");
    }

    async fn try_once(&mut self) -> Result<(), ClusterError> {
        if self.term.borrow().is_some() {
            return self.renew().await;
        }
        let Some(found) = self.read().await? else { return self.create().await };
        if self.holder(&found) == Some(&self.settings.identity) {
            // Ours already, by a write whose answer was lost, or created here a moment ago.
            self.see(found);
            return self.renew().await;
        }
        let released = self.holder(&found).is_none();
        let since = self.see(found);
        if released || since.elapsed() > self.lasts() {
            return self.take_over(released).await;
        }
        Ok(())
    }

    async fn read(&self) -> Result<Option<Lease>, ClusterError> {
        let found = self.cluster.get(&self.target()).await?;
        found.map(readable).transpose()
    }

    /// Remembers the lease, and since when it has been as it is. The time in the lease is its holder's, whose clock may differ
    /// from ours, so a lease has run out when *we* have seen it unchanged for its duration.
    fn see(&mut self, lease: Lease) -> Instant {
        let same = self.seen.as_ref().filter(|seen| seen.lease.spec == lease.spec);
        let since = same.map_or_else(Instant::now, |seen| seen.since);
        self.seen = Some(Seen { lease, since });
        since
    }

    /// A lease that is not there may have been removed under a leader, who will notice only when it has run out.
    async fn create(&mut self) -> Result<(), ClusterError> {
        let began = Instant::now();
        let lease = Lease {
            metadata: ObjectMeta {
                name: Some(self.settings.name.clone()),
                namespace: Some(self.settings.namespace.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(self.spec(0)),
        };
        let created = self.cluster.create(&self.target(), &json(&lease)?).await?;
        self.created = Some(began + self.settings.duration);
        self.see(readable(created)?);
        Ok(())
    }

    /// Takes a lease that has run out, or that nobody holds.
    ///
    /// A predecessor that did not release it may have begun a call just before it ran out: its intents are left alone for as long
    /// as its lease and one call last. One that released it has waited for its calls, and says for how long others' may last.
    async fn take_over(&mut self, released: bool) -> Result<(), ClusterError> {
        let Some(seen) = &self.seen else { return Ok(()) };
        let before = seen.lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
        let others = match released {
            true => self.said(),
            false => self.lasts() + self.settings.request_timeout,
        };
        let lead = self.write(self.spec(before.saturating_add(1))).await?;
        self.begin(lead, Instant::now() + others);
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), ClusterError> {
        let spec = self.seen.as_ref().and_then(|seen| seen.lease.spec.clone()).unwrap_or_default();
        let acquired = spec.acquire_time.clone();
        let mut renewed = self.spec(spec.lease_transitions.unwrap_or(0));
        renewed.acquire_time = acquired.or(renewed.acquire_time);
        match self.write(renewed).await {
            Ok(lead) => {
                if self.created.is_none_or(|at| at <= Instant::now()) {
                    let foreign_after =
                        Instant::now() + self.settings.duration + self.settings.request_timeout;
                    self.begin(lead, foreign_after);
                }
                Ok(())
            }
            Err(ClusterError::Conflict | ClusterError::NotFound) => self.lose_or_reread().await,
            Err(error) => Err(error),
        }
    }

    /// Somebody else has written the lease: another leader, or a write of ours whose answer was lost.
    async fn lose_or_reread(&mut self) -> Result<(), ClusterError> {
        let found = self.read().await?;
        match found {
            Some(lease) if self.holder(&lease) == Some(&self.settings.identity) => {
                self.see(lease);
                return Err(ClusterError::Conflict);
            }
            Some(lease) => {
                self.see(lease);
                if self.end() {
                    tracing::warn!("another replica holds the lease");
                }
            }
            None if self.end() => tracing::warn!("the lease is gone"),
            None => {}
        }
        Ok(())
    }

    /// Writes `spec` to the version of the lease that was seen last; the deadline that follows. It counts from before the request: others count from when they see it.
    async fn write(&mut self, spec: LeaseSpec) -> Result<(Instant, Timestamp), ClusterError> {
        let Some(seen) = &self.seen else { return Err(ClusterError::NotFound) };
        let (began, began_wall) = (Instant::now(), self.clock.now());
        let lease = Lease { metadata: seen.lease.metadata.clone(), spec: Some(spec) };
        let written = self.cluster.replace(&self.target(), &json(&lease)?).await?;
        self.see(readable(written)?);
        let duration = self.settings.duration;
        Ok((began + duration, began_wall.saturating_add(duration).unwrap_or(began_wall)))
    }

    /// Begins a term, or prolongs the one that there is.
    fn begin(&mut self, (deadline, deadline_wall): (Instant, Timestamp), foreign_after: Instant) {
        let Some(seen) = &self.seen else { return };
        let transitions = seen.lease.spec.as_ref().and_then(|spec| spec.lease_transitions).unwrap_or(0);
        let uid = seen.lease.metadata.uid.as_deref().unwrap_or_default();
        let token = format!("{uid}/{transitions}");
        self.term.send_modify(|term| {
            let foreign_after = match term {
                Some(old) if old.token == token => old.foreign_after,
                _ => foreign_after,
            };
            *term = Some(Term { token, foreign_after, deadline, deadline_wall });
        });
    }

    /// Ends a term that has run out.
    fn expire(&mut self) {
        if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) && self.end() {
            tracing::warn!("the lease ran out before it could be renewed");
        }
    }

    /// Ends the term; whether there was one.
    fn end(&mut self) -> bool {
        self.created = None;
        self.term.send_replace(None).is_some()
    }

    fn deadline(&self) -> Option<Instant> {
        self.term.borrow().as_ref().map(|term| term.deadline)
    }

    async fn release(&mut self) {
        let Some(term) = self.term.send_replace(None) else { return };
        let Some(seen) = &self.seen else { return };
        let transitions = seen.lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
        // Nothing of ours is under way. Of leaders before us, something may be, for so many seconds.
        let others = term.foreign_after.saturating_duration_since(Instant::now()).as_secs() + 1;
        let spec = LeaseSpec {
            lease_transitions: transitions,
            lease_duration_seconds: i32::try_from(others).ok(),
            renew_time: Some(MicroTime(self.clock.now())),
            ..LeaseSpec::default()
        };
        match timeout(self.settings.duration / 3, self.write(spec)).await {
            Ok(Ok(_)) => tracing::info!("the lease is given up"),
            Ok(Err(error)) => tracing::warn!(%error, "the lease is not given up; it runs out by itself"),
            Err(_) => tracing::warn!("the lease is not given up in time; it runs out by itself"),
        }
    }

    fn spec(&self, transitions: i32) -> LeaseSpec {
        let now = MicroTime(self.clock.now());
        LeaseSpec {
            holder_identity: Some(self.settings.identity.clone()),
            lease_duration_seconds: i32::try_from(self.settings.duration.as_secs()).ok(),
            lease_transitions: Some(transitions),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            ..LeaseSpec::default()
        }
    }

    /// How long the seen lease lasts: what its holder wrote, and at least our own duration.
    fn lasts(&self) -> Duration {
        self.settings.duration.max(self.said())
    }

    /// The duration that the seen lease names.
    fn said(&self) -> Duration {
        let spec = self.seen.as_ref().and_then(|seen| seen.lease.spec.as_ref());
        let said = spec.and_then(|spec| spec.lease_duration_seconds);
        Duration::from_secs(said.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0))
    }

    fn holder<'a>(&self, lease: &'a Lease) -> Option<&'a String> {
        lease.spec.as_ref()?.holder_identity.as_ref().filter(|holder| !holder.is_empty())
    }

    fn target(&self) -> Target {
        Target {
            resource: ApiResource::erase::<Lease>(&()),
            namespace: self.settings.namespace.clone(),
            name: self.settings.name.clone(),
        }
    }
}

fn readable(lease: serde_json::Value) -> Result<Lease, ClusterError> {
    serde_json::from_value(lease).map_err(|error| ClusterError::Unknown(error.to_string()))
}

fn json(lease: &Lease) -> Result<serde_json::Value, ClusterError> {
    serde_json::to_value(lease).map_err(|error| ClusterError::Refused(error.to_string()))
}
