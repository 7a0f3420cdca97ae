//! The server's side of the opening handshake (RFC 6455 section 4.2), strict.
//!
//! It gets a request's head already parsed into method, version and headers, and says what to
//! answer. It must not know where the head came from, nor whether Origin and Host are allowed.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::extension::{DeflateAnswer, accept_deflate};
use super::refusal::Refusal;
use super::sha1::digest;
use super::subprotocol::PROTOCOLS_OFFERED_MAX;

/// A valid request for a WebSocket.
#[derive(Clone, PartialEq, Eq)]
pub struct Handshake<'a> {
    /// The value of `Sec-WebSocket-Accept`; over HTTP/2 there is none.
    pub accept: Option<[u8; ACCEPT_BYTES]>,
    /// The subprotocols offered, in the client's order, each once; a bearer token may be among
    /// them (see [`super::select_subprotocol`]).
    pub protocols: Vec<&'a str>,
    /// The first offer of permessage-deflate that can be accepted.
    pub deflate: Option<DeflateAnswer>,
}

impl std::fmt::Debug for Handshake<'_> {
    /// Leaves out the subprotocols: one of them may be a token, and this may reach a log.
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Handshake").field("protocols", &self.protocols.len()).finish()
    }
}

/// The length of `Sec-WebSocket-Accept`: 20 bytes in base64.
pub(super) const ACCEPT_BYTES: usize = 28;

/// The length of `Sec-WebSocket-Key`: 16 bytes in base64.
pub(super) const KEY_BYTES: usize = 24;

/// Reads a request's head: `None` if it does not ask for a WebSocket at all.
///
/// It asks for one if `Upgrade` names `websocket`, or if it is a GET with `Sec-WebSocket-Key` or
/// `Sec-WebSocket-Version`. `version_minor` is the 1 of HTTP/1.1; `headers` are names and values
/// as they came, names in any case.
///
/// # Errors
///
/// The first [`Refusal`] in the order of that enum, answered with its status and headers.
pub fn read_handshake<'a>(
    method: &[u8],
    version_minor: u8,
    headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<Option<Handshake<'a>>, Refusal> {
    let seen = Seen::collect(headers);
    let is_get = method == b"GET";
    if !seen.upgrade {
        let was_meant = is_get && (seen.key.is_some() || seen.version.is_some());
        return if was_meant { Err(Refusal::UpgradeMissing) } else { Ok(None) };
    }
    if !is_get {
        return Err(Refusal::NotGet);
    }
    if version_minor != 1 {
        return Err(Refusal::NotHttp11);
    }
    seen.host.filter(|host| !host.is_empty()).ok_or(Refusal::HostMissing)?;
    if seen.host_repeated {
        return Err(Refusal::HostRepeated);
    }
    if !seen.connection {
        return Err(Refusal::ConnectionMissing);
    }
    if seen.body {
        return Err(Refusal::BodyPresent);
    }
    seen.check_version()?;
    let key = seen.key.ok_or(Refusal::KeyMissing)?;
    if seen.key_repeated {
        return Err(Refusal::KeyRepeated);
    }
    let accept = Some(accept_of(key).ok_or(Refusal::KeyInvalid)?);
    Ok(Some(Handshake { accept, protocols: seen.protocols?, deflate: seen.deflate }))
}

/// Reads the head of an extended CONNECT of HTTP/2 (RFC 8441 section 5), which is a handshake
/// without key and without `Upgrade`: the status of its answer is what confirms it.
///
/// # Errors
///
/// The first [`Refusal`] in the order of that enum.
pub fn read_extended_connect<'a>(
    protocol: &str,
    headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>,
) -> Result<Handshake<'a>, Refusal> {
    if !protocol.eq_ignore_ascii_case("websocket") {
        return Err(Refusal::ProtocolUnknown);
    }
    let seen = Seen::collect(headers);
    if seen.body {
        return Err(Refusal::BodyPresent);
    }
    seen.check_version()?;
    Ok(Handshake { accept: None, protocols: seen.protocols?, deflate: seen.deflate })
}

