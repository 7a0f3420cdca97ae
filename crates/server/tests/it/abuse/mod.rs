//! Clients that want to do harm: each is answered, in bounded memory, while others are served.

mod attack;
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
        let most = server.resident_bytes();
        eprintln!("{what}: the server has grown by {} KiB", self.grown_to(most) / 1024);
        self.check_most(most, what);
    }

    /// By how much it has grown when it has so many bytes.
    fn grown_to(&self, most: u64) -> u64 {
        most.saturating_sub(self.0)
    }

    /// Fails if this is more than it may have.
    fn check_most(&self, most: u64, what: &str) {
        let grown = self.grown_to(most);
        assert!(grown < GROWTH_BYTES_MAX, "{what}: grown by {grown} bytes");
    }
}
