//! Whether what a watch brought may be believed.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::RwLock;
use tokio::{sync::watch, time::Instant};

/// How long a watch may be broken before its cache is no longer believed.
const STALE_AFTER: Duration = Duration::from_secs(15);
/// How often the API server is asked for a kind that is off: at least and at most.
const OFF_WAITS: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(30)];
/// How long it is asked that often. A kind that is off for longer was left out on purpose, or nobody works on it.
const OFF_LATELY: Duration = Duration::from_secs(600);
/// The time between two requests for any of the kinds that are off: for those that are off for long, and for the others.
const OFF_APART: [Duration; 2] = [Duration::from_secs(2), Duration::from_millis(50)];

/// Why a kind can't be watched at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    Missing,
    Forbidden,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Refused::Missing => "its CustomResourceDefinition is not installed",
            Refused::Forbidden => "this program may not list or watch it",
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No list was answered yet.
    Listing,
    /// Listed, and the watch is open.
    Open,
    /// Listed, but the watch is open no longer.
    Lost,
    /// The API server refuses to list it. It is asked now and then.
    Off(Refused),
}

#[derive(Clone, Copy, Debug)]
struct State {
    phase: Phase,
    since: Instant,
    /// Whether people were told that this lasts too long.
    told: bool,
}

impl State {
    fn is_off(self) -> bool {
        matches!(self.phase, Phase::Off(_))
    }
}

/// What all watches of a process share.
#[derive(Default)]
pub(super) struct Shared {
    /// Told when a watch opens, breaks or is refused.
    pub(super) changed: watch::Sender<()>,
    /// Told when a kind that was off can be watched: what kept it off may have kept others off.
    pub(super) back: watch::Sender<()>,
    /// How many are off.
    off: AtomicU32,
}

impl Shared {
    /// How many are off.
    pub(super) fn off(&self) -> u32 {
        self.off.load(Relaxed)
    }
}

/// The health of one watch: of a kind, in one namespace or in all.
pub(super) struct Health {
    pub(super) kind: &'static str,
    /// The namespace that is watched; `None` for all.
    pub(super) namespace: Option<String>,
    state: RwLock<State>,
    pub(super) all: Arc<Shared>,
}

impl Health {
    pub(super) fn new(kind: &'static str, namespace: Option<String>, all: &Arc<Shared>) -> Arc<Self> {
        let state = State { phase: Phase::Listing, since: Instant::now(), told: false };
        Arc::new(Self { kind, namespace, state: RwLock::new(state), all: all.clone() })
    }

    /// True when what was listed and watched is what there is, but for a short delay.
    pub(super) fn believed(&self) -> bool {
        let state = *self.state.read();
        match state.phase {
            Phase::Open => true,
            Phase::Lost => state.since.elapsed() <= STALE_AFTER,
            Phase::Listing | Phase::Off(_) => false,
        }
    }

    /// True when the first list was answered, or refused for good.
    pub(super) fn settled(&self) -> bool {
        self.state.read().phase != Phase::Listing
    }

    pub(super) fn refused(&self) -> Option<Refused> {
        match self.state.read().phase {
            Phase::Off(refused) => Some(refused),
            _ => None,
        }
    }

    /// What is wrong now and will pass; `None` also when the watch is off.
    pub(super) fn trouble(&self) -> Option<String> {
        match self.state.read().phase {
            Phase::Listing => Some(format!("{self} not listed yet")),
            Phase::Lost if !self.believed() => Some(format!("watch of {self} broken")),
            _ => None,
        }
    }

    /// The list was answered to its end, or the watch is open.
    pub(super) fn open(&self) {
        let before = self.enter(Phase::Open);
        match before.phase {
            Phase::Off(_) => tracing::info!(watch = %self, "the kind can be watched now"),
            _ if before.told => tracing::info!(watch = %self, "the watch is open again"),
            _ => {}
        }
    }

    /// The watch has ended. That is nothing to tell before it stays so.
    pub(super) fn lost(&self) {
        if self.state.read().phase == Phase::Open {
            self.enter(Phase::Lost);
        }
    }

    /// The API server refused the request more than once.
    pub(super) fn refuse(&self, refused: Refused) {
        let before = self.enter(Phase::Off(refused));
        if before.phase != Phase::Off(refused) {
            tracing::warn!(
                watch = %self,
                "the kind is off: {refused}; other kinds go on, and it is tried again now and then"
            );
        }
    }

    /// A list or a watch failed.
    pub(super) fn failed(&self, error: &str) {
        let mut state = self.state.write();
        let lasting =
            !matches!(state.phase, Phase::Open | Phase::Off(_)) && state.since.elapsed() > STALE_AFTER;
        if lasting && !std::mem::replace(&mut state.told, true) {
            tracing::warn!(watch = %self, error, "a watch is broken; what it brought is not believed until it is open");
        } else {
            tracing::debug!(watch = %self, error, "a watch failed; it is tried again");
        }
    }

    /// When the API server is asked again for a kind that is off. It refuses such a request before it reads anything, but
    /// logs it: kinds that were left out for good share one request every two seconds.
    pub(super) fn off_wait(&self) -> Duration {
        let lately = self.state.read().since.elapsed() < OFF_LATELY;
        let apart = OFF_APART[usize::from(lately)].saturating_mul(self.all.off());
        apart.clamp(OFF_WAITS[0], OFF_WAITS[1])
    }

    fn enter(&self, phase: Phase) -> State {
        let mut state = self.state.write();
        let before = *state;
        if before.phase == phase {
            return before;
        }
        *state = State { phase, since: Instant::now(), told: false };
        drop(state);
        self.count_off(before.is_off(), matches!(phase, Phase::Off(_)));
        self.all.changed.send_replace(());
        before
    }

    fn count_off(&self, was: bool, is: bool) {
        match (was, is) {
            (false, true) => drop(self.all.off.fetch_add(1, Relaxed)),
            (true, false) => {
                self.all.off.fetch_sub(1, Relaxed);
                self.all.back.send_replace(());
            }
            _ => {}
        }
    }
}

/// `Pet`, `Pet in default`
impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} in {namespace}", self.kind),
            None => f.write_str(self.kind),
        }
    }
}
