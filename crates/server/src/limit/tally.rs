//! Numbers of connections, by address and by user.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::num::NonZeroU64;
use std::sync::{LazyLock, Mutex, PoisonError};

/// Something that limits count for: an address, a user, a channel. Nobody outside can tell which
/// others have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key(NonZeroU64);

/// How many connections each key has; holds as many entries as there are keys with any.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    stripes: [Mutex<HashMap<Key, u32>>; STRIPES],
}

impl Key {
    /// The key of a value among its kind.
    pub(super) fn of(kind: u8, value: impl Hash) -> Self {
        Self(NonZeroU64::new(SEED.hash_one((kind, value))).unwrap_or(NonZeroU64::MIN))
    }

    /// The key of the same one for another purpose.
    pub(super) fn with(self, purpose: u8) -> Self {
        let mixed = (self.0.get() ^ u64::from(purpose)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self(NonZeroU64::new(mixed ^ mixed >> 32).unwrap_or(NonZeroU64::MIN))
    }

    pub(super) fn bits(self) -> u64 {
        self.0.get()
    }

    #[cfg(test)]
    pub(super) fn of_test(bits: u64) -> Self {
        Self(NonZeroU64::new(bits).unwrap())
    }
}

impl Tally {
    /// Counts one more.
    pub(crate) fn enter(&self, key: Key) {
        let mut stripe = self.stripe(key).lock().unwrap_or_else(PoisonError::into_inner);
        *stripe.entry(key).or_insert(0) += 1;
    }

    /// Counts one less.
    pub(crate) fn leave(&self, key: Key) {
        let mut stripe = self.stripe(key).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = stripe.get_mut(&key) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                stripe.remove(&key);
                // What a flood needed is not kept for ever.
                if stripe.capacity() > ROOM && stripe.len() * 4 < stripe.capacity() {
                    let room = stripe.len() * 2;
                    stripe.shrink_to(room);
                }
            }
        }
    }

    /// How many there are.
    pub(super) fn count(&self, key: Key) -> usize {
        let stripe = self.stripe(key).lock().unwrap_or_else(PoisonError::into_inner);
        stripe.get(&key).map_or(0, |count| *count as usize)
    }

    fn stripe(&self, key: Key) -> &Mutex<HashMap<Key, u32>> {
        let place = usize::try_from(key.bits() >> 48).unwrap_or(0) % STRIPES;
        &self.stripes[place]
    }
}

const STRIPES: usize = 16;

/// Entries that each has room for, whoever is there.
const ROOM: usize = 64;

/// Drawn once for the process, so that nobody can choose what falls together.
static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);

#[cfg(test)]
mod tests {
    use super::{Key, Tally};

    #[test]
    fn keys_are_counted_apart_and_leave_nothing_behind() {
        let tally = Tally::default();
        let keys: Vec<_> = (0..1_000_u32).map(|value| Key::of(0, value)).collect();
        for key in &keys {
            tally.enter(*key);
            tally.enter(*key);
        }
        assert!(keys.iter().all(|key| tally.count(*key) == 2));
        assert_eq!(tally.count(Key::of(1, 0_u32)), 0);
        for key in &keys {
            tally.leave(*key);
            assert_eq!(tally.count(*key), 1);
            tally.leave(*key);
            tally.leave(*key);
        }
        assert!(keys.iter().all(|key| tally.count(*key) == 0));
        assert!(
            tally.stripes.iter().all(|stripe| stripe.lock().unwrap().capacity() <= 2 * super::ROOM)
        );
    }

    #[test]
    fn one_has_a_key_for_each_purpose() {
        let key = Key::of(0, "one");
        assert_eq!(key, Key::of(0, "one"));
        assert_ne!(key.with(0), key.with(1));
        assert_ne!(Key::of(0, "one"), Key::of(1, "one"));
    }
}
