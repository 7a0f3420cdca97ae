//! Who may not change a stream, and when it cannot be changed.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::live::{Changer, Form, Http, Live, Way, ways};
use crate::namespaces::{KEY, Serving};
use crate::reader::Via;
use crate::server::Server;
use crate::wire::{body, header};

const WAY: Way = Way { form: Form::Sse, via: Via::Shard, http: Http::V11 };
const CHANGE: &str = "{\"subscribe\":[{\"channel\":\"b\"}]}";

/// What each of them is answered, so that nobody learns what was wrong.
fn gone() -> (u16, String) {
    (404, "session-gone".to_owned())
}

#[test]
fn only_a_whole_session_finds_its_stream() {
    let server = Server::dev(&[]);
    let mut changer = Changer::new(server.address(), &[]);
    for way in ways() {
        let live = Live::open(server.address(), way, "/c/a", &[]);
        let session = live.session.clone();
        // Each character stands for a part: of the secret, the shard, the place, the generation.
        for at in 0..session.len() {
            let other = if session.as_bytes()[at] == b'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &session[..at], &session[at + 1..]);
            assert_eq!(changer.refused(&changed, CHANGE), gone(), "{way:?} {at}");
        }
        for other in ["", "x", &session[..22], &format!("{session}A"), &"A".repeat(9_000)] {
            assert_eq!(changer.refused(other, CHANGE), gone(), "{way:?} {other}");
        }
        assert!(changer.change(&session, &json!({})).is_empty(), "{way:?}");
        drop(live);
    }
}

#[test]
fn a_stream_that_is_gone_is_not_changed() {
    let server = Server::dev(&[]);
    let mut changer = Changer::new(server.address(), &[]);
    let mut wire = server.connect();
    for way in ways().filter(|way| way.http == Http::V11) {
        let live = Live::open(server.address(), way, "/c/a", &[]);
        let session = live.session.clone();
        changer.add(&session, &json!({"channel": "b"}));
        drop(live);
        wire.wait_for_figure("fanfare_readers", 0);
        assert_eq!(changer.refused(&session, CHANGE), gone(), "{way:?}");
        // Its place is somebody else's now.
        let next = Live::open(server.address(), way, "/c/a", &[]);
        assert_eq!(changer.refused(&session, CHANGE), gone(), "{way:?}");
        assert!(changer.change(&next.session, &json!({})).is_empty());
        drop(next);
        wire.wait_for_figure("fanfare_readers", 0);
    }
}

#[test]
fn a_websocket_and_bare_payloads_are_changed_by_nobody() {
    let server = Server::dev(&[]);
    let mut changer = Changer::new(server.address(), &[]);
    let mut socket = server.connect();
    socket.open_websocket("/c/a", &["Sec-WebSocket-Protocol: fanfare.v1"]);
    let (_, open) = socket.frame();
    let open: serde_json::Value = serde_json::from_slice(&open).unwrap();
    let session = open["session"].as_str().unwrap();
    assert_eq!(session.len(), 35);
    assert_eq!(changer.refused(session, CHANGE), gone());
}

#[test]
fn a_stream_is_changed_by_who_opened_it_alone() {
    let server = Server::serve("sesame");
    let key = ["Authorization: Bearer sesame"];
    let mut holder = Changer::new(server.address(), &key);
    let mut nobody = Changer::new(server.address(), &[]);
    let mut liar = Changer::new(server.address(), &["Authorization: Bearer sesame2"]);
    let unauthorized = (401, "unauthorized".to_owned());
    for way in ways() {
        let keyed = Live::open(server.address(), way, "/c/a", &key);
        assert_eq!(nobody.refused(&keyed.session, CHANGE), gone(), "{way:?}");
        assert_eq!(liar.refused(&keyed.session, CHANGE), unauthorized, "{way:?}");
        holder.add(&keyed.session, &json!({"channel": "b"}));
        // The edge's connection has posted with the key, and this one has not.
        let way = Way { via: Via::Shard, ..way };
        let open = Live::open(server.address(), way, "/c/a", &[]);
        assert_eq!(holder.refused(&open.session, CHANGE), gone(), "{way:?}");
        assert_eq!(liar.refused(&open.session, CHANGE), unauthorized, "{way:?}");
        nobody.add(&open.session, &json!({"channel": "b"}));
    }
    assert_eq!(liar.refused("x", CHANGE), gone(), "a name that is none is refused before the key");
}

#[test]
fn a_stream_takes_on_only_channels_that_its_opener_may_read() {
    let serving = Serving::start();
    let change = json!({"subscribe": [{"channel": "talk:a"}, {"channel": "closed"}]});
    for (headers, codes) in
        [(&[][..], [json!(null), json!("unauthorized")]), (&[KEY], [(); 2].map(|()| json!(null)))]
    {
        let live = Live::open(serving.address(), WAY, "/c/news:a", headers);
        let mut changer = Changer::new(serving.address(), headers);
        let results = changer.change(&live.session, &change);
        let told: Vec<_> = results.iter().map(|result| result["error"]["code"].clone()).collect();
        assert_eq!(told, codes, "{headers:?}");
    }
}

