//! The bytes of the log: what `docs/log-format.md` draws, written and read.
//!
//! Whatever is read here may be damaged or made up: nothing is taken without a bound, no index and no
//! sum is unchecked.
//!
//! - `record`: the frame around everything in a segment, and its checksum
//! - `body`: what the records say
//! - `publication`: the largest of them
//! - `key`: idempotency keys, wherever they stand
//! - `batch`: commits, and the records that count because of one
//! - `segment`: how a segment begins and how it is sealed
//! - `store`: the file that says what the directory is
//! - `checkpoint`: the index as of a clean stop

pub(super) mod batch;
pub(super) mod body;
pub(super) mod checkpoint;
pub(super) mod key;
pub(super) mod publication;
pub(super) mod record;
pub(super) mod segment;
pub(super) mod store;
#[cfg(test)]
mod tests;

use std::str;

/// The version of the format.
pub(super) const VERSION: u32 = 1;

/// Takes fields from the front of what is left of a text of bytes; none where it is too short.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    /// So many bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn u128(&mut self) -> Option<u128> {
        self.array().map(u128::from_le_bytes)
    }

    /// Sixteen bytes.
    pub(super) fn sixteen(&mut self) -> Option<[u8; 16]> {
        self.array()
    }

    /// A text of so many bytes.
    pub(super) fn text(&mut self, count: usize) -> Option<&'a str> {
        str::from_utf8(self.bytes(count)?).ok()
    }

    /// A text behind its length in one byte.
    pub(super) fn short_text(&mut self) -> Option<&'a str> {
        let count = self.u8()?;
        self.text(count.into())
    }

    /// A text behind its length in two bytes.
    pub(super) fn long_text(&mut self) -> Option<&'a str> {
        let count = self.u16()?;
        self.text(count.into())
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

/// A number as the usize that it was written from; one that does not fit is larger than anything.
pub(super) fn size(number: impl TryInto<usize>) -> usize {
    number.try_into().unwrap_or(usize::MAX)
}

/// A length as it is written in four bytes; longer ones are never made.
pub(super) fn length32(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Appends a text behind its length in one byte.
pub(super) fn put_short_text(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

/// Appends a text behind its length in two bytes.
pub(super) fn put_long_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}
