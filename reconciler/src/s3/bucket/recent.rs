//! What buckets looked like a moment ago: what is made for a bucket wakes it a few times while it comes about, and the bucket need not
//! be looked at anew for each.

use std::{collections::HashMap, time::Duration};

use concierge_shared::s3::Bucket;
use parking_lot::Mutex;
use tokio::time::Instant;

use super::Here;
use crate::{engine::Context, s3::connection::Connection};

/// How long a look is believed: shorter than the shortest time between two resyncs.
const FRESH: Duration = Duration::from_secs(8);
/// How many are remembered at most.
const MOST: usize = 5000;

/// The last look at each bucket, by the object's uid.
#[derive(Default)]
pub(super) struct Recent(Mutex<HashMap<String, Seen>>);

struct Seen {
    at: Instant,
    /// The generations of the Bucket and of its Provider, and the digest of the credentials.
    of: (Option<i64>, Option<i64>, String),
    here: Here,
}

fn uid(bucket: &Bucket) -> &str {
    bucket.metadata.uid.as_deref().unwrap_or_default()
}

fn of(to: &Connection, bucket: &Bucket) -> (Option<i64>, Option<i64>, String) {
    (bucket.metadata.generation, to.provider.metadata.generation, to.digest.clone())
}

impl Recent {
    /// The bucket as it was seen a moment ago, unless somebody has changed anything since.
    pub(super) fn get(&self, ctx: &Context, to: &Connection, bucket: &Bucket) -> Option<Here> {
        let all = self.0.lock();
        let seen = all
            .get(uid(bucket))
            .filter(|_| !ctx.is_edited() && bucket.metadata.deletion_timestamp.is_none())?;
        (seen.at.elapsed() < FRESH && seen.of == of(to, bucket)).then(|| seen.here.clone())
    }

    pub(super) fn note(&self, to: &Connection, bucket: &Bucket, here: &Here) {
        let mut all = self.0.lock();
        if all.len() >= MOST {
            all.retain(|_, seen| seen.at.elapsed() < FRESH);
        }
        if all.len() < MOST {
            let seen = Seen { at: Instant::now(), of: of(to, bucket), here: here.clone() };
            all.insert(uid(bucket).to_owned(), seen);
        }
    }

    /// The bucket is about to be changed.
    pub(super) fn forget(&self, bucket: &Bucket) {
        self.0.lock().remove(uid(bucket));
    }
}
