//! Whether a request wants a WebSocket, and which language it is to speak.

use fanfare_core::code::Code;

use crate::native::head::{Head, Version};
use crate::native::problem::Problem;
use crate::native::reading::{Pong, Socket};
use crate::native::route::Rules;
use crate::websocket::{
    Handshake, Refusal, Subprotocol, read_extended_connect, read_handshake, select_subprotocol,
};

/// The WebSocket that a `GET`, or over HTTP/2 a `CONNECT`, asks for; none if it asks for none.
pub(crate) fn socket(head: &Head<'_>, rules: &Rules) -> Result<Option<Socket>, Problem> {
    let headers = head.headers.iter().map(|(name, value)| (name.as_bytes(), *value));
    if let Some(protocol) = head.connects_to() {
        let handshake = read_extended_connect(protocol, headers).map_err(problem)?;
        return chosen(&handshake, rules).map(Some);
    }
    let minor = match head.version {
        Version::Http11 => 1,
        Version::Http10 | Version::Http2 => 0,
    };
    let handshake = read_handshake(head.method.as_bytes(), minor, headers).map_err(problem)?;
    handshake.map(|handshake| chosen(&handshake, rules)).transpose()
}

/// What of the offers is taken.
fn chosen(handshake: &Handshake<'_>, rules: &Rules) -> Result<Socket, Problem> {
    let subprotocol = select_subprotocol(&handshake.protocols).map_err(problem)?.subprotocol;
    Ok(Socket {
        language: subprotocol.unwrap_or(Subprotocol::Raw),
        subprotocol: subprotocol.map(Subprotocol::name),
        accept: handshake.accept.iter().flatten().copied().map(char::from).collect(),
        deflate: handshake.deflate.filter(|_| rules.compression.websocket),
        pong: Pong::Usual,
    })
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
