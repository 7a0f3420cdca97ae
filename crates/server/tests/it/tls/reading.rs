//! Readers in TLS, on shards and on the edge; those that are slow as well.

use std::io::Read;

use super::Secure;
use crate::wire::{Wire, frame};

/// What each reader is: how it asks, and what begins and ends a publication on its wire.
const READERS: [(&str, &str, &str); 2] = [
    ("Accept: text/event-stream", "data: ", "\n"),
    ("Accept: application/x-ndjson", "\"data\":\"", "\""),
];

/// So much that nothing of what follows is dropped.
const HISTORY: [(&str, &str); 2] =
    [("FANFARE_HISTORY__COUNT", "2000"), ("FANFARE_HISTORY__BYTES", "64 MiB")];

/// Makes it a connection of the edge's, if it is to be one.
fn settle(wire: &mut Wire, edge: bool) {
    if edge {
        assert!(wire.post_chunked("aside", "x").starts_with("HTTP/1.1 200 "));
    }
}

#[test]
fn streams_carry_what_is_published() {
    let secure = Secure::start(&[]);
    for (number, (accept, before, after)) in READERS.iter().enumerate() {
        for edge in [false, true] {
            for (version, mut wire) in secure.each().enumerate() {
                let channel = format!("stream-{number}-{version}-{edge}");
                secure.server.publish(&channel, "first");
                settle(&mut wire, edge);
                wire.ask(&format!("GET /c/{channel}?since=all HTTP/1.1"), &[accept]);
                wire.until(&format!("{before}first{after}"));
                // A run that is longer than a record, and one publication that is.
                for text in ["second", &"y".repeat(50_000), "last"] {
                    secure.server.publish(&channel, text);
                    wire.until(&format!("{before}{text}{after}"));
                }
            }
        }
    }
}

#[test]
fn websockets_carry_both_ways() {
    let secure = Secure::start(&[]);
    for edge in [false, true] {
        for (version, mut wire) in secure.each().enumerate() {
            let channel = format!("raw-{version}-{edge}");
            settle(&mut wire, edge);
            wire.open_websocket(&format!("/c/{channel}"), &[]);
            for text in ["hello", &"z".repeat(40_000)] {
                wire.send(frame(0x81, text.as_bytes()));
                assert_eq!(wire.frame(), (0x81, text.as_bytes().to_vec()));
            }
            wire.send(frame(0x89, b"there?"));
            assert_eq!(wire.frame(), (0x8a, b"there?".to_vec()));
        }
        for (version, mut wire) in secure.each().enumerate() {
            let channel = format!("v1-{version}-{edge}");
            settle(&mut wire, edge);
            let subprotocol = "Sec-WebSocket-Protocol: fanfare.v1";
            wire.open_websocket(&format!("/c/{channel}"), &[subprotocol]);
            let open = String::from_utf8(wire.frame().1).unwrap();
            assert!(open.contains("\"type\":\"open\""), "{open}");
            let publish =
                format!(r#"{{"type":"publish","id":1,"channel":"{channel}","data":"x"}}"#);
            wire.send(frame(0x81, publish.as_bytes()));
            let mut told = String::new();
            while !told.contains("\"data\":\"x\"") {
                told = String::from_utf8(wire.frame().1).unwrap();
            }
        }
    }
}

#[test]
fn a_reader_that_is_slow_gets_everything_once_it_reads() {
    let secure = Secure::start(&HISTORY);
    for (version, mut wire) in secure.each().enumerate() {
        let channel = format!("slow-{version}");
        wire.ask(&format!("GET /c/{channel} HTTP/1.1"), &["Accept: text/event-stream"]);
        wire.until("event: fanfare.open\n");
        let padding = "p".repeat(45_000);
        let mut publisher = secure.server.connect();
        // More than sockets and feed hold together, so that it is paged from history.
        for number in 0..300 {
            let body = format!("{number}.{padding}");
            let length = format!("Content-Length: {}", body.len());
            publisher.ask(&format!("POST /c/{channel} HTTP/1.1"), &[&length]);
            publisher.send(&body);
            publisher.answer();
        }
        for number in 0..300 {
            wire.until(&format!("data: {number}.{padding}\n"));
        }
    }
}

#[test]
fn a_websocket_that_does_not_read_is_still_listened_to() {
    let secure = Secure::start(&HISTORY);
    let mut wire = secure.connect();
    wire.open_websocket("/c/deaf", &[]);
    let mut publisher = secure.server.connect();
    let body = "b".repeat(60_000);
    for _ in 0..100 {
        publisher.ask("POST /c/deaf HTTP/1.1", &["Content-Length: 60000"]);
        publisher.send(&body);
        publisher.answer();
    }
    // Its socket is full, and it speaks.
    wire.send(frame(0x81, b"spoken"));
    let mut listener = secure.server.connect();
    listener.ask("GET /c/deaf?since=last:5 HTTP/1.1", &["Accept: text/event-stream"]);
    listener.until("data: spoken\n");
    for _ in 0..100 {
        assert_eq!(wire.frame().1.len(), 60_000);
    }
    assert_eq!(wire.frame(), (0x81, b"spoken".to_vec()));
}

#[test]
fn a_reader_in_clear_is_served_beside() {
    let secure = Secure::start(&[]);
    let mut plain = secure.server.connect();
    plain.ask("GET /c/both HTTP/1.1", &["Accept: text/event-stream"]);
    plain.until("event: fanfare.open\n");
    let mut wire = secure.connect();
    wire.ask("POST /c/both HTTP/1.1", &["Content-Length: 4"]);
    wire.send("over");
    plain.until("data: over\n");
    // Nothing of the TLS port's is readable in clear.
    let mut raw = std::net::TcpStream::connect(&secure.address).unwrap();
    std::io::Write::write_all(&mut raw, b"GET /c/both HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut told = String::new();
    raw.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 400 ") && told.contains("https://"), "{told}");
}
