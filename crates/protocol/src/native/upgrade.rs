//! Whether a request wants a WebSocket, and which language it is to speak (RFC 6455 §4.2.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_core::code::Code;
use sha1::{Digest as _, Sha1};

use crate::native::head::{Head, Version};
use crate::native::problem::Problem;
use crate::native::reading::{Pong, Socket, SocketLanguage};

/// The subprotocol of payloads both ways.
pub const RAW: &str = "fanfare.raw";

/// The subprotocol of JSON text frames.
pub const V1: &str = "fanfare.v1";

/// The WebSocket that a `GET` asks for; none if it asks for none.
pub(crate) fn socket(head: &Head<'_>) -> Result<Option<Socket>, Problem> {
    if !head.lists("upgrade", "websocket") {
        if head.has("sec-websocket-key") || head.has("sec-websocket-version") {
            return Err(upgrade_removed());
        }
        return Ok(None);
    }
    check_handshake(head)?;
    let accept = accept(head)?;
    let (language, subprotocol) = subprotocol(head)?;
    Ok(Some(Socket {
        language,
        subprotocol,
        accept,
        pong: Pong::Text("pong".into()),
    }))
}

fn check_handshake(head: &Head<'_>) -> Result<(), Problem> {
    if head.version != Version::Http11 {
        return Err(invalid(
            "A WebSocket opens over HTTP/1.1, and this request came over another version.",
            "Let the proxy in between speak HTTP/1.1: for nginx `proxy_http_version 1.1;`.",
        ));
    }
    if !head.lists("connection", "upgrade") {
        return Err(upgrade_removed());
    }
    if head.all("host").count() != 1 {
        return Err(invalid(
            "The request has no Host header, or more than one.",
            "Send exactly one `Host`.",
        ));
    }
    let empty = head
        .bytes("content-length")
        .is_none_or(|length| length.trim_ascii() == b"0");
    if !empty || head.has("transfer-encoding") {
        return Err(invalid(
            "The request has a body, which would be read as frames.",
            "Leave out `Content-Length` and `Transfer-Encoding`.",
        ));
    }
    let mut versions = head.all("sec-websocket-version");
    let version = versions.next().map(<[u8]>::trim_ascii);
    if versions.next().is_some() || version != Some(b"13".as_slice()) {
        return Err(Problem::new(
            Code::UpgradeRequired,
            "The request has no `Sec-WebSocket-Version: 13`.",
            "Send exactly one `Sec-WebSocket-Version: 13`.",
        )
        .with_headers(UPGRADE_HEADERS));
    }
    Ok(())
}

/// The value of `Sec-WebSocket-Accept` (RFC 6455 §1.3).
fn accept(head: &Head<'_>) -> Result<String, Problem> {
    let mut keys = head.all("sec-websocket-key");
    let key = keys.next().map(<[u8]>::trim_ascii).unwrap_or_default();
    let valid = STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == 16);
    if !valid || keys.next().is_some() {
        return Err(invalid(
            "`Sec-WebSocket-Key` is not exactly one value of 16 bytes in base64.",
            "Send one `Sec-WebSocket-Key` of 24 characters that end with `==`.",
        ));
    }
    let digest = Sha1::new()
        .chain_update(key)
        .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
        .finalize();
    Ok(STANDARD.encode(digest))
}

/// The first offered subprotocol that is known. A `bearer.<token>` beside it is never echoed.
fn subprotocol(head: &Head<'_>) -> Result<(SocketLanguage, Option<&'static str>), Problem> {
    let mut offered = false;
    for name in head.list("sec-websocket-protocol") {
        offered = true;
        match name {
            RAW => return Ok((SocketLanguage::Raw, Some(RAW))),
            V1 => return Ok((SocketLanguage::V1, Some(V1))),
            _ => {}
        }
    }
    if offered {
        return Err(Problem::new(
            Code::SubprotocolUnknown,
            "None of the offered subprotocols is known; a browser would refuse the connection.",
            "Add `fanfare.v1` (JSON) or `fanfare.raw` (payloads) to the subprotocols, beside any \
             `bearer.<token>`, or offer none.",
        ));
    }
    Ok((SocketLanguage::Raw, None))
}

fn invalid(detail: &'static str, hint: &'static str) -> Problem {
    Problem::new(Code::HandshakeInvalid, detail, hint)
}

fn upgrade_removed() -> Problem {
    Problem::new(
        Code::UpgradeRequired,
        "The request has WebSocket headers but no `Upgrade: websocket` with `Connection: upgrade`; \
         a proxy in between has removed them.",
        "For nginx: `proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; \
         proxy_set_header Connection \"upgrade\";`",
    )
    .with_headers(UPGRADE_HEADERS)
}

/// What RFC 9110 §15.5.22 and RFC 6455 §4.4 demand of a 426.
const UPGRADE_HEADERS: &[(&str, &str)] = &[
    ("Connection", "Upgrade"),
    ("Upgrade", "websocket"),
    ("Sec-WebSocket-Version", "13"),
];
