//! The opening handshake: which requests open a WebSocket, and what the others are told.

use super::super::{
    Opening, OpeningInvalid, Refusal, ResponseViolation, Selection, Subprotocol, append_request,
    append_response, check_response, read_handshake, select_subprotocol,
};

type Headers = Vec<(&'static str, &'static str)>;

/// RFC 6455 section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const NONCE: [u8; 16] = *b"the sample nonce";
const ACCEPT: &[u8; 28] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

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

fn bytes<'a>(
    headers: &'a [(&'a str, &'a str)],
) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
    headers
        .iter()
        .map(|(name, value)| (name.as_bytes(), value.as_bytes()))
}

/// The subprotocols offered by a request that opens a WebSocket; `None` if it asks for none.
fn opens(method: &str, headers: &[(&str, &str)]) -> Result<Option<Vec<String>>, Refusal> {
    let handshake = read_handshake(method.as_bytes(), 1, bytes(headers))?;
    Ok(handshake.map(|handshake| {
        assert_eq!(handshake.accept, *ACCEPT);
        handshake.protocols.into_iter().map(str::to_owned).collect()
    }))
}

#[test]
fn what_opens_a_websocket() {
    let lower = valid()
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), value))
        .collect::<Vec<_>>();
    let lower = lower
        .iter()
        .map(|(name, value)| (name.as_str(), *value))
        .collect::<Vec<_>>();
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
        with(
            "Sec-WebSocket-Extensions",
            &["permessage-deflate; client_max_window_bits"],
        ),
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
    assert_eq!(
        opens("GET", &[("Host", "localhost"), ("Upgrade", "h2c")]),
        Ok(None)
    );
    assert_eq!(
        opens("POST", &with("Upgrade", &[])),
        Ok(None),
        "the Key of a POST says nothing"
    );
}

#[test]
fn what_is_refused_and_how() {
    use Refusal as R;
    let rows: &[(u16, Refusal, Headers)] = &[
        (400, R::HostMissing, with("Host", &[])),
        (400, R::HostMissing, with("Host", &[""])),
        (400, R::HostRepeated, with("Host", &["a", "a"])),
        (426, R::UpgradeMissing, with("Upgrade", &[])),
        (426, R::UpgradeMissing, with("Upgrade", &["h2c"])),
        (426, R::UpgradeMissing, with("Upgrade", &["websockets"])),
        (
            426,
            R::UpgradeMissing,
            vec![("Host", "a"), ("Sec-WebSocket-Version", "13")],
        ),
        (
            426,
            R::UpgradeMissing,
            vec![("Host", "a"), ("Sec-WebSocket-Key", "")],
        ),
        (400, R::ConnectionMissing, with("Connection", &[])),
        (
            400,
            R::ConnectionMissing,
            with("Connection", &["keep-alive"]),
        ),
        (
            400,
            R::ConnectionMissing,
            with("Connection", &["not upgrade"]),
        ),
        (400, R::BodyPresent, with("Content-Length", &["5"])),
        (400, R::BodyPresent, with("Transfer-Encoding", &["chunked"])),
        (426, R::VersionMissing, with("Sec-WebSocket-Version", &[])),
        (
            400,
            R::VersionRepeated,
            with("Sec-WebSocket-Version", &["13", "13"]),
        ),
        (
            426,
            R::VersionUnsupported,
            with("Sec-WebSocket-Version", &["8"]),
        ),
        (
            426,
            R::VersionUnsupported,
            with("Sec-WebSocket-Version", &["013"]),
        ),
        (
            426,
            R::VersionUnsupported,
            with("Sec-WebSocket-Version", &["13, 8"]),
        ),
        (
            426,
            R::VersionUnsupported,
            with("Sec-WebSocket-Version", &[""]),
        ),
        (400, R::KeyMissing, with("Sec-WebSocket-Key", &[])),
        (400, R::KeyRepeated, with("Sec-WebSocket-Key", &[KEY, KEY])),
        (400, R::KeyInvalid, with("Sec-WebSocket-Key", &[""])),
        (
            400,
            R::KeyInvalid,
            with("Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25jZQ"]),
        ),
        (
            400,
            R::KeyInvalid,
            with("Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25jZR=="]),
        ),
        (
            400,
            R::KeyInvalid,
            with("Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25jZQAA"]),
        ),
        (
            400,
            R::KeyInvalid,
            with("Sec-WebSocket-Key", &["SGVsbG8sIHdvcmxkIQ=="]),
        ),
        (
            400,
            R::KeyInvalid,
            with("Sec-WebSocket-Key", &["dGhlIHNhbXBsZSBub25j*Q=="]),
        ),
        (
            400,
            R::ProtocolsMalformed,
            with("Sec-WebSocket-Protocol", &["a b"]),
        ),
        (
            400,
            R::ProtocolsMalformed,
            with("Sec-WebSocket-Protocol", &["a", "é"]),
        ),
        (
            400,
            R::ProtocolsRepeated,
            with("Sec-WebSocket-Protocol", &["a, b", "a"]),
        ),
    ];
    for (status, refusal, headers) in rows {
        assert_eq!(opens("GET", headers), Err(*refusal), "{headers:?}");
        assert_eq!(refusal.status(), *status);
    }
    assert_eq!(opens("POST", &valid()), Err(R::NotGet));
    assert_eq!(opens("get", &valid()), Err(R::NotGet));
    assert_eq!(
        read_handshake(b"GET", 0, bytes(&valid())),
        Err(R::NotHttp11)
    );
}

