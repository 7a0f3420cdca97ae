//! Presence over real sockets: whoever reads is there, whoever has gone is not, and whoever listens
//! is told of both, once.

mod crowd;
mod watcher;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::run::{fanfare, finish, run};
use crate::server::Server;
use crate::wire::{Wire, body, frame};
use watcher::{Carrier, Watcher};

/// What a member lingers for, and something for a busy machine.
const GRACE: Duration = Duration::from_secs(2);

const SSE: &[&str] = &["Accept: text/event-stream"];

/// A server with members, that lists more of them than it tells.
fn server() -> Server {
    Server::dev(&[])
}

/// The list of a channel's members.
fn list(server: &Server, channel: &str) -> Value {
    let mut wire = server.connect();
    wire.ask(&format!("GET /c/{channel}/presence HTTP/1.1"), &[]);
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(body(&answer)).unwrap()
}

fn clients(list: &Value) -> Vec<&str> {
    let members = list["members"].as_array().unwrap();
    members.iter().map(|member| member["client"].as_str().unwrap()).collect()
}

/// A reader whose stream has begun.
fn stream(mut wire: Wire, target: &str, headers: &[&str], begun: &str) -> Wire {
    wire.ask(&format!("GET {target} HTTP/1.1"), headers);
    wire.until(begun);
    wire
}

fn websocket(mut wire: Wire, target: &str, protocol: &str) -> Wire {
    wire.open_websocket(target, &[&format!("Sec-WebSocket-Protocol: {protocol}")]);
    wire
}

/// A reader over each transport, by the name that it comes under.
fn reader(server: &Server, name: &str) -> Wire {
    let target = format!("/c/lobby?client={name}&info=%7B%22by%22:%22{name}%22%7D");
    let opened = "event: fanfare.open";
    match name {
        "sse" => stream(server.connect(), &target, SSE, opened),
        "sse-edge" => stream(server.connect_to_edge("other"), &target, SSE, opened),
        "ndjson" => {
            stream(server.connect(), &format!("{target}&as=ndjson"), &[], "\"type\":\"open\"")
        }
        "ndjson-edge" => {
            let target = format!("{target}&as=ndjson");
            stream(server.connect_to_edge("other"), &target, &[], "\"type\":\"open\"")
        }
        "raw" => stream(server.connect(), &format!("{target}&as=raw"), &[], "\r\n\r\n"),
        "ws" => websocket(server.connect(), &target, "fanfare.raw"),
        "ws-edge" => websocket(server.connect_to_edge("other"), &target, "fanfare.raw"),
        "v1" => websocket(server.connect(), &target, "fanfare.v1"),
        "v1-edge" => websocket(server.connect_to_edge("other"), &target, "fanfare.v1"),
        other => panic!("{other}"),
    }
}

const READERS: [&str; 9] =
    ["sse", "sse-edge", "ndjson", "ndjson-edge", "raw", "ws", "ws-edge", "v1", "v1-edge"];

