//! The client's side of the opening handshake (RFC 6455 section 4.1), for commands and tests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::handshake::{KEY_BYTES, accept_of, has_token, is_token_byte};

/// What a client asks for.
#[derive(Clone, Copy)]
pub struct Opening<'a> {
    /// The path and query, percent-encoded.
    pub target: &'a str,
    /// The host, with its port where it is not the scheme's own.
    pub host: &'a str,
    /// 16 random bytes, drawn anew for each connection.
    pub nonce: [u8; 16],
    /// The subprotocols, the preferred one first.
    pub protocols: &'a [&'a str],
    /// Further headers, such as `Authorization`.
    pub headers: &'a [(&'a str, &'a str)],
}

/// An [`Opening`] that cannot be written as a request without changing its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpeningInvalid {
    /// The target is empty or has white space, controls or bytes beyond ASCII.
    #[error("the target of a request is one word of ASCII")]
    Target,
    /// The host is empty or has white space, controls or bytes beyond ASCII.
    #[error("the host of a request is one word of ASCII")]
    Host,
    /// A subprotocol is not a token.
    #[error("a subprotocol is not a token")]
    Protocol,
    /// A header's name is not a token or its value has controls.
    #[error("a header is not one line")]
    Header,
}

/// Why an answer opens no WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResponseViolation {
    /// The server answered something else; its problem document says why.
    #[error("the server answered {0}, not 101")]
    Status(u16),
    /// No `Upgrade: websocket`.
    #[error("the answer does not upgrade to websocket")]
    Upgrade,
    /// No `Connection: upgrade`.
    #[error("the answer's Connection header does not say upgrade")]
    Connection,
    /// `Sec-WebSocket-Accept` is missing, repeated or not the one for our key.
    #[error("the answer is not one to our key")]
    Accept,
    /// An extension that we did not offer.
    #[error("the server selected an extension that was not offered")]
    Extension,
    /// A subprotocol that we did not offer, or several.
    #[error("the server selected a subprotocol that was not offered")]
    Protocol,
}

/// Appends the whole head of an opening request.
///
/// # Errors
///
/// [`OpeningInvalid`] if a part would break out of its line; `out` is then as it was.
pub fn append_request(out: &mut Vec<u8>, opening: &Opening<'_>) -> Result<(), OpeningInvalid> {
    opening.check()?;
    let mut line = |parts: &[&[u8]]| {
        parts.iter().for_each(|part| out.extend_from_slice(part));
        out.extend_from_slice(b"\r\n");
    };
    line(&[b"GET ", opening.target.as_bytes(), b" HTTP/1.1"]);
    line(&[b"Host: ", opening.host.as_bytes()]);
    line(&[b"Upgrade: websocket"]);
    line(&[b"Connection: Upgrade"]);
    line(&[b"Sec-WebSocket-Version: 13"]);
    line(&[b"Sec-WebSocket-Key: ", &key_of(opening.nonce)]);
    if !opening.protocols.is_empty() {
        line(&[b"Sec-WebSocket-Protocol: ", opening.protocols.join(", ").as_bytes()]);
    }
    for (name, value) in opening.headers {
        line(&[name.as_bytes(), b": ", value.as_bytes()]);
    }
    line(&[]);
    Ok(())
}

/// Checks the head of the answer to `opening`; gives the subprotocol that the server selected.
///
/// # Errors
///
/// The first [`ResponseViolation`], upon which the connection is dropped.
pub fn check_response<'a, 'h>(
    opening: &Opening<'a>,
    status: u16,
    headers: impl IntoIterator<Item = (&'h [u8], &'h [u8])>,
) -> Result<Option<&'a str>, ResponseViolation> {
    if status != 101 {
        return Err(ResponseViolation::Status(status));
    }
    let (mut upgrade, mut connection, mut extension) = (false, false, false);
    let (mut accepts, mut selected) = (Vec::new(), Vec::new());
    for (name, value) in headers {
        let value = value.trim_ascii();
        if name.eq_ignore_ascii_case(b"upgrade") {
            upgrade |= value.eq_ignore_ascii_case(b"websocket");
        } else if name.eq_ignore_ascii_case(b"connection") {
            connection |= has_token(value, b"upgrade");
        } else if name.eq_ignore_ascii_case(b"sec-websocket-accept") {
            accepts.push(value);
        } else if name.eq_ignore_ascii_case(b"sec-websocket-extensions") {
            extension |= !value.is_empty();
        } else if name.eq_ignore_ascii_case(b"sec-websocket-protocol") {
            selected.push(value);
        }
    }
    if !upgrade {
        return Err(ResponseViolation::Upgrade);
    }
    if !connection {
        return Err(ResponseViolation::Connection);
    }
    match (accepts.as_slice(), accept_of(&key_of(opening.nonce))) {
        ([accept], Some(expected)) if *accept == expected => {}
        _ => return Err(ResponseViolation::Accept),
    }
    if extension {
        return Err(ResponseViolation::Extension);
    }
    match selected.as_slice() {
        [] => Ok(None),
        [name] => {
            let offered = opening.protocols.iter().find(|offered| offered.as_bytes() == *name);
            offered.copied().map(Some).ok_or(ResponseViolation::Protocol)
        }
        _ => Err(ResponseViolation::Protocol),
    }
}

impl std::fmt::Debug for Opening<'_> {
    /// Tells the host alone: a token may stand in any of the others, and this may reach a log.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Opening").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Opening<'_> {
    fn check(&self) -> Result<(), OpeningInvalid> {
        if !is_word(self.target) {
            return Err(OpeningInvalid::Target);
        }
        if !is_word(self.host) {
            return Err(OpeningInvalid::Host);
        }
        if !self.protocols.iter().all(|name| is_token(name)) {
            return Err(OpeningInvalid::Protocol);
        }
        let is_line = |value: &str| !value.bytes().any(|byte| byte.is_ascii_control());
        if !self.headers.iter().all(|(name, value)| is_token(name) && is_line(value)) {
            return Err(OpeningInvalid::Header);
        }
        Ok(())
    }
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

fn key_of(nonce: [u8; 16]) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    let written = STANDARD.encode_slice(nonce, &mut key);
    debug_assert_eq!(written, Ok(KEY_BYTES), "16 bytes are 24 characters in base64");
    key
}