#[test]
fn a_426_says_how_to_do_better() {
    for refusal in [
        Refusal::UpgradeMissing,
        Refusal::VersionMissing,
        Refusal::VersionUnsupported,
    ] {
        assert!(refusal.headers().contains(&("Upgrade", "websocket")));
        assert!(refusal.headers().contains(&("Sec-WebSocket-Version", "13")));
    }
    assert_eq!(Refusal::KeyInvalid.headers(), []);
    let hint = Refusal::UpgradeMissing.hint();
    assert!(hint.contains("proxy") && hint.contains("proxy_set_header Upgrade $http_upgrade;"));
    assert!(
        Refusal::SubprotocolUnknown
            .hint()
            .contains("Add fanfare.raw")
    );
}

#[test]
fn offers_are_bounded() {
    let offer = |count: usize| {
        (0..count)
            .map(|n| format!("p{n}"))
            .collect::<Vec<_>>()
            .join(",")
    };
    for (count, refused) in [(64, false), (65, true), (3000, true)] {
        let offered = offer(count);
        let mut headers = valid();
        headers.retain(|(name, _)| *name != "Sec-WebSocket-Protocol");
        let mut headers: Vec<(&str, &str)> = headers;
        headers.push(("Sec-WebSocket-Protocol", &offered));
        let opened = opens("GET", &headers);
        assert_eq!(
            opened == Err(Refusal::ProtocolsTooMany),
            refused,
            "{count} offered"
        );
        assert_eq!(opened.is_ok(), !refused);
    }
}

