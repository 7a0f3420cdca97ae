//! Finds out what the machine gives, and takes all of it.

use std::thread;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::settings::Machine;

/// What an unlimited number of open files is taken for: Linux's own default ceiling per process.
const OPEN_FILES_UNLIMITED: u64 = 1 << 20;

/// Raises the soft limit on open files to the hard one, and tells what holds then. Where the system
/// refuses, the soft limit stays and is what is told; `dev` and `serve` print it when they start.
pub(crate) fn raise_limits() -> Machine {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    let holds = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_refused) => limit.current,
    };
    Machine { open_files: holds.unwrap_or(OPEN_FILES_UNLIMITED), cores: cores() }
}

/// The machine as a file is checked for: with no say on open files, since the server may run
/// elsewhere.
pub(crate) fn any() -> Machine {
    Machine { open_files: u64::MAX, cores: cores() }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(256)
}
