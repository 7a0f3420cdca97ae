//! A client's opening handshake: what it asks, and which answers it believes.

use super::super::{
    Opening, OpeningInvalid, ResponseViolation, append_request, append_response, check_response,
    read_handshake, select_subprotocol,
};
use super::handshake::{ACCEPT, NONCE, bytes};

type Changed<'a> = &'a [(&'a str, &'a str)];

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
    head.lines().skip(1).filter_map(|line| line.split_once(": ")).collect()
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
    let selected = select_subprotocol(&handshake.protocols).unwrap().subprotocol.unwrap();

    let mut response = Vec::new();
    append_response(&mut response, &handshake.accept.unwrap(), Some(selected.name()));
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
    let rows: &[(Result<Option<&str>, V>, Changed<'_>)] = &[
        (Ok(None), &[]),
        (Err(V::Upgrade), &[("Upgrade", "h2c")]),
        (Err(V::Connection), &[("Connection", "close")]),
        (Err(V::Accept), &[("Sec-WebSocket-Accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOO=")]),
        (Err(V::Accept), &[("Sec-WebSocket-Accept", accept), ("Sec-WebSocket-Accept", accept)]),
        (Err(V::Extension), &[("Sec-WebSocket-Extensions", "permessage-deflate")]),
        (Ok(Some("fanfare.raw")), &[("Sec-WebSocket-Protocol", "fanfare.raw")]),
        (Err(V::Protocol), &[("Sec-WebSocket-Protocol", "mqtt")]),
        (Err(V::Protocol), &[("Sec-WebSocket-Protocol", "fanfare.raw, fanfare.v1")]),
    ];
    for (expected, changed) in rows {
        let mut headers = vec![
            ("upgrade", "WebSocket"),
            ("connection", "upgrade"),
            ("sec-websocket-accept", accept),
        ];
        headers
            .retain(|(name, _)| !changed.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)));
        headers.extend(*changed);
        assert_eq!(check_response(&opening(), 101, bytes(&headers)), *expected, "{changed:?}");
        assert_eq!(check_response(&opening(), 403, bytes(&headers)), Err(V::Status(403)));
    }
}

#[test]
fn a_request_stays_one_request() {
    let bad = [
        (OpeningInvalid::Target, Opening { target: "/a b", ..opening() }),
        (OpeningInvalid::Target, Opening { target: "", ..opening() }),
        (OpeningInvalid::Host, Opening { host: "a\r\nX: y", ..opening() }),
        (OpeningInvalid::Protocol, Opening { protocols: &["a,b"], ..opening() }),
        (OpeningInvalid::Header, Opening { headers: &[("a", "b\r\nc: d")], ..opening() }),
        (OpeningInvalid::Header, Opening { headers: &[("a:", "b")], ..opening() }),
    ];
    for (expected, opening) in bad {
        let mut out = Vec::new();
        assert_eq!(append_request(&mut out, &opening), Err(expected));
        assert!(out.is_empty());
    }
}
