//! Requests and streams.

use std::time::Duration;

use fanfare_core::settings::SlowReader;

use super::client::Client;
use super::{Running, Wishes};
use crate::metrics::Transport;
use crate::node::Letter;

fn connections(running: &Running, transport: Transport) -> u64 {
    let snapshots = running.snapshots();
    snapshots.iter().map(|snapshot| snapshot.sockets.connections[transport as usize]).sum()
}

#[test]
fn what_is_posted_is_streamed_from_every_shard() {
    let running = Running::start(&Wishes::default());
    let mut readers: Vec<_> = (0..4)
        .map(|_| {
            let mut reader = Client::connect(running.address);
            reader.get("/c/news").expect("fanfare.open");
            reader.expect("\n\n");
            reader
        })
        .collect();
    assert_eq!(connections(&running, Transport::Sse), 4);
    let mut publisher = Client::connect(running.address);
    for number in 0..50 {
        publisher.post("news", &format!("message {number};"));
        let answer = publisher.expect("}");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(&format!("\"offset\":{}", number + 1)), "{answer}");
    }
    for reader in &mut readers {
        for number in 0..50 {
            let text = reader.expect(";");
            assert!(text.ends_with(&format!("data: message {number};")), "{text}");
        }
    }
    drop(readers);
    running.wait_until("readers are gone", |running| {
        connections(running, Transport::Sse) == 0 && running.load.connections() == 1
    });
}

#[test]
fn pipelined_publishes_are_answered_in_order() {
    let running = Running::start(&Wishes::default());
    for channel in ["a", "b", "c"] {
        // Some channel is owned by another shard, and then every answer comes by letter.
        let mut client = Client::connect(running.address);
        let mut all = Vec::new();
        for number in 0..2_000 {
            let body = number.to_string();
            let head = format!("POST /c/{channel} HTTP/1.1\r\nHost: localhost\r\n");
            let length = body.len();
            all.extend(format!("{head}Content-Length: {length}\r\n\r\n{body}").into_bytes());
        }
        let mut sending = client.socket.try_clone().unwrap();
        let sender = std::thread::spawn(move || std::io::Write::write_all(&mut sending, &all));
        for number in 1..=2_000 {
            let answer = client.expect("}");
            assert!(answer.contains(&format!("\"offset\":{number},")), "{number}: {answer}");
        }
        sender.join().unwrap().unwrap();
    }
}

#[test]
fn a_client_that_stops_sending_still_gets_its_answer() {
    let running = Running::start(&Wishes::default());
    let mut client = Client::connect(running.address);
    client.post("a", "last words").stop_sending();
    let (answer, reset) = client.rest();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(!reset);
}

#[test]
fn a_stream_begins_on_a_connection_that_has_posted() {
    let running = Running::start(&Wishes::default());
    let mut client = Client::connect(running.address);
    client.post("a", "before");
    client.expect("}");
    client.get("/c/a?since=all").expect("data: before");
    let mut other = Client::connect(running.address);
    other.post("a", "after");
    client.expect("data: after");
}

