//! Who is let in, over real sockets: where credentials are looked for, and how they are renewed.

mod canary;
mod carrying;
mod expiring;
mod granting;
mod refreshing;
mod revoking;

use std::fs;
use std::ops::Deref;
use std::path::PathBuf;

use crate::cli::run::{Folder, fanfare};
use crate::server::Server;

/// A running `serve` of a configuration of its own.
pub(crate) struct Guarded {
    server: Server,
    folder: Folder,
}

impl Guarded {
    /// `[auth]` of the configuration, and what follows it.
    pub(crate) fn start(auth: &str) -> Self {
        let folder = Folder::new();
        let path = Self::write(&folder, auth);
        let mut command = fanfare(&["serve", "--listen", "127.0.0.1:0", "--config"]);
        command.arg(&path);
        Self { server: Server::of(command), folder }
    }

    /// Has it read this instead.
    fn change(&self, auth: &str) {
        Self::write(&self.folder, auth);
        let line = self.server.reload();
        assert!(line.contains("\"changed\":"), "{line}");
    }

    fn write(folder: &Folder, auth: &str) -> PathBuf {
        let path = folder.path().join("fanfare.toml");
        fs::write(&path, format!("[auth]\n{auth}\n")).unwrap();
        path
    }
}

impl Deref for Guarded {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}
