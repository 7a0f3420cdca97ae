//! A kept connection that has answered a publish becomes a reader, wherever it was answered: a
//! small publish by a shard, a chunked one by the edge.

use crate::server::Server;
use crate::wire::{Wire, body};

#[derive(Debug, Clone, Copy)]
enum First {
    Small,
    Chunked,
}

/// A connection that has published `first` to a channel of its own.
fn published(server: &Server, first: First, channel: &str) -> Wire {
    let mut wire = server.connect();
    let answer = match first {
        First::Chunked => wire.post_chunked(channel, "first"),
        First::Small => {
            wire.ask(&format!("POST /c/{channel} HTTP/1.1"), &["Content-Length: 5"]);
            wire.send("first");
            wire.answer()
        }
    };
    assert!(answer.starts_with("HTTP/1.1 200 "), "{first:?}: {answer}");
    assert!(body(&answer).contains("\"offset\":1,"), "{first:?}: {answer}");
    wire
}

#[test]
fn an_event_stream_begins_on_a_kept_connection() {
    let server = Server::dev(&[]);
    for first in [First::Small, First::Chunked] {
        let channel = format!("sse-{first:?}");
        let mut wire = published(&server, first, &channel);
        wire.ask(&format!("GET /c/{channel}?since=all HTTP/1.1"), &["Accept: text/event-stream"]);
        wire.until("event: fanfare.open\n");
        wire.until("data: first\nid: ");
        server.publish(&channel, "second");
        wire.until("data: second\nid: ");
    }
    served_by_both(&server);
}

#[test]
fn lines_begin_on_a_kept_connection() {
    let server = Server::dev(&[]);
    for first in [First::Small, First::Chunked] {
        let channel = format!("ndjson-{first:?}");
        let mut wire = published(&server, first, &channel);
        let accept = "Accept: application/x-ndjson";
        wire.ask(&format!("GET /c/{channel}?since=all HTTP/1.1"), &[accept]);
        wire.until("{\"type\":\"open\"");
        wire.until("\"data\":\"first\"");
        server.publish(&channel, "second");
        wire.until("\"data\":\"second\"");
    }
    served_by_both(&server);
}

#[test]
fn a_websocket_begins_on_a_kept_connection() {
    let server = Server::dev(&[]);
    for first in [First::Small, First::Chunked] {
        let channel = format!("ws-{first:?}");
        let mut wire = published(&server, first, &channel);
        wire.open_websocket(&format!("/c/{channel}?since=all"), &[]);
        assert_eq!(wire.frame(), (0x81, b"first".to_vec()));
        server.publish(&channel, "second");
        assert_eq!(wire.frame(), (0x81, b"second".to_vec()));

        let mut wire = published(&server, first, &format!("{channel}-v1"));
        let target = format!("/c/{channel}-v1?since=all");
        wire.open_websocket(&target, &["Sec-WebSocket-Protocol: fanfare.v1"]);
        for wanted in ["\"type\":\"open\"", "\"data\":\"first\""] {
            let payload = String::from_utf8(wire.frame().1).unwrap();
            assert!(payload.contains(wanted), "{payload}");
        }
    }
    served_by_both(&server);
}

/// Small publishes are answered in place, and only the others have gone to the edge.
fn served_by_both(server: &Server) {
    let mut probe = server.connect();
    let (in_place, handed_over) =
        (probe.figure("fanfare_publishes_in_place_total"), probe.figure("fanfare_handovers_total"));
    assert!(in_place > 0 && handed_over > 0, "{in_place} in place, {handed_over} handed over");
}
