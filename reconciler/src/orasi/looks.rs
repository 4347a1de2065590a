//! When each service was looked at: whoever refers to it wakes it, and a thousand that come at once are no reason to ask as often.

use std::{collections::HashMap, time::Duration};

use jiff::Timestamp;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::seen::Seen;
use crate::engine::{Context, Failure, ObjectKey};

/// The shortest time from one look to the next.
const GAP: Duration = Duration::from_secs(30);
/// How many looks are remembered. Beyond it those go of which the time is over.
const MOST: usize = 1000;

/// The last look at each service.
#[derive(Default)]
pub(super) struct Looks(Mutex<HashMap<ObjectKey, Look>>);

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
        let known = self.0.lock().get(ctx.key()).cloned();
        let known = known.filter(|known| known.of == of && known.at.elapsed() < GAP && !ctx.is_edited());
        if let Some(Look { at, asked, came, .. }) = known {
            let again = Some(GAP.saturating_sub(at.elapsed()));
            return came.map(|seen| Looked { seen, again, at: Some(asked) });
        }
        let came = look.await;
        let asked = ctx.now();
        if !matches!(came, Err(Failure::NeverSent(_))) {
            self.note(ctx.key(), Look { at: Instant::now(), asked, of: of.to_owned(), came: came.clone() });
        }
        came.map(|seen| Looked { seen, again: None, at: Some(asked) })
    }

    fn note(&self, key: &ObjectKey, look: Look) {
        let mut all = self.0.lock();
        if all.len() >= MOST {
            all.retain(|_, look| look.at.elapsed() < GAP);
        }
        all.insert(key.clone(), look);
    }
}
