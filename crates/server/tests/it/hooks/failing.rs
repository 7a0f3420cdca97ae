//! A backend that is slow, dead, lying or restarting: who waits for it is told in time, and nobody
//! else notices.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use super::{Asking, Backend, Reply, SECRET, ada, by_cookie, closed, configuration, send, text};
use crate::wire::{End, Wire, frame};

const OPEN: &str = "[namespaces.chat]\nanonymous_publish = true\nanonymous_subscribe = true\n\
                    [namespaces.calm]\nanonymous_publish = true\nanonymous_subscribe = true\n\
                    ask_publish = false\nask_subscribe = false\n";

/// What begins an answer with a body of so many bytes.
fn answer(status: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes(),
    )
}

/// What a backend may say that is no answer, and the words of the log about it.
fn lies() -> Vec<(Reply, &'static str)> {
    vec![
        (answer("200 OK", "<html>"), "it is no JSON"),
        (answer("200 OK", "{\"allow\":1}"), "another form"),
        (answer("200 OK", ""), "it is no JSON"),
        (answer("204 No Content", ""), "it is no JSON"),
        (answer("500 Oh", "{\"allow\":true}"), "it answered 500"),
        (answer("401 No", "{\"allow\":true}"), "it answered 401"),
        (answer("302 Found\r\nLocation: http://127.0.0.1:9/", ""), "redirects are not followed"),
        (answer("200 OK", &"x".repeat(10 << 20)), "more than"),
        (Reply::Endless, "more than"),
        (Reply::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec()), "broke off"),
        (Reply::Bytes(Vec::new()), "broke off"),
        (Reply::Bytes(b"SSH-2.0-OpenSSH_9\r\n".to_vec()), "broke off"),
        (Reply::Never, "no answer within"),
    ]
}

#[test]
fn lies_are_failures_that_the_configuration_answers() {
    for (lie, words) in lies() {
        let told = lie.clone();
        let backend = Backend::start(move |_| told.clone());
        let more = format!("timeout = \"300ms\"\n{OPEN}");
        let asking = Asking::start(&backend, &["publish"], &more);
        let mut wire = asking.server.connect();
        let (status, problem) = send(&mut wire, "POST /c/chat:a HTTP/1.1", &[], "x");
        assert_eq!((status, &problem["code"]), (503, &json!("authority-timeout")), "{words}");
        let line = asking.server.line_with("has not answered a question");
        assert!(line.contains(words) && line.contains("publish"), "{line}");
        let figure = "fanfare_hook_questions_total{hook=\"publish\",outcome=\"failed\"}";
        assert_eq!(wire.figure(figure), 1, "{words}");
        drop(asking);
        let more = format!("timeout = \"300ms\"\npublish_on_failure = \"allow\"\n{OPEN}");
        let asking = Asking::start(&backend, &["publish"], &more);
        let (status, answer) =
            send(&mut asking.server.connect(), "POST /c/chat:a HTTP/1.1", &[], "x");
        assert_eq!((status, answer["offset"].is_u64()), (200, true), "{words}: {answer}");
    }
}

#[test]
fn readers_that_nobody_answers_for_come_back() {
    let backend = Backend::start(|_| answer("500 Oh", ""));
    let asking = Asking::start(&backend, &["connect"], "");
    for mut wire in asking.connections() {
        // An EventSource would give up for good at any status but 200.
        wire.ask("GET /c/chat:a HTTP/1.1", &["Accept: text/event-stream"]);
        let (answer, end) = wire.end();
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert!(answer.contains("authority-timeout") && answer.contains("retry: "), "{answer}");
        assert!(!answer.ends_with("0\r\n\r\n") && end == End::Closed, "it is broken off: {answer}");
    }
    for mut wire in asking.connections() {
        wire.ask("GET /c/chat:a HTTP/1.1", &["Accept: application/x-ndjson"]);
        let answer = wire.answer();
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        assert!(answer.to_ascii_lowercase().contains("retry-after: "), "{answer}");
    }
    for mut wire in asking.connections() {
        wire.open_websocket("/c/chat:a", &["Sec-WebSocket-Protocol: fanfare.v1"]);
        assert_eq!(closed(&mut wire).0, 1013);
    }
    let more = format!("connect_on_failure = \"allow\"\n{OPEN}");
    let asking = Asking::start(&backend, &["connect"], &more);
    for mut wire in asking.connections() {
        wire.ask("GET /c/chat:a HTTP/1.1", &["Accept: text/event-stream"]);
        wire.until("fanfare.open");
    }
    // Nobody in particular, and no more than that.
    let mut wire = asking.server.connect();
    wire.ask("GET /c/news HTTP/1.1", &["Accept: text/event-stream"]);
    assert!(wire.answer().starts_with("HTTP/1.1 401"));
}

