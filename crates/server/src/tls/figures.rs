//! What is counted of handshakes.

use super::Failure;
use super::session::Handshake;

/// Handshakes of one shard, by how they went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct TlsFigures {
    /// Made in full, and resumed by a ticket.
    pub handshakes: [u64; 2],
    /// Sessions that failed, by [`Failure::reason`].
    pub failures: [u64; Failure::REASONS.len()],
}

impl TlsFigures {
    /// The names of what `handshakes` counts.
    pub(crate) const KINDS: [&'static str; 2] = ["full", "resumed"];

    /// A handshake is over.
    pub(crate) fn complete(&mut self, handshake: Handshake) {
        self.handshakes[usize::from(handshake == Handshake::Resumed)] += 1;
    }

    /// A session has failed.
    pub(crate) fn fail(&mut self, failure: &Failure) {
        if let Some(count) = self.failures.get_mut(failure.reason()) {
            *count += 1;
        }
    }

    /// Adds what another shard has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        self.handshakes.iter_mut().zip(other.handshakes).for_each(|(sum, more)| *sum += more);
        self.failures.iter_mut().zip(other.failures).for_each(|(sum, more)| *sum += more);
    }
}
