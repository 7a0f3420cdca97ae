//! `fanfare dev`: a server for one's own machine.

use anyhow::Result;

use super::server_flags::ServerFlags;
use crate::config::settings::Mode;
use crate::exit::Exit;

/// What `dev` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    server: ServerFlags,
}

/// Starts a server on loopback, open to everyone there.
///
/// # Errors
///
/// Wrong settings, an address that is not loopback, or a server that cannot start.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    crate::serve::run(flags.server.settings(Mode::Dev)?, None)
}