#[test]
fn readers_over_every_transport_are_told_over_every_transport() {
    let server = server();
    let mut watchers = Carrier::ALL.map(|carrier| Watcher::open(&server, carrier, "lobby"));
    // They come one after another, and each hears of those who come later.
    let names = Carrier::ALL.map(Carrier::name);
    for (place, watcher) in watchers.iter_mut().enumerate() {
        for later in &names[place + 1..] {
            assert_eq!(watcher.next(), json!(["join", later, null]));
        }
    }
    for name in READERS {
        let wire = reader(&server, name);
        let info = json!({"by": name});
        for watcher in &mut watchers {
            assert_eq!(watcher.next(), json!(["join", name, info]), "{watcher:?}");
        }
        let listed = list(&server, "lobby");
        let mut expected: Vec<&str> = names.to_vec();
        expected.push(name);
        expected.sort_unstable();
        assert_eq!((clients(&listed), &listed["count"]), (expected, &json!(names.len() + 1)));
        drop(wire);
        let closed = Instant::now();
        for watcher in &mut watchers {
            assert_eq!(watcher.next(), json!(["leave", name, info]), "{watcher:?}");
        }
        let took = closed.elapsed();
        assert!(took > GRACE - Duration::from_millis(200), "{name}: without grace: {took:?}");
        assert!(took < GRACE + Duration::from_secs(10), "{name}: {took:?}");
    }
    let mut wire = server.connect();
    wire.ask("HEAD /c/lobby/presence HTTP/1.1", &[]);
    let head = wire.until("\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("application/json"), "{head}");
    let figures = ["fanfare_members", "fanfare_joins_total", "fanfare_leaves_total"];
    let figures = figures.map(|name| server.connect().figure(name));
    let (here, came) = (names.len() as u64, (names.len() + READERS.len()) as u64);
    assert_eq!(figures, [here, came, came - here]);
}

#[test]
fn a_page_that_is_loaded_again_is_not_told() {
    let server = server();
    let mut watchers = Carrier::ALL.map(|carrier| Watcher::open(&server, carrier, "lobby"));
    for name in Carrier::ALL.map(Carrier::name).iter().skip(1) {
        assert_eq!(watchers[0].next(), json!(["join", name, null]));
    }
    for via in ["sse", "v1", "sse-edge"] {
        let mut page = reader(&server, via);
        assert_eq!(watchers[0].next()[0], "join");
        for _reload in 0..3 {
            drop(page);
            thread::sleep(Duration::from_millis(300));
            page = reader(&server, via);
        }
        // Another tab keeps the client there, however long the first one has been closed.
        let tab = reader(&server, via);
        drop(page);
        thread::sleep(GRACE + Duration::from_millis(500));
        server.publish("lobby", "marker");
        watchers[0].until_marker();
        assert!(clients(&list(&server, "lobby")).contains(&via));
        drop(tab);
        assert_eq!(watchers[0].next(), json!(["leave", via, {"by": via}]));
    }
}

#[test]
fn a_poller_is_there_while_it_polls_and_half_a_minute_beyond() {
    let server = server();
    let mut watcher = Watcher::open(&server, Carrier::Sse, "lobby");
    let mut wire = server.connect();
    wire.ask("GET /c/lobby?poll=1 HTTP/1.1", &[]);
    assert!(wire.answer().contains("\"publications\":[]"));
    assert_eq!(list(&server, "lobby")["count"], 1, "who gives no id is not counted");
    // One that waits, and goes without having heard anything.
    let mut gone = server.connect();
    gone.ask("GET /c/lobby?wait=30&client=gone HTTP/1.1", &[]);
    assert_eq!(watcher.next(), json!(["join", "gone", null]));
    drop(gone);
    let began = Instant::now();
    for round in 0..3 {
        wire.ask("GET /c/lobby?wait=1&client=poller&presence=1 HTTP/1.1", &[]);
        if round == 0 {
            assert_eq!(watcher.next(), json!(["join", "poller", null]));
        }
        assert!(wire.answer().contains("\"publications\":[]"));
    }
    let answered = Instant::now();
    assert_eq!(clients(&list(&server, "lobby")), ["gone", "poller", "sse-watcher"]);
    for (client, since) in [("gone", began), ("poller", answered)] {
        assert_eq!(watcher.next(), json!(["leave", client, null]));
        let took = since.elapsed();
        assert!((29..45).contains(&took.as_secs()), "{client}: {took:?}");
    }
}

#[test]
fn a_channel_added_later_is_attended_and_told_of() {
    let server = server();
    let mut wire = websocket(server.connect(), "/c?client=ada", "fanfare.v1");
    let text = |wire: &mut Wire| -> Value { serde_json::from_slice(&wire.frame().1).unwrap() };
    assert_eq!(text(&mut wire)["type"], "open");
    let send = |wire: &mut Wire, text: &str| wire.send(frame(0x81, text.as_bytes()));
    send(&mut wire, r#"{"id":1,"type":"subscribe","channel":"lobby","presence":true}"#);
    assert_eq!(text(&mut wire)["type"], "ok");
    let bob = reader(&server, "sse");
    assert_eq!(text(&mut wire)["type"], "join");
    send(&mut wire, r#"{"id":2,"type":"presence","channel":"lobby","limit":1}"#);
    let page = text(&mut wire);
    assert_eq!((clients(&page), &page["count"]), (vec!["ada"], &json!(2)));
    let after = &page["next"];
    send(&mut wire, &format!(r#"{{"id":3,"type":"presence","channel":"lobby","after":{after}}}"#));
    let page = text(&mut wire);
    assert_eq!((clients(&page), &page["next"]), (vec!["sse"], &Value::Null));
    send(&mut wire, r#"{"id":4,"type":"unsubscribe","channel":"lobby"}"#);
    assert_eq!(text(&mut wire)["type"], "ok");
    thread::sleep(GRACE + Duration::from_millis(500));
    assert_eq!(clients(&list(&server, "lobby")), ["sse"], "who has unsubscribed is not there");
    drop(bob);
}

#[test]
fn the_end_of_a_channel_ends_its_members_and_its_removal_does_not() {
    let server = server();
    let mut ndjson = reader(&server, "ndjson");
    let mut wire = server.connect();
    wire.ask("DELETE /c/lobby HTTP/1.1", &[]);
    assert!(wire.answer().starts_with("HTTP/1.1 200"));
    ndjson.until("\"reason\":\"removed\"");
    assert_eq!(clients(&list(&server, "lobby")), ["ndjson"]);
    wire.ask("POST /c/lobby?end=1 HTTP/1.1", &["Content-Length: 0"]);
    assert!(wire.answer().starts_with("HTTP/1.1 200"));
    ndjson.until("\"type\":\"end\"");
    wire.wait_for_figure("fanfare_members", 0);
    assert_eq!(list(&server, "lobby"), json!({"members": [], "count": 0, "next": null}));
}

#[test]
fn where_nobody_counts_members_that_is_said() {
    let server = Server::dev(&[("FANFARE_PRESENCE", "false")]);
    let refusals = [
        ("GET /c/x/presence HTTP/1.1", &[][..]),
        ("HEAD /c/x/presence HTTP/1.1", &[]),
        ("GET /c/x?presence=1 HTTP/1.1", SSE),
        ("GET /c/x?presence=1&as=ndjson HTTP/1.1", &[]),
        ("GET /c/x?presence=1&wait=5&client=a HTTP/1.1", &[]),
        ("HEAD /c/x?presence=1 HTTP/1.1", &[]),
    ];
    for (line, headers) in refusals {
        for mut wire in [server.connect(), server.connect_to_edge("other")] {
            wire.ask(line, headers);
            let answer =
                if line.starts_with("HEAD") { wire.until("\r\n\r\n") } else { wire.answer() };
            assert!(answer.starts_with("HTTP/1.1 403 "), "{line}: {answer}");
            assert!(line.starts_with("HEAD") || answer.contains("presence-off"), "{answer}");
            assert!(line.starts_with("HEAD") || answer.contains("`presence = true`"), "{answer}");
        }
    }
    for mut wire in [server.connect(), server.connect_to_edge("other")] {
        wire.open_websocket("/c/x?presence=1", &["Sec-WebSocket-Protocol: fanfare.v1"]);
        let (head, close) = loop {
            let next = wire.frame();
            if next.0 == 0x88 {
                break next;
            }
        };
        assert_eq!((head, &close[..2]), (0x88, &4004_u16.to_be_bytes()[..]));
        assert!(String::from_utf8_lossy(&close[2..]).contains("presence-off"));
    }
    let mut wire = websocket(server.connect(), "/c", "fanfare.v1");
    wire.frame();
    let command = br#"{"id":1,"type":"subscribe","channel":"x","presence":true}"#;
    wire.send(frame(0x81, command));
    assert!(String::from_utf8(wire.frame().1).unwrap().contains("presence-off"));
    // Who only reads, is served.
    drop(reader(&server, "sse"));
    assert_eq!(server.connect().figure("fanfare_members"), 0);
    assert_eq!(
        run(&["presence", "x", "--url", &format!("http://{}", server.address())]).code,
        Some(4)
    );
}

#[test]
fn the_commands_show_who_is_there() {
    let server = server();
    let url = format!("http://{}", server.address());
    let wires = ["sse", "v1"].map(|name| reader(&server, name));
    let outcome = run(&["presence", "lobby", "--url", &url, "--json"]);
    let lines = "{\"client\":\"sse\",\"user\":null,\"info\":{\"by\":\"sse\"}}\n\
                 {\"client\":\"v1\",\"user\":null,\"info\":{\"by\":\"v1\"}}\n";
    assert_eq!((outcome.code, &*outcome.text(), &*outcome.stderr), (Some(0), lines, "2 members\n"));
    let outcome = run(&["presence", "lobby", "--url", &url, "--limit", "1"]);
    let lines: Vec<String> = outcome.text().lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert!(lines[0].starts_with("CLIENT") && lines[1].starts_with("sse "), "{lines:?}");
    assert!(outcome.stderr.starts_with("2 members; --limit"), "{}", outcome.stderr);
    drop(wires);
    server.connect().wait_for_figure("fanfare_members", 0);

    for transport in ["ws", "sse", "ndjson"] {
        let flags = ["--url", &url, "--transport", transport, "--client", transport, "--json"];
        let command = [&["sub", "lobby", "--presence", "--count", "1"][..], &flags].concat();
        let sub = fanfare(&command).spawn().unwrap();
        server.connect().wait_for_figure("fanfare_members", 1);
        let mut member = reader(&server, "v1-edge");
        member.frame();
        server.publish("lobby", "the end");
        let outcome = finish(sub);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let text = outcome.text();
        let kinds: Vec<Value> =
            text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()).collect();
        assert_eq!(kinds[0]["client"], "v1-edge", "{transport}: {kinds:?}");
        let kinds: Vec<_> = kinds.iter().map(|line| line["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, ["join", "message"], "{transport}");
        drop(member);
        server.connect().wait_for_figure("fanfare_members", 0);
    }
    let polls = ["sub", "lobby", "--presence", "--transport", "poll", "--url", &url];
    assert_eq!(run(&polls).code, Some(2));
}
