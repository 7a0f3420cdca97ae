//! Limits of addresses and users, as their clients meet them: each is told which one it is, on every transport
//! in its own way, and others are not disturbed.

mod proxy_header;
mod users;

use crate::cli::run::Folder;
use crate::proxied;
use crate::server::Server;
use crate::wire::{Wire, body, frame, header};

/// A server behind a proxy on loopback, with these limits.
fn limited(limits: &str) -> (Server, Folder) {
    proxied::configured(&format!("[proxies]\ntrusted = [\"127.0.0.0/8\"]\n[limits]\n{limits}\n"))
}

fn from(address: u8) -> String {
    format!("X-Forwarded-For: 192.0.2.{address}")
}

fn post(wire: &mut Wire, target: &str, text: &str, headers: &[&str]) -> String {
    let length = format!("Content-Length: {}", text.len());
    wire.ask(&format!("POST {target} HTTP/1.1"), &[&[length.as_str()], headers].concat());
    wire.send(text);
    wire.answer()
}

fn is_limited(answer: &str, key: &str) -> bool {
    answer.starts_with("HTTP/1.1 429 ")
        && header(answer, "retry-after").is_some_and(|after| after.parse::<u32>().unwrap() >= 1)
        && body(answer).contains("\"code\":\"rate-limited\"")
        && body(answer).contains(key)
}

#[test]
fn who_publishes_too_often_is_told_on_every_way_in() {
    let (server, _file) = limited("publish_rate_per_address = \"6/m\"\nrate_burst = \"20s\"");
    let key = "limits.publish_rate_per_address";
    // A connection of a shard's, and one of hyper's.
    for (place, mut wire) in (1..).zip([server.connect(), server.connect_to_hyper()]) {
        let address = from(place);
        for _ in 0..2 {
            assert!(post(&mut wire, "/c/a", "x", &[&address]).starts_with("HTTP/1.1 200 "));
        }
        for _ in 0..2 {
            let answer = post(&mut wire, "/c/a", "x", &[&address]);
            assert!(is_limited(&answer, key), "{answer}");
        }
        assert!(post(&mut wire, "/c/a", "x", &[&from(place + 10)]).starts_with("HTTP/1.1 200 "));
        let own = [address.as_str(), "Authorization: Bearer key"];
        assert!(post(&mut wire, "/c/a", "x", &own).starts_with("HTTP/1.1 200 "), "no limit");
    }
    // Of a batch so many go through as may.
    let item = "{\"channel\":\"a\",\"data\":\"x\"}";
    let answer = post(&mut server.connect(), "/publish", &[item; 3].join("\n"), &[&from(3)]);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert_eq!(body(&answer).matches("\"offset\"").count(), 2, "{answer}");
    assert_eq!(body(&answer).matches("\"code\":\"rate-limited\"").count(), 1, "{answer}");

    let mut raw = server.connect();
    raw.open_websocket("/c/b", &[&from(4)]);
    (0..3).for_each(|_| raw.send(frame(0x81, b"x")));
    let told = std::iter::repeat_with(|| raw.frame()).find(|(head, _)| *head == 0x88).unwrap().1;
    assert_eq!(told.get(..2), Some(1008_u16.to_be_bytes().as_slice()));
    assert!(String::from_utf8_lossy(&told).contains("rate-limited"), "{told:?}");

    let mut v1 = server.connect();
    let protocol = "Sec-WebSocket-Protocol: fanfare.v1";
    v1.open_websocket("/c", &[protocol, &from(5)]);
    v1.frame();
    let mut replies = Vec::new();
    for id in 1..=3 {
        let command =
            format!("{{\"id\":{id},\"type\":\"publish\",\"channel\":\"c\",\"data\":\"x\"}}");
        v1.send(frame(0x81, command.as_bytes()));
        replies.push(String::from_utf8(v1.frame().1).unwrap());
    }
    assert!(replies[1].contains("\"type\":\"ok\""), "{replies:?}");
    assert!(replies[2].contains("\"code\":\"rate-limited\""), "{replies:?}");
    assert!(replies[2].contains(key), "{replies:?}");
    let figure = format!("fanfare_limited_total{{key=\"{key}\"}}");
    assert!(server.connect().figure(&figure) >= 7);
}

