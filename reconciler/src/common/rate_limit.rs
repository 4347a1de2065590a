//! What a provider's spec says of its service, for the engine.

use concierge_shared::common::RateLimit;

use crate::engine::Limits;

/// The limits of an account whose provider says `rate_limit`; what it leaves out is as in `others`.
pub(crate) fn limits(rate_limit: Option<&RateLimit>, others: Limits) -> Limits {
    let said = rate_limit.copied().unwrap_or_default();
    // The rules let no other numbers in; objects that were stored before them are read as far as they make sense.
    let number = |number: Option<i64>| number.and_then(|number| u32::try_from(number.max(1)).ok());
    Limits {
        concurrency: number(said.concurrency).map_or(others.concurrency, |number| number as usize),
        rate: number(said.requests_per_second).map_or(others.rate, f64::from),
        burst: number(said.burst).unwrap_or(others.burst),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_said_is_as_it_was() {
        let others = Limits::default();
        assert_eq!(limits(None, others), others);
        let said = RateLimit { requests_per_second: Some(2), burst: Some(3), concurrency: Some(0) };
        assert_eq!(limits(Some(&said), others), Limits { rate: 2.0, burst: 3, concurrency: 1 });
        let said = RateLimit { burst: Some(i64::MAX), ..RateLimit::default() };
        assert_eq!(limits(Some(&said), others), others);
    }
}
