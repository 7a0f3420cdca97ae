//! Deflated messages received (RFC 7692 section 7.2.2): one at a time, whole, within limits.
//!
//! A client must not refer to its earlier messages, so that nothing is kept between two of them, and
//! one inflater serves all connections of a thread.

use bytes::Bytes;
use zlib_rs::{Inflate, InflateFlush, Status};

use super::frame::MessageKind;
use super::utf8;
use super::violation::Violation;

/// Inflates messages, none of which refers to what came before it.
pub struct Inflater {
    state: Inflate,
    /// What has come out of the message at hand.
    plain: Vec<u8>,
}

impl Inflater {
    /// An inflater at work for nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Inflate::new(false, 15), plain: Vec::new() }
    }

    /// The message that `deflated` is. As soon as it is too large it is looked at no further.
    pub(super) fn inflate(
        &mut self,
        kind: MessageKind,
        deflated: &[u8],
        payload_bytes_max: u32,
    ) -> Result<Bytes, Violation> {
        let length_max = usize::try_from(payload_bytes_max).unwrap_or(usize::MAX);
        let tolerated = deflated.len().saturating_mul(RATIO_MAX).max(UNSUSPICIOUS_BYTES);
        let filled = self.fill(deflated, length_max.min(tolerated));
        let outcome = filled.and_then(|length| {
            let plain = self.plain.get(..length).unwrap_or_default();
            if kind == MessageKind::Text {
                let valid_bytes = utf8::extend_valid(plain, 0).map_err(Fault::Violation)?;
                utf8::check_whole(plain, valid_bytes).map_err(Fault::Violation)?;
            }
            Ok(Bytes::copy_from_slice(plain))
        });
        // What a large message needed is not kept for ever.
        self.plain.truncate(KEPT_BYTES);
        self.plain.shrink_to(KEPT_BYTES);
        outcome.map_err(|fault| match fault {
            Fault::Violation(violation) => violation,
            Fault::TooLong if tolerated < length_max => {
                Violation::DeflateRatio { ratio_max: RATIO_MAX_TOLD }
            }
            Fault::TooLong => Violation::MessageTooBig { payload_bytes_max },
        })
    }

    /// Inflates into `plain`; gives the length of what is there.
    fn fill(&mut self, deflated: &[u8], length_max: usize) -> Result<usize, Fault> {
        self.state.reset(false);
        let mut length = 0;
        let mut input = deflated;
        for _ in 0..LAST_BLOCKS_MAX {
            match self.run(&mut input, &mut length, length_max)? {
                // Whoever marks a block as the last has it end at a byte, and may go on behind it.
                Ended::Marked if input.is_empty() => return Ok(length),
                Ended::Marked => self.state.reset(false),
                Ended::Starved => {
                    // What the sender has left out, and behind it an empty last block: it is reached
                    // as such only if nothing before was cut off.
                    input = &[0, 0, 0xff, 0xff, 0x03, 0];
                    let ended = self.run(&mut input, &mut length, length_max)?;
                    let whole = ended == Ended::Marked && input.is_empty();
                    return if whole { Ok(length) } else { Err(INVALID) };
                }
            }
        }
        Err(INVALID)
    }

    /// Inflates `input` until it is used up, or a block marked as the last ends.
    fn run(
        &mut self,
        input: &mut &[u8],
        length: &mut usize,
        length_max: usize,
    ) -> Result<Ended, Fault> {
        loop {
            if *length == self.plain.len() {
                // One byte of room beyond the limit tells what is too long from what just fits.
                let room = (*length * 2).max(KEPT_BYTES).min(length_max.saturating_add(1));
                self.plain.resize(room.max(*length), 0);
            }
            let room = self.plain.get_mut(*length..).unwrap_or_default();
            let (read, written) = (self.state.total_in(), self.state.total_out());
            let outcome = self.state.decompress(input, room, InflateFlush::SyncFlush);
            let read = usize::try_from(self.state.total_in() - read).unwrap_or(usize::MAX);
            let written = usize::try_from(self.state.total_out() - written).unwrap_or(0);
            *input = input.get(read..).unwrap_or_default();
            *length += written;
            if *length > length_max {
                return Err(Fault::TooLong);
            }
            match outcome {
                Ok(Status::StreamEnd) => return Ok(Ended::Marked),
                Ok(Status::Ok | Status::BufError) if *length == self.plain.len() => {}
                Ok(Status::Ok | Status::BufError) if input.is_empty() => return Ok(Ended::Starved),
                Ok(Status::Ok) if read > 0 || written > 0 => {}
                Ok(Status::Ok | Status::BufError) | Err(_) => return Err(INVALID),
            }
        }
    }
}

impl Default for Inflater {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Inflater {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Inflater").finish_non_exhaustive()
    }
}

/// Why inflating stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// A block was marked as the last.
    Marked,
    /// There was no more input.
    Starved,
}

/// Why there is no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Violation(Violation),
    /// There is more of it than may be.
    TooLong,
}

const INVALID: Fault = Fault::Violation(Violation::DeflateInvalid);

/// How many times its length on the wire a message may inflate to. DEFLATE can do 1,032; what people
/// send stays below 50.
const RATIO_MAX: usize = 200;

/// The same number, as a client is told it.
const RATIO_MAX_TOLD: u32 = 200;

/// Up to so many bytes no ratio is absurd.
const UNSUSPICIOUS_BYTES: usize = 64 * 1024;

/// Blocks marked as the last in one message, at most: each costs as much as a small message.
const LAST_BLOCKS_MAX: usize = 64;

/// Bytes of room that are kept between messages.
const KEPT_BYTES: usize = 16 * 1024;
