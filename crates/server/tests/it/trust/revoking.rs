//! SIGHUP takes a right away: who is connected is asked again, and nobody else is disturbed.

use serde_json::json;

use super::Guarded;
use crate::token::{SECRET, bearer, run, token};
use crate::wire::{End, Wire, closed, frame, text};

/// Who may anything.
const ROOT: &str = "tell-nobody";

/// Only its holder may anything, but read `open:`.
const CLOSED: &str =
    "publisher_keys = [\"tell-nobody\"]\n[namespaces.open]\nanonymous_subscribe = true\n";

/// A key, and the line of the configuration that has its hash.
fn key() -> (String, String) {
    let outcome = run(&["token", "keys", "reader"]);
    let key = outcome.stderr.lines().map(str::trim).find(|line| line.starts_with("ffk_")).unwrap();
    let stdout = outcome.text();
    let hash = stdout.lines().find(|line| line.starts_with("hash = ")).unwrap();
    (key.to_owned(), hash.to_owned())
}

fn v1(server: &Guarded, target: &str, shown: &str) -> Wire {
    let mut wire = server.connect();
    wire.open_websocket(target, &[&format!("Sec-WebSocket-Protocol: fanfare.v1{shown}")]);
    assert_eq!(text(&mut wire)["type"], "open");
    wire
}

fn stream(server: &Guarded, edge: bool, target: &str, headers: &[&str]) -> Wire {
    let mut wire = server.connect();
    if edge {
        // The edge keeps a connection whose first request it answered.
        wire.ask("GET /health HTTP/1.1", &[]);
        wire.answer();
    }
    wire.ask(&format!("GET {target} HTTP/1.1"), headers);
    wire.until("\"session\":\"");
    wire
}

