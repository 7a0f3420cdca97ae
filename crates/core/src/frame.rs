//! Frames: a publication encoded once for all readers of one wire format.
//!
//! The core never looks inside a frame. It only knows where the body ends and where the tail, the
//! part that carries the reader's cursor, begins, because a reader of several channels needs a
//! tail of its own.

use std::ops::Range;

use bytes::Bytes;

use crate::position::Offset;
use crate::publication::Publication;

/// The wire formats that feeds exist for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Server-Sent Events, the publisher's bytes as `data:`.
    Sse,
    /// The same, each event named after its channel (`event=channel`).
    SseChannel,
    /// Server-Sent Events with the envelope as `data:` (`as=envelope`).
    SseEnvelope,
    /// One envelope a line.
    Ndjson,
    /// One payload a line, without cursor (`as=raw`).
    Text,
    /// WebSocket frames with the bare payload.
    WebSocketRaw,
    /// WebSocket text frames with the envelope and the channel's own cursor entry (`fanfare.v1`).
    WebSocketV1,
    /// One of these, its bytes compressed in the end.
    Compressed(Compressed),
}

/// A format whose bytes are compressed, made by [`Format::compressed`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Compressed {
    /// The place of the format in [`Format::PLAIN`].
    plain: u8,
    coding: Coding,
}

/// How a format's bytes are compressed. The core only tells one from the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coding {
    /// Each message by itself, as WebSockets have it (RFC 7692).
    Deflate,
    /// A stream's body, as gzip (RFC 1952).
    Gzip,
    /// A stream's body, as frames of Zstandard (RFC 8878).
    Zstd,
}

impl Format {
    /// Every format that is not compressed, in the order of their numbers.
    pub const PLAIN: [Self; 7] = [
        Self::Sse,
        Self::SseChannel,
        Self::SseEnvelope,
        Self::Ndjson,
        Self::Text,
        Self::WebSocketRaw,
        Self::WebSocketV1,
    ];

    /// The number of formats, compressed ones included.
    pub const COUNT: usize = Self::PLAIN.len() * (1 + Coding::ALL.len());

    /// The format's place in tables: those that are not compressed come first.
    #[must_use]
    pub fn index(self) -> usize {
        match self {
            Self::Sse => 0,
            Self::SseChannel => 1,
            Self::SseEnvelope => 2,
            Self::Ndjson => 3,
            Self::Text => 4,
            Self::WebSocketRaw => 5,
            Self::WebSocketV1 => 6,
            Self::Compressed(Compressed { plain, coding }) => {
                Self::PLAIN.len() * (1 + coding as usize) + usize::from(plain)
            }
        }
    }

    /// The format with this [`Format::index`].
    #[must_use]
    pub fn at(index: usize) -> Option<Self> {
        let plain = *Self::PLAIN.get(index % Self::PLAIN.len())?;
        match (index / Self::PLAIN.len()).checked_sub(1) {
            None => Some(plain),
            Some(coding) => Coding::ALL.get(coding).map(|coding| plain.compressed(*coding)),
        }
    }

    /// The format before its bytes are compressed.
    #[must_use]
    pub fn plain(self) -> Self {
        match self {
            Self::Compressed(compressed) => compressed.plain(),
            plain => plain,
        }
    }

    /// How its bytes are compressed, if they are.
    #[must_use]
    pub fn coding(self) -> Option<Coding> {
        match self {
            Self::Compressed(compressed) => Some(compressed.coding),
            _ => None,
        }
    }

    /// The same format, compressed so.
    #[must_use]
    pub fn compressed(self, coding: Coding) -> Self {
        let plain = u8::try_from(self.plain().index()).unwrap_or_default();
        Self::Compressed(Compressed { plain, coding })
    }

    /// Whether a reader of several channels needs frames with a tail of its own.
    #[must_use]
    pub fn composes(self) -> bool {
        matches!(self.plain(), Self::Sse | Self::SseChannel | Self::SseEnvelope | Self::Ndjson)
    }

