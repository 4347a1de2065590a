//! Log lines for people and for machines.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tracing::{Level, Metadata};
use tracing_subscriber::{EnvFilter, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// `json` in a pipe, `text` on a terminal.
    Auto,
    /// One JSON object a line.
    Json,
    /// Words, coloured on a terminal.
    Text,
}

/// What to log, and how.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Logs")]
pub struct LogArgs {
    /// What to log: a level (error, warn, info, debug, trace), or levels per module, for instance
    /// info,concierge_webhook=debug
    #[arg(long = "log", env = "CONCIERGE_LOG", default_value = "info", value_name = "FILTER")]
    filter: String,
    /// How log lines look
    #[arg(long = "log-format", env = "CONCIERGE_LOG_FORMAT", default_value = "auto", value_enum)]
    format: LogFormat,
}

/// The client and its watches log every attempt, whatever comes of it. We log once what matters of that. The operator's own filter wins
/// over this one.
const QUIET: &str = "kube_client=off,kube_runtime=off";

/// Whether anybody may see this at all: below information the SDK logs whole requests and answers, with session tokens and documents in
/// them. No filter of an operator lets that through.
pub fn may_be_logged(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::INFO || !metadata.target().starts_with("aws_")
}

/// Starts logging to standard error.
///
/// # Errors
/// When the filter can't be read, or logging has been started before.
pub fn init(args: &LogArgs) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let LogArgs { filter, format } = args;
    let terminal = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(terminal).with_target(false);
    let filter = EnvFilter::try_new(format!("{QUIET},{filter}"))?;
    let registry = tracing_subscriber::registry().with(filter_fn(may_be_logged)).with(filter);
    match (format, terminal) {
        (LogFormat::Json, _) | (LogFormat::Auto, false) => {
            registry.with(lines.json().flatten_event(true)).try_init()?;
        }
        (LogFormat::Text, _) | (LogFormat::Auto, true) => registry.with(lines.compact()).try_init()?,
    }
    Ok(())
}

/// How far apart the lines of a [`Seldom`] are.
const APART: Duration = Duration::from_secs(60);

/// For a line that every request would write in an outage: lets one a minute through.
#[derive(Default)]
pub struct Seldom(Mutex<Option<(Instant, u64)>>);

impl Seldom {
    /// How many lines were left out since the last one; nothing when this one is to be left out, too.
    pub fn now(&self) -> Option<u64> {
        let mut last = self.0.lock();
        match &mut *last {
            Some((at, left_out)) if at.elapsed() < APART => {
                *left_out += 1;
                None
            }
            _ => Some(last.replace((Instant::now(), 0)).map_or(0, |(_, left_out)| left_out)),
        }
    }
}

/// Warns as `tracing::warn!` does, with `more` for the lines that this [`Seldom`] has left out; those are for debugging.
#[macro_export]
macro_rules! warn_seldom {
    ($seldom:expr, $($line:tt)*) => {
        match $seldom.now() {
            Some(more) => tracing::warn!(more, $($line)*),
            None => tracing::debug!($($line)*),
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_a_minute_is_let_through_and_counts_the_others() {
        let seldom = Seldom::default();
        assert_eq!([seldom.now(), seldom.now(), seldom.now()], [Some(0), None, None]);
        let before = Instant::now().checked_sub(APART).unwrap();
        seldom.0.lock().as_mut().unwrap().0 = before;
        assert_eq!([seldom.now(), seldom.now()], [Some(2), None]);
    }

    #[test]
    fn what_the_sdk_sends_is_logged_at_no_level_whatever_the_operator_says() {
        let layers = tracing_subscriber::registry()
            .with(filter_fn(may_be_logged))
            .with(EnvFilter::new("aws_sigv4=trace,trace"));
        tracing::subscriber::with_default(layers, || {
            assert!(tracing::enabled!(target: "aws_sigv4", Level::WARN));
            assert!(tracing::enabled!(target: "hyper", Level::TRACE));
            assert!(!tracing::enabled!(target: "aws_sigv4::http_request::sign", Level::TRACE));
            assert!(!tracing::enabled!(target: "aws_smithy_runtime::client::orchestrator", Level::DEBUG));
        });
    }
}