#[test]
fn what_the_shard_does_not_serve_reaches_the_edge_whole() {
    let mut running = Running::start(&Wishes::default());
    let mut client = Client::connect(running.address);
    client.post("a", "first");
    client.expect("}");
    client.get("/health");
    running.wait_until("it is handed over", |running| {
        running.snapshots().iter().map(|snapshot| snapshot.sockets.handed_over).sum::<u64>() == 1
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let handover = runtime.block_on(running.intake.next()).unwrap();
    assert_eq!(handover.read, "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(running.load.connections(), 1, "it is counted until the edge lets go of it");
    drop(handover);
    assert_eq!(running.load.connections(), 0);
}

#[test]
fn an_ended_channel_ends_its_streams_and_then_answers_204() {
    let running = Running::start(&Wishes::default());
    let mut reader = Client::connect(running.address);
    reader.get("/c/a");
    reader.expect("fanfare.open");
    let mut publisher = Client::connect(running.address);
    publisher.post("a?end=1", "the end");
    publisher.expect("}");
    let (text, _) = reader.rest();
    assert!(text.contains("data: the end"), "{text}");
    assert!(text.contains("event: fanfare.end"), "{text}");
    assert!(text.ends_with("0\r\n\r\n"), "ended cleanly: {text}");
    let id = text.rsplit("id: ").next().unwrap().lines().next().unwrap().to_owned();
    let mut again = Client::connect(running.address);
    again.get(&format!("/c/a?since={id}"));
    let (answer, _) = again.rest();
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
}

#[test]
fn a_slow_reader_catches_up_and_is_told_what_it_missed() {
    for (slow_reader, count) in [(SlowReader::Recover, 100), (SlowReader::Disconnect, 100)] {
        let running =
            Running::start(&Wishes { history_count: count, slow_reader, ..Wishes::default() });
        let mut reader = Client::connect(running.address);
        reader.get("/c/a");
        reader.expect("fanfare.open");
        let mut publisher = Client::connect(running.address);
        let body = "x".repeat(32 * 1024);
        for number in 0..1_500 {
            publisher.post("a", &format!("{number};{body}"));
            publisher.expect("}");
        }
        if slow_reader == SlowReader::Disconnect {
            let (text, reset) = reader.rest();
            assert!(reset || !text.ends_with("0\r\n\r\n"), "an abort is no end");
            continue;
        }
        reader.expect("\"reason\":\"slow\"");
        reader.expect("1499;");
    }
}

#[test]
fn a_large_message_reaches_a_reader_of_several_channels_whole() {
    let running = Running::start(&Wishes::default());
    let mut reader = Client::connect(running.address);
    reader.get("/c/a,b");
    reader.expect("fanfare.open");
    let body = "y".repeat(60_000);
    let mut publisher = Client::connect(running.address);
    for number in 0..200 {
        publisher.post("a", &format!("{number};{body}!"));
        publisher.expect("}");
    }
    for number in 0..200 {
        let text = reader.expect("!");
        assert!(text.ends_with(&format!("{number};{body}!")), "{number}");
        let cursor = reader.expect("\n\n");
        assert_eq!(cursor.matches('~').count(), 2, "the reader's own cursor: {cursor}");
    }
}

#[test]
fn a_drain_tells_each_kind_to_come_back() {
    let running = Running::start(&Wishes::default());
    let mut sse = Client::connect(running.address);
    sse.get("/c/a");
    sse.expect("fanfare.open");
    let mut old = Client::connect(running.address);
    old.send(b"GET /c/a HTTP/1.0\r\nHost: localhost\r\n\r\n");
    old.expect("fanfare.open");
    let mut socket = Client::connect(running.address);
    socket.upgrade("/c/a", None);
    let mut idle = Client::connect(running.address);
    idle.post("a", "x");
    idle.expect("}");
    running.drain(Duration::from_millis(300));
    let (text, reset) = sse.rest();
    assert!(text.contains("retry: ") && !text.ends_with("0\r\n\r\n"), "{text}");
    assert!(!reset);
    assert!(old.rest().1, "an HTTP/1.0 stream is reset, or it would look ended");
    assert_eq!(socket.text(), "x");
    assert_eq!(socket.closed().0, 1012);
    drop(socket);
    let (text, reset) = idle.rest();
    assert!(text.trim().is_empty() && !reset, "{text}");
    running.wait_until("all are gone", |running| running.load.connections() == 0);
}

#[test]
fn an_old_client_that_is_refused_for_now_is_reset() {
    let running = Running::start(&Wishes::played());
    let mut reader = Client::connect(running.address);
    let channel = running.played_channel("a");
    let asked = format!(
        "GET /c/{channel} HTTP/1.0\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
    );
    reader.send(asked.as_bytes());
    running.attach(Err(fanfare_core::code::Code::NotApplied));
    let (answer, reset) = reader.rest();
    assert!(answer.contains("retry: "), "{answer}");
    assert!(reset, "a regular end would be final");
}

#[test]
fn subscribers_of_the_edge_count_where_they_are() {
    let running = Running::start(&Wishes::default());
    let mailbox = running.node.mailboxes()[0].clone();
    let (writer, reader) = crate::pipe::pipe(mailbox.clone(), None);
    running.load.arrive(0);
    mailbox.put(Letter::Subscriber {
        opening: Box::new(fanfare_core::shard::Opening {
            format: fanfare_core::frame::Format::Ndjson,
            subscriptions: Vec::new(),
            carried: fanfare_core::cursor::Cursor::new(),
            session: fanfare_core::publication::SessionId(1),
            echo: fanfare_core::shard::Echo::On,
            attendance: fanfare_core::presence::Attendance::default(),
            pace: fanfare_core::rate::Pace::Usual,
        }),
        caller: crate::auth::tests::everyone().caller(crate::auth::Credentials::default(), 0),
        changes: crate::node::Changes::Brief,
        address: None,
        pipe: writer,
    });
    running.snapshots();
    assert_eq!(running.load.lightest(), 1);
    drop(reader);
    running.wait_until("its place is free", |running| running.load.lightest() == 0);
}
