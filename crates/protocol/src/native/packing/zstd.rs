//! Zstandard (RFC 8878): a frame for each piece.
//!
//! A compressor makes a whole frame of the shared part. Its last block is then made one that others
//! follow, and the tail stands behind it as a block that is not compressed, and the last.

use super::{Compress, PACKED_BYTES_MIN};

/// Bytes in front of a block.
pub(super) const BLOCK_HEAD_BYTES: usize = 3;

/// Appends the head of a frame that says nothing of its content's length.
pub(super) fn append_head(out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[PLAIN_DESCRIPTOR, WINDOW_128_KIB]);
}

/// Appends bytes as blocks that are not compressed, and not the last.
pub(super) fn append_raw(out: &mut Vec<u8>, plain: &[u8]) {
    for block in plain.chunks(BLOCK_BYTES_MAX) {
        append_block_head(out, block.len(), 0);
        out.extend_from_slice(block);
    }
}

/// Appends the head of the last block, which holds so many bytes as they are.
pub(super) fn append_last(out: &mut Vec<u8>, bytes: usize) {
    append_block_head(out, bytes, LAST);
}

/// Appends the shared part of a frame, up to where the last block follows.
pub(super) fn append_shared(out: &mut Vec<u8>, plain: &[u8], compress: Compress<'_>) {
    let begin = out.len();
    let compressed = plain.len() >= PACKED_BYTES_MIN && compress(plain, out).is_some();
    let saved = compressed && out.len() - begin < plain.len();
    let reopened = out.get_mut(begin..).filter(|_| saved).and_then(reopen);
    if reopened.is_none() {
        out.truncate(begin);
        append_head(out);
        append_raw(out, plain);
    }
}

/// Has another block follow the last one of a whole frame. None if the frame is of a kind that this
/// cannot be done to: one that tells its content's length or checksum.
fn reopen(frame: &mut [u8]) -> Option<()> {
    let (magic, rest) = frame.split_first_chunk_mut::<4>()?;
    let ([descriptor, window], blocks) = rest.split_first_chunk_mut::<2>()?;
    if *magic != MAGIC || *descriptor != PLAIN_DESCRIPTOR {
        return None;
    }
    // No block may be larger than the window, and a tail is one.
    *window = (*window).max(WINDOW_8_KIB);
    let mut rest = blocks;
    loop {
        let (head, behind) = rest.split_first_chunk_mut::<BLOCK_HEAD_BYTES>()?;
        let [low, middle, high] = *head;
        let fields = u32::from_le_bytes([low, middle, high, 0]);
        if fields & LAST != 0 {
            let [low, ..] = head;
            *low &= !1;
            return Some(());
        }
        let bytes = match fields >> 1 & 3 {
            REPEATED => 1,
            _ => usize::try_from(fields >> 3).ok()?,
        };
        rest = behind.get_mut(bytes..)?;
    }
}

fn append_block_head(out: &mut Vec<u8>, bytes: usize, last: u32) {
    debug_assert!(bytes <= BLOCK_BYTES_MAX, "{bytes} bytes are too many for a block");
    let [low, middle, high, _] =
        (u32::try_from(bytes).unwrap_or_default() << 3 | last).to_le_bytes();
    out.extend_from_slice(&[low, middle, high]);
}

const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A frame with a window, and without a content's length, checksum or dictionary.
const PLAIN_DESCRIPTOR: u8 = 0;

/// Windows by their descriptors: an exponent above 1 KiB in the five upper bits.
const WINDOW_8_KIB: u8 = 3 << 3;
const WINDOW_128_KIB: u8 = 7 << 3;

/// Bytes of a block at most.
const BLOCK_BYTES_MAX: usize = 128 * 1024;

/// The bit of the last block.
const LAST: u32 = 1;

/// The type of a block that is one byte, many times.
const REPEATED: u32 = 1;
