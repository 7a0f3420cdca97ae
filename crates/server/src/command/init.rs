//! `fanfare init`: writes a configuration file in which every key stands, commented out.

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use super::output;
use crate::config::{FILE, reference};
use crate::exit::Exit;

/// What `init` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The file to write.
    #[arg(value_name = "FILE", default_value = FILE)]
    file: PathBuf,
}

/// Writes the file; never over an existing one.
///
/// # Errors
///
/// The file exists or cannot be written.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let name = flags.file.display();
    let mut file = match File::create_new(&flags.file) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{name} exists and is left as it is; name another file, or remove it first")
        }
        created => created.with_context(|| format!("cannot create {name}"))?,
    };
    file.write_all(reference::starter().as_bytes())
        .with_context(|| format!("cannot write {name}"))?;
    output::note(&format!("wrote {name}; look at it, then `fanfare check {name}`"));
    Ok(Exit::Success)
}
