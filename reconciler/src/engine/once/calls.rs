//! The calls under way that may be sent at most once, as this process knows them.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::watch;

use crate::engine::{cluster::objects::ObjectKey, retry::Failure, schedule::queue::Queue};

/// Remembers whether the one call of an intent has been sent.
#[derive(Debug, Default)]
pub(crate) struct SendState(Mutex<Sent>);

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

/// The calls under way.
pub(crate) struct Calls {
    state: Mutex<State>,
    /// The term for which the intents that others wrote have been counted.
    counted: watch::Sender<Option<String>>,
    queue: Arc<Queue>,
}

#[derive(Default)]
struct State {
    /// By account and fingerprint: whose call it is.
    in_flight: HashMap<(String, String), ObjectKey>,
    waiting: HashSet<ObjectKey>,
    /// By intent: whether its call was sent from here.
    send_states: HashMap<String, Arc<SendState>>,
    /// By intent: what came of its call, where the API server does not take the status.
    unrecorded: HashMap<String, Result<String, Failure>>,
    /// Where the intents that others wrote could not be counted, and why.
    uncounted: Vec<Uncounted>,
}

/// Objects whose intents can't be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Uncounted {
    pub(crate) kind: &'static str,
    /// Empty for all namespaces.
    pub(crate) namespace: String,
    pub(crate) why: String,
}

impl Uncounted {
    fn is_of(&self, key: &ObjectKey) -> bool {
        self.kind == key.kind && (self.namespace.is_empty() || self.namespace == key.namespace)
    }
}

/// Why a call has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    /// Another object's call asks for the same at the same account.
    With(ObjectKey),
    /// The intents of earlier leaders have not been counted yet.
    Counting,
    /// Those of this kind in this namespace can't be, for this reason.
    Uncounted(String),
}

impl Calls {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Self { state: Mutex::default(), counted: watch::Sender::default(), queue }
    }

    /// Makes `key` the only object with this call in flight in the term; it is woken when it has to wait and the way is free.
    pub(crate) fn reserve(
        &self,
        fencing_token: &str,
        account: &str,
        fingerprint: &str,
        key: &ObjectKey,
    ) -> Result<(), Busy> {
        let mut state = self.state.lock();
        if self.counted.borrow().as_deref() != Some(fencing_token) {
            state.waiting.insert(key.clone());
            return Err(Busy::Counting);
        }
        if let Some(why) = state.uncounted.iter().find(|part| part.is_of(key)).map(|part| part.why.clone()) {
            state.waiting.insert(key.clone());
            return Err(Busy::Uncounted(why));
        }
        let holder = state
            .in_flight
            .entry((account.to_owned(), fingerprint.to_owned()))
            .or_insert_with(|| key.clone())
            .clone();
        if holder == *key {
            return Ok(());
        }
        state.waiting.insert(key.clone());
        Err(Busy::With(holder))
    }

    /// Gives one call back that `key` has reserved and that was not made.
    pub(crate) fn unreserve(&self, account: &str, fingerprint: &str, key: &ObjectKey) {
        let mut state = self.state.lock();
        let call = (account.to_owned(), fingerprint.to_owned());
        if state.in_flight.get(&call) == Some(key) {
            state.in_flight.remove(&call);
            self.wake(state);
        }
    }

    /// The call of `key` is over.
    pub(crate) fn release(&self, key: &ObjectKey) {
        let mut state = self.state.lock();
        let before = state.in_flight.len();
        state.in_flight.retain(|_, holder| holder != key);
        if state.in_flight.len() < before {
            self.wake(state);
        }
    }

    /// In the term, these are under way, by account, fingerprint and object, and no others but those of `uncounted`
    /// and those that were counted or reserved in this term before.
    pub(crate) fn count(
        &self,
        fencing_token: &str,
        found: impl IntoIterator<Item = (String, String, ObjectKey)>,
        uncounted: Vec<Uncounted>,
    ) {
        let mut state = self.state.lock();
        if self.counted.borrow().as_deref() != Some(fencing_token) {
            state.in_flight.clear();
        }
        for (account, fingerprint, key) in found {
            state.in_flight.entry((account, fingerprint)).or_insert(key);
        }
        state.uncounted = uncounted;
        self.counted.send_replace(Some(fencing_token.to_owned()));
        self.wake(state);
    }

    /// Waits until the calls of earlier leaders are counted in the term; by then everything that they have written is known.
    pub(crate) async fn wait_counted(&self, fencing_token: &str) {
        // The sender lives as long as `self`.
        let _ = self.counted.subscribe().wait_for(|counted| counted.as_deref() == Some(fencing_token)).await;
    }

    /// Remembers whether the call of `intent` has been sent.
    pub(crate) fn begin(&self, intent: &str) -> Arc<SendState> {
        let send_state = Arc::new(SendState::default());
        self.state.lock().send_states.insert(intent.to_owned(), send_state.clone());
        send_state
    }

    /// What this process knows of `intent`; `None` when it did not write it.
    pub(crate) fn send_state(&self, intent: &str) -> Option<Arc<SendState>> {
        self.state.lock().send_states.get(intent).cloned()
    }

    /// Forgets an intent that is no more.
    pub(crate) fn forget(&self, intent: &str) {
        let mut state = self.state.lock();
        state.send_states.remove(intent);
        state.unrecorded.remove(intent);
    }

    /// Remembers the id that a call returned, or its refusal, until the status can be written.
    pub(crate) fn remember(&self, intent: &str, outcome: Result<String, Failure>) {
        self.state.lock().unrecorded.insert(intent.to_owned(), outcome);
    }

    /// What came of the call of `intent`, if its status could not be written.
    pub(crate) fn unrecorded(&self, intent: &str) -> Option<Result<String, Failure>> {
        self.state.lock().unrecorded.get(intent).cloned()
    }

    fn wake(&self, mut state: parking_lot::MutexGuard<'_, State>) {
        let waiting = std::mem::take(&mut state.waiting);
        drop(state);
        waiting.into_iter().for_each(|key| self.queue.add(key));
    }
}

