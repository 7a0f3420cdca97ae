//! Tokens whose signatures were checked, so that a storm of reconnects does not check each again.
//!
//! A table of places, four for each token by its hash, read and written without a lock. Only tokens
//! that hold come into it, so that nobody without one can push others out.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use fanfare_core::time::UnixMillis;

use crate::auth::Holder;

/// Places that one token may be in.
const WAYS: usize = 4;

/// The SHA-256 of a token.
pub(super) type TokenHash = [u8; 32];

/// A token that holds.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) hash: TokenHash,
    /// The place of its issuer.
    pub(super) issuer: usize,
    /// The version of the keys that it was checked by.
    pub(super) version: u64,
    /// When it begins, in Unix milliseconds: who asks with an older clock is not let in.
    pub(super) begins: UnixMillis,
    pub(super) holder: Arc<Holder>,
}

/// The tokens that are remembered.
#[derive(Debug)]
pub(super) struct Remembered {
    places: Box<[ArcSwapOption<Entry>]>,
}

impl Remembered {
    /// Room for about so many tokens.
    pub(super) fn new(count: usize) -> Self {
        let sets = count.div_ceil(WAYS);
        let places = if sets == 0 { 0 } else { sets.next_power_of_two() * WAYS };
        Self { places: (0..places).map(|_| ArcSwapOption::empty()).collect() }
    }

    /// What is known of a token.
    pub(super) fn find(&self, hash: &TokenHash) -> Option<Arc<Entry>> {
        self.set(hash).iter().find_map(|place| {
            let entry = place.load();
            let entry = entry.as_ref().filter(|entry| entry.hash == *hash)?;
            Some(Arc::clone(entry))
        })
    }

    /// Remembers a token, in a free place, in its own, in that of one that has expired, or in that
    /// of another.
    pub(super) fn put(&self, entry: Entry, now: UnixMillis) {
        let set = self.set(&entry.hash);
        let can_take = |place: &&ArcSwapOption<Entry>| {
            place.load().as_ref().is_none_or(|known| {
                known.hash == entry.hash
                    || known.holder.expires().is_some_and(|expires| expires <= now)
            })
        };
        // Which of the others goes is left to the hash, of which nobody can choose much.
        let any = usize::from(entry.hash[31]) % WAYS;
        if let Some(place) = set.iter().find(can_take).or_else(|| set.get(any)) {
            place.store(Some(Arc::new(entry)));
        }
    }

    fn set(&self, hash: &TokenHash) -> &[ArcSwapOption<Entry>] {
        let sets = self.places.len() / WAYS;
        if sets == 0 {
            return &[];
        }
        let [a, b, c, d, ..] = *hash;
        // A power of two, so that the mask keeps every set within reach.
        let set = u32::from_le_bytes([a, b, c, d]) as usize & (sets - 1);
        self.places.get(set * WAYS..(set + 1) * WAYS).unwrap_or_default()
    }
}
