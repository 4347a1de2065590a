//! The guard: the last question before a call that changes something.

use std::{ops::Deref, sync::Arc};

use crate::engine::{
    account::Account, context::Context, once::calls::SendState, retry::Failure, seams::CrashPoint,
};

/// Lets changing calls pass while this process leads, and will lead until the call has ended. Also a [`Context`].
pub struct Guard {
    ctx: Context,
    token: String,
    once: Option<Arc<SendState>>,
}

impl Guard {
    pub(crate) fn new(ctx: Context, token: String, once: Option<Arc<SendState>>) -> Self {
        Self { ctx, token, once }
    }

    /// The same guard at another account.
    pub(crate) fn elsewhere(&self, account: &Account) -> Self {
        Self { ctx: self.ctx.elsewhere(account), token: self.token.clone(), once: self.once.clone() }
    }

    /// Makes a call that changes something at the account of this run, in its turn and with the engine's time-out.
    /// In a step that was planned as `once`, it sends one call and no more.
    ///
    /// Leadership is checked after the turn has come, not before: waiting for it can take longer than a lease lasts.
    ///
    /// # Errors
    /// What `call` returns; [`Failure::NeverSent`] without a call when this process no longer leads;
    /// [`Failure::Ambiguous`] when the time-out strikes.
    pub async fn write<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.ctx.limiter.turn().await?;
        if self.once.is_some() {
            self.ctx.shared.reached(CrashPoint::AboutToSend, self.key()).await;
        }
        // From here to the first poll of the call nothing is awaited, so nothing can come between.
        self.check()?;
        if let Some(send_state) = &self.once {
            send_state.mark_sent()?;
        }
        let result = self.ctx.call(operation, Failure::Ambiguous, call).await;
        if let Some(send_state) = &self.once {
            send_state.note_result(&result);
        }
        result
    }

    /// `Ok` when this process still leads the term in which the run began, and will until a call begun now has ended.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let shared = &self.ctx.shared;
        let term = shared.term.borrow();
        let covered = term.as_ref().is_some_and(|term| {
            term.token == self.token && term.covers(shared.settings.request_timeout, shared.clock.now())
        });
        match covered {
            true => Ok(()),
            false => Err(Failure::NeverSent("another replica leads, or may soon; it goes on".into())),
        }
    }
}

impl Deref for Guard {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.ctx
    }
}
