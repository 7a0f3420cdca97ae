//! How many connections there are, and where: what the acceptor, the shards and the edge share.
//!
//! A connection is counted from its accept to its end by a [`Counted`] that travels with it, so
//! that no way of ending, and no hand-over, can lose count. A pending handshake, one whose first
//! request head is not whole yet, is counted among the connections and on its own.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use fanfare_core::settings::ShardId;

use crate::limit::{Key, Sender, Tally};

/// The counts of one node.
#[derive(Debug)]
pub(crate) struct Load {
    connections: AtomicUsize,
    handshakes: AtomicUsize,
    by_shard: Box<[AtomicUsize]>,
    refused: AtomicU64,
    limited: [AtomicU64; 2],
    starved: AtomicU64,
    tally: Arc<Tally>,
    /// The place of connections that count for nobody, while there are any.
    nobody: Mutex<Weak<Place>>,
}

/// One connection, counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Counted {
    place: Arc<Place>,
}

/// Whom a connection counts for. It is shared where that is nobody, so that most connections behind
/// a proxy cost no more than a pointer.
#[derive(Debug)]
struct Place {
    load: Arc<Load>,
    address: Option<Key>,
    user: Option<Key>,
}

impl Load {
    /// The counts of a node of so many shards, all zero.
    pub(crate) fn new(shards: ShardId) -> Arc<Self> {
        Arc::new(Self {
            connections: AtomicUsize::new(0),
            handshakes: AtomicUsize::new(0),
            by_shard: (0..shards).map(|_| AtomicUsize::new(0)).collect(),
            refused: AtomicU64::new(0),
            limited: Default::default(),
            starved: AtomicU64::new(0),
            tally: Arc::default(),
            nobody: Mutex::default(),
        })
    }

    /// Counts one more connection.
    pub(crate) fn enter(self: &Arc<Self>) -> Counted {
        self.connections.fetch_add(1, Ordering::Relaxed);
        let mut nobody = self.nobody.lock().unwrap_or_else(PoisonError::into_inner);
        let place = nobody.upgrade().unwrap_or_else(|| {
            let place = Arc::new(Place { load: Arc::clone(self), address: None, user: None });
            *nobody = Arc::downgrade(&place);
            place
        });
        Counted { place }
    }

    /// The same, for an address.
    pub(crate) fn enter_from(self: &Arc<Self>, address: Option<Key>) -> Counted {
        let mut counted = self.enter();
        counted.count_for(address, None);
        counted
    }

    /// How many connections each address and user has.
    pub(crate) fn tally(&self) -> &Arc<Tally> {
        &self.tally
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

    /// Connections refused because their address had too many, and because it came too often.
    pub(crate) fn limited(&self) -> [u64; 2] {
        [0, 1].map(|place: usize| self.limited[place].load(Ordering::Relaxed))
    }

    /// A connection was refused because of its address.
    pub(crate) fn limit(&self, often: bool) {
        self.limited[usize::from(often)].fetch_add(1, Ordering::Relaxed);
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

impl Counted {
    /// Counts it for who reads on it, as far as it does not count for anybody yet.
    pub(crate) fn attribute(&mut self, sender: &Sender) {
        self.count_for(sender.address(), sender.user());
    }

    /// Whether it counts for an address.
    pub(crate) fn has_address(&self) -> bool {
        self.place.address.is_some()
    }

    fn count_for(&mut self, address: Option<Key>, user: Option<Key>) {
        let before = &self.place;
        let more =
            [address.filter(|_| before.address.is_none()), user.filter(|_| before.user.is_none())];
        let [address, user] = more;
        if address.is_none() && user.is_none() {
            return;
        }
        more.into_iter().flatten().for_each(|key| before.load.tally.enter(key));
        self.place = Arc::new(Place {
            load: Arc::clone(&before.load),
            address: address.or(before.address),
            user: user.or(before.user),
        });
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let Place { load, address, user } = &*self.place;
        load.connections.fetch_sub(1, Ordering::Relaxed);
        [*address, *user].into_iter().flatten().for_each(|key| load.tally.leave(key));
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
