//! Clients that want to do harm: each is answered, in bounded memory, while others are served.

mod crowd;
mod dripping;
mod fragments;
mod http2;
mod oversize;
mod pipelining;
mod unread;

use crate::server::Server;

/// What the server's memory may grow by, whatever a client does.
const GROWTH_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Memory before the harm.
#[derive(Debug)]
struct Before(u64);

impl Before {
    fn of(server: &Server) -> Self {
        Self(server.resident_bytes())
    }

    /// Fails if the server has grown by more than it may.
    fn check(&self, server: &Server, what: &str) {
        let grown = server.resident_bytes().saturating_sub(self.0);
        eprintln!("{what}: the server has grown by {} KiB", grown / 1024);
        assert!(grown < GROWTH_BYTES_MAX, "{what}: grown by {grown} bytes");
    }
}
