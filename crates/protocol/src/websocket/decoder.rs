//! Bytes received become messages, pings, pongs and a close (RFC 6455 sections 5 to 7).
//!
//! The common case, a whole frame in the read buffer, is unmasked, validated and copied once,
//! and the decoder keeps nothing. Only a frame or message that arrives in pieces has state, in a
//! box (`partial.rs`) that goes when it is whole: an idle connection costs 16 bytes here. Memory
//! follows the bytes received, never a length that was only announced.

use bytes::Bytes;

use super::close::{CloseCode, read_close};
use super::frame::{
    Coding, Control, Extension, Header, MessageKind, Opcode, Part, Role, apply_mask, read_header,
};
use super::inflate::Inflater;
use super::partial::Partial;
use super::utf8;
use super::violation::Violation;

/// What a peer has said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A whole message, its fragments joined.
    Message {
        /// Text or binary.
        kind: MessageKind,
        /// The message; valid UTF-8 if it is text.
        data: Bytes,
    },
    /// A whole message as [`Self::Message`], its bytes still deflated; for [`Decoder::inflate`]. Only
    /// after [`Decoder::with_deflate`].
    Deflated {
        /// Text or binary.
        kind: MessageKind,
        /// The fragments, joined.
        data: Bytes,
    },
    /// A ping, at most 125 bytes; it is answered with a pong that carries the same.
    Ping(Bytes),
    /// A pong, asked for or not, at most 125 bytes.
    Pong(Bytes),
    /// A close; nothing comes after it.
    Close {
        /// The peer's code, if it gave one.
        code: Option<CloseCode>,
        /// The peer's reason, at most 123 bytes.
        reason: String,
    },
}

/// One direction of one connection.
#[derive(Debug)]
pub struct Decoder {
    partial: Option<Box<Partial>>,
    // The rules lie here in pieces: as one struct their padding would cost eight bytes more.
    payload_bytes_max: u32,
    role: Role,
    extension: Extension,
    phase: Phase,
}

/// What a decoder holds its peer to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    pub(super) payload_bytes_max: u32,
    pub(super) role: Role,
    pub(super) extension: Extension,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// A close was received or a violation found; what still comes is discarded.
    Over,
}

impl Decoder {
    /// A decoder for what our `role` receives, in messages of at most `payload_bytes_max` bytes
    /// (all fragments together).
    #[must_use]
    pub const fn new(role: Role, payload_bytes_max: u32) -> Self {
        let extension = Extension::None;
        Self { partial: None, payload_bytes_max, role, extension, phase: Phase::Open }
    }

    /// The same where the handshake has agreed on permessage-deflate, both ways without context
    /// takeover.
    #[must_use]
    pub const fn with_deflate(mut self) -> Self {
        self.extension = Extension::Deflate;
        self
    }

    /// Bytes of a message at most, as it was made with.
    #[must_use]
    pub const fn payload_bytes_max(&self) -> u32 {
        self.payload_bytes_max
    }

    /// Whether the handshake has agreed on permessage-deflate.
    #[must_use]
    pub const fn deflates(&self) -> bool {
        matches!(self.extension, Extension::Deflate)
    }

    /// The message of an [`Event::Deflated`], held to the limit that the decoder was made with.
    ///
    /// # Errors
    ///
    /// The [`Violation`] that its bytes are.
    pub fn inflate(
        &self,
        inflater: &mut Inflater,
        kind: MessageKind,
        data: &[u8],
    ) -> Result<Bytes, Violation> {
        inflater.inflate(kind, data, self.payload_bytes_max)
    }

    /// Takes bytes from the front of `input` until it has an event; `None` when all of them are
    /// taken and more are needed. To be called again while it gives events.
    ///
    /// However the stream is cut into inputs, the events are the same. After a close or a
    /// violation every further byte is taken and discarded (section 1.4).
    ///
    /// # Errors
    ///
    /// The first [`Violation`] of the peer, once; what it held is freed.
    pub fn decode(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
        if self.phase == Phase::Over {
            *input = &[];
            return Ok(None);
        }
        let outcome = self.advance(input);
        if matches!(outcome, Err(_) | Ok(Some(Event::Close { .. }))) {
            self.phase = Phase::Over;
            self.partial = None;
        }
        outcome
    }

    /// What there is of a message that is not whole, if it does not come deflated.
    #[must_use]
    pub fn begun(&self) -> Option<&[u8]> {
        self.partial.as_ref()?.begun()
    }

