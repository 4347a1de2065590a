//! What is logged on the thread of a test, in memory.

use std::{fmt, sync::Arc};

use concierge_runtime::logs::may_be_logged;
use parking_lot::Mutex;
use tracing::{
    Dispatch, Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};

/// Keeps all that is logged up to a level, by every library that may.
#[derive(Clone)]
pub struct Log {
    most: Level,
    lines: Arc<Mutex<String>>,
}

/// While it lives, what the thread logs is kept.
pub struct Kept {
    /// What is kept.
    pub log: Log,
    _logging: DefaultGuard,
    _another: Dispatch,
}

impl Log {
    /// Keeps what this thread logs from now on.
    pub fn keep(most: Level) -> Kept {
        let log = Self { most, lines: Arc::default() };
        let _logging = tracing::subscriber::set_default(log.clone());
        // While there is one only, what the thread of another test reaches first is logged nowhere.
        let _another = Dispatch::new(Self { most, lines: Arc::default() });
        Kept { log, _logging, _another }
    }

    /// All of it.
    pub fn text(&self) -> String {
        self.lines.lock().clone()
    }

    /// How many lines have this in them.
    pub fn count(&self, part: &str) -> usize {
        self.lines.lock().lines().filter(|line| line.contains(part)).count()
    }
}

impl Visit for Log {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.lines.lock().push_str(&format!("{field}={value:?} "));
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.most && may_be_logged(metadata)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.lines.lock().push_str(&format!("{} ", event.metadata().level()));
        event.record(&mut self.clone());
        self.lines.lock().push('\n');
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
