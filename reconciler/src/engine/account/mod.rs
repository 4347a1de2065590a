//! Remote accounts: how many calls at a time and per second, and none while the service refuses the credentials or does not answer.

mod cause;
mod limiter;
mod limits;
mod throttle;

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

pub(crate) use self::cause::{note_status, with_status};
pub(crate) use self::limiter::{Limiter, Permit};
pub use self::limits::{Account, Limits};
use super::{
    cluster::objects::ObjectKey,
    metrics::{Metrics, ServiceLabel},
    schedule::queue::Queue,
    seams::Clock,
};

/// All accounts that have been used.
pub(crate) struct Accounts {
    all: Mutex<HashMap<(&'static str, String), Arc<Limiter>>>,
    none: Arc<Limiter>,
    queue: Arc<Queue>,
    metrics: Metrics,
    clock: Arc<dyn Clock>,
}

impl Accounts {
    pub(crate) fn new(queue: Arc<Queue>, metrics: Metrics, clock: Arc<dyn Clock>) -> Self {
        let none = Arc::new(Limiter::new(&Account::none(), queue.clone(), clock.clone()));
        Self { all: Mutex::default(), none, queue, metrics, clock }
    }

    /// The limiter of `account`, with the limits and credentials that the account has now.
    pub(crate) fn limiter(&self, account: &Account) -> Arc<Limiter> {
        if *account == Account::none() {
            return self.none.clone();
        }
        let mut all = self.all.lock();
        let limiter = all
            .entry((account.service, account.name.clone()))
            .or_insert_with(|| Arc::new(Limiter::new(account, self.queue.clone(), self.clock.clone())));
        limiter.update(account);
        limiter.clone()
    }

    /// Queues waiting objects while there are free places: an object that was woken for a place may not have taken it.
    pub(crate) fn wake_parked(&self) {
        self.all.lock().values().for_each(|limiter| limiter.wake_parked());
    }

    /// Forgets a deleted object.
    pub(crate) fn forget(&self, key: &ObjectKey) {
        self.all.lock().values().for_each(|limiter| limiter.forget(key));
    }

    /// Forgets the accounts that nobody uses any more. Users name accounts, so their number has no bound.
    pub(crate) fn prune(&self) {
        let mut all = self.all.lock();
        // A service whose last account goes is set to 0, or its old count would stay.
        let mut open: HashMap<&'static str, i64> = all.keys().map(|(service, _)| (*service, 0)).collect();
        all.retain(|_, limiter| Arc::strong_count(limiter) > 1 || !limiter.is_unused());
        for limiter in all.values() {
            *open.entry(limiter.service).or_default() += i64::from(limiter.is_refused());
        }
        for (service, count) in open {
            self.metrics.breaker_open.get_or_create(&ServiceLabel { service }).set(count);
        }
    }

    /// A limiter without limits, for kinds without a service.
    pub(crate) fn none(&self) -> Arc<Limiter> {
        self.none.clone()
    }
}

#[cfg(test)]
mod tests;
