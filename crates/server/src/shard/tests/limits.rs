//! Limits and deadlines.

use std::time::{Duration, Instant};

use super::client::Client;
use super::{Running, Wishes};

#[test]
fn a_dripped_head_and_a_dripped_body_are_answered_408() {
    let mut wishes = Wishes::default();
    wishes.options.head_within = Duration::from_millis(300);
    wishes.options.body_within = Duration::from_millis(300);
    let running = Running::start(&wishes);
    for begin in [
        "GET /c/a HTTP/1.1\r\nHost: loc",
        "POST /c/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab",
    ] {
        let mut client = Client::connect(running.address);
        client.send(begin.as_bytes());
        let (answer, _) = client.rest();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{begin}: {answer}");
        assert!(answer.contains("request-timeout"), "{answer}");
    }
    assert_eq!(running.load.handshakes(), 0);
}

#[test]
fn the_deadline_of_one_body_is_not_that_of_the_next() {
    let mut wishes = Wishes::default();
    wishes.options.body_within = Duration::from_millis(500);
    let running = Running::start(&wishes);
    // Of several channels one at least is owned by another shard, whose answer comes later.
    let mut clients: Vec<_> = ["a", "b", "c", "d"]
        .map(|channel| {
            let head = format!("POST /c/{channel} HTTP/1.1\r\nHost: localhost\r\n");
            let begin = format!("{head}Content-Length: 4\r\n\r\nab");
            let mut client = Client::connect(running.address);
            client.send(begin.as_bytes());
            (client, format!("cd{begin}"))
        })
        .into();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(1_500) {
        for (client, end_and_begin) in &mut clients {
            // The next request begins before this one is answered.
            client.send(end_and_begin.as_bytes());
            let answer = client.expect("}");
            assert!(answer.trim_start().starts_with("HTTP/1.1 200 "), "{answer}");
        }
        // What is tested is the passing of time.
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_connection_that_asks_for_nothing_is_closed_in_silence() {
    let mut wishes = Wishes::default();
    wishes.options.head_within = Duration::from_millis(300);
    wishes.options.idle_within = Duration::from_millis(300);
    let running = Running::start(&wishes);
    let mut mute = Client::connect(running.address);
    assert_eq!(mute.rest(), (String::new(), false));
    let mut idle = Client::connect(running.address);
    idle.post("a", "x");
    idle.expect("}");
    assert_eq!(idle.rest(), (String::new(), false));
    running.wait_until("both are uncounted", |running| running.load.connections() == 0);
    assert_eq!(running.load.handshakes(), 0);
}

#[test]
fn a_crowd_whose_time_comes_at_once_is_dealt_with_to_the_last() {
    let mut wishes = Wishes { shards: 1, ..Wishes::default() };
    wishes.options.head_within = Duration::from_millis(300);
    let running = Running::start(&wishes);
    // More than are looked at in one turn, after which nothing else would wake the shard.
    let crowd: Vec<_> = (0..200).map(|_| Client::connect(running.address)).collect();
    for mut client in crowd {
        assert_eq!(client.rest(), (String::new(), false));
    }
    running.wait_until("all are uncounted", |running| running.load.connections() == 0);
}

#[test]
fn over_the_limit_everyone_gets_an_answer_and_room_comes_back() {
    let running = Running::start(&Wishes { connections_max: 3, ..Wishes::default() });
    let held: Vec<_> = (0..3)
        .map(|_| {
            let mut client = Client::connect(running.address);
            client.get("/c/a");
            client.expect("fanfare.open");
            client
        })
        .collect();
    let mut plain = Client::connect(running.address);
    plain.get("/c/a");
    let (answer, reset) = plain.rest();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("Retry-After: ") && answer.contains("connections-full"), "{answer}");
    assert!(!reset);
    let mut source = Client::connect(running.address);
    source.send(b"GET /c/a HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    let (answer, _) = source.rest();
    assert!(answer.starts_with("HTTP/1.1 200 "), "an EventSource would give up: {answer}");
    assert!(answer.contains("retry: ") && !answer.ends_with("0\r\n\r\n"), "{answer}");
    let mut mute = Client::connect(running.address);
    let began = Instant::now();
    let (answer, _) = mute.rest();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(running.load.refused(), 3);
    drop(held);
    running.wait_until("there is room", |running| running.load.connections() == 0);
    let mut next = Client::connect(running.address);
    next.post("a", "x");
    next.expect("}");
}

#[cfg(feature = "fault-injection")]
#[test]
fn a_panic_in_a_codec_ends_one_connection() {
    let running = Running::start(&Wishes::default());
    let mut good = Client::connect(running.address);
    good.upgrade("/c/a", None);
    let mut bad = Client::connect(running.address);
    bad.upgrade("/c/a", None);
    // A mask of zeros leaves the payload as it is for the fault to be seen.
    let mut out = Vec::new();
    let kind = fanfare_protocol::websocket::MessageKind::Binary;
    let payload = crate::shard::fault::CODEC;
    let frame = fanfare_protocol::websocket::Frame::Message { kind, payload };
    fanfare_protocol::websocket::append_frame(&mut out, &frame, Some([0; 4]));
    bad.send(&out);
    bad.rest();
    good.say("still here");
    assert_eq!(good.text(), "still here");
    let broken: u64 = running.snapshots().iter().map(|snapshot| snapshot.sockets.broken).sum();
    assert_eq!(broken, 1);
}