#[test]
fn a_body_that_is_no_change_is_told_what_is_wrong() {
    let server = Server::dev(&[]);
    let mut changer = Changer::new(server.address(), &[]);
    let live = Live::open(server.address(), WAY, "/c/a", &[]);
    for (body, code) in [
        ("", "command-invalid"),
        ("[]", "command-invalid"),
        ("{\"subscribe\":[\"b\"]}", "command-invalid"),
        ("{\"subscribe\":[{\"channel\":\"b\"}],\"and\":1}", "command-invalid"),
    ] {
        assert_eq!(changer.refused(&live.session, body), (400, code.to_owned()), "{body}");
    }
    let many: Vec<_> = (0..65).map(|number| format!("c{number}")).collect();
    let body = json!({ "unsubscribe": many }).to_string();
    assert_eq!(changer.refused(&live.session, &body), (400, "too-many-channels".to_owned()));
    let results = changer.change(&live.session, &json!({"unsubscribe": ["b"]}));
    assert_eq!(results[0]["error"]["code"], "not-subscribed", "none of it was made");

    let mut wire = server.connect();
    let line = format!("POST /sessions/{} HTTP/1.1", live.session);
    wire.ask(&line, &["Content-Length: 600000", "Expect: 100-continue"]);
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(answer.contains("batch-too-large") && answer.contains("fewer channels"), "{answer}");
    let mut wire = server.connect();
    wire.ask(&format!("GET /sessions/{} HTTP/1.1", live.session), &[]);
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 405 "), "{answer}");
    assert_eq!(header(&answer, "allow"), Some("POST, OPTIONS"));
    assert!(!answer.contains(&live.session), "{answer}");
}

#[test]
fn pages_of_other_sites_change_nothing() {
    let server = Server::dev(&[]);
    let live = Live::open(server.address(), WAY, "/c/a", &[]);
    let mut changer = Changer::new(server.address(), &["Origin: https://evil.example"]);
    let refused = (403, "origin-refused".to_owned());
    assert_eq!(changer.refused(&live.session, CHANGE), refused);
    let mut changer = Changer::new(server.address(), &["Sec-Fetch-Site: cross-site"]);
    assert_eq!(changer.refused(&live.session, CHANGE), refused);
    let mut changer = Changer::new(server.address(), &["Origin: http://localhost:5173"]);
    changer.send(&live.session, CHANGE);
    let (head, _) = changer.answer();
    assert_eq!(header(&head, "access-control-allow-origin"), Some("http://localhost:5173"));
    assert_eq!(header(&head, "cache-control"), Some("no-store"));

    let mut wire = server.connect();
    wire.ask(
        &format!("OPTIONS /sessions/{} HTTP/1.1", live.session),
        &[
            "Origin: http://localhost:5173",
            "Access-Control-Request-Method: POST",
            "Access-Control-Request-Headers: content-type",
        ],
    );
    let answer = wire.until("\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert_eq!(header(&answer, "access-control-allow-headers"), Some("content-type"));
}

#[test]
fn a_reader_that_does_not_read_is_not_told_without_end() {
    let server = Server::dev(&[]);
    for via in [Via::Shard, Via::Edge] {
        let live = Live::open(server.address(), Way { via, ..WAY }, "/c/a", &[]);
        let mut changer = Changer::new(server.address(), &[]);
        // A gap for each of these, which its reader never takes.
        let lost = |number| json!({"channel": format!("c{number}"), "since": "1.aAAAAAAAAAB"});
        let lost: Vec<_> = (0..60).map(lost).collect();
        let all: Vec<_> = (0..60).map(|number| format!("c{number}")).collect();
        let body = json!({ "unsubscribe": all, "subscribe": lost }).to_string();
        let refused = (0..5_000).find_map(|_| {
            changer.send(&live.session, &body);
            let (head, answer) = changer.answer();
            head.starts_with("HTTP/1.1 503 ").then_some(answer)
        });
        let answer = refused.expect("it goes on without end");
        assert_eq!(answer["code"], "overloaded", "{via:?}");
    }
}

#[test]
fn a_stream_is_changed_until_it_is_cut_for_the_drain() {
    let mut server = Server::dev(&[("FANFARE_DRAIN__WINDOW", "2s")]);
    let live = Live::open(server.address(), WAY, "/c/a", &[]);
    let mut changer = Changer::new(server.address(), &[]);
    server.terminate();
    let mut number = 0;
    loop {
        let body = json!({"subscribe": [{"channel": format!("c{number}")}]}).to_string();
        number = (number + 1) % 60;
        changer.send(&live.session, &body);
        // The connection may be closed between two requests, as the server leaves.
        let Some((head, answer)) = changer.try_answer() else { break };
        if head.starts_with("HTTP/1.1 404 ") {
            assert_eq!(answer["code"], "session-gone");
            break;
        }
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}{answer}");
    }
    drop(live);
    assert_eq!(server.exit_code(), Some(0));
}

#[test]
fn a_client_that_goes_while_it_waits_costs_nothing() {
    let server = Server::dev(&[]);
    let mut live = Live::open(server.address(), WAY, "/c/a", &[]);
    for number in 0..200 {
        let mut changer = Changer::new(server.address(), &[]);
        let channel = format!("c{}", number % 10);
        let change = json!({"unsubscribe": [channel], "subscribe": [{"channel": channel}]});
        changer.send(&live.session, &change.to_string());
    }
    // As long as the changes before it wait, one more may be told to come again.
    let mut changer = Changer::new(server.address(), &[]);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        changer.send(&live.session, &json!({"subscribe": [{"channel": "b"}]}).to_string());
        let (head, answer) = changer.answer();
        if head.starts_with("HTTP/1.1 200 ") {
            break;
        }
        assert_eq!(answer["code"], "overloaded", "{head}{answer}");
        assert!(Instant::now() < deadline, "the changes of those that went still wait");
        thread::sleep(Duration::from_millis(50));
    }
    server.publish("b", "x");
    assert_eq!(live.message().0, "x");
    let mut wire = server.connect();
    wire.ask("GET /health HTTP/1.1", &[]);
    assert_eq!(body(&wire.answer()), "ok\n");
}
