//! A POST through a route publishes, or reads as `fetch` clients of slow answers do.

use super::server;
use crate::wire::{frame, header};

#[test]
fn a_post_publishes_to_the_routes_channel() {
    let server = server();
    let mut wire = server.connect();
    // In one piece, which a shard answers, and in chunks, which the edge does.
    wire.ask("POST /events?event=tick HTTP/1.1", &["Content-Length: 3"]);
    wire.send("ten");
    let answer = wire.answer();
    assert!(answer.contains("\"channel\":\"clock\",\"offset\":1"), "{answer}");
    wire.ask("PUT /events HTTP/1.1", &["Transfer-Encoding: chunked"]);
    wire.send("6\r\neleven\r\n0\r\n\r\n");
    let answer = wire.answer();
    assert!(answer.contains("\"channel\":\"clock\",\"offset\":2"), "{answer}");
    wire.ask("GET /c/clock/history HTTP/1.1", &[]);
    let history = wire.answer();
    assert!(history.contains("\"event\":\"tick\""), "{history}");
    wire.ask("DELETE /events HTTP/1.1", &[]);
    assert!(wire.answer().starts_with("HTTP/1.1 200 "));
    // A greeting is for readers.
    wire.ask("POST /lobby HTTP/1.1", &["Content-Length: 2"]);
    wire.send("hi");
    assert!(wire.answer().contains("\"offset\":1"));
}

#[test]
fn a_post_reads_where_the_route_says_so() {
    let server = server();
    server.publish("answer", "first");
    for (method, body) in [("POST", "{\"prompt\":\"why?\"}"), ("PUT", ""), ("POST", "x")] {
        let mut wire = server.connect();
        let length = format!("Content-Length: {}", body.len());
        let headers = [length.as_str(), "Content-Type: application/json", "Accept: */*"];
        wire.ask(&format!("{method} /answer HTTP/1.1"), &headers);
        wire.send(body);
        let head = wire.until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(header(&head, "content-type"), Some("text/event-stream"));
        let events = wire.until("data: first\nid: ");
        assert!(!events.contains("event: "), "the route leaves out the opening event: {events}");
    }
    let mut wire = server.connect();
    wire.ask("POST /answer?as=json HTTP/1.1", &["Transfer-Encoding: chunked"]);
    wire.send("1\r\nx\r\n0\r\n\r\n");
    let answer = wire.answer();
    assert_eq!(answer.matches("\"offset\":").count(), 1, "nothing was published: {answer}");
    // The body is held to the limits of a payload.
    wire.ask("POST /answer HTTP/1.1", &["Content-Length: 1048577"]);
    wire.send(vec![b'x'; 1_048_577]);
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    // A page of another site may neither read nor write.
    let mut wire = server.connect();
    let foreign = ["Origin: https://evil.example", "Content-Length: 0"];
    wire.ask("POST /answer HTTP/1.1", &foreign);
    assert!(wire.answer().starts_with("HTTP/1.1 403 "));
    let mut wire = server.connect();
    let hidden = ["Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate", "Content-Length: 0"];
    wire.ask("POST /answer HTTP/1.1", &hidden);
    assert!(wire.answer().starts_with("HTTP/1.1 403 "), "a form is no link");
}

#[test]
fn frames_of_a_websocket_go_to_the_routes_channel() {
    let server = server();
    let mut wire = server.connect();
    wire.open_websocket("/events?echo=0", &[]);
    wire.send(frame(0x81, b"noon"));
    let mut reader = server.connect();
    reader.ask("GET /c/clock?since=all HTTP/1.1", &[]);
    reader.until("data: noon\nid: ");
}
