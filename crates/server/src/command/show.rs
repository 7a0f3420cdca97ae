//! `fanfare config show`: each value and where it came from.

use anyhow::Result;

use super::output;
use super::server_flags::ServerFlags;
use crate::config::effective::Rows;
use crate::config::reference;
use crate::exit::Exit;

/// What `config show` takes: the flags of `serve`, so that their effect can be seen.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    #[command(flatten)]
    server: ServerFlags,
}

/// Prints one line per key, those of namespaces and routes behind the others. Secrets are counted, not
/// shown.
///
/// # Errors
///
/// Everything wrong in any source.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let effective = flags.server.effective()?;
    let namespaces = effective.namespaces.values().flat_map(Rows::iter);
    let credentials = effective.keys.values().chain(effective.issuers.values());
    let credentials = credentials.flat_map(Rows::iter);
    let routes = effective.routes.values().flat_map(|route| route.rows.iter());
    let rows = effective.top.iter().chain(namespaces).chain(credentials).chain(routes);
    let shown: Vec<_> = rows.map(|row| (reference::assignment(row), &row.origin)).collect();
    let width = shown.iter().map(|(text, _)| text.chars().count()).max().unwrap_or(0).min(72);
    for (text, origin) in shown {
        output::line(&format!("{text:width$}  # {origin}"))?;
    }
    Ok(Exit::Success)
}
