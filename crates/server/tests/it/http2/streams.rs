//! Streams: many on one connection, each by itself.

use super::Client;
use super::client::End;
use crate::server::Server;

#[test]
fn a_hundred_streams_share_a_connection_with_what_publishes_to_them() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let mut streams: Vec<_> = (0..100)
        .map(|number| {
            let mut answer = client.events(&format!("/c/news,n{number}"));
            assert_eq!(answer.status.as_u16(), 200);
            assert_eq!(answer.header("content-type"), Some("text/event-stream"));
            assert_eq!(answer.header("cache-control"), Some("no-store, no-transform"));
            assert!(answer.header("fanfare-cursor").is_some());
            answer.body.until("event: fanfare.open");
            answer
        })
        .collect();
    let mut probe = server.connect();
    probe.wait_for_figure("fanfare_connections{transport=\"sse\"}", 100);
    probe.wait_for_figure("fanfare_http2_streams", 100);
    assert_eq!(probe.figure("fanfare_http2_connections"), 1);
    // The connection, its streams, and the probe.
    assert_eq!(probe.figure("fanfare_connections_open"), 102);

    assert_eq!(client.post("/c/news", b"to all").0, 200);
    for number in 0..100 {
        assert_eq!(client.post(&format!("/c/n{number}"), b"to one").0, 200);
    }
    for stream in &mut streams {
        assert!(stream.body.until("data: to all\n").contains("id: ~"));
        stream.body.until("data: to one\n");
    }
    for stream in streams {
        stream.body.reset();
    }
    probe.wait_for_figure("fanfare_connections{transport=\"sse\"}", 0);
    probe.wait_for_figure("fanfare_http2_streams", 0);
    assert_eq!(probe.figure("fanfare_connections_open"), 2);
    assert_eq!(client.post("/c/news", b"nobody").0, 200);
}

#[test]
fn a_stream_goes_on_where_the_one_before_it_stood() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    client.post("/c/news", b"one");
    let mut stream = client.events("/c/news?since=all");
    stream.body.until("data: one\n");
    let id = stream.body.until("\n\n");
    let id = id.trim().strip_prefix("id: ").unwrap().to_owned();
    stream.body.reset();
    client.post("/c/news", b"two");
    let headers = [("accept", "text/event-stream"), ("last-event-id", id.as_str())];
    let mut stream = client.ask(("GET", "/c/news"), &headers, None);
    let told = stream.body.until("data: two\n");
    assert!(!told.contains("one") && !told.contains("gap"), "{told}");
}

#[test]
fn every_form_of_stream_ends_cleanly_only_when_its_channels_have() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let forms = ["as=sse", "as=envelope", "as=ndjson", "as=raw"];
    let mut streams: Vec<_> =
        forms.iter().map(|form| client.get(&format!("/c/news?{form}"))).collect();
    client.post("/c/news", b"last words");
    client.post("/c/news?end=1", b"");
    for (form, stream) in forms.iter().zip(&mut streams) {
        let (told, end) = stream.body.end();
        assert!(told.contains("last words"), "{form}: {told}");
        assert_eq!(end, End::Closed, "{form}: {told}");
    }
    assert_eq!(client.events("/c/news").status.as_u16(), 200);
}

#[test]
fn compressed_streams_and_polls_that_wait_work_side_by_side() {
    let server = Server::dev(&[("FANFARE_COMPRESSION__STREAMS", "true")]);
    let mut client = Client::connect(&server);
    let headers = [("accept", "text/event-stream"), ("accept-encoding", "gzip")];
    let stream = client.ask(("GET", "/c/news"), &headers, None);
    assert_eq!(stream.header("content-encoding"), Some("gzip"));
    let mut other = Client::connect(&server);
    let publishing = std::thread::spawn(move || {
        // The poll may not have come yet; what it then finds is the same.
        std::thread::sleep(std::time::Duration::from_millis(50));
        other.post("/c/news", b"awaited")
    });
    let mut poll = client.get("/c/news?wait=30&since=all");
    assert!(poll.body.whole().contains("awaited"));
    assert_eq!(publishing.join().unwrap().0, 200);
}

#[test]
fn heartbeats_come_on_every_stream() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let mut sse = client.events("/c/news?heartbeat=5s");
    let mut ndjson = client.get("/c/news?as=ndjson&heartbeat=5s");
    sse.body.until(": hb\n");
    ndjson.body.until("{\"type\":\"keepalive\"}\n");
}

#[test]
fn a_live_stream_is_changed_over_its_own_connection() {
    let server = Server::dev(&[]);
    let mut client = Client::connect(&server);
    let mut stream = client.events("/c/news");
    let told = stream.body.until("\n\n");
    let session = told.split("\"session\":\"").nth(1).unwrap().split('"').next().unwrap();
    let (status, told) =
        client.post(&format!("/sessions/{session}"), b"{\"subscribe\":[{\"channel\":\"more\"}]}");
    assert!(status == 200 && told.contains("more"), "{told}");
    client.post("/c/more", b"added");
    stream.body.until("data: added\n");
}

#[test]
fn a_stream_that_nobody_reads_holds_up_no_other() {
    let server = Server::dev(&[("FANFARE_HISTORY__COUNT", "10")]);
    let mut client = Client::connect(&server);
    let mut stuck = client.get("/c/news?as=ndjson");
    let mut healthy = client.get("/c/other?as=ndjson");
    healthy.body.until("\"open\"");
    // More than the window of the stream, its pipe and hyper's buffer.
    let payload = vec![b'x'; 64 * 1024];
    for _ in 0..30 {
        assert_eq!(client.post("/c/news", &payload).0, 200);
    }
    client.post("/c/other", b"in time");
    healthy.body.until("in time");
    // What it missed meanwhile it is told.
    stuck.body.until("\"gap\"");
    client.post("/c/news", b"caught up");
    stuck.body.until("caught up");
}
