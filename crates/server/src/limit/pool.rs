//! What large messages and bodies hold together, from when they are large until they have been read.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare_core::code::Code;
use fanfare_protocol::native::problem::Problem;

use crate::clerk::LARGE_BYTES;

/// What all of them hold.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    bytes: AtomicUsize,
}

/// What one of them holds, which is given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Stake {
    pool: Arc<Pool>,
    bytes: usize,
    bytes_max: Option<usize>,
}

impl Pool {
    /// A stake that holds nothing yet; all together may hold `bytes_max`.
    pub(super) fn stake(self: &Arc<Self>, bytes_max: Option<usize>) -> Stake {
        Stake { pool: Arc::clone(self), bytes: 0, bytes_max }
    }

    /// What is held now.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Stake {
    /// Holds what so many bytes need; those of what is not large need nothing. A single one may hold
    /// as much as it likes.
    ///
    /// # Errors
    /// The others hold too much for that; nothing more is held.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> Result<(), Problem> {
        if bytes <= LARGE_BYTES || bytes <= self.bytes {
            return Ok(());
        }
        let more = bytes - self.bytes;
        let before = self.pool.bytes.fetch_add(more, Ordering::Relaxed);
        let others = before > self.bytes;
        if others && self.bytes_max.is_some_and(|max| before.saturating_add(more) > max) {
            self.pool.bytes.fetch_sub(more, Ordering::Relaxed);
            return Err(full());
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Stake {
    fn drop(&mut self) {
        self.pool.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

fn full() -> Problem {
    Problem::new(
        Code::Overloaded,
        "Too many large messages come in at once: `limits.large_messages_bytes_max` is reached.",
        "Try again, send smaller messages, or raise `limits.large_messages_bytes_max`.",
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use fanfare_core::code::Code;

    use super::{LARGE_BYTES, Pool};

    #[test]
    fn what_is_large_is_held_to_a_bound_together() {
        let pool = Arc::new(Pool::default());
        let max = Some(10 * LARGE_BYTES);
        let mut first = pool.stake(max);
        let mut second = pool.stake(max);
        assert!(first.grow_to(LARGE_BYTES).is_ok() && pool.bytes() == 0, "it is small");
        first.grow_to(4 * LARGE_BYTES).unwrap();
        first.grow_to(2 * LARGE_BYTES).unwrap();
        assert_eq!(pool.bytes(), 4 * LARGE_BYTES, "what was taken is held");
        second.grow_to(6 * LARGE_BYTES).unwrap();
        let refused = second.grow_to(7 * LARGE_BYTES).unwrap_err();
        assert_eq!(refused.code(), Code::Overloaded);
        assert!(refused.hint().contains("`limits.large_messages_bytes_max`"));
        assert_eq!(pool.bytes(), 10 * LARGE_BYTES);
        drop(first);
        second.grow_to(50 * LARGE_BYTES).unwrap();
        assert!(pool.stake(max).grow_to(2 * LARGE_BYTES).is_err());
        drop(second);
        assert_eq!(pool.bytes(), 0);
        pool.stake(None).grow_to(usize::MAX / 2).unwrap();
    }
}
