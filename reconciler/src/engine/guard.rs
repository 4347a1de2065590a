//! The guard: the last question before a call that changes something.

use std::{ops::Deref, sync::Arc};

use parking_lot::Mutex;
use serde_json::json;

use super::{
    crash::CrashPoint,
    failure::Failure,
    pass::{Pass, kubernetes, secret_target},
};

/// Lets changing calls pass while this process leads, and will lead until the call has ended. Also a [`Pass`].
pub struct Guard {
    pass: Pass,
    token: String,
    once: Option<Arc<Fuse>>,
}

/// Remembers whether the one call of an intent has been sent.
#[derive(Debug, Default)]
pub(crate) struct Fuse(Mutex<Sent>);

/// What is known of the one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sent {
    /// It was not sent.
    #[default]
    No,
    /// It was; no answer yet, or an unclear one.
    Perhaps,
    /// It was, and was refused.
    WithoutEffect,
    /// It was, and it took effect.
    Yes,
}

impl Guard {
    pub(crate) fn new(pass: Pass, token: String, once: Option<Arc<Fuse>>) -> Self {
        Self { pass, token, once }
    }

    /// Makes a call that changes something at the account of this pass, in its turn and with the engine's time-out.
    /// In a step that was planned as `once`, it sends one call and no more.
    ///
    /// # Errors
    /// What `call` returns; [`Failure::NeverSent`] without a call when this process no longer leads;
    /// [`Failure::Ambiguous`] when the time-out strikes.
    pub async fn write<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T, Failure>> + Send,
    ) -> Result<T, Failure> {
        self.pass.gate.turn().await?;
        if self.once.is_some() {
            self.pass.hub.reached(CrashPoint::AboutToSend, self.key()).await;
        }
        // From here to the first poll of the call nothing is awaited, so nothing can come between.
        self.check()?;
        if let Some(fuse) = &self.once {
            fuse.burn()?;
        }
        let result = self.pass.call(operation, Failure::Ambiguous, call).await;
        if let Some(fuse) = &self.once {
            fuse.learn(&result);
        }
        result
    }

    /// Applies `data` to the Secret of this name, which is created if need be, owned by nobody, and labelled as ours.
    ///
    /// # Errors
    /// [`Failure::NeverSent`] without a write when this process no longer leads.
    pub async fn apply_secret(
        &self,
        namespace: &str,
        name: &str,
        data: impl IntoIterator<Item = (&str, &[u8])> + Send,
    ) -> Result<(), Failure> {
        self.check()?;
        let data =
            data.into_iter().map(|(key, value)| (key.to_owned(), k8s_openapi::ByteString(value.to_vec())));
        let data: std::collections::BTreeMap<_, _> = data.collect();
        let object = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "labels": { "app.kubernetes.io/managed-by": "concierge" },
            },
            "data": data,
        });
        let target = secret_target(namespace, name);
        self.pass.hub.cluster.apply(&target, &object).await.map_err(kubernetes)?;
        Ok(())
    }

    /// `Ok` when this process still leads the term in which the pass began, and will until a call begun now has ended.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let hub = &self.pass.hub;
        let term = hub.term.borrow();
        let covered = term.as_ref().is_some_and(|term| {
            term.token == self.token && term.covers(hub.settings.request_timeout, hub.clock.now())
        });
        match covered {
            true => Ok(()),
            false => Err(Failure::NeverSent("another replica leads, or may soon; it goes on".into())),
        }
    }
}

impl Deref for Guard {
    type Target = Pass;

    fn deref(&self) -> &Pass {
        &self.pass
    }
}

impl Fuse {
    pub(crate) fn sent(&self) -> Sent {
        *self.0.lock()
    }

    fn burn(&self) -> Result<(), Failure> {
        match std::mem::replace(&mut *self.0.lock(), Sent::Perhaps) {
            Sent::No => Ok(()),
            sent => {
                *self.0.lock() = sent;
                Err(Failure::Invalid("a second call under one intent; it was not sent".into()))
            }
        }
    }

    fn learn<T>(&self, result: &Result<T, Failure>) {
        *self.0.lock() = match result {
            Ok(_) => Sent::Yes,
            Err(failure) if failure.had_no_effect() => Sent::WithoutEffect,
            Err(_) => Sent::Perhaps,
        };
    }
}