#[test]
fn who_subscribes_too_often_comes_back_later() {
    let (server, _file) = limited("subscribe_rate_per_address = \"3/m\"\nrate_burst = \"20s\"");
    let events = "Accept: text/event-stream";
    for place in 1..=2 {
        let mut edge = if place == 2 { server.connect_to_hyper() } else { server.connect() };
        edge.ask("GET /c/a HTTP/1.1", &[events, &from(place)]);
        edge.until("fanfare.open");
        // An event stream is never refused with 429.
        let mut again = server.connect();
        again.ask("GET /c/a HTTP/1.1", &[events, &from(place)]);
        let (told, _) = again.end();
        assert!(told.starts_with("HTTP/1.1 200 "), "{told}");
        assert!(told.contains("rate-limited") && !told.ends_with("0\r\n\r\n"), "{told}");
        let retry = told.lines().find_map(|line| line.strip_prefix("retry: ")).unwrap();
        assert!(retry.parse::<u64>().unwrap() >= 15_000, "not before it would be let in: {retry}");
        let mut poll = server.connect();
        poll.ask("GET /c/a?wait=0 HTTP/1.1", &[&from(place)]);
        let answer = poll.answer();
        assert!(is_limited(&answer, "limits.subscribe_rate_per_address"), "{answer}");
        let mut socket = server.connect();
        socket.open_websocket("/c/a", &[&from(place)]);
        let (head, told) = socket.frame();
        assert_eq!((head, told.get(..2)), (0x88, Some(1013_u16.to_be_bytes().as_slice())));
    }
    let mut v1 = server.connect();
    v1.open_websocket("/c", &["Sec-WebSocket-Protocol: fanfare.v1", &from(9)]);
    v1.frame();
    let mut replies = Vec::new();
    for channel in ["a", "b"] {
        let command = format!("{{\"id\":1,\"type\":\"subscribe\",\"channel\":\"{channel}\"}}");
        v1.send(frame(0x81, command.as_bytes()));
        replies.push(String::from_utf8(v1.frame().1).unwrap());
    }
    assert!(replies[0].contains("\"type\":\"ok\""), "{replies:?}");
    assert!(replies[1].contains("\"code\":\"rate-limited\""), "{replies:?}");
}

#[test]
fn readers_of_an_address_are_counted_while_they_read() {
    let (server, _file) = limited("connections_per_address_max = 2");
    let events = "Accept: text/event-stream";
    let open = |place| {
        let mut wire = server.connect();
        wire.ask("GET /c/a HTTP/1.1", &[events, &from(place)]);
        wire
    };
    let mut held = [open(1), open(1)];
    held.iter_mut().for_each(|wire| drop(wire.until("fanfare.open")));
    let (told, _) = open(1).end();
    assert!(told.contains("too-many-connections"), "{told}");
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains("retry: "), "{told}");
    let mut json = server.connect();
    json.ask("GET /c/a HTTP/1.1", &["Accept: application/x-ndjson", &from(1)]);
    let answer = json.answer();
    assert!(answer.starts_with("HTTP/1.1 429 "), "{answer}");
    assert!(answer.contains("limits.connections_per_address_max"), "{answer}");
    open(2).until("fanfare.open");
    drop(held);
    let mut probe = server.connect();
    probe.wait_for_figure("fanfare_connections{transport=\"sse\"}", 0);
    open(1).until("fanfare.open");
}

#[test]
fn operators_have_a_listener_of_their_own() {
    let lines = "[admin]\nlisten = [\"127.0.0.1:0\"]\n[limits]\nconnections_max = 1\n";
    let folder = Folder::new();
    let path = folder.path().join("fanfare.toml");
    std::fs::write(&path, format!("hosts = [\"live.example\"]\n{lines}[drain]\nwindow = \"1s\"\n"))
        .unwrap();
    let flags =
        ["serve", "--listen", "127.0.0.2:0", "--anonymous-subscribe", "--publisher-key", "k"];
    let mut command = crate::cli::run::fanfare(&flags);
    command.arg("--config").arg(&path);
    // Of its addresses only the operators' is on 127.0.0.1.
    let mut server = Server::of(command);
    let mut operator = server.connect();
    for path in ["/health", "/ready", "/metrics"] {
        operator.ask(&format!("GET {path} HTTP/1.1"), &[]);
        let answer = operator.answer();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{path}: {answer}");
    }
    operator.ask("GET /c/a?wait=0 HTTP/1.1", &[]);
    assert!(operator.answer().starts_with("HTTP/1.1 404 "));
    operator.ask("POST /ready HTTP/1.1", &["Content-Length: 0"]);
    assert!(operator.answer().starts_with("HTTP/1.1 405 "));
    server.terminate();
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn metrics_leave_the_public_listeners() {
    let (server, _file) = proxied::configured("[admin]\nlisten = [\"127.0.0.1:0\"]\n");
    let mut wire = server.connect();
    wire.ask("GET /metrics HTTP/1.1", &[]);
    assert!(wire.answer().starts_with("HTTP/1.1 404 "));
    for path in ["/health", "/ready"] {
        wire.ask(&format!("GET {path} HTTP/1.1"), &[]);
        assert!(wire.answer().starts_with("HTTP/1.1 200 "), "{path}");
    }
}
