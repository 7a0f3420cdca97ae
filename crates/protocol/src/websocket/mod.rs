//! WebSocket (RFC 6455) without I/O: the handshake, the frames and the closing codes.
//!
//! It stands between a socket and a session: bytes read go through a [`Decoder`] and come out as
//! [`Event`]s, publications go through [`append_frame`] or [`header`] and come out as bytes. It
//! must not know sockets, clocks, sources of randomness or the hub: a masking key and a handshake
//! key come in as arguments. Extensions are not negotiated, so reserved bits are violations.

mod client;
mod close;
mod decoder;
mod encoder;
mod frame;
mod handshake;
mod partial;
mod refusal;
mod subprotocol;
mod utf8;
mod violation;

#[cfg(test)]
mod tests;

pub use client::{Opening, OpeningInvalid, ResponseViolation, append_request, check_response};
pub use close::{CloseCode, REASON_BYTES_MAX, cut_reason};
pub use decoder::{Decoder, Event};
pub use encoder::{Frame, FrameHeader, append_frame, encode_frame, header};
pub use frame::{CONTROL_BYTES_MAX, MessageKind, Role};
pub use handshake::{Handshake, append_response, read_handshake};
pub use refusal::Refusal;
pub use subprotocol::{PROTOCOLS_OFFERED_MAX, Selection, Subprotocol, select_subprotocol};
pub use violation::Violation;
