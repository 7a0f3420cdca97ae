//! Who comes through a route with a greeting is greeted: first, once, and alone where the route says.

use super::server;
use crate::server::Server;
use crate::wire::{Wire, body, frame, header};

/// How many messages a channel has had.
fn messages(wire: &mut Wire, channel: &str) -> usize {
    wire.ask(&format!("GET /c/{channel}/history HTTP/1.1"), &[]);
    wire.answer().matches("\"offset\":").count()
}

#[test]
fn a_websocket_is_greeted_and_then_echoes() {
    let server = server();
    for mut wire in [server.connect(), server.connect_to_edge("beside")] {
        wire.open_websocket("/socket", &[]);
        assert_eq!(wire.frame(), (0x81, b"Hello Client!".to_vec()));
        wire.send(frame(0x81, b"Hello Server!"));
        assert_eq!(wire.frame(), (0x81, b"Hello Server!".to_vec()), "and nobody else is heard");
    }
}

#[test]
fn every_transport_is_greeted_first() {
    let server = server();
    let mut wire = server.connect();
    wire.ask("GET /socket HTTP/1.1", &["Accept: text/event-stream"]);
    let events = wire.until("data: Hello Client!\nid: ");
    assert_eq!(events.matches("data: Hello").count(), 1, "{events}");
    let mut wire = server.connect();
    wire.ask("GET /socket?as=ndjson&open=0 HTTP/1.1", &[]);
    wire.until("\"data\":\"Hello Client!\"");
    let mut wire = server.connect();
    wire.ask("GET /socket?wait=30 HTTP/1.1", &[]);
    assert!(body(&wire.answer()).contains("\"data\":\"Hello Client!\""));
}

#[test]
fn a_greeting_is_for_readers() {
    let server = server();
    let mut wire = server.connect();
    wire.ask("HEAD /lobby HTTP/1.1", &[]);
    wire.until("\r\n\r\n");
    wire.ask("OPTIONS /lobby HTTP/1.1", &[]);
    wire.answer();
    wire.ask("GET /lobby?history HTTP/1.1", &[]);
    wire.answer();
    // What cannot be read is refused, and greets nobody.
    wire.ask("GET /lobby?since=gestern HTTP/1.1", &[]);
    assert!(wire.answer().starts_with("HTTP/1.1 400 "));
    let mut socket = server.connect();
    socket.open_websocket("/lobby?since=gestern", &[]);
    assert_eq!(socket.frame().0, 0x88, "it is closed with the reason");
    assert_eq!(messages(&mut wire, "lobby"), 0);
    wire.ask("GET /quiet?presence=1 HTTP/1.1", &[]);
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(messages(&mut wire, "quiet:a"), 0);
    for number in 1..=2 {
        let mut reader = server.connect();
        reader.ask("GET /lobby HTTP/1.1", &[]);
        for _ in 0..number {
            reader.until("data: somebody comes\nid: ");
        }
        assert_eq!(messages(&mut wire, "lobby"), number);
    }
}

#[test]
fn who_may_not_read_is_not_greeted() {
    let file = "[auth]\npublisher_keys = [\"tell-nobody\"]\nanonymous_publish = true\n\
        [namespaces.open]\nanonymous_subscribe = true\n\
        [routes]\n\"/lobby\" = { to = \"/c/lobby\", greeting = \"hi\" }\n";
    let server = Server::configured("serve", file);
    let mut wire = server.connect();
    for headers in [&[][..], &["Sec-Fetch-Mode: navigate"]] {
        wire.ask("GET /lobby HTTP/1.1", headers);
        let answer = wire.answer();
        assert!(header(&answer, "fanfare-cursor").is_none(), "{answer}");
    }
    wire.ask("GET /c/lobby/history HTTP/1.1", &["Authorization: Bearer tell-nobody"]);
    let answer = wire.answer();
    assert!(answer.contains("\"publications\":[]"), "{answer}");
}

#[test]
fn a_channel_that_has_ended_is_told_so_without_a_greeting() {
    let server = server();
    let mut wire = server.connect();
    wire.ask("POST /c/lobby?end=1 HTTP/1.1", &["Content-Length: 4"]);
    wire.send("last");
    assert!(wire.answer().starts_with("HTTP/1.1 200 "));
    wire.ask("GET /lobby HTTP/1.1", &[]);
    let told = wire.until("event: fanfare.end");
    assert!(told.contains("data: last") && !told.contains("somebody"), "{told}");
}
