//! Offsets, epochs and positions: where in a channel's history something stands.

use std::fmt;
use std::num::NonZeroU64;

/// Offsets stay below 2^53, so that a JavaScript number holds every one of them.
pub const OFFSET_END: u64 = 1 << 53;

/// A publication's number in its channel; 0 stands before the first publication.
pub type Offset = u64;

/// The identity of a channel's history: 64 random bits, never 0.
///
/// Positions of different epochs cannot be compared. On the wire it is one letter `a` to `p` (the
/// top four bits) and ten base64url characters (the other sixty), so that it is never a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(NonZeroU64);

/// "Everything up to and including this offset has been seen."
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The identity of the history that the offset belongs to.
    pub epoch: Epoch,
    /// The last publication seen, 0 for none; below [`OFFSET_END`].
    pub offset: Offset,
}

impl Epoch {
    /// The epoch of these random bits; zero becomes one.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        Self(NonZeroU64::new(bits).unwrap_or(NonZeroU64::MIN))
    }

    /// The bits, never 0.
    #[must_use]
    pub fn bits(self) -> u64 {
        self.0.get()
    }
}

impl Position {
    /// The position after `offset` of the history `epoch`.
    #[must_use]
    pub fn new(offset: Offset, epoch: Epoch) -> Self {
        Self { epoch, offset }
    }

    /// The same epoch at another offset.
    #[must_use]
    pub fn at(self, offset: Offset) -> Self {
        Self { offset, ..self }
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}", self.offset, self.epoch.bits())
    }
}