impl SendState {
    pub(crate) fn sent(&self) -> Sent {
        *self.0.lock()
    }

    pub(crate) fn mark_sent(&self) -> Result<(), Failure> {
        match std::mem::replace(&mut *self.0.lock(), Sent::Perhaps) {
            Sent::No => Ok(()),
            sent => {
                *self.0.lock() = sent;
                Err(Failure::Invalid("a second call under one intent; it was not sent".into()))
            }
        }
    }

    pub(crate) fn note_result<T>(&self, result: &Result<T, Failure>) {
        *self.0.lock() = match result {
            Ok(_) => Sent::Yes,
            Err(failure) if failure.had_no_effect() => Sent::WithoutEffect,
            Err(_) => Sent::Perhaps,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ObjectKey {
        ObjectKey::new("Toy", "default", name)
    }

    #[tokio::test]
    async fn the_same_call_is_made_for_one_object_after_the_other() {
        let queue = Arc::new(Queue::default());
        let calls = Calls::new(queue.clone());
        calls.count("1", [], Vec::new());
        calls.reserve("1", "shop/a", "latte", &key("a")).unwrap();
        calls.reserve("1", "shop/a", "latte", &key("a")).unwrap();
        calls.reserve("1", "shop/a", "mocha", &key("b")).unwrap();
        calls.reserve("1", "shop/b", "latte", &key("b")).unwrap();
        assert_eq!(calls.reserve("1", "shop/a", "latte", &key("c")), Err(Busy::With(key("a"))));
        calls.release(&key("a"));
        assert_eq!(queue.next().await.key, key("c"));
        calls.reserve("1", "shop/a", "latte", &key("c")).unwrap();
    }

    #[tokio::test]
    async fn nothing_is_sent_before_the_calls_of_earlier_leaders_are_counted() {
        let queue = Arc::new(Queue::default());
        let calls = Calls::new(queue.clone());
        assert_eq!(calls.reserve("1", "shop/a", "latte", &key("a")), Err(Busy::Counting));
        calls.count("1", [("shop/a".into(), "latte".into(), key("b"))], Vec::new());
        assert_eq!(queue.next().await.key, key("a"));
        assert_eq!(calls.reserve("1", "shop/a", "latte", &key("a")), Err(Busy::With(key("b"))));
        assert_eq!(calls.reserve("2", "shop/a", "mocha", &key("a")), Err(Busy::Counting));
    }
}
