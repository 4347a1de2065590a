//! Log lines for people and for machines.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

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

/// Starts logging to standard error.
///
/// # Errors
/// When the filter can't be read, or logging has been started before.
pub fn init(args: &LogArgs) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let LogArgs { filter, format } = args;
    let terminal = std::io::stderr().is_terminal();
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(terminal).with_target(false);
    let registry = tracing_subscriber::registry().with(EnvFilter::try_new(filter)?);
    match (format, terminal) {
        (LogFormat::Json, _) | (LogFormat::Auto, false) => {
            registry.with(lines.json().flatten_event(true)).try_init()?;
        }
        (LogFormat::Text, _) | (LogFormat::Auto, true) => registry.with(lines.compact()).try_init()?,
    }
    Ok(())
}
