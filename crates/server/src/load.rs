//! How many connections there are, and where: what the acceptor, the shards and the edge share.
//!
//! A connection is counted from its accept to its end by a [`Counted`] that travels with it, so
//! that no way of ending, and no hand-over, can lose count. A pending handshake, one whose first
//! request head is not whole yet, is counted among the connections and on its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use fanfare_core::settings::ShardId;

/// The counts of one node.
#[derive(Debug)]
pub(crate) struct Load {
    connections: AtomicUsize,
    handshakes: AtomicUsize,
    by_shard: Box<[AtomicUsize]>,
    refused: AtomicU64,
    starved: AtomicU64,
}

/// One connection, counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Counted {
    load: Arc<Load>,
}

impl Load {
    /// The counts of a node of so many shards, all zero.
    pub(crate) fn new(shards: ShardId) -> Arc<Self> {
        Arc::new(Self {
            connections: AtomicUsize::new(0),
            handshakes: AtomicUsize::new(0),
            by_shard: (0..shards).map(|_| AtomicUsize::new(0)).collect(),
            refused: AtomicU64::new(0),
            starved: AtomicU64::new(0),
        })
    }

    /// Counts one more connection.
    pub(crate) fn enter(self: &Arc<Self>) -> Counted {
        self.connections.fetch_add(1, Ordering::Relaxed);
        Counted { load: Arc::clone(self) }
    }

    /// Connections that are open, wherever they are.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// Connections whose first request head is not whole yet.
    pub(crate) fn handshakes(&self) -> usize {
        self.handshakes.load(Ordering::Relaxed)
    }

    /// Connections refused because there were too many.
    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Times that a connection could not be accepted for want of a file descriptor.
    pub(crate) fn starved(&self) -> u64 {
        self.starved.load(Ordering::Relaxed)
    }

    /// The shard with the fewest connections and subscribers of the edge.
    pub(crate) fn lightest(&self) -> ShardId {
        let lightest =
            (0..).zip(&self.by_shard).min_by_key(|(_, count)| count.load(Ordering::Relaxed));
        lightest.map_or(0, |(shard, _)| shard)
    }

    /// A connection, or a subscriber of the edge, is on its way to a shard.
    pub(crate) fn arrive(&self, shard: ShardId) {
        if let Some(count) = self.by_shard.get(usize::from(shard)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// A connection, or a subscriber of the edge, has left a shard.
    pub(crate) fn leave(&self, shard: ShardId) {
        if let Some(count) = self.by_shard.get(usize::from(shard)) {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// A handshake begins.
    pub(crate) fn begin_handshake(&self) {
        self.handshakes.fetch_add(1, Ordering::Relaxed);
    }

    /// A handshake is over, however it went.
    pub(crate) fn end_handshake(&self) {
        self.handshakes.fetch_sub(1, Ordering::Relaxed);
    }

    /// A connection was refused because there are too many.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection could not be accepted for want of a file descriptor.
    pub(crate) fn starve(&self) {
        self.starved.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.load.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Load;

    #[test]
    fn a_connection_counts_while_it_lives_and_shards_fill_evenly() {
        let load = Load::new(2);
        let first = load.enter();
        let second = load.enter();
        assert_eq!(load.connections(), 2);
        drop(first);
        assert_eq!(load.connections(), 1);
        drop(second);
        assert_eq!(load.connections(), 0);
        assert_eq!(load.lightest(), 0);
        load.arrive(0);
        assert_eq!(load.lightest(), 1);
        load.arrive(1);
        load.leave(0);
        assert_eq!(load.lightest(), 0);
    }
}
