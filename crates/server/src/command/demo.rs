//! `fanfare demo`: a server for one's own machine, with working pages to look at and to copy.

use anyhow::Result;

use super::server_flags::ServerFlags;
use crate::config::settings::Mode;
use crate::demo;
use crate::exit::Exit;

/// What `demo` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    server: ServerFlags,
}

/// Starts a server as `dev` does, and the examples on it.
///
/// # Errors
///
/// Wrong settings, an address that is not loopback, or a server that cannot start.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let settings = flags.server.settings_above(demo::CONFIGURATION, Mode::Demo)?;
    crate::serve::run(settings, None)
}
