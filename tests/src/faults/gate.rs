//! A gate a request waits at until the test lets it through.

use std::sync::Arc;

use tokio::sync::watch;

/// Shut until opened, then open for good. Clones are the same gate.
#[derive(Clone, Debug)]
pub struct Gate(Arc<State>);

#[derive(Debug)]
struct State {
    open: watch::Sender<bool>,
    reached: watch::Sender<u32>,
}

impl Gate {
    /// A shut gate.
    pub fn new() -> Self {
        Self(Arc::new(State { open: watch::Sender::new(false), reached: watch::Sender::new(0) }))
    }

    /// Returns once `requests` of them have come to the gate.
    pub async fn reached(&self, requests: u32) {
        let mut reached = self.0.reached.subscribe();
        // The sender lives in self, so waiting cannot fail.
        let _ = reached.wait_for(|count| *count >= requests).await;
    }

    /// Lets through all that wait and all that will come.
    pub fn open(&self) {
        self.0.open.send_replace(true);
    }

    pub(super) async fn pass(&self) {
        self.0.reached.send_modify(|count| *count += 1);
        let mut open = self.0.open.subscribe();
        let _ = open.wait_for(|open| *open).await;
    }
}

impl Default for Gate {
    fn default() -> Self {
        Self::new()
    }
}
