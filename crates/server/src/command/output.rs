//! Stdout for data, stderr for everything else.

use std::io::{self, ErrorKind, Write};

use anyhow::{Context, Result};

/// Whoever read stdout has gone, as `head -1` does when it has its line. It ends a command
/// quietly and is no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("stdout is closed")]
pub(crate) struct StdoutClosed;

/// Writes bytes to stdout as they are, at once.
///
/// # Errors
///
/// [`StdoutClosed`] if its reader has gone; any other failure, such as a full disk.
pub(crate) fn data(bytes: &[u8]) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(StdoutClosed.into()),
        written => written.context("cannot write to stdout"),
    }
}

/// Writes a line to stdout, at once.
///
/// # Errors
///
/// As [`data`].
pub(crate) fn line(text: &str) -> Result<()> {
    data(format!("{text}\n").as_bytes())
}

/// Writes a line to stderr. That nobody reads stderr stops nothing.
pub(crate) fn note(text: &str) {
    let _unread = writeln!(io::stderr().lock(), "{text}");
}
