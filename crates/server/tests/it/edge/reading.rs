//! Reading on connections that hyper owns.

use crate::server::Server;
use crate::wire::{End, body, header};

#[test]
fn an_event_stream_follows_a_chunked_post_on_the_same_connection() {
    let server = Server::dev(&[]);
    let mut wire = server.connect_to_edge("news");
    wire.ask("GET /c/news?since=all HTTP/1.1", &["Accept: text/event-stream"]);
    let head = wire.until("\r\n\r\n");
    assert_eq!(header(&head, "content-type"), Some("text/event-stream"));
    assert_eq!(header(&head, "x-accel-buffering"), Some("no"));
    let cursor = header(&head, "fanfare-cursor").unwrap().to_owned();
    let opening = wire.until("\n\n");
    assert!(opening.contains(&format!("id: {cursor}\n")), "{opening}");
    wire.until("data: first\nid: ");
    server.publish("news", "second");
    wire.until("data: second\nid: ");
}

#[test]
fn a_head_tells_the_cursor_that_the_stream_begins_with() {
    let server = Server::dev(&[]);
    server.publish("news", "one");
    let mut wire = server.connect_to_edge("other");
    wire.ask("HEAD /c/news,other HTTP/1.1", &[]);
    let head = wire.until("\r\n\r\n");
    wire.ask("GET /c/news,other HTTP/1.1", &[]);
    let stream = wire.until("\r\n\r\n");
    let told = header(&head, "fanfare-cursor");
    assert!(told.is_some(), "{head}");
    assert_eq!(told, header(&stream, "fanfare-cursor"));
}

