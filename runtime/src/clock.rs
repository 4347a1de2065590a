//! The API server's clock, as its answers tell it.

use std::{sync::Arc, time::Instant};

use axum::http::{HeaderMap, header::DATE};
use jiff::{SignedDuration, Timestamp, fmt::rfc2822};
use parking_lot::RwLock;

/// What time it is at the API server. A step of the machine's own clock does not change it.
#[derive(Clone, Debug, Default)]
pub struct ServerClock(Arc<RwLock<Option<Heard>>>);

#[derive(Clone, Copy, Debug)]
struct Heard {
    date: Timestamp,
    at: Instant,
}

impl ServerClock {
    /// The API server's time, at most a second late; the machine's before it has told any.
    pub fn now(&self) -> Timestamp {
        let heard = *self.0.read();
        let Some(Heard { date, at }) = heard else { return Timestamp::now() };
        let since = SignedDuration::try_from(at.elapsed()).unwrap_or(SignedDuration::MAX);
        date.saturating_add(since).unwrap_or(Timestamp::MAX)
    }

    /// Takes the time out of an answer.
    pub(crate) fn hear(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|date| rfc2822::DateTimeParser::new().parse_timestamp(date).ok());
        if let Some(date) = date {
            *self.0.write() = Some(Heard { date, at: Instant::now() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_last_answer_and_runs_on() {
        let clock = ServerClock::default();
        assert!(Timestamp::now().duration_since(clock.now()).abs() < SignedDuration::from_secs(5));
        for date in ["Sun, 06 Nov 1994 08:49:37 GMT", "not a date"] {
            clock.hear(&HeaderMap::from_iter([(DATE, date.parse().unwrap())]));
            let since = clock.now().duration_since("1994-11-06T08:49:37Z".parse().unwrap());
            assert!(!since.is_negative() && since < SignedDuration::from_secs(5), "{since}");
        }
    }
}
