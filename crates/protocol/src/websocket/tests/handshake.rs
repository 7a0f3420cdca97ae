//! The opening handshake: which requests open a WebSocket, and what the others are told.

use super::super::{
    Refusal, Selection, Subprotocol, read_extended_connect, read_handshake, select_subprotocol,
};

type Chosen<'a> = (Option<Subprotocol>, Option<&'a str>);
type Headers = Vec<(&'static str, &'static str)>;

/// RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub(super) const NONCE: [u8; 16] = *b"the sample nonce";
pub(super) const ACCEPT: &[u8; 28] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn valid() -> Headers {
    vec![
        ("Host", "localhost:8300"),
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Key", KEY),
        ("Sec-WebSocket-Version", "13"),
    ]
}

/// The valid headers, `name` replaced by `values`.
fn with(name: &'static str, values: &[&'static str]) -> Headers {
    let mut headers = valid();
    headers.retain(|(other, _)| *other != name);
    headers.extend(values.iter().map(|value| (name, *value)));
    headers
}

pub(super) fn bytes<'a>(
    headers: &'a [(&'a str, &'a str)],
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
    headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

/// The subprotocols offered by a request that opens a WebSocket; `None` if it asks for none.
fn opens(method: &str, headers: &[(&str, &str)]) -> Result<Option<Vec<String>>, Refusal> {
    let handshake = read_handshake(method.as_bytes(), 1, bytes(headers))?;
    Ok(handshake.map(|handshake| {
        assert_eq!(handshake.accept, Some(*ACCEPT));
        handshake.protocols.into_iter().map(str::to_owned).collect()
    }))
}

#[test]
fn what_opens_a_websocket() {
    let lower = valid()
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect::<Vec<_>>();
    let lower = lower.iter().map(|(name, value)| (name.as_str(), *value)).collect::<Vec<_>>();
    assert_eq!(opens("GET", &lower), Ok(Some(vec![])));
    for headers in [
        valid(),
        with("Upgrade", &["WebSocket"]),
        with("Upgrade", &["h2c, websocket"]),
        with("Upgrade", &["h2c", "websocket"]),
        with("Connection", &["keep-alive, Upgrade"]),
        with("Connection", &["keep-alive", "UPGRADE"]),
        with("Connection", &[",, upgrade ,"]),
        with("Sec-WebSocket-Key", &[" dGhlIHNhbXBsZSBub25jZQ==\t"]),
        with("Sec-WebSocket-Extensions", &["permessage-deflate; client_max_window_bits"]),
        with("Sec-WebSocket-Protocol", &[""]),
        with("Content-Length", &["0"]),
    ] {
        assert_eq!(opens("GET", &headers), Ok(Some(vec![])), "{headers:?}");
    }
}

#[test]
fn what_asks_for_no_websocket() {
    let plain = [("Host", "localhost")];
    assert_eq!(opens("GET", &plain), Ok(None));
    assert_eq!(opens("POST", &plain), Ok(None));
    assert_eq!(opens("GET", &[("Host", "localhost"), ("Upgrade", "h2c")]), Ok(None));
    assert_eq!(opens("POST", &with("Upgrade", &[])), Ok(None), "the Key of a POST says nothing");
}

/// The valid headers with one of them changed, and what that is told.
const REFUSED: &[(Refusal, &str, &[&str])] = &[
    (Refusal::HostMissing, "Host", &[]),
    (Refusal::HostMissing, "Host", &[""]),
    (Refusal::HostRepeated, "Host", &["a", "a"]),
    (Refusal::UpgradeMissing, "Upgrade", &[]),
    (Refusal::UpgradeMissing, "Upgrade", &["h2c"]),
    (Refusal::UpgradeMissing, "Upgrade", &["websockets"]),
    (Refusal::ConnectionMissing, "Connection", &[]),
    (Refusal::ConnectionMissing, "Connection", &["keep-alive"]),
    (Refusal::ConnectionMissing, "Connection", &["not upgrade"]),
    (Refusal::BodyPresent, "Content-Length", &["5"]),
    (Refusal::BodyPresent, "Transfer-Encoding", &["chunked"]),
    (Refusal::VersionMissing, VERSION, &[]),
    (Refusal::VersionRepeated, VERSION, &["13", "13"]),
    (Refusal::VersionUnsupported, VERSION, &["8"]),
    (Refusal::VersionUnsupported, VERSION, &["013"]),
    (Refusal::VersionUnsupported, VERSION, &["13, 8"]),
    (Refusal::VersionUnsupported, VERSION, &[""]),
    (Refusal::KeyMissing, "Sec-WebSocket-Key", &[]),
    (Refusal::KeyRepeated, "Sec-WebSocket-Key", &[KEY, KEY]),
    // Empty, without padding, with bits after the last byte, of 17 bytes, 13 bytes, and no base64.
    (Refusal::KeyInvalid, "Sec-WebSocket-Key", &[""]),
    (Refusal::KeyInvalid, "Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25jZQ"]),
    (Refusal::KeyInvalid, "Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25jZR=="]),
    (Refusal::KeyInvalid, "Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25jZQA="]),
    (Refusal::KeyInvalid, "Sec-WebSocket-Key", &["SGVsbG8sIHdvcmxkIQ=="]),
    (Refusal::KeyInvalid, "Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25j*Q=="]),
    (Refusal::ProtocolsMalformed, PROTOCOL, &["a b"]),
    (Refusal::ProtocolsMalformed, PROTOCOL, &["a", "é"]),
    (Refusal::ProtocolsRepeated, PROTOCOL, &["a, b", "a"]),
];

