//! Log lines: for people on a terminal, one JSON object a line otherwise, always on stderr.
//!
//! What identifies a client or lets it in (keys, tokens, session ids, cursors) is never a field:
//! those types have no `Display` and their `Debug` shows nothing.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::EnvFilter;

use crate::config::settings::{Log, LogFormat};

/// Starts to log.
///
/// # Errors
///
/// The level cannot be read, or something logs already.
pub(crate) fn start(log: &Log) -> Result<()> {
    // hyper and mio speak of single connections, which only helps whoever asks for it.
    let filter = format!("{},hyper=warn,mio=warn", log.level);
    let filter = EnvFilter::try_new(&filter).context("the log level cannot be read")?;
    let lines = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter);
    let pretty = match log.format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let started = if pretty {
        lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).try_init()
    } else {
        lines.json().flatten_event(true).try_init()
    };
    started.map_err(|error| anyhow::anyhow!("logging could not be started: {error}"))
}
