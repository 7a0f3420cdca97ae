//! Frames to be sent: a server's without a mask, a client's with a key that the caller draws.
//!
//! What is sent is never fragmented: a feed encodes a publication once and shares its bytes, so
//! [`header`] is also there alone, for a payload that already lies somewhere else.

use bytes::Bytes;

use super::close::{CloseCode, cut_reason};
use super::frame::{
    CONTROL_BYTES_MAX, Control, FIN, LENGTH_16, LENGTH_64, MASKED, MessageKind, Opcode, apply_mask,
};

/// One frame to be sent, always whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message of any length. Text must be UTF-8; that is the caller's to know.
    Message {
        /// Text or binary.
        kind: MessageKind,
        /// The whole message.
        payload: &'a [u8],
    },
    /// A ping; what is longer than 125 bytes is cut off.
    Ping(&'a [u8]),
    /// The answer to a ping, with its payload; what is longer than 125 bytes is cut off.
    Pong(&'a [u8]),
    /// A close; without a code it has no reason, and a reason is cut by [`cut_reason`].
    Close(Option<(CloseCode, &'a str)>),
}

/// The head of a server's frame: at most ten bytes, without a mask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameHeader {
    bytes: [u8; 10],
    length: u8,
}

impl AsRef<[u8]> for FrameHeader {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or(&self.bytes)
    }
}

/// The head of a server's frame whose message of `payload_bytes` bytes follows.
#[must_use]
pub fn header(kind: MessageKind, payload_bytes: usize) -> FrameHeader {
    header_of(Opcode::Message(kind), payload_bytes)
}

/// A server's frame, in one allocation of its exact size.
#[must_use]
pub fn encode_frame(frame: &Frame<'_>) -> Bytes {
    let wire = Wire::of(frame);
    let mut out = Vec::with_capacity(wire.header.as_ref().len() + wire.payload_bytes());
    wire.append(&mut out, None);
    out.into()
}

/// Appends a frame to `out`: a server's without a mask, a client's with a key that nobody can
/// guess and that is drawn anew for every frame (RFC 6455 section 5.3).
pub fn append_frame(out: &mut Vec<u8>, frame: &Frame<'_>, mask: Option<[u8; 4]>) {
    Wire::of(frame).append(out, mask);
}

/// A frame in the parts that follow each other on the wire.
struct Wire<'a> {
    header: FrameHeader,
    code: Option<[u8; 2]>,
    rest: &'a [u8],
}

impl<'a> Wire<'a> {
    fn of(frame: &Frame<'a>) -> Self {
        let (opcode, code, rest) = match *frame {
            Frame::Message { kind, payload } => (Opcode::Message(kind), None, payload),
            Frame::Ping(payload) => (Opcode::Control(Control::Ping), None, cut_control(payload)),
            Frame::Pong(payload) => (Opcode::Control(Control::Pong), None, cut_control(payload)),
            Frame::Close(None) => (Opcode::Control(Control::Close), None, &[][..]),
            Frame::Close(Some((code, reason))) => (
                Opcode::Control(Control::Close),
                Some(code.number().to_be_bytes()),
                cut_reason(reason).as_bytes(),
            ),
        };
        let payload_bytes = code.map_or(0, |code| code.len()) + rest.len();
        Self { header: header_of(opcode, payload_bytes), code, rest }
    }

    fn payload_bytes(&self) -> usize {
        self.code.map_or(0, |code| code.len()) + self.rest.len()
    }

    fn append(&self, out: &mut Vec<u8>, mask: Option<[u8; 4]>) {
        let start = out.len();
        out.extend_from_slice(self.header.as_ref());
        if let Some(mask) = mask {
            if let Some(second) = out.get_mut(start + 1) {
                *second |= MASKED;
            }
            out.extend_from_slice(&mask);
        }
        let payload_start = out.len();
        out.extend_from_slice(self.code.as_slice().as_flattened());
        out.extend_from_slice(self.rest);
        if let (Some(mask), Some(payload)) = (mask, out.get_mut(payload_start..)) {
            apply_mask(payload, mask);
        }
    }
}

fn cut_control(payload: &[u8]) -> &[u8] {
    payload.get(..CONTROL_BYTES_MAX).unwrap_or(payload)
}

fn header_of(opcode: Opcode, payload_bytes: usize) -> FrameHeader {
    let first = FIN | opcode.number();
    let mut bytes = [0; 10];
    let length = if let Ok(short @ ..LENGTH_16) = u8::try_from(payload_bytes) {
        bytes[..2].copy_from_slice(&[first, short]);
        2
    } else if let Ok(length) = u16::try_from(payload_bytes) {
        let [a, b] = length.to_be_bytes();
        bytes[..4].copy_from_slice(&[first, LENGTH_16, a, b]);
        4
    } else {
        // A usize has at most 64 bits, and no allocation is longer than 2^63 - 1 bytes.
        let length = (payload_bytes as u64).to_be_bytes();
        bytes[..2].copy_from_slice(&[first, LENGTH_64]);
        bytes[2..].copy_from_slice(&length);
        10
    };
    FrameHeader { bytes, length }
}
