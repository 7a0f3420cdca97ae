//! WebSocket (RFC 6455) without I/O: the handshake, the frames and the closing codes.
//!
//! It stands between a socket and a session: bytes read go through a [`Decoder`] and come out as
//! [`Event`]s, publications go through [`append_frame`] or [`header`] and come out as bytes. It
//! must not know sockets, clocks, sources of randomness or the hub: a masking key and a handshake
//! key come in as arguments. One extension is known, permessage-deflate (RFC 7692): [`accept_deflate`]
//! answers its offer, [`deflate_frame`] and [`Inflater`] are its two directions.

mod client;
mod close;
mod decoder;
mod deflated;
mod encoder;
mod extension;
mod frame;
mod handshake;
mod inflate;
mod partial;
mod refusal;
mod sha1;
mod subprotocol;
mod utf8;
mod violation;

#[cfg(test)]
mod tests;

pub use client::{Opening, OpeningInvalid, ResponseViolation, append_request, check_response};
pub use close::{CloseCode, REASON_BYTES_MAX, cut_reason};
pub use decoder::{Decoder, Event};
pub use deflated::{DEFLATED_BYTES_MIN, deflate_frame};
pub use encoder::{Frame, FrameHeader, append_frame, encode_frame, header};
pub use extension::{DeflateAnswer, accept_deflate};
pub use frame::{CONTROL_BYTES_MAX, MessageKind, Role};
pub use handshake::{Handshake, append_response, read_extended_connect, read_handshake};
pub use inflate::Inflater;
pub use refusal::Refusal;
pub use subprotocol::{PROTOCOLS_OFFERED_MAX, Selection, Subprotocol, select_subprotocol};
pub use violation::Violation;