/// How long a publication that nobody is asked about takes to its reader: the median of many.
fn latency(publisher: &mut Wire, reader: &mut Wire) -> Duration {
    let mut took: Vec<Duration> = (0..200)
        .map(|number| {
            let (text, began) = (number.to_string(), Instant::now());
            // In one write: two would wait for each other's acknowledgement.
            let (head, length) = ("POST /c/calm:a HTTP/1.1\r\nHost: localhost", text.len());
            publisher.send(format!("{head}\r\nContent-Length: {length}\r\n\r\n{text}"));
            assert!(publisher.answer().starts_with("HTTP/1.1 200"));
            reader.until(&format!("data: {text}\n"));
            began.elapsed()
        })
        .collect();
    took.sort_unstable();
    took[took.len() / 2]
}

#[test]
fn while_a_backend_hangs_everyone_else_goes_on() {
    let backend = Backend::start(|_| Reply::Never);
    let more = format!("timeout = \"1m\"\n{OPEN}");
    let asking = Asking::start(&backend, &["subscribe", "publish"], &more);
    let mut reader = asking.server.connect();
    reader.ask("GET /c/calm:a HTTP/1.1", &["Accept: text/event-stream"]);
    reader.until("fanfare.open");
    let before = latency(&mut asking.server.connect(), &mut reader);
    let mut waiting: Vec<Wire> = Vec::new();
    for [mut shard, mut edge] in (0..20).map(|_| asking.connections()) {
        for wire in [&mut shard, &mut edge] {
            wire.ask("GET /c/chat:a HTTP/1.1", &["Accept: text/event-stream"]);
        }
        waiting.extend([shard, edge]);
    }
    let mut socket = asking.server.connect();
    socket.open_websocket("/c", &["Sec-WebSocket-Protocol: fanfare.v1"]);
    text(&mut socket);
    let publish = json!({"id": 1, "type": "publish", "channel": "chat:a", "data": 1});
    socket.send(frame(0x81, publish.to_string().as_bytes()));
    let mut wire = asking.server.connect();
    wire.wait_for_figure("fanfare_hook_questions_in_flight", 41);
    let meanwhile = latency(&mut wire, &mut reader);
    println!(
        "published and read in {before:?} without, {meanwhile:?} beside 41 questions that hang"
    );
    assert!(meanwhile < before * 2 + Duration::from_millis(5), "{before:?}, {meanwhile:?}");
    // Who goes takes the question along.
    drop(waiting);
    wire.wait_for_figure("fanfare_hook_questions_in_flight", 1);
}

#[test]
fn a_slow_backend_makes_those_wait_who_ask_it() {
    let backend =
        Backend::start(|_| Reply::Late(Duration::from_millis(400), json!({"allow": true})));
    let asking = Asking::start(&backend, &["publish"], OPEN);
    let mut socket = asking.server.connect();
    socket.open_websocket("/c/chat:a", &["Sec-WebSocket-Protocol: fanfare.raw"]);
    let began = Instant::now();
    for text in ["one", "two", "three"] {
        socket.send(frame(0x81, text.as_bytes()));
    }
    for text in ["one", "two", "three"] {
        assert_eq!(socket.frame(), (0x81, text.as_bytes().to_vec()), "in their order");
    }
    assert!(began.elapsed() >= Duration::from_millis(1_200), "one after another");
}

