//! Compression: what is done to bytes in the end, on their way out and on their way in.
//!
//! Each thread has one set of compressors, made when it first needs one. Nothing of what goes through
//! them stays, so that connections that say nothing cost nothing, and what is compressed once is right
//! for every reader.

use std::cell::RefCell;

use bytes::Bytes;
use fanfare_core::frame::{Coding, Format, Frame};
use fanfare_core::position::Offset;
use fanfare_core::presence::News;
use fanfare_core::publication::Publication;
use fanfare_protocol::deflate::Deflater;
use fanfare_protocol::native::{encode, presence};
use fanfare_protocol::websocket::{Decoder, Inflater, MessageKind, Violation, deflate_frame};

/// What a thread compresses and inflates with.
#[derive(Debug, Default)]
struct Coders {
    deflater: Option<Deflater>,
    inflater: Option<Inflater>,
    figures: CodingFigures,
}

/// Bytes that went through compressors.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CodingFigures {
    /// By the place of their coding in [`Coding::ALL`].
    pub compressed: [Passage; Coding::ALL.len()],
    /// Messages of clients.
    pub inflated: Passage,
}

/// How many bytes came and what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passage {
    /// Bytes that came in.
    pub taken: u64,
    /// Bytes that came out.
    pub given: u64,
}

thread_local! {
    static CODERS: RefCell<Coders> = RefCell::default();
}

/// Encodes a publication, and compresses it if the format says so.
pub(crate) fn encode(publication: &Publication, prev: Offset, format: Format) -> Frame {
    compress(encode::encode(publication, prev, format), format)
}

/// Encodes news of members, and compresses them if the format says so.
pub(crate) fn encode_news(news: &News, format: Format) -> Frame {
    compress(presence::encode_news(news, format), format)
}

/// The message of a client that came deflated.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn inflate(
    decoder: &Decoder,
    kind: MessageKind,
    data: &[u8],
) -> Result<Bytes, Violation> {
    CODERS.with_borrow_mut(|coders| {
        let inflater = coders.inflater.get_or_insert_default();
        let inflated = decoder.inflate(inflater, kind, data)?;
        coders.figures.inflated.count(data.len(), inflated.len());
        Ok(inflated)
    })
}

/// What this thread has compressed and inflated so far.
pub(crate) fn figures() -> CodingFigures {
    CODERS.with_borrow(|coders| coders.figures)
}

/// What a coding is called in the metrics.
pub(crate) fn coding_name(coding: Coding) -> &'static str {
    match coding {
        Coding::Deflate => "deflate",
    }
}

/// The frame as it is sent in this format.
fn compress(frame: Frame, format: Format) -> Frame {
    match format.coding() {
        None => frame,
        Some(Coding::Deflate) => CODERS.with_borrow_mut(|coders| coders.deflate(frame)),
    }
}

impl Coders {
    /// Deflates a WebSocket's frame, unless it is short or would not get shorter.
    fn deflate(&mut self, frame: Frame) -> Frame {
        let deflater = self.deflater.get_or_insert_default();
        let Some(deflated) = deflate_frame(deflater, frame.bytes()) else {
            return frame;
        };
        self.figures.compressed[Coding::Deflate as usize]
            .count(frame.bytes().len(), deflated.len());
        Frame::whole(Bytes::from(deflated))
    }
}

impl CodingFigures {
    /// Adds what another thread has counted.
    pub(crate) fn add(&mut self, other: &Self) {
        let all = self.compressed.iter_mut().chain([&mut self.inflated]);
        for (sum, more) in all.zip(other.compressed.iter().chain([&other.inflated])) {
            sum.taken += more.taken;
            sum.given += more.given;
        }
    }
}

impl Passage {
    fn count(&mut self, taken: usize, given: usize) {
        self.taken += taken as u64;
        self.given += given as u64;
    }
}
