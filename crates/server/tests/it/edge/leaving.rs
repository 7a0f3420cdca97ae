//! What operators ask, and how a server leaves.

use crate::server::Server;
use crate::wire::{End, body};

#[test]
fn a_scrape_tells_connections_by_what_they_are() {
    let server = Server::dev(&[]);
    let mut stream = server.connect_to_edge("news");
    stream.ask("GET /c/news HTTP/1.1", &["Accept: text/event-stream"]);
    stream.until("\n\n");
    let mut wire = server.connect();
    wire.ask("GET /metrics HTTP/1.1", &[]);
    let figures = wire.answer();
    for line in [
        "fanfare_connections{transport=\"sse\"} 1",
        "fanfare_connections{transport=\"http\"} 1",
        "fanfare_publications_total 1",
        "fanfare_limit{key=\"limits.payload_bytes_max\"} 1048576",
        "fanfare_shards_silent 0",
        "# EOF",
    ] {
        assert!(body(&figures).lines().any(|found| found == line), "{line}\n{figures}");
    }
}

#[test]
fn everyone_is_asked_to_come_back_and_the_server_leaves() {
    let mut server = Server::dev(&[("FANFARE_DRAIN__WINDOW", "1s")]);
    let mut sse = server.connect_to_edge("news");
    sse.ask("GET /c/news HTTP/1.1", &["Accept: text/event-stream"]);
    sse.until("\n\n");
    let mut old = server.connect();
    let payload = "x".repeat(70_000);
    let length = format!("Content-Length: {}", payload.len());
    old.ask("POST /c/news HTTP/1.0", &["Connection: keep-alive", &length]);
    old.send(&payload);
    old.answer();
    old.ask("GET /c/news HTTP/1.0", &["Accept: text/event-stream"]);
    old.until("fanfare.open");
    let mut poll = server.connect_to_edge("other");
    poll.ask("GET /c/other?wait=60 HTTP/1.1", &[]);
    let mut idle = server.connect_to_edge("third");

    server.terminate();
    let (told, end) = sse.end();
    assert_eq!(end, End::Closed);
    assert!(told.contains("retry: "), "{told}");
    assert!(!told.ends_with("0\r\n\r\n"), "a regular end would be final: {told}");
    let (told, end) = old.end();
    assert_eq!(end, End::Reset, "a close would be a regular end: {told}");
    let answer = poll.answer();
    assert!(answer.contains("\"publications\":[]"), "{answer}");
    assert_eq!(idle.end(), (String::new(), End::Closed));
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn readiness_fails_first_and_a_second_signal_ends_at_once() {
    let mut server = Server::dev(&[("FANFARE_DRAIN__WINDOW", "60s")]);
    let mut probe = server.connect();
    probe.ask("GET /ready HTTP/1.1", &[]);
    assert!(probe.answer().starts_with("HTTP/1.1 200"));
    let mut stream = server.connect_to_edge("news");
    stream.ask("GET /c/news HTTP/1.1", &[]);
    stream.until("\n\n");
    server.terminate();
    // An idle connection is closed when the drain begins, so that now is known.
    assert_eq!(probe.end().1, End::Closed);
    server.terminate();
    assert_eq!(server.exit_code(), Some(130));
}

#[test]
fn a_request_that_a_draining_shard_hands_over_is_answered() {
    let server = Server::dev(&[("FANFARE_DRAIN__WINDOW", "1h")]);
    let mut probe = server.connect();
    probe.ask("GET /ready HTTP/1.1", &[]);
    probe.answer();
    let mut kept = server.connect();
    kept.ask("POST /c/news HTTP/1.1", &["Content-Length: 5"]);
    kept.send("first");
    kept.answer();
    server.terminate();
    // An idle connection of the edge is closed when the drain begins, so that now is known.
    assert_eq!(probe.end().1, End::Closed);
    kept.ask("GET /c/news/history HTTP/1.1", &[]);
    let answer = kept.answer();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("first"), "{answer}");
    assert_eq!(kept.end(), (String::new(), End::Closed));
}
