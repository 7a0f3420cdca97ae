//! Permits: how much may be on its way through the node at once.
//!
//! A publish takes a permit before it is handed to its owner; the permit travels with it and is
//! given back when the last interested shard has it. This bounds what the mailboxes between shards
//! can hold, which is why they never have to block.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The bounds of one node.
#[derive(Debug)]
pub struct PermitPool {
    count_max: usize,
    bytes_max: usize,
    count: AtomicUsize,
    bytes: AtomicUsize,
}

/// The right of a publish, or of several that go together, to be on its way. Given back when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct Permit {
    _held: Option<Arc<Held>>,
}

#[derive(Debug)]
struct Held {
    pool: Arc<PermitPool>,
    count: usize,
    bytes: usize,
}

impl PermitPool {
    /// A pool of at most `count_max` publishes and `bytes_max` bytes at once.
    #[must_use]
    pub fn new(count_max: usize, bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            count_max,
            bytes_max,
            count: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
        })
    }

    /// Takes a permit for a publish of `bytes`, or none when the node is overloaded. A publish
    /// larger than the whole pool gets through when it has the pool alone.
    #[must_use]
    pub fn take(self: &Arc<Self>, bytes: usize) -> Option<Permit> {
        self.take_many(1, bytes)
    }

    /// Takes one permit for `count` publishes of `bytes` together; it is given back when the last
    /// of them has got through.
    #[must_use]
    pub fn take_many(self: &Arc<Self>, count: usize, bytes: usize) -> Option<Permit> {
        let others = self.count.fetch_add(count, Ordering::AcqRel);
        let before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let fits =
            others + count <= self.count_max && (before + bytes <= self.bytes_max || before == 0);
        let held = Held { pool: Arc::clone(self), count, bytes };
        fits.then(|| Permit { _held: Some(Arc::new(held)) })
    }

    /// Publishes on their way now.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Bytes of payload in them.
    #[must_use]
    pub fn bytes_in_flight(&self) -> usize {
        self.bytes.load(Ordering::Acquire)
    }
}

impl Permit {
    /// The right to something that takes no room: a question, or a test.
    #[must_use]
    pub fn free() -> Self {
        Self { _held: None }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pool.count.fetch_sub(self.count, Ordering::AcqRel);
        self.pool.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::PermitPool;

    #[test]
    fn what_is_taken_is_given_back() {
        let pool = PermitPool::new(2, 100);
        let first = pool.take(60).unwrap();
        assert!(pool.take(60).is_none(), "over the bytes");
        let second = pool.take(40).unwrap();
        assert!(pool.take(0).is_none(), "over the count");
        let clone = second.clone();
        drop((first, second));
        assert_eq!(pool.in_flight(), 1);
        drop(clone);
        assert_eq!(pool.in_flight(), 0);
        assert!(pool.take(1000).is_some(), "a large one has the pool alone");
        assert!(pool.take_many(3, 0).is_none(), "more than there are");
        let both = pool.take_many(2, 100).unwrap();
        assert!(pool.take(0).is_none());
        drop(both);
        assert_eq!((pool.in_flight(), pool.bytes_in_flight()), (0, 0));
    }
}