/// Appends the head of the 101 up to its last handshake header. The caller appends headers of
/// its own, if any, and the empty line.
pub fn append_response(
    out: &mut Vec<u8>,
    accept: &[u8; ACCEPT_BYTES],
    subprotocol: Option<&'static str>,
) {
    out.extend_from_slice(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
          Sec-WebSocket-Accept: ",
    );
    out.extend_from_slice(accept);
    if let Some(name) = subprotocol {
        out.extend_from_slice(b"\r\nSec-WebSocket-Protocol: ");
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// What matters of the headers, collected in one pass.
struct Seen<'a> {
    host: Option<&'a [u8]>,
    host_repeated: bool,
    upgrade: bool,
    connection: bool,
    body: bool,
    version: Option<&'a [u8]>,
    version_repeated: bool,
    key: Option<&'a [u8]>,
    key_repeated: bool,
    protocols: Result<Vec<&'a str>, Refusal>,
    deflate: Option<DeflateAnswer>,
}

impl<'a> Seen<'a> {
    fn collect(headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Self {
        let mut seen = Self {
            host: None,
            host_repeated: false,
            upgrade: false,
            connection: false,
            body: false,
            version: None,
            version_repeated: false,
            key: None,
            key_repeated: false,
            protocols: Ok(Vec::new()),
            deflate: None,
        };
        for (name, value) in headers {
            seen.add(name, value.trim_ascii());
        }
        seen
    }

    fn add(&mut self, name: &'a [u8], value: &'a [u8]) {
        if name.eq_ignore_ascii_case(b"host") {
            self.host_repeated |= self.host.replace(value).is_some();
        } else if name.eq_ignore_ascii_case(b"upgrade") {
            self.upgrade |= has_token(value, b"websocket");
        } else if name.eq_ignore_ascii_case(b"connection") {
            self.connection |= has_token(value, b"upgrade");
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            self.body = true;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            self.body |= value != b"0";
        } else if name.eq_ignore_ascii_case(b"sec-websocket-version") {
            self.version_repeated |= self.version.replace(value).is_some();
        } else if name.eq_ignore_ascii_case(b"sec-websocket-key") {
            self.key_repeated |= self.key.replace(value).is_some();
        } else if name.eq_ignore_ascii_case(b"sec-websocket-extensions") {
            // Several headers are one list (RFC 6455 section 9.1): the first offer that fits counts.
            self.deflate = self.deflate.or_else(|| accept_deflate(value));
        } else if name.eq_ignore_ascii_case(b"sec-websocket-protocol")
            && let Ok(protocols) = &mut self.protocols
            && let Err(refusal) = add_protocols(protocols, value)
        {
            self.protocols = Err(refusal);
        }
    }

    /// Whether the version is the only one that there is (RFC 6455 section 4.1), said once.
    fn check_version(&self) -> Result<(), Refusal> {
        let version = self.version.ok_or(Refusal::VersionMissing)?;
        if self.version_repeated {
            return Err(Refusal::VersionRepeated);
        }
        if version == b"13" { Ok(()) } else { Err(Refusal::VersionUnsupported) }
    }
}

fn add_protocols<'a>(protocols: &mut Vec<&'a str>, value: &'a [u8]) -> Result<(), Refusal> {
    for name in list(value) {
        if !name.iter().all(|byte| is_token_byte(*byte)) {
            return Err(Refusal::ProtocolsMalformed);
        }
        let name = std::str::from_utf8(name).ok().ok_or(Refusal::ProtocolsMalformed)?;
        if protocols.contains(&name) {
            return Err(Refusal::ProtocolsRepeated);
        }
        // The limit also keeps the search for repetitions short.
        if protocols.len() == PROTOCOLS_OFFERED_MAX {
            return Err(Refusal::ProtocolsTooMany);
        }
        protocols.push(name);
    }
    Ok(())
}

/// The elements of a comma-separated header, without empty ones (RFC 9110 section 5.6.1).
pub(super) fn list(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|item| !item.is_empty())
}

/// Whether a comma-separated header has `token`, in any case.
pub(super) fn has_token(value: &[u8], token: &[u8]) -> bool {
    list(value).any(|item| item.eq_ignore_ascii_case(token))
}

/// Whether a byte may stand in a token (RFC 9110 section 5.6.2).
pub(super) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_'
        )
        || matches!(byte, b'`' | b'|' | b'~')
}

/// The accept value for a key; `None` if the key is not 16 bytes in base64.
pub(super) fn accept_of(key: &[u8]) -> Option<[u8; ACCEPT_BYTES]> {
    // The decoder asks for room for three bytes in four characters, padding or not.
    let mut nonce = [0; KEY_BYTES / 4 * 3];
    if key.len() != KEY_BYTES || STANDARD.decode_slice(key, &mut nonce).ok()? != 16 {
        return None;
    }
    let mut accept = [0; ACCEPT_BYTES];
    STANDARD.encode_slice(digest(&[key, ACCEPT_SUFFIX].concat()), &mut accept).ok()?;
    Some(accept)
}

/// RFC 6455 section 1.3.
const ACCEPT_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