    /// Whether the format has words for a gap, and for members who come and go; without them a gap
    /// ends the connection.
    #[must_use]
    pub fn tells_gaps(self) -> bool {
        !matches!(self.plain(), Self::Text | Self::WebSocketRaw)
    }
}

impl Coding {
    /// Every coding, in the order of their numbers.
    pub const ALL: [Self; 3] = [Self::Deflate, Self::Gzip, Self::Zstd];
}

impl Compressed {
    /// The format before its bytes are compressed; never a compressed one.
    #[must_use]
    pub fn plain(self) -> Format {
        Format::PLAIN.get(usize::from(self.plain)).copied().unwrap_or(Format::Sse)
    }

    /// How its bytes are compressed.
    #[must_use]
    pub fn coding(self) -> Coding {
        self.coding
    }
}

/// Encodes a publication, given the offset before it as it is served. May give an empty frame where
/// a format has no words for it.
pub type Encode = fn(&Publication, Offset, Format) -> Frame;

/// The bytes of one feed entry.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    bytes: Bytes,
    /// Bytes before the body and behind it.
    around: (u16, u16),
    tail: u32,
    note: u64,
}

impl Frame {
    /// A frame of `bytes`, of which `body` stands within the transport's own framing (an HTTP/1.1
    /// chunk's size line and line end stand outside), and of which the reader's cursor begins at
    /// `tail` and ends with the body. Places beyond the bytes are pulled back to their end; at most
    /// 65,535 bytes stand on each side of the body.
    #[must_use]
    pub fn new(bytes: Bytes, body: Range<usize>, tail: usize) -> Self {
        let around = |bytes: usize| u16::try_from(bytes).unwrap_or(u16::MAX);
        let begin = body.start.min(bytes.len());
        let end = body.end.clamp(begin, bytes.len());
        let tail = u32::try_from(tail.clamp(begin, end)).unwrap_or(u32::MAX);
        let around = (around(begin), around(bytes.len() - end));
        Self { bytes, around, tail, note: 0 }
    }

    /// The same with a note, which the core carries along and does not read.
    #[must_use]
    pub fn with_note(mut self, note: u64) -> Self {
        self.note = note;
        self
    }

    /// What whoever made it has to know of it; 0 unless something was noted.
    #[must_use]
    pub fn note(&self) -> u64 {
        self.note
    }

    /// A frame that is all body and has no tail.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        let end = bytes.len();
        Self::new(bytes, 0..end, end)
    }

    /// What an HTTP/1.1 or WebSocket reader of this one channel is sent.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The body without the transport's framing, for sinks that frame by themselves.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let (before, behind) = self.around;
        self.bytes.slice(usize::from(before)..self.bytes.len() - usize::from(behind))
    }

    /// The part of the body that all readers share.
    #[must_use]
    pub fn shared(&self) -> &[u8] {
        self.bytes.get(usize::from(self.around.0)..self.tail as usize).unwrap_or_default()
    }

    /// The bytes it costs to keep.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.bytes.len() + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::{Coding, Format};

    #[test]
    fn each_format_has_a_place_of_its_own() {
        for index in 0..Format::COUNT {
            let format = Format::at(index).unwrap();
            assert_eq!(format.index(), index, "{format:?}");
            assert_eq!(format.coding().is_none(), index < Format::PLAIN.len());
        }
        assert_eq!(Format::at(Format::COUNT), None);
        for plain in Format::PLAIN {
            for coding in Coding::ALL {
                let compressed = plain.compressed(coding);
                assert_eq!((compressed.plain(), compressed.coding()), (plain, Some(coding)));
                assert_eq!(compressed.compressed(coding), compressed);
                assert_eq!(compressed.composes(), plain.composes());
                assert_eq!(compressed.tells_gaps(), plain.tells_gaps());
            }
        }
    }
}