#[test]
fn the_first_known_subprotocol_is_selected() {
    let (raw, v1) = (Some(Subprotocol::Raw), Some(Subprotocol::V1));
    let unknown = Err(Refusal::SubprotocolUnknown);
    let rows: &[(
        &[&str],
        Result<(Option<Subprotocol>, Option<&str>), Refusal>,
    )] = &[
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
        (
            &["fanfare.v1", "bearer.x", "bearer.y"],
            Err(Refusal::BearerRepeated),
        ),
    ];
    for (offered, expected) in rows {
        let expected = expected.map(|(subprotocol, bearer)| Selection {
            subprotocol,
            bearer,
        });
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

fn opening<'a>() -> Opening<'a> {
    Opening {
        target: "/c/news?since=all",
        host: "localhost:8300",
        nonce: NONCE,
        protocols: &["fanfare.v1", "fanfare.raw"],
        headers: &[("Authorization", "Bearer x")],
    }
}

/// The headers of a head, parsed with no more than the standard library.
fn headers_of(head: &[u8]) -> Vec<(&str, &str)> {
    let head = str::from_utf8(head).unwrap();
    head.lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .collect()
}

#[test]
fn a_client_and_a_server_open_a_websocket() {
    let opening = opening();
    let mut request = Vec::new();
    append_request(&mut request, &opening).unwrap();
    assert!(request.starts_with(b"GET /c/news?since=all HTTP/1.1\r\nHost: localhost:8300\r\n"));
    assert!(request.ends_with(b"\r\nAuthorization: Bearer x\r\n\r\n"));
    let headers = headers_of(&request);
    let handshake = read_handshake(b"GET", 1, bytes(&headers)).unwrap().unwrap();
    assert_eq!(handshake.protocols, opening.protocols);
    let selected = select_subprotocol(&handshake.protocols)
        .unwrap()
        .subprotocol
        .unwrap();

    let mut response = Vec::new();
    append_response(&mut response, &handshake.accept, Some(selected.name()));
    assert_eq!(
        str::from_utf8(&response).unwrap(),
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
         Sec-WebSocket-Protocol: fanfare.v1\r\n"
    );
    let answer = check_response(&opening, 101, bytes(&headers_of(&response)));
    assert_eq!(answer, Ok(Some("fanfare.v1")));
}

#[test]
fn a_client_believes_only_the_answer_to_its_own_key() {
    use ResponseViolation as V;
    let accept = str::from_utf8(ACCEPT).unwrap();
    let rows: &[(Result<Option<&str>, V>, &[(&str, &str)])] = &[
        (Ok(None), &[]),
        (Err(V::Upgrade), &[("Upgrade", "h2c")]),
        (Err(V::Connection), &[("Connection", "close")]),
        (
            Err(V::Accept),
            &[("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=")],
        ),
        (
            Err(V::Accept),
            &[
                ("Sec-WebSocket-Accept", accept),
                ("Sec-WebSocket-Accept", accept),
            ],
        ),
        (
            Err(V::Extension),
            &[("Sec-WebSocket-Extensions", "permessage-deflate")],
        ),
        (
            Ok(Some("fanfare.raw")),
            &[("Sec-WebSocket-Protocol", "fanfare.raw")],
        ),
        (Err(V::Protocol), &[("Sec-WebSocket-Protocol", "mqtt")]),
        (
            Err(V::Protocol),
            &[("Sec-WebSocket-Protocol", "fanfare.raw, fanfare.v1")],
        ),
    ];
    for (expected, changed) in rows {
        let mut headers = vec![
            ("upgrade", "WebSocket"),
            ("connection", "upgrade"),
            ("sec-websocket-accept", accept),
        ];
        headers.retain(|(name, _)| {
            !changed
                .iter()
                .any(|(other, _)| other.eq_ignore_ascii_case(name))
        });
        headers.extend(*changed);
        assert_eq!(
            check_response(&opening(), 101, bytes(&headers)),
            *expected,
            "{changed:?}"
        );
        assert_eq!(
            check_response(&opening(), 403, bytes(&headers)),
            Err(V::Status(403))
        );
    }
}

#[test]
fn a_request_stays_one_request() {
    let bad = [
        (
            OpeningInvalid::Target,
            Opening {
                target: "/a b",
                ..opening()
            },
        ),
        (
            OpeningInvalid::Target,
            Opening {
                target: "",
                ..opening()
            },
        ),
        (
            OpeningInvalid::Host,
            Opening {
                host: "a\r\nX: y",
                ..opening()
            },
        ),
        (
            OpeningInvalid::Protocol,
            Opening {
                protocols: &["a,b"],
                ..opening()
            },
        ),
        (
            OpeningInvalid::Header,
            Opening {
                headers: &[("a", "b\r\nc: d")],
                ..opening()
            },
        ),
        (
            OpeningInvalid::Header,
            Opening {
                headers: &[("a:", "b")],
                ..opening()
            },
        ),
    ];
    for (expected, opening) in bad {
        let mut out = Vec::new();
        assert_eq!(append_request(&mut out, &opening), Err(expected));
        assert!(out.is_empty());
    }
}
