//! Bodies of streams that are compressed on their way (RFC 9110 §8.4).
//!
//! A body is packed in pieces, of which none refers to what came before it: a publication is compressed
//! once for all its readers, whatever each of them has seen. A piece ends where a decoder can give
//! out all of it. The part of a frame that is the reader's own, its cursor, is not compressed: what
//! cursors are made of has no pattern, and each reader would have to be compressed for.

mod accept;
mod gzip;
mod zstd;

use std::ops::Range;

use bytes::Bytes;
use fanfare_core::frame::{Coding, Format, Frame};

use crate::native::chunk::{CHUNK_END, Framing, append_chunk_head};

pub use accept::ContentCoding;
pub(crate) use accept::accepted;
pub use gzip::{GzipSum, Powers};

/// How the body of one stream is packed, with what its end has to say of all that went before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Packing {
    /// As it is.
    #[default]
    Plain,
    /// One member of gzip (RFC 1952).
    Gzip(GzipSum),
    /// Frames of Zstandard (RFC 8878), one after the other.
    Zstd,
}

/// Compresses what is appended behind the bytes that are there; none if it fails.
pub type Compress<'a> = &'a mut dyn FnMut(&[u8], &mut Vec<u8>) -> Option<()>;

impl Packing {
    /// The packing of a body that is yet to begin, in this format.
    #[must_use]
    pub fn of(format: Format) -> Self {
        match format.coding() {
            Some(Coding::Gzip) => Self::Gzip(GzipSum::default()),
            Some(Coding::Zstd) => Self::Zstd,
            Some(Coding::Deflate) | None => Self::Plain,
        }
    }

    /// Whether its end has something to say of all that went before.
    #[must_use]
    pub fn sums(&self) -> bool {
        matches!(self, Self::Gzip(_))
    }

    /// Appends what a body begins with.
    pub fn begin(&self, out: &mut Vec<u8>) {
        if let Self::Gzip(_) = self {
            out.extend_from_slice(&gzip::HEADER);
        }
    }

    /// Appends a piece that is no frame: it is short, or one reader's own, and not compressed.
    pub fn append(&mut self, out: &mut Vec<u8>, piece: &[u8]) {
        if piece.is_empty() {
            return;
        }
        match self {
            Self::Plain => out.extend_from_slice(piece),
            Self::Gzip(sum) => {
                sum.add(piece);
                gzip::append_stored(out, piece);
            }
            Self::Zstd => {
                zstd::append_head(out);
                zstd::append_raw(out, piece);
                zstd::append_last(out, 0);
            }
        }
    }

    /// Takes note of a frame that goes out as `sent`, framing included.
    pub fn pass(&mut self, frame: &Frame, sent: &[u8], framing: Framing, powers: &mut Powers) {
        if let Self::Gzip(sum) = self {
            sum.pass(frame, body_of(sent, framing), powers);
        }
    }

    /// Takes note of a piece that a [`Packing::pass`] elsewhere has summed up.
    pub fn join(&mut self, piece: GzipSum, powers: &mut Powers) {
        if let Self::Gzip(sum) = self {
            sum.join(piece, powers);
        }
    }

    /// What has gone through so far, which only gzip keeps account of.
    #[must_use]
    pub fn sum(&self) -> GzipSum {
        match self {
            Self::Gzip(sum) => *sum,
            Self::Plain | Self::Zstd => GzipSum::default(),
        }
    }

    /// Appends what a body ends with, where it ends and is not broken off.
    pub fn finish(&self, out: &mut Vec<u8>) {
        if let Self::Gzip(sum) = self {
            gzip::append_trailer(out, *sum);
        }
    }
}

/// The frame of a stream with its body packed. An empty one stays empty.
#[must_use]
pub fn pack(frame: &Frame, coding: Coding, compress: Compress<'_>) -> Frame {
    let (body, shared) = (frame.body(), frame.shared());
    let tail = body.get(shared.len()..).unwrap_or_default();
    if body.is_empty() {
        return frame.clone();
    }
    let mut out = Vec::with_capacity(HEADROOM + body.len() + 64);
    out.resize(HEADROOM, 0);
    let note = match coding {
        Coding::Gzip => {
            gzip::append_shared(&mut out, shared, compress);
            GzipSum::of(shared).note()
        }
        Coding::Zstd => {
            zstd::append_shared(&mut out, shared, compress);
            0
        }
        Coding::Deflate => return frame.clone(),
    };
    let own = out.len();
    append_tail_head(&mut out, coding, tail.len());
    out.extend_from_slice(tail);
    chunked(out, own).with_note(note)
}

/// Appends what stands in front of a tail of so many bytes, behind the shared part of a frame that
/// is packed so.
pub(crate) fn append_tail_head(out: &mut Vec<u8>, coding: Coding, bytes: usize) {
    match coding {
        Coding::Gzip => gzip::append_length(out, bytes),
        Coding::Zstd => zstd::append_last(out, bytes),
        Coding::Deflate => {}
    }
}

/// Bytes of what [`append_tail_head`] appends.
pub(crate) fn tail_head_bytes(coding: Option<Coding>) -> usize {
    match coding {
        Some(Coding::Gzip) => gzip::LENGTH_BYTES,
        Some(Coding::Zstd) => zstd::BLOCK_HEAD_BYTES,
        Some(Coding::Deflate) | None => 0,
    }
}

/// Puts a chunk around a body that has [`HEADROOM`] in front of it and whose tail begins at `tail`.
fn chunked(mut out: Vec<u8>, tail: usize) -> Frame {
    let body_bytes = out.len() - HEADROOM;
    let mut head = Vec::with_capacity(HEADROOM);
    append_chunk_head(&mut head, body_bytes);
    out.extend_from_slice(CHUNK_END);
    let start = HEADROOM.saturating_sub(head.len());
    if let Some(room) = out.get_mut(start..HEADROOM) {
        room.copy_from_slice(&head);
    }
    let body = head.len()..head.len() + body_bytes;
    // A feed may hold it for long: what a compressor had asked for beyond it goes.
    out.shrink_to_fit();
    Frame::new(Bytes::from(out).slice(start..), body, tail - start)
}

/// The body within a frame's bytes.
fn body_of(sent: &[u8], framing: Framing) -> &[u8] {
    let range: Range<usize> = match framing {
        Framing::Bare => 0..sent.len(),
        Framing::Chunked => {
            let head = sent.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            head..sent.len().saturating_sub(CHUNK_END.len())
        }
    };
    sent.get(range).unwrap_or_default()
}

/// Bytes of a part below which nothing is gained by compressing it.
const PACKED_BYTES_MIN: usize = 128;

/// Bytes of the longest framing in front of a body: a chunk's size in 16 digits and a line end.
const HEADROOM: usize = 18;
