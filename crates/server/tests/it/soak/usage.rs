//! What a server uses, as the kernel counts it.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::server::Server;

/// Bytes in use at one moment, or at the worst of several.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Usage {
    /// Resident memory of the process.
    pub(super) resident: u64,
    /// Kernel memory on the sending side of its sockets, orphaned ones included.
    pub(super) sending: u64,
    /// The same of the socket that has most.
    pub(super) sending_most: u64,
}

impl Usage {
    /// Of this server now.
    pub(super) fn of(server: &Server) -> Self {
        Self::of_process(server.process(), server.address())
    }

    pub(super) fn of_process(process: u32, address: &str) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().unwrap();
        let (_, port) = address.rsplit_once(':').unwrap();
        let filter = ["-tanmH", "sport", "=", &format!(":{port}")];
        let sockets = Command::new("ss").args(filter).output().expect("ss of iproute2 runs");
        let sockets = String::from_utf8(sockets.stdout).unwrap();
        let sending: Vec<u64> = sockets
            .split("skmem:(")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
            .map(|(memory, _)| memory.split(',').map(sending_bytes).sum())
            .collect();
        Self {
            resident: kibibytes * 1024,
            sending: sending.iter().sum(),
            sending_most: sending.iter().copied().max().unwrap_or(0),
        }
    }

    /// The larger of each.
    fn or(self, other: Self) -> Self {
        Self {
            resident: self.resident.max(other.resident),
            sending: self.sending.max(other.sending),
            sending_most: self.sending_most.max(other.sending_most),
        }
    }

    /// The worst while `done` is not yet true.
    pub(super) fn watch(process: u32, address: &str, done: &AtomicBool) -> Self {
        let mut worst = Self::default();
        while !done.load(Ordering::Relaxed) {
            worst = worst.or(Self::of_process(process, address));
            thread::sleep(Duration::from_millis(200));
        }
        worst
    }
}

/// What one field of `skmem` counts of the sending side: what is queued (`w`) and what was taken
/// from the system for more (`f`).
fn sending_bytes(field: &str) -> u64 {
    let queued = field.strip_prefix('w').or_else(|| field.strip_prefix('f'));
    queued.and_then(|bytes| bytes.parse().ok()).unwrap_or(0)
}
