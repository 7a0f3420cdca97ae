//! Log lines: for people on a terminal, one JSON object a line otherwise, always on stderr.
//!
//! What identifies a client or lets it in (keys, tokens, session ids, cursors) is never a field:
//! those types have no `Display` and their `Debug` shows nothing.

use std::fmt;
use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::{EnvFilter, reload};

use crate::config::settings::{Log, LogFormat};

/// The log of this process.
pub(crate) struct Logging {
    exchange: Box<dyn Fn(EnvFilter) -> Result<(), reload::Error> + Send + Sync>,
}

/// Starts to log.
///
/// # Errors
///
/// The level cannot be read, or something logs already.
pub(crate) fn start(log: &Log) -> Result<Logging> {
    let filter = filter(&log.level)?;
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr);
    let pretty = match log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let (started, exchange): (_, Box<dyn Fn(EnvFilter) -> _ + Send + Sync>) = if pretty {
        let lines = lines.with_target(false).with_ansi(std::io::stderr().is_terminal());
        let lines = lines.with_env_filter(filter).with_filter_reloading();
        let handle = lines.reload_handle();
        (lines.try_init(), Box::new(move |filter| handle.reload(filter)))
    } else {
        let lines = lines.json().flatten_event(true);
        let lines = lines.with_env_filter(filter).with_filter_reloading();
        let handle = lines.reload_handle();
        (lines.try_init(), Box::new(move |filter| handle.reload(filter)))
    };
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))?;
    Ok(Logging { exchange })
}

impl Logging {
    /// Logs what is at least as important as this from now on.
    ///
    /// # Errors
    ///
    /// The level cannot be read.
    pub(crate) fn set_level(&self, level: &str) -> Result<()> {
        (self.exchange)(filter(level)?).context("the log level cannot be exchanged")
    }
}

impl fmt::Debug for Logging {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Logging")
    }
}

fn filter(level: &str) -> Result<EnvFilter> {
    // hyper and mio speak of single connections, which only helps whoever asks for it.
    EnvFilter::try_new(format!("{level},hyper=warn,mio=warn"))
        .context("the log level cannot be read")
}
