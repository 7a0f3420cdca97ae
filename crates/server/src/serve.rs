//! The composition root: builds a server from settings and runs it until it is told to leave.

use anyhow::{Result, bail};

use crate::config::settings::Settings;
use crate::exit::Exit;

/// Runs a server until SIGTERM or Ctrl-C has drained it.
///
/// # Errors
///
/// The server cannot start, or one of its parts broke.
pub(crate) fn run(settings: Settings) -> Result<Exit> {
    bail!("the server is not part of this build; it would have started with {settings:?}")
}