    /// How many bytes a message that is not whole comes to at least, as its frame announces.
    #[must_use]
    pub fn expected_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.expected_bytes())
    }

    /// Takes and discards whatever still comes, as after a violation; what it held is freed.
    pub fn discard(&mut self) {
        self.phase = Phase::Over;
        self.partial = None;
    }

    /// Whether the bytes taken so far end with a frame, so that nothing of one would be lost.
    /// A fragmented message may still be open.
    #[must_use]
    pub fn is_at_frame_boundary(&self) -> bool {
        self.partial.as_ref().is_none_or(|partial| partial.is_at_frame_boundary())
    }

    /// How many bytes of heap it pins: 0 when no frame and no message is partly received.
    #[must_use]
    pub fn pinned_bytes(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| size_of::<Partial>() + partial.buffered_bytes())
    }

    const fn rules(&self) -> Rules {
        let Self { payload_bytes_max, role, extension, .. } = *self;
        Rules { payload_bytes_max, role, extension }
    }

    fn advance(&mut self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
        if self.partial.is_none() {
            if input.is_empty() {
                return Ok(None);
            }
            if let Some(event) = self.take_whole(input)? {
                return Ok(Some(event));
            }
        }
        let rules = self.rules();
        let partial = self.partial.get_or_insert_default();
        let event = partial.advance(input, rules)?;
        if partial.is_vacant() {
            self.partial = None;
        }
        Ok(event)
    }

    /// The event of a frame that lies in `input` whole and needs no state; else `input` stays.
    fn take_whole(&self, input: &mut &[u8]) -> Result<Option<Event>, Violation> {
        let Some(header) = read_header(input, self.role, self.extension)? else {
            return Ok(None);
        };
        if header.part == Part::More {
            return Ok(None);
        }
        let payload_bytes = self.rules().check(&header, None)?;
        let Some((_, rest)) = input.split_at_checked(header.header_bytes) else {
            return Ok(None);
        };
        let Some((payload, rest)) = rest.split_at_checked(payload_bytes) else {
            return Ok(None);
        };
        let mut payload = payload.to_vec();
        if let Some(mask) = header.mask {
            apply_mask(&mut payload, mask);
        }
        let event = match header.opcode {
            Opcode::Control(control) => control_event(control, payload)?,
            // `check` has refused a continuation already; it has no kind of its own.
            Opcode::Continuation => return Err(Violation::UnexpectedContinuation),
            Opcode::Message(kind) if header.coding == Coding::Deflated => {
                Event::Deflated { kind, data: payload.into() }
            }
            Opcode::Message(kind) => {
                if kind == MessageKind::Text {
                    let valid_bytes = utf8::extend_valid(&payload, 0)?;
                    utf8::check_whole(&payload, valid_bytes)?;
                }
                Event::Message { kind, data: payload.into() }
            }
        };
        *input = rest;
        Ok(Some(event))
    }
}

impl Rules {
    /// Whether this frame may come now, before anything is stored of it; gives its length.
    ///
    /// `begun` is what is already there of a fragmented message, `None` outside of one.
    pub(super) fn check(
        self,
        header: &Header,
        begun: Option<(usize, Coding)>,
    ) -> Result<usize, Violation> {
        let (stored, coding) = match (header.opcode, begun) {
            (Opcode::Continuation, None) => return Err(Violation::UnexpectedContinuation),
            (Opcode::Message(_), Some(_)) => return Err(Violation::InterleavedMessage),
            (Opcode::Continuation, Some(begun)) => begun,
            // The limit is one on messages; a control frame has its own, already checked.
            (Opcode::Control(_), _) => return to_usize(header.payload_bytes, self),
            (Opcode::Message(_), None) => (0, header.coding),
        };
        let total = header.payload_bytes.saturating_add(stored as u64);
        if total > self.wire_bytes_max(coding) {
            return Err(self.too_big());
        }
        to_usize(header.payload_bytes, self)
    }

    /// Bytes of a message on the wire, at most. What cannot be made smaller grows by being deflated:
    /// in the worst block that makes sense by an eighth, where each byte takes nine bits.
    pub(super) fn wire_bytes_max(self, coding: Coding) -> u64 {
        let plain = u64::from(self.payload_bytes_max);
        match coding {
            Coding::Plain => plain,
            Coding::Deflated => plain + plain / 8 + 64,
        }
    }

    fn too_big(self) -> Violation {
        Violation::MessageTooBig { payload_bytes_max: self.payload_bytes_max }
    }
}

/// A length that `rules` allow; only where a usize has fewer than 32 bits can it not be held.
fn to_usize(payload_bytes: u64, rules: Rules) -> Result<usize, Violation> {
    usize::try_from(payload_bytes).ok().ok_or_else(|| rules.too_big())
}

/// The event of a whole control frame, given its unmasked payload.
pub(super) fn control_event(control: Control, payload: Vec<u8>) -> Result<Event, Violation> {
    Ok(match control {
        Control::Ping => Event::Ping(payload.into()),
        Control::Pong => Event::Pong(payload.into()),
        Control::Close => {
            let (code, reason) = read_close(&payload)?;
            let reason = reason.to_owned();
            Event::Close { code, reason }
        }
    })
}
