//! Where one publication stands, in twenty bytes.

use fanfare_core::position::Offset;
use fanfare_core::time::UnixMillis;

use super::segment::Slot;

/// One publication of a channel, known by the distance of its offset from the channel's base.
///
/// Millions of these are held, so they are packed: distance (5 bytes), slot of the segment (2), place
/// in it (4), weight (3), time (6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Entry([u8; 20]);

/// One publication of a channel, unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Placed {
    pub offset: Offset,
    pub slot: Slot,
    /// Where its record begins in the segment.
    pub at: u32,
    /// What it costs, as retention counts it.
    pub weight: u32,
    pub time: UnixMillis,
}

/// Distances from the base end here.
pub(super) const REACH: u64 = 1 << 40;

impl Entry {
    /// Packs an entry. The caller sees to it that the offset is within [`REACH`] of the base.
    pub(super) fn pack(placed: &Placed, base: Offset) -> Self {
        let [a, b, c, d, e, ..] = placed.offset.saturating_sub(base).to_le_bytes();
        let Slot(slot) = placed.slot;
        let [f, g] = slot.to_le_bytes();
        let [h, i, j, k] = placed.at.to_le_bytes();
        let [l, m, n, _] = placed.weight.min(WEIGHT_MAX).to_le_bytes();
        let [o, p, q, r, s, t, ..] = placed.time.min(TIME_MAX).to_le_bytes();
        Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t])
    }

    pub(super) fn unpack(self, base: Offset) -> Placed {
        let Self([a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s, t]) = self;
        Placed {
            offset: base.saturating_add(u64::from_le_bytes([a, b, c, d, e, 0, 0, 0])),
            slot: Slot(u16::from_le_bytes([f, g])),
            at: u32::from_le_bytes([h, i, j, k]),
            weight: u32::from_le_bytes([l, m, n, 0]),
            time: u64::from_le_bytes([o, p, q, r, s, t, 0, 0]),
        }
    }
}

const WEIGHT_MAX: u32 = (1 << 24) - 1;
const TIME_MAX: u64 = (1 << 48) - 1;

#[cfg(test)]
mod tests {
    use super::{Entry, Placed, Slot};

    #[test]
    fn an_entry_takes_twenty_bytes_and_forgets_nothing() {
        assert_eq!(size_of::<Entry>(), 20);
        let placed = Placed {
            offset: (1 << 52) + (1 << 40) - 1,
            slot: Slot(u16::MAX),
            at: u32::MAX,
            weight: (1 << 24) - 1,
            time: 4_102_444_800_123,
        };
        assert_eq!(Entry::pack(&placed, 1 << 52).unpack(1 << 52), placed);
    }
}
