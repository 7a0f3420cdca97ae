//! `sub` comes back from where it was cut, prints each message once, and says what it can prove.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpStream};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use super::fake::{Fake, Received, Scene, answer, begin, chunk, scene, until_closed, websocket};
use super::run::{Outcome, fanfare, finish, run};

fn message(offset: u64, prev: u64) -> Value {
    json!({"type": "message", "channel": "c", "offset": offset, "prev": prev, "epoch": "e1",
        "data": offset.to_string(), "cursor": format!("~{offset}")})
}

fn gap() -> Value {
    json!({"type": "gap", "channel": "c", "from": "2.e1", "to": "5.e1", "reason": "trimmed",
        "cursor": "~5"})
}

fn open(cursor: &str) -> Value {
    json!({"type": "open", "session": "s", "channels": [{"channel": "c", "cursor": cursor}],
        "policy": "recover", "cursor": cursor})
}

/// One connection: asserts where the client comes back from, tells lines, and cuts or waits.
fn part(
    transport: &'static str,
    from: Option<&'static str>,
    lines: Vec<Value>,
    then: Then,
) -> Scene {
    let lines: Vec<Value> = [vec![open(from.unwrap_or("~0"))], lines].concat();
    scene(move |socket| match transport {
        "ws" => over_websocket(socket, from, &lines, then),
        "poll" => over_poll(socket, from, lines, then),
        _ => over_http(socket, transport, from, &lines, then),
    })
}

#[derive(Clone, Copy)]
enum Then {
    /// Cut in the middle of a message.
    Cut,
    /// Wait until the client has had enough.
    Wait,
}

fn over_websocket(socket: TcpStream, from: Option<&str>, lines: &[Value], then: Then) {
    let mut socket = websocket(socket, |request| {
        let id = request.headers().get("last-event-id");
        assert_eq!(id.map(|id| id.to_str().unwrap()), from);
    });
    for line in lines {
        socket.send(Message::text(line.to_string())).unwrap();
    }
    match then {
        // The head of a text frame of 100 bytes, and three of them.
        Then::Cut => socket.get_mut().write_all(b"\x81\x64{\"t").unwrap(),
        Then::Wait => while socket.read().is_ok() {},
    }
}

fn over_http(
    mut socket: TcpStream,
    transport: &str,
    from: Option<&str>,
    lines: &[Value],
    then: Then,
) {
    let request = Received::only(&socket);
    assert_eq!(request.header("last-event-id"), from);
    begin(&mut socket, "text/event-stream");
    if transport == "sse" {
        chunk(&mut socket, "retry: 50\n: listening to c\n");
    }
    for line in lines {
        let cursor = line["cursor"].as_str().unwrap();
        let text = match (transport, line["type"].as_str().unwrap()) {
            ("ndjson", _) => format!("{line}\n"),
            (_, "message") => format!("data: {line}\nid: {cursor}\n\n"),
            (_, kind) => format!("event: fanfare.{kind}\ndata: {line}\nid: {cursor}\n\n"),
        };
        chunk(&mut socket, &text);
    }
    match then {
        Then::Cut => {
            let cut = format!("data: {}", message(3, 2));
            chunk(&mut socket, if transport == "sse" { &cut } else { &cut[6..] });
            socket.shutdown(Shutdown::Both).unwrap();
        }
        Then::Wait => until_closed(&mut socket),
    }
}

fn over_poll(mut socket: TcpStream, from: Option<&str>, lines: Vec<Value>, then: Then) {
    let request = Received::only(&socket);
    assert_eq!(request.header("last-event-id"), from);
    assert!(request.line.contains("wait=0"), "{}", request.line);
    let cursor = lines.last().unwrap()["cursor"].clone();
    let of =
        |kind: &str| -> Vec<&Value> { lines.iter().filter(|line| line["type"] == kind).collect() };
    let body = json!({"cursor": cursor, "publications": of("message"), "gaps": of("gap"),
        "end": false})
    .to_string();
    answer(&mut socket, "200 OK", "", &body);
    if let Then::Wait = then {
        until_closed(&mut socket);
    }
}

fn subscribed(transport: &str, count: &str, scenes: Vec<Scene>) -> Outcome {
    let fake = Fake::start(scenes);
    let url = fake.url();
    let outcome = run(&["sub", "c", "--url", &url, "--transport", transport, "--count", count]);
    fake.finish();
    outcome
}

#[test]
fn a_reader_that_was_cut_off_gets_the_rest_once() {
    for transport in ["ws", "sse", "ndjson", "poll"] {
        let first = vec![message(1, 0), message(2, 1)];
        let second = vec![message(3, 2), message(4, 3)];
        let outcome = subscribed(
            transport,
            "4",
            vec![
                part(transport, None, first, Then::Cut),
                part(transport, Some("~2"), second, Then::Wait),
            ],
        );
        assert_eq!(outcome.code, Some(0), "{transport}: {}", outcome.stderr);
        assert_eq!(outcome.text(), "1\n2\n3\n4\n", "{transport}");
        assert_eq!(outcome.stderr.lines().nth(1), Some("resumed, 0 missed"), "{transport}");
        assert_eq!(outcome.stderr.lines().count(), 2, "{transport}: {}", outcome.stderr);
    }
}

