//! What one connection may have at once, and what it is told beyond that.

use h2::Reason;

use super::Client;
use super::client::End;
use crate::server::Server;

#[test]
fn requests_beyond_the_limit_wait_for_a_stream_to_end() {
    let server = Server::dev(&[("FANFARE_LIMITS__STREAMS_PER_CONNECTION_MAX", "3")]);
    let mut client = Client::connect(&server);
    let mut streams: Vec<_> = (0..2).map(|_| client.events("/c/news")).collect();
    for stream in &mut streams {
        stream.body.until("fanfare.open");
    }
    assert_eq!(client.get("/health").status.as_u16(), 200, "one is left");
    let mut third = client.events("/c/news");
    third.body.until("fanfare.open");
    assert!(server.connect().figure("fanfare_http2_full_total") >= 1);
    streams.pop().unwrap().body.reset();
    // The client library waits by itself until the server's settings allow for one more.
    assert_eq!(client.get("/health").status.as_u16(), 200);
}

#[test]
fn streams_count_as_connections_and_are_refused_softly() {
    let server = Server::dev(&[("FANFARE_LIMITS__CONNECTIONS_MAX", "4")]);
    let mut client = Client::connect(&server);
    let mut streams: Vec<_> = (0..3).map(|_| client.events("/c/news")).collect();
    for stream in &mut streams {
        stream.body.until("fanfare.open");
    }
    let mut refused = client.events("/c/news");
    assert_eq!(refused.status.as_u16(), 200, "an EventSource would give up for ever");
    let (told, end) = refused.body.end();
    assert!(told.contains("retry: ") && told.contains("connections-full"), "{told}");
    assert!(matches!(end, End::Reset(_)), "{end:?}");
    let mut refused = client.get("/c/news?as=ndjson");
    assert_eq!(refused.status.as_u16(), 503);
    assert!(refused.body.whole().contains("connections-full"));
    let mut refused = client.websocket("/c/news", &[]);
    assert_eq!(refused.status.as_u16(), 503);
    assert!(refused.body.whole().contains("connections-full"));
    // What does not stay needs no place.
    assert_eq!(client.post("/c/news", b"x").0, 200);
}

#[test]
fn who_takes_back_too_many_requests_loses_the_connection() {
    let server = Server::dev(&[("FANFARE_LIMITS__STREAM_RESETS_MAX", "50")]);
    let mut client = Client::connect(&server);
    let mut left = 0;
    for _ in 0..200 {
        match client.try_ask(("GET", "/c/news"), &[("accept", "text/event-stream")], None) {
            Ok(answer) => drop(answer),
            Err(_) => break,
        }
        left += 1;
    }
    assert!((50..150).contains(&left), "{left}");
    let mut probe = server.connect();
    probe.wait_for_figure("fanfare_http2_ended_total{why=\"resets\"}", 1);
    probe.wait_for_figure("fanfare_readers", 0);
    assert_eq!(Client::connect(&server).get("/health").status.as_u16(), 200);
}

#[test]
fn large_requests_have_their_turn_and_others_need_none() {
    let server = Server::dev(&[("FANFARE_LIMITS__LARGE_REQUESTS_PER_CONNECTION_MAX", "1")]);
    let mut client = Client::connect(&server);
    for _ in 0..3 {
        assert_eq!(client.post("/c/large", &vec![b'x'; 900_000]).0, 200);
    }
    let mut first = client.get("/c/large/history");
    let (sender, turn) = std::sync::mpsc::sync_channel(1);
    // Of the first nothing has been read beyond its window, so that the second has to wait.
    let waiting = std::thread::spawn(move || {
        let mut second = client.get("/c/large/history");
        sender.send(()).unwrap();
        second.body.whole().len()
    });
    let mut probe = server.connect();
    probe.wait_for_figure("fanfare_http2_waits_total", 1);
    assert!(turn.try_recv().is_err(), "it is answered before its turn");
    assert!(first.body.whole().len() > 900_000);
    assert!(waiting.join().unwrap() > 900_000);
    assert_eq!(probe.figure("fanfare_http2_streams"), 0);
}

#[test]
fn what_is_no_http2_ends_with_an_error_of_the_protocol() {
    let server = Server::dev(&[]);
    let mut wire = server.connect();
    wire.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let told = wire.rest();
    // Settings, then GOAWAY with an error.
    let goaway = told.windows(5).position(|at| at == b"\0\0\x08\x07\0").expect("GOAWAY");
    let code = u32::from_be_bytes(told[goaway + 13..goaway + 17].try_into().unwrap());
    assert_ne!(Reason::from(code), Reason::NO_ERROR);
    assert_eq!(Client::connect(&server).get("/health").status.as_u16(), 200);
}