const VERSION: &str = "Sec-WebSocket-Version";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";

#[test]
fn what_is_refused_and_how() {
    for (refusal, name, values) in REFUSED {
        assert_eq!(opens("GET", &with(name, values)), Err(*refusal), "{name}: {values:?}");
    }
    for header in [(VERSION, "13"), ("Sec-WebSocket-Key", "")] {
        assert_eq!(opens("GET", &[("Host", "a"), header]), Err(Refusal::UpgradeMissing));
    }
    assert_eq!(opens("POST", &valid()), Err(Refusal::NotGet));
    assert_eq!(opens("get", &valid()), Err(Refusal::NotGet));
    assert_eq!(read_handshake(b"GET", 0, bytes(&valid())), Err(Refusal::NotHttp11));
}

#[test]
fn an_extended_connect_needs_a_version_and_no_key() {
    let connect = |protocol, headers: &[(&str, &str)]| {
        let handshake = read_extended_connect(protocol, bytes(headers));
        handshake.map(|handshake| {
            assert_eq!(handshake.accept, None);
            handshake.protocols.into_iter().map(str::to_owned).collect::<Vec<_>>()
        })
    };
    let version = ("sec-websocket-version", "13");
    assert_eq!(connect("websocket", &[version]), Ok(vec![]));
    let offers = ("sec-websocket-protocol", "a, fanfare.v1");
    let offered = vec!["a".to_owned(), "fanfare.v1".to_owned()];
    assert_eq!(connect("WebSocket", &[version, offers]), Ok(offered));
    for (refusal, protocol, headers) in [
        (Refusal::ProtocolUnknown, "connect-udp", &[version][..]),
        (Refusal::VersionMissing, "websocket", &[]),
        (Refusal::VersionUnsupported, "websocket", &[("sec-websocket-version", "8")]),
        (Refusal::VersionRepeated, "websocket", &[version, version]),
        (Refusal::BodyPresent, "websocket", &[version, ("content-length", "2")]),
        (Refusal::ProtocolsRepeated, "websocket", &[version, ("sec-websocket-protocol", "a, a")]),
    ] {
        assert_eq!(connect(protocol, headers), Err(refusal), "{protocol} {headers:?}");
    }
}

#[test]
fn a_426_says_how_to_do_better() {
    use Refusal::{UpgradeMissing, VersionMissing, VersionUnsupported};
    for (refusal, _, _) in REFUSED {
        let is_426 = matches!(refusal, UpgradeMissing | VersionMissing | VersionUnsupported);
        assert_eq!(refusal.status(), if is_426 { 426 } else { 400 }, "{refusal}");
        assert_eq!(refusal.headers().contains(&("Upgrade", "websocket")), is_426);
        assert_eq!(refusal.headers().contains(&(VERSION, "13")), is_426);
    }
    let hint = UpgradeMissing.hint();
    assert!(hint.contains("proxy") && hint.contains("proxy_set_header Upgrade $http_upgrade;"));
    let hint = Refusal::SubprotocolUnknown.hint();
    assert!(hint.contains("Add fanfare.raw"));
}

#[test]
fn offers_are_bounded() {
    let offer = |count: usize| (0..count).map(|n| format!("p{n}")).collect::<Vec<_>>().join(",");
    for (count, refused) in [(64, false), (65, true), (3000, true)] {
        let offered = offer(count);
        let mut headers = valid();
        headers.retain(|(name, _)| *name != "Sec-WebSocket-Protocol");
        let mut headers: Vec<(&str, &str)> = headers;
        headers.push(("Sec-WebSocket-Protocol", &offered));
        let opened = opens("GET", &headers);
        assert_eq!(opened == Err(Refusal::ProtocolsTooMany), refused, "{count} offered");
        assert_eq!(opened.is_ok(), !refused);
    }
}

#[test]
fn the_first_known_subprotocol_is_selected() {
    let (raw, v1) = (Some(Subprotocol::Raw), Some(Subprotocol::V1));
    let unknown = Err(Refusal::SubprotocolUnknown);
    let rows: &[(&[&str], Result<Chosen<'_>, Refusal>)] = &[
        (&[], Ok((None, None))),
        (&["fanfare.raw"], Ok((raw, None))),
        (&["fanfare.v1", "fanfare.raw"], Ok((v1, None))),
        (&["mqtt", "fanfare.raw", "fanfare.v1"], Ok((raw, None))),
        (&["bearer.a.b.c", "fanfare.v1"], Ok((v1, Some("a.b.c")))),
        (&["fanfare.v1", "bearer.x"], Ok((v1, Some("x")))),
        (&["fanfare.v1", "bearer."], Ok((v1, None))),
        (&["bearer.x"], unknown),
        (&["FANFARE.V1"], unknown),
        (&["mqtt", "fanfare.v2"], unknown),
        (&["fanfare.v1", "bearer.x", "bearer.y"], Err(Refusal::BearerRepeated)),
    ];
    for (offered, expected) in rows {
        let expected = expected.map(|(subprotocol, bearer)| Selection { subprotocol, bearer });
        assert_eq!(select_subprotocol(offered), expected, "{offered:?}");
    }
}

#[test]
fn a_token_shows_in_no_debug_line() {
    let headers = with("Sec-WebSocket-Protocol", &["bearer.secret, fanfare.v1"]);
    let handshake = read_handshake(b"GET", 1, bytes(&headers)).unwrap().unwrap();
    let selection = select_subprotocol(&handshake.protocols).unwrap();
    assert_eq!(selection.bearer, Some("secret"));
    assert!(!format!("{handshake:?} {selection:?}").contains("secret"));
}
