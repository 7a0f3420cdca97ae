//! Cookies and the query, where headers cannot be sent.

use super::Guarded;
use crate::wire::Wire;

const CONFIGURATION: &str = "
publisher_keys = [\"tell-nobody\"]
cookie = \"sid\"
query_token = true
[namespaces.open]
anonymous_subscribe = true
";

const COOKIE: &str = "Cookie: theme=dark; sid=tell-nobody";
const FOREIGN: &str = "Origin: https://elsewhere.example";

/// The status of a request's answer.
fn status(wire: &mut Wire, line: &str, headers: &[&str]) -> u16 {
    wire.ask(line, headers);
    wire.answer().split(' ').nth(1).unwrap().parse().unwrap()
}

fn post(server: &Guarded, target: &str, headers: &[&str], chunked: bool) -> u16 {
    let mut wire = server.connect();
    let length = if chunked { "Transfer-Encoding: chunked" } else { "Content-Length: 1" };
    wire.ask(&format!("POST {target} HTTP/1.1"), &[&[length], headers].concat());
    wire.send(if chunked { "1\r\nx\r\n0\r\n\r\n" } else { "x" });
    wire.answer().split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_page_of_the_own_origin_reads_and_publishes_by_its_cookie() {
    let server = Guarded::start(CONFIGURATION);
    for chunked in [false, true] {
        assert_eq!(post(&server, "/c/a", &[COOKIE, "Origin: http://localhost"], chunked), 200);
    }
    for line in ["GET /c/a/history HTTP/1.1", "GET /c/a?poll=1&since=all HTTP/1.1"] {
        assert_eq!(status(&mut server.connect(), line, &[COOKIE]), 200, "{line}");
    }
    // An EventSource of the same origin sends no `Origin`.
    let mut stream = server.connect();
    stream.ask("GET /c/a HTTP/1.1", &[COOKIE, "Accept: text/event-stream"]);
    assert!(stream.until("\r\n\r\n").starts_with("HTTP/1.1 200"));
}

#[test]
fn a_foreign_page_gains_nothing_by_the_cookie_that_its_browser_adds() {
    let server = Guarded::start(CONFIGURATION);
    for chunked in [false, true] {
        assert_eq!(post(&server, "/c/a", &[COOKIE, FOREIGN], chunked), 403);
        // Without any origin nobody knows whose page it is.
        assert_eq!(post(&server, "/c/a", &[COOKIE], chunked), 401);
    }
    let reading = "GET /c/a HTTP/1.1";
    let sse = "Accept: text/event-stream";
    assert_eq!(status(&mut server.connect(), reading, &[COOKIE, FOREIGN, sse]), 403);
    assert_eq!(status(&mut server.connect(), "DELETE /c/a HTTP/1.1", &[COOKIE]), 401);
    // A cross-site WebSocket is refused before its handshake; one without an origin is told after it.
    let upgrade = [
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ];
    let foreign = [&upgrade[..], &[COOKIE, FOREIGN]].concat();
    assert_eq!(status(&mut server.connect(), reading, &foreign), 403);
    let mut wire = server.connect();
    wire.open_websocket("/c/a", &[COOKIE]);
    let (head, payload) = wire.frame();
    assert_eq!((head, &payload[..2]), (0x88, &4001_u16.to_be_bytes()[..]));
}

#[test]
fn the_query_carries_a_token_on_every_way_in_where_that_is_switched_on() {
    let server = Guarded::start(CONFIGURATION);
    for chunked in [false, true] {
        assert_eq!(post(&server, "/c/a?token=tell-nobody", &[], chunked), 200);
        assert_eq!(post(&server, "/c/a?token=wrong", &[], chunked), 401);
    }
    let history = "GET /c/a/history?token=tell-nobody HTTP/1.1";
    assert_eq!(status(&mut server.connect(), history, &[]), 200);
    let mut wire = server.connect();
    wire.open_websocket("/c/a?token=tell-nobody&as=raw", &[]);
    server_publishes(&server, &mut wire);

    let strict = Guarded::start("publisher_keys = [\"tell-nobody\"]\nanonymous_subscribe = true");
    assert_eq!(post(&strict, "/c/a?token=tell-nobody", &[], false), 401);
    let cookie = "GET /c/a/history HTTP/1.1";
    assert_eq!(status(&mut strict.connect(), cookie, &[COOKIE]), 200, "anyone reads there");
}

fn server_publishes(server: &Guarded, reader: &mut Wire) {
    assert_eq!(post(server, "/c/a?token=tell-nobody", &[], false), 200);
    assert_eq!(reader.frame(), (0x81, b"x".to_vec()));
}
