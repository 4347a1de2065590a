//! When each service was looked at: whoever refers to it wakes it, and a thousand that come at once are no reason to ask as often.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::{sync::Semaphore, time::Instant};

use super::seen::Seen;
use crate::engine::{Context, Failure, ObjectKey};

/// The shortest time from one look to the next.
const GAP: Duration = Duration::from_secs(30);
/// How many looks are remembered. Beyond it those go of which the time is over.
const MOST: usize = 1000;
/// How long it takes at least to find out that a service is unreachable, which means that its host does not even refuse connections.
const LONG: Duration = Duration::from_millis(500);
/// How many of those are looked at at a time: each keeps a worker.
const UNREACHABLE_AT_ONCE: usize = 2;

/// The last look at each service.
pub(super) struct Looks {
    all: Mutex<HashMap<ObjectKey, Look>>,
    /// Those that were unreachable when they were looked at last: the digest of where that was, and what was said of it.
    unreachable: Mutex<HashMap<ObjectKey, (String, Failure)>>,
    turns: Semaphore,
}

impl Default for Looks {
    fn default() -> Self {
        Self {
            all: Mutex::default(),
            unreachable: Mutex::default(),
            turns: Semaphore::new(UNREACHABLE_AT_ONCE),
        }
    }
}

#[derive(Clone)]
struct Look {
    at: Instant,
    asked: Timestamp,
    /// The digest of where it is, and of the credentials.
    of: String,
    came: Result<Seen, Failure>,
}

/// What came of a look.
#[derive(Clone)]
pub(super) struct Looked {
    pub(super) seen: Seen,
    /// When it is over that nobody looks again.
    pub(super) again: Option<Duration>,
    /// When the service was asked, which an earlier run may not have written; `None` when it is not asked.
    pub(super) at: Option<Timestamp>,
}

impl Looks {
    /// What `look` comes to, or came to a moment ago. Where no connection came about, the service has noticed nothing, and the account
    /// decides when that is tried again.
    pub(super) async fn look(
        &self,
        ctx: &Context,
        of: &str,
        look: impl Future<Output = Result<Seen, Failure>> + Send,
    ) -> Result<Looked, Failure> {
        let known = self.all.lock().get(ctx.key()).cloned();
        let known = known.filter(|known| known.of == of && known.at.elapsed() < GAP && !ctx.is_edited());
        if let Some(Look { at, asked, came, .. }) = known {
            let again = Some(GAP.saturating_sub(at.elapsed()));
            return came.map(|seen| Looked { seen, again, at: Some(asked) });
        }
        let was_unreachable = self.unreachable.lock().get(ctx.key()).cloned();
        let was_unreachable = was_unreachable.filter(|(at, _)| at == of && !ctx.is_edited());
        let _turn = match was_unreachable {
            None => None,
            Some((_, failure)) => match self.turns.try_acquire() {
                Ok(turn) => Some(turn),
                // It comes again within seconds. Where there are many, it may take several times until it has a turn.
                Err(_) => return Err(failure),
            },
        };
        let began = Instant::now();
        let came = look.await;
        self.note_unreachable(ctx.key(), of, &came, began.elapsed());
        let asked = ctx.now();
        if !matches!(came, Err(Failure::NeverSent(_))) {
            self.note(ctx.key(), Look { at: Instant::now(), asked, of: of.to_owned(), came: came.clone() });
        }
        came.map(|seen| Looked { seen, again: None, at: Some(asked) })
    }

    fn note_unreachable(&self, key: &ObjectKey, of: &str, came: &Result<Seen, Failure>, took: Duration) {
        let mut unreachable = self.unreachable.lock();
        match came {
            Err(failure @ Failure::NeverSent(_)) if took >= LONG => {
                // Without what is known of it, one is looked at like any other.
                if unreachable.len() >= MOST {
                    unreachable.clear();
                }
                unreachable.insert(key.clone(), (of.to_owned(), failure.clone()));
            }
            // That may be the account's word: its next call has to wait.
            Err(Failure::NeverSent(_)) => {}
            _ => drop(unreachable.remove(key)),
        }
    }

    fn note(&self, key: &ObjectKey, look: Look) {
        let mut all = self.all.lock();
        if all.len() >= MOST {
            all.retain(|_, look| look.at.elapsed() < GAP);
        }
        all.insert(key.clone(), look);
    }
}
