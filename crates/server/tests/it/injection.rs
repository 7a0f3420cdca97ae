//! Nothing that a publisher or a reader sends becomes another field of an event stream: every way in
//! beside every way out, with the letters that end lines, fields and texts.

use crate::server::Server;
use crate::wire::{Wire, body, frame};

/// Payloads that would be fields, events or the end of a text if they were taken as they are.
const PAYLOADS: [&str; 12] = [
    "a\nid: ~evil",
    "a\r\nevent: fanfare.end\r\ndata: {}",
    "a\rretry: 1",
    "a\n\nevent: fanfare.gap\ndata: {}\n\n",
    "\n",
    "\r\n\r",
    "\u{feff}data: x",
    "a\0b",
    ": a comment",
    "data: data: x",
    " leading, trailing ",
    "\u{2028}\u{2029}\u{85}",
];

/// Ways to publish a text.
#[derive(Debug, Clone, Copy)]
enum Way {
    Shard,
    Edge,
    Batch,
    Raw,
    V1,
}

const WAYS: [Way; 5] = [Way::Shard, Way::Edge, Way::Batch, Way::Raw, Way::V1];

impl Way {
    fn publish(self, server: &Server, channel: &str, text: &str) {
        let mut wire = server.connect();
        let quoted = serde_json::to_string(text).unwrap();
        match self {
            Self::Shard => {
                let answer = post(&mut wire, &format!("/c/{channel}"), text);
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            }
            Self::Edge => {
                let answer = wire.post_chunked(channel, text);
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            }
            Self::Batch => {
                let item = format!("[{{\"channel\":\"{channel}\",\"data\":{quoted}}}]");
                let answer = post(&mut wire, "/publish", &item);
                assert!(body(&answer).contains("\"offset\""), "{answer}");
            }
            Self::Raw => {
                wire.open_websocket(&format!("/c/{channel}"), &[]);
                wire.send(frame(0x81, text.as_bytes()));
                // It comes back when it is published.
                wire.frame();
            }
            Self::V1 => {
                wire.open_websocket("/c", &["Sec-WebSocket-Protocol: fanfare.v1"]);
                wire.frame();
                let command = format!(
                    "{{\"id\":1,\"type\":\"publish\",\"channel\":\"{channel}\",\"data\":{quoted}}}"
                );
                wire.send(frame(0x81, command.as_bytes()));
                let reply = String::from_utf8(wire.frame().1).unwrap();
                assert!(reply.contains("\"type\":\"ok\""), "{reply}");
            }
        }
    }
}

fn post(wire: &mut Wire, target: &str, text: &str) -> String {
    let length = format!("Content-Length: {}", text.len());
    wire.ask(&format!("POST {target} HTTP/1.1"), &[&length]);
    wire.send(text);
    wire.answer()
}

/// An event as a browser's parser reads it (HTML, "Interpreting an event stream").
#[derive(Debug, Clone, PartialEq, Eq)]
struct Event {
    kind: String,
    data: String,
    id: String,
}

/// The events of a stream, and whether any field is none that this server writes.
fn events(stream: &str) -> Vec<Event> {
    let (mut events, mut id) = (Vec::new(), String::new());
    let (mut kind, mut data): (String, Vec<String>) = (String::new(), Vec::new());
    let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
    for line in lines.split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                events.push(Event { kind: kind.clone(), data: data.join("\n"), id: id.clone() });
            }
            kind.clear();
            data.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" | "retry" => {}
            "event" => value.clone_into(&mut kind),
            "data" => data.push(value.to_owned()),
            "id" => value.clone_into(&mut id),
            _ => panic!("{field:?} is a field of nothing: {stream}"),
        }
    }
    events
}

/// What is left of a stream's body when the chunks are taken away.
fn unchunked(wire: &mut Wire, until: &str) -> String {
    wire.until("\r\n\r\n");
    let mut all = String::new();
    while !all.contains(until) {
        let length = wire.until("\r\n");
        let length = usize::from_str_radix(length.trim(), 16).unwrap();
        all.push_str(&wire.take(length));
        wire.until("\r\n");
    }
    all
}

fn stream(server: &Server, at_edge: bool, target: &str, until: &str) -> Vec<Event> {
    let mut wire = if at_edge { server.connect_to_edge("warm") } else { server.connect() };
    wire.ask(&format!("GET {target} HTTP/1.1"), &["Accept: text/event-stream"]);
    let text = unchunked(&mut wire, until);
    events(&text).into_iter().filter(|event| event.kind != "fanfare.open").collect()
}

fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[test]
fn payloads_come_out_as_they_went_in_wherever_they_did() {
    let server = Server::dev(&[("FANFARE_HISTORY__COUNT", "1000")]);
    for way in WAYS {
        let channel = format!("way-{way:?}");
        for payload in PAYLOADS {
            way.publish(&server, &channel, payload);
        }
        Way::Shard.publish(&server, &channel, "the-last");
        let expected: Vec<&str> = PAYLOADS.into_iter().chain(["the-last"]).collect();
        for at_edge in [false, true] {
            let since = format!("/c/{channel}?since=all");
            let told = stream(&server, at_edge, &since, "data: the-last\nid: ~");
            let data: Vec<_> = told.iter().map(|event| event.data.clone()).collect();
            let as_lines: Vec<_> = expected.iter().map(|text| lines(text)).collect();
            assert_eq!(data, as_lines, "{way:?} at the edge: {at_edge}");
            for event in &told {
                assert_eq!(event.kind, "", "{event:?}");
                assert!(event.id.starts_with('~') && !event.id.contains("evil"), "{event:?}");
            }
            let enveloped = stream(&server, at_edge, &format!("{since}&as=envelope"), "the-last");
            let data: Vec<_> = enveloped
                .iter()
                .map(|event| serde_json::from_str::<serde_json::Value>(&event.data).unwrap())
                .map(|envelope| envelope["data"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(data, expected, "{way:?}");
        }
        let mut wire = server.connect();
        wire.ask(&format!("GET /c/{channel}/history HTTP/1.1"), &[]);
        let page: serde_json::Value = serde_json::from_str(body(&wire.answer())).unwrap();
        let publications = page["publications"].as_array().unwrap();
        let data: Vec<_> = publications.iter().map(|it| it["data"].as_str().unwrap()).collect();
        assert_eq!(data, expected, "{way:?}");
        let mut raw = server.connect();
        raw.open_websocket(&format!("/c/{channel}?since=all"), &[]);
        for text in &expected {
            assert_eq!(raw.frame(), (0x81, text.as_bytes().to_vec()), "{way:?}");
        }
    }
}

#[test]
fn json_is_one_line_wherever_it_is_told() {
    let server = Server::dev(&[]);
    let json = "{\"a\":\r\n\"x\\r\\ny\"\r}\n";
    let mut wire = server.connect();
    let length = format!("Content-Length: {}", json.len());
    wire.ask("POST /c/json HTTP/1.1", &["Content-Type: application/json", &length]);
    wire.send(json);
    assert!(wire.answer().starts_with("HTTP/1.1 200 "));
    Way::Shard.publish(&server, "json", "the-last");
    for at_edge in [false, true] {
        let target = "/c/json?since=all&as=envelope";
        let told = stream(&server, at_edge, target, "the-last");
        assert!(told[0].data.contains("{\"a\":  \"x\\r\\ny\" } "), "{told:?}");
        let told = stream(&server, at_edge, "/c/json?since=all", "data: the-last\nid: ~");
        assert_eq!(told[0].data, lines(json));
    }
}

/// Letters that no event and no channel may have in its name, as a query and as JSON have them.
const LETTERS: [(&str, &str); 6] = [
    ("%0A", "\\n"),
    ("%0D", "\\r"),
    ("%00", "\\u0000"),
    ("%0D%0Adata:%20x", "\\r\\ndata: x"),
    ("%C2%85", "\\u0085"),
    ("%1B", "\\u001b"),
];

#[test]
fn names_with_letters_that_end_lines_are_refused_on_every_way_in() {
    let server = Server::dev(&[]);
    for (encoded, escaped) in LETTERS {
        for mut wire in [server.connect(), server.connect_to_edge("warm")] {
            for (target, code) in [
                (format!("/c/a?event=x{encoded}y"), "parameter-invalid"),
                (format!("/c/x{encoded}y"), "channel-invalid"),
                (format!("/c?channel=x{encoded}y"), "channel-invalid"),
            ] {
                let answer = post(&mut wire, &target, "text");
                assert!(answer.starts_with("HTTP/1.1 400 "), "{target}: {answer}");
                assert!(body(&answer).contains(code), "{target}: {answer}");
            }
            wire.ask(&format!("GET /c/x{encoded}y HTTP/1.1"), &["Accept: text/event-stream"]);
            let answer = wire.answer();
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
        }
        let items = format!(
            "[{{\"channel\":\"a\",\"data\":\"x\",\"event\":\"x{escaped}y\"}},\
             {{\"channel\":\"x{escaped}y\",\"data\":\"x\"}}]"
        );
        let answer = post(&mut server.connect(), "/publish", &items);
        assert!(!body(&answer).contains("\"offset\""), "{answer}");
        let mut v1 = server.connect();
        v1.open_websocket("/c", &["Sec-WebSocket-Protocol: fanfare.v1"]);
        v1.frame();
        for command in [
            format!(
                "\"type\":\"publish\",\"channel\":\"a\",\"data\":\"x\",\"event\":\"x{escaped}y\""
            ),
            format!("\"type\":\"publish\",\"channel\":\"x{escaped}y\",\"data\":\"x\""),
            format!("\"type\":\"subscribe\",\"channel\":\"x{escaped}y\""),
        ] {
            v1.send(frame(0x81, format!("{{\"id\":1,{command}}}").as_bytes()));
            let reply = String::from_utf8(v1.frame().1).unwrap();
            assert!(reply.contains("\"type\":\"error\""), "{command}: {reply}");
        }
    }
    let mut wire = server.connect();
    wire.ask("GET /c/a/history HTTP/1.1", &[]);
    assert!(body(&wire.answer()).contains("\"publications\":[]"));
}

#[test]
fn an_id_that_a_reader_brings_is_not_told_back_as_lines() {
    let server = Server::dev(&[]);
    Way::Shard.publish(&server, "a", "one");
    for at_edge in [false, true] {
        for bad in ["~x%0Adata:%20evil", "%00", "~%0D%0A%0D%0Aevent:%20evil", "%EF%BB%BF~"] {
            let target = format!("/c/a?lastEventId={bad}");
            let mut wire = if at_edge { server.connect_to_edge("warm") } else { server.connect() };
            wire.ask(&format!("GET {target} HTTP/1.1"), &["Accept: text/event-stream"]);
            let text = unchunked(&mut wire, "data: one\nid: ~");
            assert!(!text.contains("evil") && !text.contains('\0'), "{target}: {text}");
            let told = events(&text);
            let kinds: Vec<_> = told.iter().map(|event| event.kind.as_str()).collect();
            assert_eq!(kinds, ["fanfare.open", "fanfare.gap", ""], "{target}: {text}");
        }
    }
}
