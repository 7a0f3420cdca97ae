//! Requests in TLS: answered by a shard, by the edge, and there and back.

use super::Secure;
use crate::wire::{body, frame};

#[test]
fn a_small_publish_is_answered_by_the_shard_and_the_connection_kept() {
    let secure = Secure::start(&[]);
    for (version, mut wire) in secure.each().enumerate() {
        for offset in 1..4 {
            wire.ask(&format!("POST /c/small-{version} HTTP/1.1"), &["Content-Length: 5"]);
            wire.send("hello");
            let answer = wire.answer();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            assert!(body(&answer).contains(&format!("\"offset\":{offset},")), "{answer}");
        }
    }
    assert_eq!(secure.figure("fanfare_publishes_in_place_total"), 6);
    assert_eq!(secure.figure("fanfare_tls_handshakes_total{kind=\"full\"}"), 2);
}

#[test]
fn the_edge_goes_on_with_the_session_that_a_shard_has_begun() {
    let secure = Secure::start(&[]);
    for (version, mut wire) in secure.each().enumerate() {
        let channel = format!("chunked-{version}");
        for _ in 0..3 {
            let answer = wire.post_chunked(&channel, "hello");
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        }
        // More than a record, both ways.
        let large = "x".repeat(200_000);
        let answer = wire.post_chunked(&channel, &large);
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        wire.ask(&format!("GET /c/{channel}/history HTTP/1.1"), &[]);
        let answer = wire.answer();
        assert!(body(&answer).contains(&large), "{}", answer.len());
    }
}

#[test]
fn a_request_may_come_in_any_pieces() {
    let secure = Secure::start(&[]);
    for (version, mut wire) in secure.each().enumerate() {
        // The handshake is over when something has been answered.
        wire.ask("POST /c/first HTTP/1.1", &["Content-Length: 1"]);
        wire.send("x");
        wire.answer();
        let head = format!("POST /c/pieces-{version} HTTP/1.1\r\nHost: localhost\r\n");
        // To a shard, and on the same connection to the edge.
        wire.drip(format!("{head}Content-Length: 5\r\n\r\nhello"));
        assert!(wire.answer().starts_with("HTTP/1.1 200 "));
        wire.drip(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
        assert!(wire.answer().starts_with("HTTP/1.1 200 "));
        wire.drip(format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
        let answer = wire.answer();
        assert!(body(&answer).contains("\"offset\":3,"), "{answer}");
    }
}

#[test]
fn a_websocket_comes_back_from_the_edge_with_all_that_was_sent_after_it() {
    let secure = Secure::start(&[]);
    for (version, mut wire) in secure.each().enumerate() {
        let channel = format!("back-{version}");
        wire.post_chunked(&channel, "first");
        let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let ask =
            format!("GET /c/{channel}?since=all HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n");
        // What follows the request is in its record already, and half of what follows that.
        let mut sent = ask.into_bytes();
        sent.extend_from_slice(&frame(0x81, b"second"));
        let third = frame(0x81, b"third");
        sent.extend_from_slice(&third[..4]);
        wire.send(&sent);
        assert!(wire.until("\r\n\r\n").starts_with("HTTP/1.1 101 "));
        wire.drip(&third[4..]);
        for wanted in ["first", "second", "third"] {
            assert_eq!(wire.frame(), (0x81, wanted.as_bytes().to_vec()));
        }
        secure.server.publish(&channel, "fourth");
        assert_eq!(wire.frame(), (0x81, b"fourth".to_vec()));
    }
}

#[test]
fn who_comes_back_with_a_ticket_is_known() {
    let secure = Secure::start(&[]);
    for _ in 0..2 {
        for mut wire in secure.each() {
            assert!(wire.post_chunked("tickets", "x").starts_with("HTTP/1.1 200 "));
        }
    }
    assert_eq!(secure.figure("fanfare_tls_handshakes_total{kind=\"full\"}"), 2);
    assert_eq!(secure.figure("fanfare_tls_handshakes_total{kind=\"resumed\"}"), 2);
}
