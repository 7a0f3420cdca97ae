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
use fanfare_protocol::native::packing::pack;
use fanfare_protocol::native::{encode, presence};
use fanfare_protocol::websocket::{Decoder, Inflater, MessageKind, Violation, deflate_frame};
use zstd_safe::{CCtx, CParameter, compress_bound};

/// What a thread compresses and inflates with.
#[derive(Default)]
struct Coders {
    deflater: Option<Deflater>,
    inflater: Option<Inflater>,
    zstd: Option<CCtx<'static>>,
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

/// Counts what another thread has inflated for this one, which alone is asked for its figures.
pub(crate) fn count_inflated(passage: Passage) {
    CODERS.with_borrow_mut(|coders| {
        let inflated = &mut coders.figures.inflated;
        inflated.taken += passage.taken;
        inflated.given += passage.given;
    });
}

/// What this thread has compressed and inflated so far.
pub(crate) fn figures() -> CodingFigures {
    CODERS.with_borrow(|coders| coders.figures)
}

/// What a coding is called in the metrics.
pub(crate) fn coding_name(coding: Coding) -> &'static str {
    match coding {
        Coding::Deflate => "deflate",
        Coding::Gzip => "gzip",
        Coding::Zstd => "zstd",
    }
}

/// The frame as it is sent in this format.
fn compress(frame: Frame, format: Format) -> Frame {
    match format.coding() {
        None => frame,
        Some(Coding::Deflate) => CODERS.with_borrow_mut(|coders| coders.deflate(frame)),
        Some(coding) => CODERS.with_borrow_mut(|coders| coders.pack(&frame, coding)),
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

    /// Packs a stream's frame.
    fn pack(&mut self, frame: &Frame, coding: Coding) -> Frame {
        let Self { deflater, zstd, figures, .. } = self;
        let passage = &mut figures.compressed[coding as usize];
        pack(frame, coding, &mut |plain, out| {
            let begin = out.len();
            match coding {
                Coding::Zstd => append_zstd(zstd, plain, out)?,
                Coding::Gzip | Coding::Deflate => {
                    deflater.get_or_insert_default().append(out, plain)?;
                }
            }
            passage.count(plain.len(), out.len() - begin);
            Some(())
        })
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

/// Appends a whole frame of Zstandard that tells nothing of its content. None, and nothing
/// appended, if it fails, which it does on memory alone.
fn append_zstd(context: &mut Option<CCtx<'static>>, plain: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let context = match context {
        Some(context) => context,
        None => context.insert(zstd_context()?),
    };
    let begin = out.len();
    out.resize(begin + compress_bound(plain.len()), 0);
    let written = out.get_mut(begin..).and_then(|room| context.compress2(room, plain).ok());
    out.truncate(begin + written.unwrap_or(0));
    written.map(|_| ())
}

fn zstd_context() -> Option<CCtx<'static>> {
    let mut context = CCtx::try_create()?;
    for parameter in [
        CParameter::CompressionLevel(ZSTD_LEVEL),
        CParameter::ContentSizeFlag(false),
        // What is farther back than this costs every reader's decoder the room to keep it.
        CParameter::WindowLog(ZSTD_WINDOW_LOG),
    ] {
        context.set_parameter(parameter).ok()?;
    }
    Some(context)
}

impl std::fmt::Debug for Coders {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Coders").field("figures", &self.figures).finish_non_exhaustive()
    }
}

/// Zstandard's own choice between time and bytes.
const ZSTD_LEVEL: i32 = 3;

/// 128 KiB, as a power of two.
const ZSTD_WINDOW_LOG: u32 = 17;
