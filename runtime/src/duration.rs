//! Durations on the command line: `10s`, `2m30s`, `7d`.

use std::time::Duration;

/// Reads a duration such as `500ms`, `10s`, `1h 30m` or `7d`.
///
/// # Errors
/// When it is none, or negative.
pub fn parse(text: &str) -> Result<Duration, String> {
    let span: jiff::Span =
        text.parse().map_err(|_| format!("{text:?} is not a duration; write for instance 10s, 5m or 7d"))?;
    let duration =
        span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|error| error.to_string())?;
    Duration::try_from(duration).map_err(|_| "a duration can't be negative".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings_are_read() {
        assert_eq!(parse("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(parse("7d"), Ok(Duration::from_secs(7 * 24 * 3600)));
        assert!(parse("ten").is_err());
        assert!(parse("-1s").is_err());
    }
}
