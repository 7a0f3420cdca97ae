//! Publications to frames, for every wire format: the encoder that the core is given.

use fanfare_core::cursor::Cursor;
use fanfare_core::frame::{Format, Frame, Told};

use crate::native::chunk::Framing;

/// Encodes one entry of a feed. Frames of SSE, NDJSON and text carry the framing of an HTTP/1.1
/// chunk around their body, frames of WebSockets their header inside of it. What a format has no
/// words for is an empty frame.
#[must_use]
pub fn encode(told: Told<'_>, format: Format) -> Frame {
    let _ = (told, format);
    Frame::default()
}

/// Appends a frame for a reader that composes its cursor: the shared part, then a tail with
/// `cursor`, which has this frame's entry in it already. For a frame without an entry (`ttl=0`),
/// whose tail has no cursor, the frame's own bytes are the right ones; see [`append_frame`].
pub fn append_composed(
    out: &mut Vec<u8>,
    frame: &Frame,
    format: Format,
    cursor: &Cursor,
    framing: Framing,
) {
    let _ = (out, frame, format, cursor, framing);
}

/// Appends a frame as it is.
pub fn append_frame(out: &mut Vec<u8>, frame: &Frame, framing: Framing) {
    let _ = (out, frame, framing);
}

/// Appends the header of an unmasked WebSocket frame (RFC 6455 §5.2), whole and final.
pub fn append_websocket_header(out: &mut Vec<u8>, opcode: Opcode, bytes: usize) {
    let _ = (out, opcode, bytes);
}

/// What a WebSocket frame of the server carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}