#[test]
fn a_websocket_opened_on_a_kept_connection_loses_nothing_on_its_way_to_a_shard() {
    let server = Server::dev(&[]);
    let mut wire = server.connect_to_edge("chat");
    // What is published between the handshake and the hand-over is read from the told position,
    // and the frame sent behind the request head travels along.
    let upgrade = [
        "GET /c/chat?since=all HTTP/1.1",
        "Host: localhost",
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "\r\n",
    ];
    let mut bytes = upgrade.join("\r\n").into_bytes();
    bytes.extend_from_slice(b"\x81\x85\0\0\0\0early");
    wire.send(&bytes);
    let head = wire.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    assert_eq!(header(&head, "sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert!(header(&head, "fanfare-cursor").is_some_and(|cursor| cursor.starts_with('~')));
    wire.until("\u{5}first");
    wire.until("\u{5}early");
    server.publish("chat", "later");
    wire.until("\u{5}later");
}

#[test]
fn a_since_that_cannot_be_read_is_told_a_websocket_after_its_handshake() {
    let server = Server::dev(&[]);
    let mut wire = server.connect_to_edge("chat");
    wire.ask(
        "GET /c/chat?since=never HTTP/1.1",
        &[
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ],
    );
    assert!(wire.until("\r\n\r\n").starts_with("HTTP/1.1 101"));
    wire.until("since-invalid");
}

#[test]
fn a_poll_answers_at_once_what_there_is_and_waits_for_the_rest() {
    let server = Server::dev(&[]);
    let mut wire = server.connect_to_edge("a");
    server.publish("b", "two");
    wire.ask("GET /c/a,b?poll=1 HTTP/1.1", &[]);
    let answer = wire.answer();
    let cursor = header(&answer, "fanfare-cursor").unwrap().to_owned();
    let text = body(&answer);
    assert!(text.contains("\"data\":\"first\"") && text.contains("\"data\":\"two\""), "{text}");
    assert!(text.starts_with(&format!("{{\"cursor\":\"{cursor}\"")), "{text}");
    assert!(text.ends_with("\"gaps\":[],\"end\":false}"), "{text}");

    wire.ask(&format!("GET /c/a,b?wait=60&since={cursor} HTTP/1.1"), &[]);
    server.publish("b", "three");
    let answer = wire.answer();
    let moved = header(&answer, "fanfare-cursor").unwrap().to_owned();
    assert!(body(&answer).contains("\"data\":\"three\""), "{answer}");
    assert!(!body(&answer).contains("\"data\":\"two\""), "each once: {answer}");
    assert_ne!(cursor, moved);

    wire.ask(&format!("GET /c/a,b?wait=0&since={moved} HTTP/1.1"), &[]);
    let nothing =
        format!("{{\"cursor\":\"{moved}\",\"publications\":[],\"gaps\":[],\"end\":false}}");
    assert_eq!(body(&wire.answer()), nothing);
}

#[test]
fn a_poll_tells_a_gap_and_an_end() {
    let server = Server::dev(&[]);
    let mut wire = server.connect_to_edge("story");
    wire.ask("GET /c/story?wait=60&since=7.aAAAAAAAAAB HTTP/1.1", &[]);
    let answer = wire.answer();
    assert!(body(&answer).contains("\"reason\":\"epoch\""), "{answer}");
    assert!(body(&answer).contains("\"data\":\"first\""), "{answer}");
    let cursor = header(&answer, "fanfare-cursor").unwrap().to_owned();
    server.publish("story?end=1", "last");
    wire.ask(&format!("GET /c/story?wait=0&since={cursor} HTTP/1.1"), &[]);
    let answer = wire.answer();
    assert!(body(&answer).contains("\"data\":\"last\""), "{answer}");
    assert!(body(&answer).ends_with("\"end\":true}"), "{answer}");
    let cursor = header(&answer, "fanfare-cursor").unwrap().to_owned();
    wire.ask(&format!("GET /c/story?wait=60&since={cursor} HTTP/1.1"), &[]);
    assert!(body(&wire.answer()).ends_with("\"publications\":[],\"gaps\":[],\"end\":true}"));
    wire.ask(&format!("GET /c/story?since={cursor} HTTP/1.1"), &[]);
    let seen = wire.until("\r\n\r\n");
    assert!(seen.starts_with("HTTP/1.1 204"), "{seen}");
}

#[test]
fn lines_are_streamed_as_envelopes_or_bare() {
    let server = Server::dev(&[]);
    let mut wire = server.connect_to_edge("log");
    wire.ask("GET /c/log?as=ndjson&since=all HTTP/1.1", &[]);
    let head = wire.until("\r\n\r\n");
    assert_eq!(header(&head, "content-type"), Some("application/x-ndjson"));
    wire.until("{\"type\":\"open\"");
    wire.until("\"data\":\"first\"");
    let mut wire = server.connect_to_edge("log2");
    wire.ask("GET /c/log?as=raw&since=all HTTP/1.1", &[]);
    wire.until("\r\nfirst\n");
}

#[test]
fn who_has_sent_the_last_request_is_still_answered() {
    let server = Server::dev(&[]);
    let mut wire = server.connect_to_edge("news");
    wire.ask("GET /c/news/history HTTP/1.1", &[]);
    wire.ask("GET /c/news?poll=1 HTTP/1.1", &[]);
    wire.say_no_more();
    assert!(wire.answer().contains("first"));
    assert!(wire.answer().contains("first"));
    assert_eq!(wire.end(), (String::new(), End::Closed));
}

#[test]
fn readers_of_the_edge_that_vanish_are_let_go() {
    let server = Server::dev(&[]);
    let mut sse = server.connect_to_edge("news");
    sse.ask("GET /c/news HTTP/1.1", &["Accept: text/event-stream"]);
    sse.until("\n\n");
    let mut bare = server.connect_to_edge("news");
    bare.ask("GET /c/news?as=raw HTTP/1.1", &[]);
    bare.until("\r\n\r\n");
    let mut poll = server.connect_to_edge("news");
    poll.ask("GET /c/news?wait=60&since=now HTTP/1.1", &[]);
    let mut operator = server.connect();
    operator.wait_for_figure("fanfare_readers", 3);
    drop((sse, bare, poll));
    operator.wait_for_figure("fanfare_readers", 0);
}
