//! Reading through a route, on each transport and on both sides of the server.

use super::server;
use crate::server::Server;
use crate::wire::{Wire, body, header};

/// A connection that a shard reads, and one that hyper owns already.
fn both(server: &Server) -> [Wire; 2] {
    [server.connect(), server.connect_to_edge("beside")]
}

#[test]
fn every_transport_reads_what_the_route_stands_for() {
    let server = server();
    server.publish("clock", "ten");
    server.publish("clock", "eleven");
    for mut wire in both(&server) {
        wire.ask("GET /events HTTP/1.1", &["Accept: text/event-stream"]);
        let head = wire.until("\r\n\r\n");
        assert_eq!(header(&head, "content-type"), Some("text/event-stream"));
        assert!(wire.until("data: eleven\nid: ").starts_with(|_: char| true));
    }
    for mut wire in both(&server) {
        wire.ask("GET /events HTTP/1.1", &["Accept: application/x-ndjson"]);
        let lines = wire.until("\"data\":\"eleven\"");
        assert!(lines.contains("\"channel\":\"clock\"") && !lines.contains("\"ten\""), "{lines}");
    }
    for mut wire in both(&server) {
        wire.open_websocket("/events", &[]);
        assert_eq!(wire.frame(), (0x81, b"eleven".to_vec()));
    }
    for mut wire in both(&server) {
        wire.open_websocket("/events", &["Sec-WebSocket-Protocol: fanfare.v1"]);
        let (_, open) = wire.frame();
        assert!(String::from_utf8_lossy(&open).contains("\"channel\":\"clock\""));
        let (_, message) = wire.frame();
        assert!(String::from_utf8_lossy(&message).contains("\"data\":\"eleven\""));
    }
    let mut wire = server.connect();
    wire.ask("GET /events?wait=5 HTTP/1.1", &[]);
    let answer = wire.answer();
    assert!(answer.contains("\"data\":\"eleven\"") && !answer.contains("\"ten\""), "{answer}");
    wire.ask("GET /events?history HTTP/1.1", &[]);
    let answer = wire.answer();
    assert!(answer.contains("\"publications\":["), "{answer}");
    wire.ask("HEAD /events HTTP/1.1", &[]);
    let head = wire.until("\r\n\r\n");
    assert!(
        header(&head, "fanfare-cursor").is_some_and(|cursor| cursor.starts_with('~')),
        "{head}"
    );
}

#[test]
fn a_request_says_more_than_the_route_and_wins_over_it() {
    let server = server();
    for time in ["ten", "eleven"] {
        server.publish("clock", time);
        server.publish("other", time);
    }
    for mut wire in both(&server) {
        wire.ask("GET /events?since=all&as=ndjson HTTP/1.1", &[]);
        let lines = wire.until("\"data\":\"eleven\"");
        assert!(lines.contains("\"data\":\"ten\""), "{lines}");
    }
    // A cursor wins over the route's `since`, as it does everywhere.
    let mut wire = server.connect();
    wire.ask("GET /events?since=all&as=json HTTP/1.1", &[]);
    let answer = wire.answer();
    let cursor = header(&answer, "fanfare-cursor").unwrap().to_owned();
    server.publish("clock", "noon");
    for mut wire in both(&server) {
        let id = format!("Last-Event-ID: {cursor}");
        wire.ask("GET /events HTTP/1.1", &["Accept: text/event-stream", &id]);
        let events = wire.until("data: noon\nid: ");
        assert!(!events.contains("data: eleven"), "{events}");
    }
    // Which channels are read is the route's to say.
    let mut wire = server.connect();
    wire.ask("GET /events?since=all&as=json&channel=other HTTP/1.1", &[]);
    let answer = wire.answer();
    assert!(answer.contains("\"clock\"") && !answer.contains("\"other\""), "{answer}");
    wire.ask("GET /api/v1.0/prices?since=all HTTP/1.1", &[]);
    assert!(wire.until("event: fanfare.open").contains("text/event-stream"));
}

#[test]
fn browsers_are_answered_as_at_the_url_itself() {
    let server = server();
    let ask = |line: &str, headers: &[&str]| {
        let mut wire = server.connect();
        wire.ask(line, headers);
        wire.answer()
    };
    let origin = "Origin: http://localhost:3000";
    let answer = ask("GET /events?as=json HTTP/1.1", &[origin]);
    let allowed = header(&answer, "access-control-allow-origin");
    assert_eq!(allowed, Some("http://localhost:3000"));
    let preflight = [origin, "Access-Control-Request-Method: POST"];
    let answer = ask("OPTIONS /events HTTP/1.1", &preflight);
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert!(header(&answer, "access-control-allow-methods").is_some(), "{answer}");
    let answer = ask("GET /events HTTP/1.1", &["Origin: https://evil.example"]);
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let answer = ask("PATCH /events HTTP/1.1", &[]);
    assert!(answer.starts_with("HTTP/1.1 405 ") && header(&answer, "allow").is_some(), "{answer}");
    let answer = ask("GET /events?since=gestern HTTP/1.1", &[]);
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("since-invalid"), "{answer}");
    // The page of a channel finds it in its own address.
    let answer = ask("GET /events?x=1 HTTP/1.1", &["Sec-Fetch-Mode: navigate"]);
    assert!(answer.starts_with("HTTP/1.1 307 "), "{answer}");
    assert_eq!(header(&answer, "location"), Some("/c/clock?x=1&since=last"));
    for path in ["/events/", "/Events", "/event", "/api/v1.0"] {
        let answer = ask(&format!("GET {path} HTTP/1.1"), &[]);
        assert!(answer.starts_with("HTTP/1.1 404 "), "{path}: {answer}");
    }
    assert!(body(&ask("GET /health HTTP/1.1", &[])).starts_with("ok"));
}

#[test]
fn each_request_has_a_channel_of_its_own() {
    let server = server();
    let mut channels = Vec::new();
    for mut wire in [server.connect(), server.connect(), server.connect_to_edge("beside")] {
        wire.ask("GET /own HTTP/1.1", &[]);
        let opening = wire.until("\n\n");
        let name = opening.split("\"channel\":\"").nth(1).unwrap().split('"').next().unwrap();
        let bits = name.strip_prefix("own-").unwrap();
        assert!(bits.len() == 32 && bits.bytes().all(|bit| bit.is_ascii_hexdigit()), "{name}");
        // It is a channel like any other, for whoever is told its name.
        server.publish(name, "for you");
        wire.until("data: for you\nid: ");
        channels.push(name.to_owned());
    }
    channels.sort();
    channels.dedup();
    assert_eq!(channels.len(), 3, "{channels:?}");
}
