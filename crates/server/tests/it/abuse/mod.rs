//! Clients that want to do harm: each is answered, in bounded memory, while others are served.

mod attack;
mod crowd;
mod dripping;
mod fragments;
mod http2;
mod oversize;
mod pipelining;
mod unread;

use std::fs;
use std::process::{Command, Stdio};
use std::sync::Once;

use crate::server::Server;

/// What the server's memory may grow by, whatever a client does.
const GROWTH_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The core that an attacker is held to.
const ATTACKERS_CORE: &str = "0";

/// In the full size the attacker has its core to itself: this process, and the servers that it starts
/// from here on, keep to the others. So what is measured is what an attack does to a server, and not
/// that somebody takes the processor away from those who measure.
fn keep_apart() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        if crate::soaks() && cores > 1 {
            keep_to(&format!("1-{}", cores - 1), "-acp", &std::process::id().to_string());
        }
    });
}

/// Has this thread attack from the attacker's core.
fn attack_from_here() {
    if crate::soaks() {
        let thread = fs::read_link("/proc/thread-self").unwrap();
        keep_to(ATTACKERS_CORE, "-cp", thread.file_name().unwrap().to_str().unwrap());
    }
}

fn keep_to(cores: &str, how: &str, whom: &str) {
    let mut command = Command::new("taskset");
    let kept = command.args([how, cores, whom]).stdout(Stdio::null()).status();
    assert!(kept.unwrap().success(), "{whom} cannot be held to {cores}");
}

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