fn publish(server: &Guarded, channel: &str, key: &str) {
    let mut wire = server.connect();
    wire.ask(&format!("POST /c/{channel} HTTP/1.1"), &[&bearer(key), "Content-Length: 2"]);
    wire.send("hi");
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn what_a_key_grants_no_more_is_taken_from_who_reads_by_it() {
    let (key, hash) = key();
    let rules = |patterns: &str| {
        format!("{CLOSED}[keys.reader]\n{hash}\nsubscribe = [{patterns}]\npublish = [{patterns}]\n")
    };
    let server = Guarded::start(&rules("\"chat:*\", \"news\""));
    let shown = bearer(&key);
    let sse = "Accept: text/event-stream";
    let mut lost = [false, true].map(|edge| stream(&server, edge, "/c/chat:a", &[&shown, sse]));
    let mut kept = [false, true].map(|edge| stream(&server, edge, "/c/news", &[&shown, sse]));
    let mut both = v1(&server, "/c/chat:a,news", &format!(", bearer.{key}"));
    let mut raw = server.connect();
    raw.open_websocket("/c/chat:a", &[&shown]);
    let mut root = v1(&server, "/c/chat:a", ", bearer.tell-nobody");
    let mut poll = server.connect();
    poll.ask("GET /c/chat:a?wait=60 HTTP/1.1", &[&shown]);
    server.connect().wait_for_figure("fanfare_connections{transport=\"poll\"}", 1);

    server.change(&rules("\"news\""));
    for wire in &mut lost {
        // It is not the end of the channel: the body is broken off, after when to come back.
        let (rest, end) = wire.end();
        assert!(rest.contains("retry: ") && !rest.ends_with("0\r\n\r\n"), "{rest}");
        assert_eq!(end, End::Closed);
    }
    let end = text(&mut both);
    assert_eq!((&end["type"], &end["channel"]), (&json!("end"), &json!("chat:a")), "{end}");
    assert_eq!(end["code"], "forbidden", "{end}");
    assert!(end["detail"].as_str().unwrap().contains("does not grant `subscribe`"), "{end}");
    assert!(end.get("cursor").is_none(), "{end}");
    let (code, reason) = closed(&mut raw);
    assert_eq!(code, 4003, "{reason}");
    assert!(poll.answer().starts_with("HTTP/1.1 200"), "a poll is answered and comes back");
    poll.ask("GET /c/chat:a?wait=60 HTTP/1.1", &[&shown]);
    assert!(poll.answer().starts_with("HTTP/1.1 403"));
    let mut again = server.connect();
    again.ask("GET /c/chat:a HTTP/1.1", &[&shown, sse]);
    assert!(again.answer().starts_with("HTTP/1.1 403"));

    // What is left goes on, and a frame may publish what the key grants now and nothing else.
    for (id, channel, replies) in [(1, "chat:a", &["error"][..]), (2, "news", &["message", "ok"])] {
        let publish = json!({"id": id, "type": "publish", "channel": channel, "data": "mine"});
        both.send(frame(0x81, publish.to_string().as_bytes()));
        // Its own publication may come before the reply to it, or after.
        let mut told: Vec<_> = replies.iter().map(|_| text(&mut both)["type"].clone()).collect();
        told.sort_by_key(ToString::to_string);
        assert_eq!(told, replies, "{channel}");
    }
    publish(&server, "chat:a", ROOT);
    assert_eq!(text(&mut root)["data"], "hi");
    publish(&server, "news", ROOT);
    assert_eq!(text(&mut both)["data"], "hi");
    for wire in &mut kept {
        wire.until("data: hi");
    }
    let mut figures = server.connect();
    assert_eq!(figures.figure("fanfare_connections_revoked_total"), 4);
    assert_eq!(figures.figure("fanfare_subscriptions_revoked_total"), 1);

    server.change(CLOSED);
    let (code, reason) = closed(&mut both);
    assert_eq!(code, 4001, "{reason}");
    for wire in &mut kept {
        assert_eq!(wire.end().1, End::Closed);
    }
    publish(&server, "chat:a", ROOT);
    assert_eq!(text(&mut root)["data"], "hi");
}

#[test]
fn tokens_whose_key_or_issuer_is_gone_end_their_connections() {
    let rules =
        |secrets: &str, more: &str| format!("{CLOSED}[issuers.app]\nsecret = [{secrets}]\n{more}");
    let (ours, next) =
        (format!("\"{}\"", SECRET.1), "\"tell-nobody: the secret that comes after it\"");
    let server = Guarded::start(&rules(&ours, ""));
    let shown = format!(", bearer.{}", token(&["--sub", "ada", "--subscribe", "chat:*"]));
    let mut wire = v1(&server, "/c/chat:a", &shown);
    // One key beside another disturbs nobody.
    server.change(&rules(&format!("{ours}, {next}"), ""));
    publish(&server, "chat:a", ROOT);
    assert_eq!(text(&mut wire)["data"], "hi");
    // Whether it would hold under other terms only the token itself can tell: it comes back.
    server.change(&rules(&format!("{ours}, {next}"), "audience = [\"live\"]"));
    assert_eq!(closed(&mut wire).0, 1012);
    server.change(&rules(&format!("{ours}, {next}"), ""));
    let mut wire = v1(&server, "/c/chat:a", &shown);
    server.change(&rules(next, ""));
    let (code, reason) = closed(&mut wire);
    assert_eq!(code, 4001);
    assert!(reason.contains("a key that is no more"), "{reason}");
    server.change(&rules(&ours, ""));
    let mut wire = v1(&server, "/c/chat:a", &shown);
    server.change(CLOSED);
    assert_eq!(closed(&mut wire).0, 4001);
}

#[test]
fn who_shows_nothing_goes_when_anyone_may_read_no_more() {
    let server = Guarded::start(&format!("anonymous_subscribe = true\n{CLOSED}"));
    let (mut wire, mut raw) = (v1(&server, "/c/chat:a,open:a", ""), server.connect());
    raw.open_websocket("/c/chat:a", &[]);
    let mut lines = stream(&server, false, "/c/chat:a", &["Accept: application/x-ndjson"]);
    let mut root = v1(&server, "/c/chat:a", ", bearer.tell-nobody");
    server.change(CLOSED);
    let (code, reason) = closed(&mut raw);
    assert_eq!(code, 4001, "{reason}");
    assert_eq!(lines.end().1, End::Closed);
    let end = text(&mut wire);
    assert_eq!(
        (&end["channel"], &end["code"]),
        (&json!("chat:a"), &json!("unauthorized")),
        "{end}"
    );
    for (channel, reader) in [("chat:a", &mut root), ("open:a", &mut wire)] {
        publish(&server, channel, ROOT);
        assert_eq!(text(reader)["data"], "hi");
    }
}
