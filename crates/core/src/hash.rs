//! The hasher of tables whose keys are channel names.

use std::hash::{BuildHasher, Hasher};

use sha2::{Digest, Sha256};

/// Mixes the 48 bits that a channel's name already hashes to with a seed, so that nobody can choose
/// names that crowd one bucket without knowing it.
#[derive(Debug, Clone)]
pub(crate) struct NameHash {
    seed: u64,
}

/// See [`NameHash`].
#[derive(Debug)]
pub(crate) struct NameHasher {
    state: u64,
}

impl NameHash {
    /// The table's own seed is a digest of the shard's, because epochs, which everyone sees, are
    /// drawn from the latter.
    pub(crate) fn new(seed: u64) -> Self {
        let digest = Sha256::new().chain_update(b"names").chain_update(seed.to_be_bytes());
        let mut head = [0; 8];
        head.iter_mut().zip(digest.finalize()).for_each(|(to, from)| *to = from);
        Self { seed: u64::from_be_bytes(head) }
    }
}

impl BuildHasher for NameHash {
    type Hasher = NameHasher;

    fn build_hasher(&self) -> NameHasher {
        NameHasher { state: self.seed }
    }
}

impl Hasher for NameHasher {
    fn write_u64(&mut self, value: u64) {
        // The folded product of wyhash: every bit of both reaches every bit of the result.
        let product = u128::from(self.state ^ value) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
        #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
        let folded = product as u64 ^ (product >> 64) as u64;
        self.state = folded;
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn finish(&self) -> u64 {
        self.state
    }
}
