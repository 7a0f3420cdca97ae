//! Whether a request wants a WebSocket, and which language it is to speak.

use fanfare_core::code::Code;

use crate::native::head::{Head, Version};
use crate::native::problem::Problem;
use crate::native::reading::{Pong, Socket};
use crate::native::route::Rules;
use crate::websocket::{Refusal, Subprotocol, read_handshake, select_subprotocol};

/// The WebSocket that a `GET` asks for; none if it asks for none.
pub(crate) fn socket(head: &Head<'_>, rules: &Rules) -> Result<Option<Socket>, Problem> {
    let minor = match head.version {
        Version::Http11 => 1,
        Version::Http10 | Version::Http2 => 0,
    };
    let headers = head.headers.iter().map(|(name, value)| (name.as_bytes(), *value));
    let handshake = read_handshake(head.method.as_bytes(), minor, headers).map_err(problem)?;
    let Some(handshake) = handshake else {
        return Ok(None);
    };
    let subprotocol = select_subprotocol(&handshake.protocols).map_err(problem)?.subprotocol;
    Ok(Some(Socket {
        language: subprotocol.unwrap_or(Subprotocol::Raw),
        subprotocol: subprotocol.map(Subprotocol::name),
        accept: handshake.accept.iter().copied().map(char::from).collect(),
        deflate: handshake.deflate.filter(|_| rules.compression.websocket),
        pong: Pong::Usual,
    }))
}

fn problem(refusal: Refusal) -> Problem {
    let code = match refusal {
        Refusal::SubprotocolUnknown => Code::SubprotocolUnknown,
        Refusal::UpgradeMissing => Code::UpgradeRequired,
        Refusal::VersionMissing | Refusal::VersionUnsupported => Code::VersionUnsupported,
        _ => Code::HandshakeInvalid,
    };
    let detail = format!("The WebSocket handshake is not valid: {refusal}.");
    Problem::new(code, detail, refusal.hint()).with_headers(refusal.headers())
}
