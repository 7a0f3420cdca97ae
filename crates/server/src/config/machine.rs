//! Finds out what the machine gives, and takes all of it.

use std::thread;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::settings::Machine;

/// What an unlimited number of open files is taken for: Linux's own default ceiling per process.
const OPEN_FILES_UNLIMITED: u64 = 1 << 20;

/// Raises the soft limit on open files to the hard one, and tells what there is.
///
/// # Errors
///
/// The system refuses to raise the soft limit to the hard one.
pub(crate) fn raise_limits() -> Result<Machine> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        setrlimit(Resource::Nofile, raised)
            .context("cannot raise the soft limit on open files to the hard one (`ulimit -Hn`)")?;
    }
    Ok(Machine { open_files: limit.maximum.unwrap_or(OPEN_FILES_UNLIMITED), cores: cores() })
}

/// The machine as a file is checked for: with no say on open files, since the server may run
/// elsewhere.
pub(crate) fn any() -> Machine {
    Machine { open_files: u64::MAX, cores: cores() }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(256)
}
