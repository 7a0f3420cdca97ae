//! A server with a log in a directory of its own.

use std::path::{Path, PathBuf};

use crate::cli::run::fanfare;
use crate::server::Server;

/// A directory that goes with its test.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    /// A new one, whose name says what for.
    pub(crate) fn new(name: &str) -> Self {
        let unique = format!("fanfare-{name}-{}-{}", std::process::id(), fastrand::u64(..));
        let path = std::env::temp_dir().join(unique);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left behind is in the directory for temporary files.
        let _left = std::fs::remove_dir_all(&self.0);
    }
}

/// `fanfare dev` on this directory, which keeps all that a test publishes.
pub(crate) fn start(directory: &Path, settings: &[(&str, &str)]) -> Server {
    let mut command = fanfare(&["dev", "--listen", "127.0.0.1:0", "--data"]);
    command.arg(directory).envs([
        ("FANFARE_ENGINE", "log"),
        ("FANFARE_HISTORY__COUNT", "1000000"),
        ("FANFARE_HISTORY__BYTES", "1GiB"),
        ("FANFARE_PRESENCE", "false"),
        ("FANFARE_LOG__SEGMENT_BYTES", "2MiB"),
        ("FANFARE_HISTORY__MEMORY_COUNT", "100"),
    ]);
    command.envs(settings.iter().copied());
    Server::of(command)
}