#[test]
fn a_dead_backend_is_told_at_once_and_one_that_is_back_is_asked_again() {
    let backend = Backend::start(by_cookie);
    let address = backend.address().to_owned();
    let asking = Asking::start(&backend, &["connect"], "");
    let ask = |cookie: &str| {
        let mut wire = asking.server.connect();
        let cookie = format!("Cookie: {cookie}");
        wire.ask("GET /c/chat:a HTTP/1.1", &[&cookie, "Accept: application/x-ndjson"]);
        wire.until("\r\n\r\n").split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!((&*ask("sid=ada"), &*ask("sid=bob")), ("200", "401"));
    drop(backend);
    let began = Instant::now();
    for _ in 0..5 {
        assert_eq!(ask("sid=ada"), "503");
    }
    assert!(began.elapsed() < Duration::from_secs(10));
    let line = asking.server.line_with("has not answered a question");
    assert!(line.contains("cannot be connected to") || line.contains("broke off"), "{line}");
    let _backend = Backend::start_at(&address, by_cookie);
    assert_eq!((&*ask("sid=ada"), &*ask("sid=bob")), ("200", "401"));
}

#[test]
fn beyond_the_most_questions_the_answer_is_at_once() {
    let backend = Backend::start(|_| Reply::Never);
    let more = format!("questions_max = 1\ntimeout = \"1m\"\n{OPEN}");
    let asking = Asking::start(&backend, &["publish"], &more);
    let mut first = asking.server.connect();
    first.ask("POST /c/chat:a HTTP/1.1", &["Content-Length: 1"]);
    first.send("x");
    backend.wait_for(1);
    let began = Instant::now();
    let mut wire = asking.server.connect();
    assert_eq!(send(&mut wire, "POST /c/chat:a HTTP/1.1", &[], "x").0, 503);
    assert!(began.elapsed() < Duration::from_secs(20));
    let line = asking.server.line_with("has not answered a question");
    assert!(line.contains("hooks.questions_max"), "{line}");
    assert_eq!(wire.figure("fanfare_hook_failures_total{reason=\"full\"}"), 1);
}

#[test]
fn a_reload_exchanges_whom_and_how_is_asked() {
    let first = Backend::start(by_cookie);
    let open = "[namespaces.open]\nanonymous_subscribe = true\n";
    let asking = Asking::start(&first, &["connect"], open);
    let mut wire = asking.server.connect();
    let ask = |wire: &mut Wire| {
        wire.ask("GET /c/chat:a?poll=1 HTTP/1.1", &["Cookie: sid=ada"]);
        wire.answer().split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!((&*ask(&mut wire), first.types().len()), ("200", 1));
    let second = Backend::start(by_cookie);
    let both = format!("\"whsec_YW4gZXhhbXBsZSwgbm90IGEgc2VjcmV0IQ==\", \"{SECRET}\"");
    let exchanged =
        configuration(&second.url(), &["connect"], &format!("timeout = \"1s\"\n{open}"));
    let exchanged = exchanged.replace(&format!("\"{SECRET}\""), &both);
    fs::write(&asking.path, exchanged).unwrap();
    let line = asking.server.reload();
    for key in ["hooks.connect_url", "hooks.secrets", "hooks.timeout"] {
        assert!(line.contains(key), "{line}");
    }
    assert!(!line.contains("restart"), "{line}");
    assert_eq!((&*ask(&mut wire), second.types().len()), ("200", 1));
    let mut fresh = asking.server.connect();
    fresh.ask("GET /c/chat:a HTTP/1.1", &["Cookie: sid=ada", "Accept: text/event-stream"]);
    fresh.until("fanfare.open");
    assert_eq!((first.types().len(), second.types().len()), (0, 1));
    // Without a hook it is as if there had never been one.
    fs::write(&asking.path, configuration("", &[], open)).unwrap();
    asking.server.reload();
    assert_eq!((&*ask(&mut wire), second.types().len()), ("401", 0));
}

#[test]
fn a_channel_that_is_closed_while_the_backend_thinks_about_it_is_not_read() {
    let backend = Backend::start(|_| Reply::Late(Duration::from_secs(2), json!({"allow": true})));
    let rules = |calm: bool| {
        let chat = "[namespaces.chat]\nanonymous_subscribe = true\nask_subscribe = false\n";
        format!("{chat}[namespaces.calm]\nanonymous_subscribe = {calm}\n")
    };
    let asking = Asking::start(&backend, &["subscribe"], &rules(true));
    let mut socket = asking.server.connect();
    socket.open_websocket("/c/chat:a", &["Sec-WebSocket-Protocol: fanfare.v1"]);
    assert_eq!(text(&mut socket)["type"], "open");
    let subscribe = json!({"id": 1, "type": "subscribe", "channel": "calm:a"});
    socket.send(frame(0x81, subscribe.to_string().as_bytes()));
    asking.server.connect().wait_for_figure("fanfare_hook_questions_in_flight", 1);
    fs::write(&asking.path, configuration(&backend.url(), &["subscribe"], &rules(false))).unwrap();
    asking.server.reload();
    let told = text(&mut socket);
    assert_eq!((&told["id"], &told["type"]), (&json!(1), &json!("ok")), "{told}");
    let lost = text(&mut socket);
    assert_eq!((&lost["type"], &lost["channel"]), (&json!("end"), &json!("calm:a")), "{lost}");
    assert_eq!(lost["code"], "unauthorized", "{lost}");
}

#[test]
fn a_server_that_is_told_to_leave_does_not_wait_for_a_backend_that_hangs() {
    let backend = Backend::start(|_| Reply::Never);
    let more = format!("timeout = \"1m\"\n[drain]\nwindow = \"0s\"\n{OPEN}");
    let mut asking = Asking::start(&backend, &["subscribe"], &more);
    let mut wires = asking.connections();
    for wire in &mut wires {
        wire.ask("GET /c/chat:a HTTP/1.1", &["Accept: text/event-stream"]);
    }
    backend.wait_for(2);
    let began = Instant::now();
    asking.server.terminate();
    assert_eq!(asking.server.exit_code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(25), "{:?}", began.elapsed());
}

#[test]
fn no_cookie_and_no_answer_stands_in_the_log() {
    let backend = Backend::start(|question| {
        let mut answer = ada();
        answer["user"] = json!("canary-user");
        answer["grants"] = json!({"subscribe": ["**"], "publish": ["{canary-grant}"]});
        match question["headers"]["cookie"].as_str() {
            Some("sid=canary-good") => Reply::Json(ada()),
            _ => Reply::Json(answer),
        }
    });
    let asking = Asking::start(&backend, &["connect"], "");
    for (cookie, status) in [("sid=canary-good", "200"), ("sid=canary-bad", "503")] {
        for mut wire in asking.connections() {
            let cookie = format!("Cookie: {cookie}");
            wire.ask("GET /c/chat:a HTTP/1.1", &[&cookie, "Accept: application/x-ndjson"]);
            assert_eq!(wire.until("\r\n\r\n").split(' ').nth(1), Some(status));
        }
    }
    let log = asking.server.last_words().join("\n");
    assert!(log.contains("has not answered a question") && !log.contains("canary"), "{log}");
}
