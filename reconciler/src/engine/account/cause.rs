//! Why an account waits, in words for all objects that wait with it. They may be of other namespaces than the object whose call failed,
//! so they are told the kind of failure, the HTTP status and the time, and nothing that the service said.

use std::{cell::Cell, fmt};

use jiff::Timestamp;

use crate::engine::retry::Failure;

tokio::task_local! {
    static STATUS: Cell<Option<u16>>;
}

/// Notes the HTTP status with which a service answered the call that is being made.
pub(crate) fn note_status(status: u16) {
    // Outside of the engine there is nowhere to note it.
    let _ = STATUS.try_with(|noted| noted.set(Some(status)));
}

/// What comes of `call`, and the HTTP status that was noted last in it.
pub(crate) async fn with_status<T>(call: impl Future<Output = T>) -> (T, Option<u16>) {
    let call = async { (call.await, STATUS.with(Cell::get)) };
    STATUS.scope(Cell::new(None), call).await
}

/// What went wrong, and when it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cause {
    what: String,
    since: Timestamp,
}

impl Cause {
    pub(super) fn of(failure: &Failure, status: Option<u16>, now: Timestamp) -> Self {
        let what = match (failure, status) {
            (Failure::NeverSent(_), _) => "there was no connection".to_owned(),
            (_, Some(status @ 200..300)) => format!("it answered {status} with what can't be used"),
            (_, Some(status)) => format!("it answered {status}"),
            (_, None) => "its answer did not come".to_owned(),
        };
        Self { what, since: now }
    }

    /// This cause, with the time at which the trouble `before` it began.
    pub(super) fn after(self, before: Option<&Self>) -> Self {
        let since = before.map_or(self.since, |before| before.since);
        Self { since, ..self }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, since {}", self.what, minute(self.since))
    }
}

/// The time to the minute.
pub(super) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%MZ").to_string()
}
