//! gzip (RFC 1952): one member, whose blocks (RFC 1951) refer to nothing before their piece.
//!
//! Every piece begins and ends at a byte. What is compressed ends with a flush, an empty stored block
//! of which only the first byte is the shared part's: behind it stands a length, and with that a
//! tail that is the reader's own becomes the content of that very block.

use fanfare_core::frame::Frame;
use zlib_rs::crc32::{crc32, crc32_combine_gen, crc32_combine_op, get_crc_table};

use super::{Compress, PACKED_BYTES_MIN};
use crate::deflate::FLUSHED;

/// What a member begins with: deflate, no name, no time, an unknown system.
pub(super) const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// Bytes of a stored block's length, which stands there twice, once inverted.
pub(super) const LENGTH_BYTES: usize = 4;

/// The checksum and the length of what a member holds, which stand at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GzipSum {
    crc: u32,
    /// Modulo 2^32, as it is told.
    bytes: u32,
}

/// What it takes to join checksums: many readers are given the same bytes one after the other, so
/// that the last length is often the next.
#[derive(Debug, Clone, Copy, Default)]
pub struct Powers {
    bytes: u32,
    operator: u32,
}

impl GzipSum {
    /// Of these bytes.
    pub(super) fn of(plain: &[u8]) -> Self {
        let mut sum = Self::default();
        sum.add(plain);
        sum
    }

    /// Adds bytes.
    pub(super) fn add(&mut self, plain: &[u8]) {
        self.crc = match plain.len() {
            // A tail, for each reader: what the other one sets out with costs more than all of this.
            ..SHORT_BYTES => plain.iter().fold(!self.crc, add_byte) ^ u32::MAX,
            _ => crc32(self.crc, plain),
        };
        self.bytes = self.bytes.wrapping_add(length_of(plain));
    }

    /// Adds what another sum is of.
    pub(super) fn join(&mut self, more: Self, powers: &mut Powers) {
        self.crc = crc32_combine_op(self.crc, more.crc, powers.of(more.bytes));
        self.bytes = self.bytes.wrapping_add(more.bytes);
    }

    /// Adds a frame that goes out with this body: what is shared of it the frame itself knows.
    pub(super) fn pass(&mut self, frame: &Frame, body: &[u8], powers: &mut Powers) {
        if body.is_empty() {
            return;
        }
        self.join(Self::noted(frame.note()), powers);
        self.add(body.get(frame.shared().len() + LENGTH_BYTES..).unwrap_or_default());
    }

    /// As a frame carries it along.
    pub(super) fn note(self) -> u64 {
        u64::from(self.crc) << 32 | u64::from(self.bytes)
    }

    fn noted(note: u64) -> Self {
        let [low, high] = [note, note >> 32].map(|part| part & u64::from(u32::MAX));
        let part = |part| u32::try_from(part).unwrap_or_default();
        Self { crc: part(high), bytes: part(low) }
    }
}

impl Powers {
    fn of(&mut self, bytes: u32) -> u32 {
        if self.operator == 0 || self.bytes != bytes {
            *self = Self { bytes, operator: crc32_combine_gen(u64::from(bytes)) };
        }
        self.operator
    }
}

/// Appends the shared part of a frame, up to where a length follows.
pub(super) fn append_shared(out: &mut Vec<u8>, plain: &[u8], compress: Compress<'_>) {
    let begin = out.len();
    let compressed = plain.len() >= PACKED_BYTES_MIN && compress(plain, out).is_some();
    let saved = compressed && out.ends_with(&FLUSHED) && out.len() - begin < plain.len();
    if saved {
        out.truncate(out.len() - FLUSHED.len());
        return;
    }
    out.truncate(begin);
    append_stored(out, plain);
    out.push(STORED);
}

/// Appends bytes as stored blocks.
pub(super) fn append_stored(out: &mut Vec<u8>, plain: &[u8]) {
    for block in plain.chunks(STORED_BYTES_MAX) {
        out.push(STORED);
        append_length(out, block.len());
        out.extend_from_slice(block);
    }
}

/// Appends the length of a stored block, at most [`STORED_BYTES_MAX`].
pub(super) fn append_length(out: &mut Vec<u8>, bytes: usize) {
    debug_assert!(bytes <= STORED_BYTES_MAX, "{bytes} bytes are too many for a stored block");
    let length = u16::try_from(bytes).unwrap_or(u16::MAX);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
}

/// Appends the end of a member: an empty block that is the last one, checksum and length.
pub(super) fn append_trailer(out: &mut Vec<u8>, sum: GzipSum) {
    out.extend_from_slice(&[0x03, 0]);
    out.extend_from_slice(&sum.crc.to_le_bytes());
    out.extend_from_slice(&sum.bytes.to_le_bytes());
}

/// Adds a byte to an inverted checksum (RFC 1952 section 8).
fn add_byte(crc: u32, byte: &u8) -> u32 {
    let [low, ..] = crc.to_le_bytes();
    let place = usize::from(low ^ byte);
    get_crc_table().get(place).copied().unwrap_or_default() ^ (crc >> 8)
}

fn length_of(plain: &[u8]) -> u32 {
    let bytes = plain.len() as u64 & u64::from(u32::MAX);
    u32::try_from(bytes).unwrap_or_default()
}

/// The first byte of a stored block that begins at a byte and is not the last one.
const STORED: u8 = 0;

/// Bytes that are summed up one by one.
const SHORT_BYTES: usize = 64;

/// Bytes of a stored block at most.
const STORED_BYTES_MAX: usize = 65_535;
