//! `fanfare version`.

use anyhow::Result;

use super::output;
use crate::exit::Exit;

/// Prints the name and the version.
///
/// # Errors
///
/// Stdout cannot be written.
pub(crate) fn run() -> Result<Exit> {
    output::line(concat!("fanfare ", env!("CARGO_PKG_VERSION")))?;
    Ok(Exit::Success)
}
