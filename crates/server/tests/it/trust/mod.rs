//! Who is let in, over real sockets: where credentials are looked for, and how they are renewed.

mod canary;
mod carrying;
mod expiring;
mod granting;
mod refreshing;

use std::fs;
use std::ops::Deref;

use crate::cli::run::{Folder, fanfare};
use crate::server::Server;

/// A running `serve` of a configuration of its own.
pub(crate) struct Guarded {
    server: Server,
    _folder: Folder,
}

impl Guarded {
    /// `[auth]` of the configuration, and what follows it.
    pub(crate) fn start(auth: &str) -> Self {
        let folder = Folder::new();
        let path = folder.path().join("fanfare.toml");
        fs::write(&path, format!("[auth]\n{auth}\n")).unwrap();
        let mut command = fanfare(&["serve", "--listen", "127.0.0.1:0", "--config"]);
        command.arg(&path);
        Self { server: Server::of(command), _folder: folder }
    }
}

impl Deref for Guarded {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}
