//! What was found out about services, so that it is not asked for again in each run.

use std::{collections::HashMap, time::Duration};

use parking_lot::Mutex;
use tokio::time::Instant;

/// How long it is believed.
const BELIEVED: Duration = Duration::from_secs(6 * 3600);
/// How much is kept. Beyond it, all is found out again.
const MOST: usize = 50_000;

/// What something was found out about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::s3) enum Subject {
    /// A part of buckets that a service has or has not, by the digest of its address and of the credentials.
    Service(String, &'static str),
    /// A part of one object of this uid and generation.
    Object(String, Option<i64>, &'static str),
}

/// Why a service does not do something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::s3) enum Refusal {
    /// The service has nothing of the kind.
    Unsupported(String),
    /// The service has it, and we may not use it.
    Denied(String),
}

#[derive(Default)]
pub(in crate::s3) struct Known(Mutex<HashMap<Subject, (Instant, Refusal)>>);

impl Known {
    /// What the service said, not long ago.
    pub(in crate::s3) fn refusal(&self, subject: &Subject) -> Option<Refusal> {
        let mut all = self.0.lock();
        let (since, refusal) = all.get(subject)?.clone();
        if since.elapsed() < BELIEVED {
            return Some(refusal);
        }
        all.remove(subject);
        None
    }

    pub(in crate::s3) fn note(&self, subject: Subject, refusal: Refusal) {
        let mut all = self.0.lock();
        if all.len() >= MOST {
            all.clear();
        }
        all.insert(subject, (Instant::now(), refusal));
    }

    /// What was said in this service's name is to be tried again: something else may have answered in its place.
    pub(in crate::s3) fn forget_service(&self, digest: &str) {
        self.0.lock().retain(|subject, _| !matches!(subject, Subject::Service(of, _) if of == digest));
    }

    /// What concerns this object is to be tried again.
    pub(in crate::s3) fn forget(&self, uid: &str) {
        self.0.lock().retain(|subject, _| !matches!(subject, Subject::Object(of, ..) if of == uid));
    }
}
