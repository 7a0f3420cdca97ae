//! What the pages show is published by the demo itself, and by nothing but the demo.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::server::Server;
use crate::wire::body;

/// The data of the first events of a channel, as an `EventSource` gets them.
fn events(server: &Server, channel: &str, count: usize) -> Vec<String> {
    let mut wire = server.connect();
    let headers = ["Accept: text/event-stream"];
    wire.ask(&format!("GET /c/{channel}?since=all&open=0 HTTP/1.1"), &headers);
    wire.until("\r\n\r\n");
    (0..count).map(|_| event(&wire.until("\nid: "))).collect()
}

/// An event's name and data out of what stands before its id.
fn event(text: &str) -> String {
    let lines =
        text.lines().filter(|line| line.starts_with("event: ") || line.starts_with("data: "));
    lines.collect::<Vec<_>>().join(" ")
}

#[test]
fn the_clock_ticks_once_a_second() {
    let server = Server::demo();
    let ticks = events(&server, "clock", 3);
    let seconds: Vec<u32> = ticks
        .iter()
        .map(|tick| {
            let time = tick.strip_prefix("data: ").and_then(|tick| tick.strip_suffix('Z')).unwrap();
            time.rsplit(':').next().unwrap().parse().unwrap()
        })
        .collect();
    for pair in seconds.windows(2) {
        assert_eq!((pair[0] + 1) % 60, pair[1], "{ticks:?}");
    }
}

#[test]
fn prices_come_fast_each_of_fifty_symbols_with_its_key() {
    let server = Server::demo();
    let began = Instant::now();
    let updates = events(&server, "prices", 500);
    // A thousand a second; half of that on a busy machine is still a ticker.
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let symbols: BTreeSet<&str> = updates
        .iter()
        .map(|update| {
            assert!(update.starts_with("event: price-update data: {"), "{update}");
            update.split("\"symbol\":\"").nth(1).unwrap().split('"').next().unwrap()
        })
        .collect();
    assert_eq!(symbols.len(), 50);
    let mut wire = server.connect();
    wire.ask("GET /c/prices/history?order=desc&limit=1 HTTP/1.1", &[]);
    let answer = wire.answer();
    let symbol = body(&answer).split("\"symbol\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert!(answer.contains(&format!("\"conflate\":\"{symbol}\"")), "{answer}");
}

#[test]
fn news_begin_at_once() {
    let server = Server::demo();
    let items = events(&server, "news", 1);
    assert!(items[0].starts_with("event: news data: {"), "{items:?}");
    assert!(items[0].contains("\"title\":"), "{items:?}");
}

#[test]
fn everyone_who_asks_is_told_a_story_of_their_own() {
    let server = Server::demo();
    let mut channels = Vec::new();
    for line in ["GET /api/chat-stream HTTP/1.1", "POST /api/chat-stream HTTP/1.1"] {
        let mut wire = server.connect();
        wire.ask(line, &["Content-Length: 0"]);
        let told = wire.until("event: fanfare.end");
        let words: Vec<&str> =
            told.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
        assert!(words.len() > 20, "{told}");
        assert_eq!(words.last(), Some(&"[DONE]"), "{told}");
        let story = words[..words.len() - 1].concat();
        assert!(
            story.starts_with("A message is published once, ") && story.ends_with('.'),
            "{story}"
        );
        channels
            .push(told.split(": listening to ").nth(1).unwrap().lines().next().unwrap().to_owned());
    }
    assert_ne!(channels[0], channels[1]);
}

#[test]
fn the_sources_end_with_the_drain() {
    let mut server = Server::demo();
    events(&server, "news", 1);
    server.terminate();
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn dev_publishes_nothing_by_itself() {
    let server = Server::dev(&[]);
    let mut wire = server.connect();
    for channel in ["clock", "prices", "news"] {
        wire.ask(&format!("GET /c/{channel}?poll=1 HTTP/1.1"), &[]);
        assert!(wire.answer().contains("\"publications\":[]"), "{channel}");
    }
}
