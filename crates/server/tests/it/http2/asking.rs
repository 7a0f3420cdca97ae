//! Requests and answers: as over HTTP/1.1, with the same codes and headers.

use serde_json::Value;

use super::Client;
use crate::server::Server;
use crate::wire::{Wire, body, header};

/// Requests by method, target, headers and body.
type Row =
    (&'static str, &'static str, &'static [(&'static str, &'static str)], Option<&'static str>);

const ROWS: [Row; 22] = [
    ("POST", "/c/news", &[], Some("Hello")),
    ("POST", "/c/news?key=a", &[("content-type", "application/json")], Some("{\"a\":1}")),
    ("POST", "/c/news?key=a", &[("content-type", "application/json")], Some("{\"a\":1}")),
    ("POST", "/c/news?key=a", &[("content-type", "application/json")], Some("{\"a\":2}")),
    ("POST", "/c/news", &[("content-type", "application/json")], Some("{")),
    ("PUT", "/c/a,b", &[], Some("x")),
    ("GET", "/c/news/history", &[], None),
    ("GET", "/c/news?poll=1", &[], None),
    ("GET", "/c/news?as=json&since=last", &[("accept", "application/json")], None),
    ("HEAD", "/c/news", &[], None),
    ("HEAD", "/c/news/history", &[], None),
    (
        "POST",
        "/publish",
        &[("content-type", "application/json")],
        Some("[{\"channel\":\"a\",\"data\":1}]"),
    ),
    ("POST", "/sessions/none", &[], Some("{}")),
    ("GET", "/c/news/presence", &[], None),
    (
        "OPTIONS",
        "/c/news",
        &[("origin", "http://localhost:1"), ("access-control-request-method", "POST")],
        None,
    ),
    ("GET", "/c/news?since=never", &[], None),
    ("GET", "/c/news", &[("sec-websocket-key", "x")], None),
    ("GET", "/c/news", &[("origin", "https://elsewhere.example")], None),
    ("PATCH", "/c/news", &[], None),
    ("GET", "/health", &[], None),
    ("GET", "/nowhere", &[], None),
    ("DELETE", "/c/a", &[], None),
];

/// Headers whose value, or presence, has to be the same. `Upgrade` is none of HTTP/2.
const HEADERS: [&str; 10] = [
    "content-type",
    "content-length",
    "cache-control",
    "vary",
    "retry-after",
    "x-content-type-options",
    "access-control-allow-origin",
    "access-control-allow-methods",
    "allow",
    "sec-websocket-version",
];

#[test]
fn everything_is_answered_as_over_http1() {
    let (one, two) = (Server::dev(&[]), Server::dev(&[]));
    let mut client = Client::connect(&two);
    for (method, target, headers, sent) in ROWS {
        let mut wire = one.connect();
        let expected = over_http1(&mut wire, (method, target), headers, sent);
        let mut answer = client.ask((method, target), headers, sent.map(str::as_bytes));
        let row = format!("{method} {target}");
        let status = expected.split(' ').nth(1).unwrap();
        assert_eq!(answer.status.as_str(), status, "{row}: {expected}");
        for name in HEADERS {
            assert_eq!(answer.header(name), header(&expected, name), "{row}: {name}");
        }
        for (name, cursor) in [("fanfare-cursor", true), ("connection", false), ("upgrade", false)]
        {
            let has = cursor && header(&expected, name).is_some();
            assert_eq!(answer.header(name).is_some(), has, "{row}: {name}");
        }
        let told = answer.body.whole();
        assert_eq!(shape(&told), shape(body(&expected)), "{row}");
    }
}

fn over_http1(
    wire: &mut Wire,
    (method, target): (&str, &str),
    headers: &[(&str, &str)],
    sent: Option<&str>,
) -> String {
    let mut lines: Vec<_> =
        headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    lines.extend(sent.map(|sent| format!("Content-Length: {}", sent.len())));
    lines.push("Connection: close".to_owned());
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    wire.ask(&format!("{method} {target} HTTP/1.1"), &lines);
    wire.send(sent.unwrap_or_default());
    wire.end().0
}

/// An answer without what differs between two servers.
fn shape(body: &str) -> Value {
    let mut value = serde_json::from_str(body).unwrap_or_else(|_| Value::from(body));
    blank(&mut value);
    value
}

fn blank(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "cursor" | "epoch" | "time" | "next" if !member.is_null() => {
                        *member = Value::from("somewhere");
                    }
                    _ => blank(member),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(blank),
        _ => {}
    }
}

#[test]
fn bodies_are_taken_whole_and_within_their_limit() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let large = vec![b'x'; 1 << 20];
    assert_eq!(client.post("/c/large", &large).0, 200);
    let mut history = client.get("/c/large/history");
    let told = history.body.whole();
    assert!(told.len() > large.len() && told.contains("xxxxxxxx"));
    let (status, told) = client.post("/c/large", &vec![b'x'; (1 << 20) + 1]);
    assert!(status == 413 && told.contains("payload-too-large"), "{status} {told}");
    assert_eq!(client.post("/c/large", b"and on it goes").0, 200);
}

#[test]
fn a_head_that_is_too_large_is_refused_alone() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let long = "x".repeat(17 * 1024);
    let mut answer = client.ask(("GET", "/health"), &[("x-long", &long)], None);
    assert_eq!(answer.status.as_u16(), 431);
    assert!(answer.body.whole().contains("head-too-large"));
    // One that is far too large hyper refuses by itself, and without a body.
    let longer = "x".repeat(40 * 1024);
    let answer = client.ask(("GET", "/health"), &[("x-long", &longer)], None);
    assert_eq!(answer.status.as_u16(), 431);
    assert_eq!(client.get("/health").status.as_u16(), 200);
}

#[test]
fn host_and_authority_are_one_and_are_checked() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let other = [("host", "elsewhere.example")];
    let mut answer = client.ask(("GET", "/c/news?poll=1"), &other, None);
    assert_eq!(answer.status.as_u16(), 400);
    assert!(answer.body.whole().contains(":authority"));
    let same = [("host", server.address())];
    assert_eq!(client.ask(("GET", "/c/news?poll=1"), &same, None).status.as_u16(), 200);
    let strict = Server::dev(&[("FANFARE_HOSTS", "fanfare.example")]);
    let mut client = Client::connect(&strict);
    let mut answer = client.get("/c/news?poll=1");
    assert_eq!(answer.status.as_u16(), 403);
    assert!(answer.body.whole().contains("host-refused"));
}

#[test]
fn keys_are_asked_for_as_over_http1() {
    let server = Server::serve("tell-nobody");
    let mut client = Client::connect(&server);
    let (status, told) = client.post("/c/news", b"x");
    assert!(status == 401 && told.contains("unauthorized"), "{status} {told}");
    let key = [("authorization", "Bearer tell-nobody")];
    let answer = client.ask(("POST", "/c/news"), &key, Some(b"x"));
    assert_eq!(answer.status.as_u16(), 200);
}
