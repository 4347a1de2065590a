//! The calls of a run to its account: in turn, with a time-out that no suspension of the machine outlasts, and counted.

use std::{future::poll_fn, pin::pin, task::Poll, time::Duration};

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::Context;
use crate::engine::{account::with_status, retry::Failure};

/// How long an answer to a probe is waited for: with the longest wait of the object that probes, the end of an outage is seen soon.
const PROBE: Duration = Duration::from_secs(3);

impl Context {
    /// Makes a call that changes nothing at the account of this run, in its turn and with the engine's time-out.
    ///
    /// # Errors
    /// What `call` returns; [`Failure::Auth`] without a call while the account's credentials are known to be wrong;
    /// [`Failure::Throttled`] without one when the account is too busy.
    pub async fn read<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.read_within(operation, self.request_timeout(), call).await
    }

    /// The same for a call that may take longer than the engine's time-out, up to `most`.
    pub(crate) async fn read_within<T>(
        &self,
        operation: &'static str,
        most: Duration,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.limiter.turn().await?;
        self.call(operation, most, Failure::Transient, call).await.map_err(Failure::of_a_read)
    }

    /// Lets one call of this run's account through although its breaker is open: a person asks whether it can be used by now.
    pub(crate) fn probe_if_edited(self) -> Self {
        if self.is_edited() {
            self.limiter.allow_probe();
        }
        self
    }

    /// Whether the calls of this run's account wait because the service does not answer them.
    pub(crate) fn is_silent(&self) -> bool {
        self.limiter.is_silent()
    }

    /// Probes a service that does not answer this run's account; true when it answers again, and a call may go at once.
    ///
    /// `probe` says whether it was answered. It has no credentials and asks for nothing, so it is no call of the account's.
    pub(crate) async fn probe(&self, probe: impl Future<Output = bool> + Send) -> bool {
        if !self.is_silent() {
            return false;
        }
        let began = Instant::now();
        let answered = tokio::time::timeout(PROBE, probe).await.unwrap_or(false);
        let outcome = if answered { "ok" } else { "Transient" };
        self.shared.metrics.call(self.limiter.service, "probe", outcome, began.elapsed());
        self.limiter.probed(answered)
    }

    /// Makes a call whose turn it is, and which is over after `most`.
    pub(crate) async fn call<T>(
        &self,
        operation: &'static str,
        most: Duration,
        unanswered: fn(String) -> Failure,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        let began = Instant::now();
        // The monotonic clock stands still while a machine is suspended, and others lead meanwhile, so the wall clock is asked too.
        let clock = &self.shared.clock;
        let latest = clock.now().saturating_add(most).unwrap_or(Timestamp::MAX);
        let (result, status) =
            within(began + most, || clock.now() > latest, with_status(call)).await.unwrap_or_else(|| {
                let late = format!("{operation} was not answered within {} s", most.as_secs_f32());
                (Err(unanswered(late)), None)
            });
        self.limiter.note_result(&result, status);
        let outcome = result.as_ref().map_or_else(|failure| failure.reason().as_str(), |_| "ok");
        self.shared.metrics.call(self.limiter.service, operation, outcome, began.elapsed());
        tracing::debug!(operation, outcome, "remote call");
        result
    }
}

/// `call` as long as it is driven before `deadline`, and not `too_late`. A process that was suspended does not go on with what it was
/// about to send: [`tokio::time::timeout`] would let it.
async fn within<T>(
    deadline: Instant,
    too_late: impl Fn() -> bool,
    call: impl Future<Output = T>,
) -> Option<T> {
    let (mut call, mut late) = (pin!(call), pin!(sleep_until(deadline)));
    poll_fn(|context| {
        let over = Instant::now() >= deadline || too_late() || late.as_mut().poll(context).is_ready();
        if over { Poll::Ready(None) } else { call.as_mut().poll(context).map(Some) }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a call was sent, of which so much time is left by the one clock and which is too late by the other.
    async fn sends(left: Duration, too_late: bool) -> bool {
        within(Instant::now() + left, || too_late, async {}).await.is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_too_late_by_either_clock_is_not_sent() {
        let hour = Duration::from_secs(3600);
        assert!(sends(hour, false).await);
        assert!(!sends(Duration::ZERO, false).await);
        assert!(!sends(hour, true).await, "the machine was suspended, and its own clock with it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_under_way_ends_when_it_is_too_late_by_either_clock() {
        let began = Instant::now();
        assert!(
            within(began + Duration::from_secs(5), || false, std::future::pending::<()>()).await.is_none()
        );
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        let (suspended, sent) = (std::cell::Cell::new(false), std::cell::Cell::new(false));
        let call = async {
            suspended.set(true);
            tokio::task::yield_now().await;
            sent.set(true);
        };
        assert!(within(began + Duration::from_secs(3600), || suspended.get(), call).await.is_none());
        assert!(!sent.get());
    }
}