#[test]
fn a_reader_that_had_received_nothing_comes_back_from_the_opening() {
    for transport in ["ws", "sse", "ndjson", "poll"] {
        let outcome = subscribed(
            transport,
            "1",
            vec![
                part(transport, None, vec![], Then::Cut),
                part(transport, Some("~0"), vec![message(1, 0)], Then::Wait),
            ],
        );
        assert_eq!(outcome.text(), "1\n", "{transport}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("resumed, 0 missed"), "{transport}: {}", outcome.stderr);
    }
}

#[test]
fn a_gap_is_said_and_never_resumed_with_nothing_missed() {
    for transport in ["ws", "sse", "ndjson", "poll"] {
        let outcome = subscribed(
            transport,
            "3",
            vec![
                part(transport, None, vec![message(1, 0), message(2, 1)], Then::Cut),
                part(transport, Some("~2"), vec![gap(), message(6, 5)], Then::Wait),
            ],
        );
        assert_eq!(outcome.text(), "1\n2\n6\n", "{transport}");
        let told = "gap: c from 2.e1 to 5.e1 (trimmed), up to 3 missed\n";
        assert!(outcome.stderr.contains(told), "{transport}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("resumed"), "{transport}: {}", outcome.stderr);
    }
}

#[test]
fn what_a_server_leaves_out_or_repeats_is_noticed() {
    for transport in ["ws", "sse", "ndjson", "poll"] {
        let first = vec![message(1, 0), message(2, 1)];
        let second = vec![message(2, 1), message(5, 4)];
        let outcome = subscribed(
            transport,
            "3",
            vec![
                part(transport, None, first, Then::Cut),
                part(transport, Some("~2"), second, Then::Wait),
            ],
        );
        assert_eq!(outcome.text(), "1\n2\n5\n", "{transport}");
        for told in ["left out: c 2 came twice", "gap: untold by the server: c has 4 before 5"] {
            assert!(outcome.stderr.contains(told), "{transport}: {}", outcome.stderr);
        }
    }
}

#[test]
fn one_channel_that_goes_on_says_nothing_for_another_with_a_gap() {
    let other = |offset: u64| {
        let mut message = message(offset, offset - 1);
        message["channel"] = json!("d");
        message
    };
    let fake = Fake::start(vec![
        part("sse", None, vec![message(2, 1), other(1)], Then::Cut),
        part("sse", Some("~1"), vec![other(2), gap(), message(6, 5)], Then::Wait),
    ]);
    let url = fake.url();
    let arguments = ["sub", "c", "d", "--url", &url, "--transport", "sse", "--count", "4"];
    let outcome = run(&arguments);
    fake.finish();
    assert_eq!(outcome.text(), "c: 2\nd: 1\nd: 2\nc: 6\n");
    assert!(outcome.stderr.contains("gap: c from"), "{}", outcome.stderr);
    assert!(!outcome.stderr.contains("resumed"), "{}", outcome.stderr);
}

#[test]
fn a_poll_without_news_proves_that_nothing_was_missed() {
    let fake = Fake::start(vec![
        part("poll", None, vec![message(1, 0)], Then::Cut),
        part("poll", Some("~1"), vec![], Then::Wait),
    ]);
    let url = fake.url();
    let arguments = ["sub", "c", "--url", &url, "--transport", "poll", "--for", "3s"];
    let outcome = run(&arguments);
    fake.finish();
    assert_eq!(outcome.text(), "1\n");
    assert!(outcome.stderr.contains("resumed, 0 missed"), "{}", outcome.stderr);
}

#[test]
fn time_and_ctrl_c_end_it_with_their_codes() {
    let waiting = || Fake::start(vec![part("sse", None, vec![message(1, 0)], Then::Wait)]);
    for (flags, code) in [(&["--for", "300ms"][..], 0), (&["--for", "300ms", "--count", "2"], 1)] {
        let fake = waiting();
        let url = fake.url();
        let arguments = [&["sub", "c", "--url", &url, "--transport", "sse"], flags].concat();
        let outcome = run(&arguments);
        fake.finish();
        assert_eq!(outcome.code, Some(code), "{}", outcome.stderr);
        assert_eq!(outcome.text(), "1\n");
    }
    let fake = waiting();
    let url = fake.url();
    let mut child = fanfare(&["sub", "c", "--url", &url, "--transport", "sse"]).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert_eq!(line, "1\n");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let outcome = finish(child);
    fake.finish();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}
