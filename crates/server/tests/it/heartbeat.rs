//! A silent reader is told often enough that the server is still there.

use std::thread;
use std::time::{Duration, Instant};

use crate::server::Server;
use crate::wire::Wire;

/// Five seconds were asked for.
const EARLIEST: Duration = Duration::from_secs(4);
const LATEST: Duration = Duration::from_secs(7);

#[test]
fn every_transport_beats_as_often_as_was_asked_for() {
    let server = Server::dev(&[]);
    let mut readers: Vec<(&str, Wire, &str)> = Vec::new();
    for (place, mut sse) in [("shard", server.connect()), ("edge", server.connect_to_edge("a"))] {
        sse.ask("GET /c/a?heartbeat=5s HTTP/1.1", &["Accept: text/event-stream"]);
        sse.until("event: fanfare.open\n");
        sse.until("\n\n");
        readers.push((place, sse, ": hb\n"));
    }
    let mut named = server.connect();
    named.ask("GET /c/a?heartbeat=event:5s HTTP/1.1", &["Accept: text/event-stream"]);
    named.until("event: fanfare.open\n");
    readers.push(("named", named, "event: fanfare.heartbeat\ndata: {}\n\n"));
    let mut lines = server.connect();
    lines.ask("GET /c/a?as=ndjson&heartbeat=5s HTTP/1.1", &[]);
    lines.until("\"type\":\"open\"");
    readers.push(("lines", lines, "{\"type\":\"keepalive\""));
    let mut socket = server.connect();
    socket.open_websocket("/c/a?heartbeat=5s", &[]);

    let began = Instant::now();
    let mut waiting: Vec<_> = readers
        .into_iter()
        .map(|(place, mut wire, beat)| {
            let wait = move || {
                wire.until(beat);
                (place, began.elapsed())
            };
            thread::spawn(wait)
        })
        .collect();
    waiting.push(thread::spawn(move || {
        assert_eq!(socket.frame(), (0x89, Vec::new()), "a ping without a payload");
        ("socket", began.elapsed())
    }));
    for waiting in waiting {
        let (place, took) = waiting.join().unwrap();
        assert!(took > EARLIEST && took < LATEST, "{place}: a heartbeat after {took:?}");
    }
}

#[test]
fn a_websocket_that_answers_no_ping_is_ended() {
    let server = Server::dev(&[]);
    let mut socket = server.connect();
    socket.open_websocket("/c/a?heartbeat=5s", &[]);
    let began = Instant::now();
    // Its kernel acknowledges everything, so that only the missing pongs tell.
    let (told, _) = socket.end();
    let took = began.elapsed();
    assert!(took > 2 * EARLIEST && took < 3 * LATEST, "ended after {took:?}: {told}");
    let mut probe = server.connect();
    assert_eq!(probe.figure("fanfare_connections_silent_total"), 1);
    assert_eq!(probe.figure("fanfare_connections{transport=\"websocket\"}"), 0);
}
