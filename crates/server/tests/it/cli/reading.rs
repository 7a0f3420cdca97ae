//! `sub` and `history` print the same lines whatever carries them.

use std::fmt::Write as _;
use std::io::BufReader;
use std::net::TcpStream;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use super::fake::{
    Fake, Received, answer, answer_slowly, begin, chunk, scene, until_closed, websocket,
};
use super::run::{fanfare, finish, run};

const TRANSPORTS: [&str; 4] = ["ws", "sse", "ndjson", "poll"];

/// Data and more fields of each publication, and the plain line it makes.
fn publications() -> Vec<(Value, String)> {
    let large = "x".repeat(1 << 20);
    vec![
        (json!({"data": "hello"}), "hello".to_owned()),
        (json!({"data": "a\r\nb\rc\nd"}), "a\\r\\nb\\rc\\nd".to_owned()),
        (json!({"data": "nul \u{0} there"}), "nul \\u0000 there".to_owned()),
        (json!({"data": "\u{1F389} \u{feff}é\u{2028}"}), "\u{1F389} \u{feff}é\u{2028}".to_owned()),
        (json!({"data": ""}), String::new()),
        (json!({"data": large, "event": "big", "tags": ["a", "b"]}), large),
        (
            json!({"data": {"b": 1, "a": [null]}, "content_type": "application/json"}),
            r#"{"a":[null],"b":1}"#.to_owned(),
        ),
        (
            json!({"data": "AP8=", "encoding": "base64", "content_type": "image/png"}),
            "data:image/png;base64,AP8=".to_owned(),
        ),
    ]
}

fn envelopes(cursor: &str) -> Vec<Value> {
    let mut envelopes = Vec::new();
    for (index, (fields, _)) in publications().into_iter().enumerate() {
        let mut envelope = json!({
            "type": "message", "channel": "c", "offset": index + 1, "prev": index, "epoch": "e1",
            "time": 1_700_000_000_000_u64, "cursor": format!("{cursor}{index}"),
        });
        envelope.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        envelopes.push(envelope);
    }
    envelopes
}

fn open() -> Value {
    json!({"type": "open", "session": "s", "channels": [{"channel": "c", "cursor": "~0"}],
        "policy": "recover", "cursor": "~0"})
}

fn play(transport: &str, mut socket: TcpStream) {
    if transport == "ws" {
        let mut socket = websocket(socket, |request| {
            assert!(request.uri().query().unwrap().contains("channel=c"));
        });
        socket.send(Message::text(open().to_string())).unwrap();
        for envelope in envelopes("~w") {
            socket.send(Message::text(envelope.to_string())).unwrap();
        }
        while socket.read().is_ok() {}
        return;
    }
    let request = Received::only(&socket);
    match transport {
        "sse" => {
            assert!(request.line.contains("as=envelope"), "{}", request.line);
            begin(&mut socket, "text/event-stream");
            let open = open();
            chunk(&mut socket, "retry: 100\n: listening to c, from now\n");
            chunk(&mut socket, &format!("event: fanfare.open\ndata: {open}\nid: ~0\n\n"));
            for mut envelope in envelopes("~s") {
                let cursor = envelope["cursor"].take();
                let cursor = cursor.as_str().unwrap();
                chunk(&mut socket, &format!("data: {envelope}\nid: {cursor}\n\n"));
            }
        }
        "ndjson" => {
            assert!(request.line.contains("as=ndjson"), "{}", request.line);
            begin(&mut socket, "application/x-ndjson");
            let mut lines = format!("{}\n", open());
            for envelope in envelopes("~n") {
                writeln!(lines, "{envelope}").unwrap();
            }
            chunk(&mut socket, &lines);
        }
        _ => {
            assert!(request.line.contains("wait="), "{}", request.line);
            let body = json!({"cursor": "~p", "publications": envelopes("~p"), "gaps": [],
                "end": false});
            answer(&mut socket, "200 OK", "", &body.to_string());
        }
    }
    until_closed(&mut socket);
}

fn subscribed(transport: &'static str, flags: &[&str]) -> Vec<u8> {
    let fake = Fake::start(vec![scene(move |socket| play(transport, socket))]);
    let url = fake.url();
    let count = publications().len().to_string();
    let mut arguments = vec!["sub", "c", "--url", &url, "--transport", transport];
    arguments.extend(["--count", &count]);
    arguments.extend(flags);
    let outcome = run(&arguments);
    fake.finish();
    assert_eq!(outcome.code, Some(0), "{transport}: {}", outcome.stderr);
    assert_eq!(outcome.stderr, "", "{transport}");
    outcome.stdout
}

#[test]
fn the_lines_are_the_same_over_each_transport() {
    let plain: String = publications().into_iter().map(|(_, line)| format!("{line}\n")).collect();
    for transport in TRANSPORTS {
        let stdout = subscribed(transport, &[]);
        assert!(stdout == plain.as_bytes(), "{transport} differs");
    }
    let json = subscribed("ws", &["--json"]);
    for (line, mut envelope) in String::from_utf8(json.clone()).unwrap().lines().zip(envelopes(""))
    {
        envelope.as_object_mut().unwrap().remove("cursor");
        assert_eq!(line.parse::<Value>().unwrap(), envelope);
    }
    let raw = subscribed("ws", &["--raw"]);
    assert!(raw.starts_with(b"helloa\r\nb\rc\ndnul \0 there"));
    assert!(raw.ends_with(b"\x00\xff"));
    for transport in ["sse", "ndjson", "poll"] {
        assert!(subscribed(transport, &["--json"]) == json, "{transport} differs in --json");
        assert!(subscribed(transport, &["--raw"]) == raw, "{transport} differs in --raw");
    }
}

