//! Tokens that expire under living connections: told before, renewed in place, sent away after the
//! grace.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::server::Server;
use crate::token::{SECRET, bearer, serve, token};
use crate::wire::{End, Wire, body, frame, header, text};

/// A server whose readers are told two seconds before and go two seconds after.
fn strict() -> Server {
    serve(&[
        SECRET,
        ("FANFARE_ISSUERS__APP__LEEWAY", "0s"),
        ("FANFARE_AUTH__EXPIRY_NOTICE", "2s"),
        ("FANFARE_AUTH__EXPIRY_GRACE", "2s"),
        ("FANFARE_AUTH__COOKIE", "sid"),
    ])
}

/// Ada's token for this long.
fn ada(lives: &str, pattern: &str) -> String {
    let rights = ["--subscribe", pattern, "--publish", pattern];
    token(&[&["--sub", "ada", "--expires-in", lives], &rights[..]].concat())
}

fn command(wire: &mut Wire, command: &Value) -> Value {
    wire.send(frame(0x81, command.to_string().as_bytes()));
    text(wire)
}

#[test]
fn a_websocket_is_told_and_goes_after_the_grace_unless_it_shows_a_new_token() {
    let server = strict();
    let open = |token: &str| {
        let mut wire = server.connect();
        let offer = format!("Sec-WebSocket-Protocol: fanfare.v1, bearer.{token}");
        wire.open_websocket("/c/chat:a", &[&offer]);
        assert_eq!(text(&mut wire)["type"], "open");
        wire
    };
    let (short, began) = (ada("4s", "chat:*"), Instant::now());
    let (mut left, mut renewed) = (open(&short), open(&short));
    for wire in [&mut left, &mut renewed] {
        let expiring = text(wire);
        assert_eq!(expiring["type"], "expiring", "{expiring}");
        assert!(expiring["expires_in"].as_u64().unwrap() <= 2, "{expiring}");
    }
    // What the connection reads has to be covered by the new one, and it has to be the same user's.
    let refresh = |token: &str| json!({"id": 1, "type": "refresh", "token": token});
    for poor in [ada("1h", "news"), token(&["--sub", "bob", "--subscribe", "chat:*"])] {
        assert_eq!(command(&mut renewed, &refresh(&poor))["code"], "forbidden");
    }
    let reply = command(&mut renewed, &refresh(&ada("1h", "chat:*")));
    assert_eq!((&reply["id"], &reply["type"]), (&json!(1), &json!("ok")));
    assert!(reply["expires_in"].as_u64().unwrap() > 3_500, "{reply}");

    let (head, payload) = left.frame();
    assert_eq!((head, &payload[..2]), (0x88, &4001_u16.to_be_bytes()[..]));
    assert!(String::from_utf8_lossy(&payload[2..]).contains("expired"), "the reason says it");
    assert!(began.elapsed() >= Duration::from_secs(4), "not before it has expired");
    let ping = command(&mut renewed, &json!({"id": 2, "type": "ping"}));
    assert_eq!(ping["id"], 2);
    let mut operator = server.connect();
    operator.wait_for_figure("fanfare_connections_expired_total", 1);
}

#[test]
fn in_the_grace_a_token_that_has_expired_publishes_no_more() {
    let server = strict();
    let spent = ada("1s", "chat:*");
    let open = |language: &str| {
        let mut wire = server.connect();
        let offer = format!("Sec-WebSocket-Protocol: {language}, bearer.{spent}");
        wire.open_websocket("/c/chat:a", &[&offer]);
        wire
    };
    let (mut raw, mut v1) = (open("fanfare.raw"), open("fanfare.v1"));
    assert_eq!(text(&mut v1)["type"], "open");
    assert_eq!(text(&mut v1)["type"], "expiring");
    // There is no event for a token that expires within its grace.
    std::thread::sleep(Duration::from_millis(1_000));
    let publish = json!({"id": 1, "type": "publish", "channel": "chat:a", "data": "late"});
    assert_eq!(command(&mut v1, &publish)["code"], "unauthorized");
    raw.send(frame(0x81, b"late"));
    let (head, payload) = raw.frame();
    assert_eq!((head, &payload[..2]), (0x88, &1008_u16.to_be_bytes()[..]));
    assert!(String::from_utf8_lossy(&payload[2..]).contains("expired"));
}

#[test]
fn streams_of_the_shard_and_of_the_edge_are_told_and_broken_off_or_renewed() {
    let server = strict();
    for edge in [false, true] {
        let short = ada("4s", "chat:*");
        // The edge has connections whose first request it answered.
        let open = |accept: &str| {
            let mut wire = server.connect();
            if edge {
                wire.ask("GET /health HTTP/1.1", &[]);
                wire.answer();
            }
            wire.ask("GET /c/chat:a HTTP/1.1", &[&bearer(&short), accept]);
            wire.until("\"session\":\"");
            let session = wire.take(35);
            (wire, session)
        };
        let (mut events, _) = open("Accept: text/event-stream");
        let (mut lines, session) = open("Accept: application/x-ndjson");
        events.until("event: fanfare.expiring\ndata: {\"expires_in\":");
        lines.until("{\"type\":\"expiring\",\"expires_in\":");
        let text = "{\"refresh\":true}";
        let mut wire = server.connect();
        let length = format!("Content-Length: {}", text.len());
        let token = bearer(&ada("1h", "chat:*"));
        wire.ask(&format!("POST /sessions/{session} HTTP/1.1"), &[&token, &length]);
        wire.send(text);
        let answer = wire.answer();
        let renewed: Value = serde_json::from_str(body(&answer)).unwrap();
        assert!(renewed["expires_in"].as_u64().unwrap() > 3_500, "{answer}");
        // A stream is not over: it says when to come back, and has no last chunk.
        let (rest, end) = events.end();
        assert!(rest.contains("retry: ") && !rest.ends_with("0\r\n\r\n"), "{rest}");
        assert_eq!(end, End::Closed);
        wire.ask("POST /c/chat:a HTTP/1.1", &[&token, "Content-Length: 2"]);
        wire.send("hi");
        assert!(wire.answer().starts_with("HTTP/1.1 200"));
        lines.until("\"data\":\"hi\"");
    }
}

#[test]
fn a_cookie_carries_a_stream_through_and_one_that_has_expired_is_refused() {
    let server = strict();
    let sse = "Accept: text/event-stream";
    let short = format!("Cookie: sid={}", ada("1s", "chat:*"));
    let mut events = server.connect();
    events.ask("GET /c/chat:a HTTP/1.1", &[&short, sse]);
    let opened = events.until("\n\n");
    let (rest, _) = events.end();
    let seen = format!("{opened}{rest}");
    let place = seen.lines().rev().find_map(|line| line.strip_prefix("id: ")).unwrap().to_owned();
    let mut again = server.connect();
    again.ask("GET /c/chat:a HTTP/1.1", &[&short, sse]);
    let refused = again.answer();
    assert!(refused.starts_with("HTTP/1.1 401 "), "{refused}");
    assert!(header(&refused, "content-type").is_some() && refused.contains("expired"), "{refused}");
    let fresh = format!("Cookie: sid={}", ada("1h", "chat:*"));
    let mut back = server.connect();
    let from = format!("Last-Event-ID: {place}");
    back.ask("GET /c/chat:a HTTP/1.1", &[&fresh, sse, &from]);
    assert!(back.until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
    assert!(!back.until("\n\n").contains("fanfare.gap"));
}