#[test]
fn several_channels_are_told_apart() {
    let fake = Fake::start(vec![scene(|mut socket| {
        let request = Received::only(&socket);
        assert!(request.line.contains("channel=a%2Fb&channel=c&"), "{}", request.line);
        begin(&mut socket, "application/x-ndjson");
        for channel in ["a/b", "c"] {
            let line = json!({"type": "message", "channel": channel, "offset": 1, "prev": 0,
                "epoch": "e1", "data": "x"});
            chunk(&mut socket, &format!("{line}\n"));
        }
        until_closed(&mut socket);
    })]);
    let url = fake.url();
    let outcome = run(&["sub", "a/b", "c", "--url", &url, "--transport", "ndjson", "--count", "2"]);
    fake.finish();
    assert_eq!(outcome.text(), "a/b: x\nc: x\n");
}

#[test]
fn when_all_channels_have_ended_so_does_the_command() {
    let ended = Fake::start(vec![scene(|mut socket| {
        Received::only(&socket);
        begin(&mut socket, "text/event-stream");
        chunk(&mut socket, "event: fanfare.end\ndata: {\"channel\":\"c\"}\nid: ~end\n\n");
        until_closed(&mut socket);
    })]);
    let outcome = run(&["sub", "c", "--url", &ended.url(), "--transport", "sse"]);
    ended.finish();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), "end: c\n"));

    let away = Fake::start(vec![scene(|mut socket| {
        Received::only(&socket);
        answer(&mut socket, "204 No Content", "", "");
    })]);
    let outcome = run(&["sub", "c", "--url", &away.url(), "--transport", "ndjson"]);
    away.finish();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_refusal_is_told_in_the_servers_words_and_has_its_code() {
    for transport in ["sse", "ndjson", "poll", "ws"] {
        let fake = Fake::start(vec![scene(|mut socket| {
            Received::only(&socket);
            let problem = r#"{"code":"bad-since","title":"t","detail":"what","hint":"do"}"#;
            answer_slowly(&mut socket, "400 Bad Request", problem);
        })]);
        let outcome = run(&["sub", "c", "--url", &fake.url(), "--transport", transport]);
        fake.finish();
        assert_eq!(outcome.code, Some(4), "{transport}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("(bad-since)\n  what\n  do"), "{}", outcome.stderr);
    }
    let fake = Fake::start(vec![scene(|socket| {
        let mut socket = websocket(socket, |_| {});
        let reason = "since= cannot be read".into();
        socket.close(Some(CloseFrame { code: 4002.into(), reason })).unwrap();
        while socket.read().is_ok() {}
    })]);
    let outcome = run(&["sub", "c", "--url", &fake.url()]);
    fake.finish();
    assert_eq!(outcome.code, Some(4), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("since= cannot be read"), "{}", outcome.stderr);
}

#[test]
fn a_closed_stdout_ends_quietly() {
    let fake = Fake::start(vec![scene(|mut socket| {
        Received::only(&socket);
        begin(&mut socket, "application/x-ndjson");
        for offset in 1..=1_000 {
            let line = json!({"type": "message", "channel": "c", "offset": offset,
                "prev": offset - 1, "epoch": "e1", "data": "x"});
            chunk(&mut socket, &format!("{line}\n"));
        }
        until_closed(&mut socket);
    })]);
    let url = fake.url();
    let mut child = fanfare(&["sub", "c", "--url", &url, "--transport", "ndjson"]).spawn().unwrap();
    drop(child.stdout.take());
    let outcome = finish(child);
    fake.finish();
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn history_is_printed_page_by_page() {
    let fake = Fake::start(vec![scene(|socket| {
        let mut reading = BufReader::new(socket.try_clone().unwrap());
        let mut socket = socket;
        for (wanted, first, next) in
            [("limit=1000", 1, json!("3.e1")), ("limit=998&order=asc&since=3.e1", 3, Value::Null)]
        {
            let request = Received::read(&mut reading).unwrap();
            assert!(request.line.contains(wanted), "{}", request.line);
            let messages: Vec<_> = (first..first + 2)
                .map(|offset| {
                    json!({"type": "message", "channel": "c", "offset": offset,
                        "prev": offset - 1, "epoch": "e1", "data": offset.to_string()})
                })
                .collect();
            let gaps = json!([{"channel": "c", "from": "1.e1", "to": "5.e1", "reason": "trimmed"}]);
            let gaps = if next.is_null() { gaps } else { json!([]) };
            let body =
                json!({"publications": messages, "cursor": "~x", "next": next, "gaps": gaps});
            answer(&mut socket, "200 OK", "", &body.to_string());
        }
        until_closed(&mut socket);
    })]);
    let outcome = run(&["history", "c", "--url", &fake.url(), "--limit", "1000"]);
    fake.finish();
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.text(), "1\n2\n3\n4\n");
    assert_eq!(outcome.stderr, "gap: c from 1.e1 to 5.e1 (trimmed), up to 4 missed\n");
}
