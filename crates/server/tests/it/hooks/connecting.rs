//! Who somebody is, and whether they may read: asked over every transport, once, and told in the
//! backend's words.

use serde_json::{Value, json};

use super::{Asking, Backend, Reply, ada, by_cookie, closed, command, send, text};
use crate::http2::Client;
use crate::wire::{Wire, body};

const COOKIE: &str = "Cookie: sid=ada";

/// What asks to read `chat:a`, with what its headers say beside the cookie.
const READERS: [(&str, &str, &str); 6] = [
    ("sse", "GET /c/chat:a HTTP/1.1", "Accept: text/event-stream"),
    ("ndjson", "GET /c/chat:a HTTP/1.1", "Accept: application/x-ndjson"),
    ("raw", "GET /c/chat:a?as=raw HTTP/1.1", "Accept: */*"),
    ("poll", "GET /c/chat:a?poll=1 HTTP/1.1", "Accept: */*"),
    ("poll", "GET /c/chat:a?wait=1 HTTP/1.1", "Accept: */*"),
    ("sse", "HEAD /c/chat:a HTTP/1.1", "Accept: text/event-stream"),
];

/// The body of a problem; the answer to a HEAD has none.
fn rest(wire: &mut Wire, line: &str) -> String {
    if line.starts_with("HEAD") { String::new() } else { wire.until("}") }
}

#[test]
fn a_cookie_lets_its_user_read_over_every_transport_of_http() {
    let backend = Backend::start(by_cookie);
    let asking = Asking::start(&backend, &["connect", "subscribe"], "");
    for (transport, line, accept) in READERS {
        for mut wire in asking.connections() {
            wire.ask(line, &[COOKIE, accept]);
            let head = wire.until("\r\n\r\n");
            assert!(head.starts_with("HTTP/1.1 200"), "{line}: {head}");
            let asked = backend.asked();
            let [connect, subscribe] = &asked[..] else { panic!("{line}: {asked:?}") };
            assert_eq!(connect["type"], "connect", "{line}");
            assert_eq!(connect["channels"], json!(["chat:a"]));
            assert_eq!(connect["address"], "127.0.0.1");
            assert_eq!(connect["transport"], transport, "{line}");
            assert_eq!(
                (&subscribe["type"], &subscribe["user"]),
                (&json!("subscribe"), &json!("ada"))
            );
            assert_eq!(subscribe["headers"]["cookie"], "sid=ada");
        }
        // Without it the backend's words come instead, on the shard and on the edge.
        for mut wire in asking.connections() {
            wire.ask(line, &[accept]);
            let answer = wire.until("\r\n\r\n");
            let answer = answer + &rest(&mut wire, line);
            assert!(answer.starts_with("HTTP/1.1 401"), "{line}: {answer}");
            if !line.starts_with("HEAD") {
                assert!(answer.contains("Log in first."), "{line}: {answer}");
            }
            assert_eq!(backend.types(), ["connect"], "{line}");
        }
        // What the answer does not grant is refused without asking further.
        for mut wire in asking.connections() {
            wire.ask(&line.replace("chat:a", "news"), &[COOKIE, accept]);
            let answer = wire.until("\r\n\r\n");
            assert!(answer.starts_with("HTTP/1.1 403"), "{line}: {answer}");
            assert_eq!(backend.types(), ["connect"], "{line}");
        }
    }
}

#[test]
fn a_stream_that_was_asked_about_goes_on_as_any_other() {
    let backend = Backend::start(by_cookie);
    let asking = Asking::start(&backend, &["connect", "subscribe"], "");
    let mut publisher = asking.server.connect();
    for (place, mut wire) in asking.connections().into_iter().enumerate() {
        wire.ask("GET /c/chat:a HTTP/1.1", &[COOKIE, "Accept: text/event-stream"]);
        wire.until("fanfare.open");
        let text = format!("hello {place}");
        let key = ["Authorization: Bearer k"];
        let (status, answer) = send(&mut publisher, "POST /c/chat:a HTTP/1.1", &key, &text);
        assert_eq!(status, 200, "{answer}");
        wire.until(&format!("data: {text}"));
    }
}

#[test]
fn a_websocket_is_let_in_by_its_cookie_or_told_why_not() {
    let backend = Backend::start(by_cookie);
    let asking = Asking::start(&backend, &["connect"], "");
    let origin = format!("Origin: http://{}", asking.server.address());
    let host = "localhost";
    let origin = origin.replace(asking.server.address(), host);
    for language in ["fanfare.v1", "fanfare.raw"] {
        let offer = format!("Sec-WebSocket-Protocol: {language}");
        for mut wire in asking.connections() {
            wire.open_websocket("/c/chat:a", &[COOKIE, &origin, &offer]);
            if language == "fanfare.v1" {
                assert_eq!(text(&mut wire)["type"], "open");
                let reply =
                    command(&mut wire, &json!({"id": 1, "type": "subscribe", "channel": "chat:b"}));
                assert_eq!(reply["type"], "ok", "{reply}");
                let reply =
                    command(&mut wire, &json!({"id": 2, "type": "subscribe", "channel": "news"}));
                assert_eq!(reply["code"], "forbidden", "{reply}");
            }
            assert_eq!(backend.types(), ["connect"]);
        }
        for mut wire in asking.connections() {
            wire.open_websocket("/c/chat:a", &[&origin, &offer]);
            let (code, reason) = closed(&mut wire);
            assert_eq!((code, &*reason), (4001, "unauthorized: Log in first."));
        }
        backend.asked();
    }
    // A page that says no origin could be any page: its cookie is not shown.
    let mut wire = asking.server.connect();
    wire.open_websocket("/c/chat:a", &[COOKIE, "Sec-WebSocket-Protocol: fanfare.v1"]);
    assert_eq!(closed(&mut wire).0, 4001);
}

#[test]
fn readers_over_http2_are_asked_about_too() {
    let backend = Backend::start(by_cookie);
    let asking = Asking::start(&backend, &["connect", "subscribe"], "");
    let mut client = Client::connect(&asking.server);
    let sse = ("accept", "text/event-stream");
    let mut answer = client.ask(("GET", "/c/chat:a"), &[sse, ("cookie", "sid=ada")], None);
    assert_eq!(answer.status, 200);
    answer.body.until("fanfare.open");
    assert_eq!(backend.types(), ["connect", "subscribe"]);
    let mut answer = client.ask(("GET", "/c/chat:a"), &[sse], None);
    assert_eq!(answer.status, 401);
    assert!(answer.body.whole().contains("Log in first."));
}

#[test]
fn what_a_channel_is_asked_about_is_told_over_every_way_to_subscribe() {
    let backend = Backend::start(|question| match question["type"].as_str() {
        Some("connect") => Reply::Json(ada()),
        _ if question["channel"] == "chat:secret" => {
            Reply::Json(json!({"allow": false, "reason": "Members only."}))
        }
        _ => Reply::Json(json!({"allow": true})),
    });
    let asking = Asking::start(
        &backend,
        &["connect", "subscribe"],
        "[namespaces.chat]\n[namespaces.open]\nanonymous_subscribe = true\nask_subscribe = false\n",
    );
    for mut wire in asking.connections() {
        wire.ask("GET /c/chat:a,chat:secret HTTP/1.1", &["Accept: text/event-stream"]);
        let answer = wire.answer();
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
        let problem: Value = serde_json::from_str(body(&answer)).unwrap();
        assert_eq!(
            (&problem["detail"], &problem["channel"]),
            (&json!("Members only."), &json!("chat:secret"))
        );
    }
    for mut wire in asking.connections() {
        wire.open_websocket("/c/chat:secret", &["Sec-WebSocket-Protocol: fanfare.v1"]);
        assert_eq!(closed(&mut wire), (4003, "forbidden: Members only.".to_owned()));
    }
    for mut wire in asking.connections() {
        wire.open_websocket("/c/chat:a", &["Sec-WebSocket-Protocol: fanfare.v1"]);
        assert_eq!(text(&mut wire)["type"], "open");
        backend.asked();
        let subscribe = |channel: &str| json!({"id": 1, "type": "subscribe", "channel": channel});
        let reply = command(&mut wire, &subscribe("chat:secret"));
        assert_eq!(
            (&reply["code"], &reply["detail"]),
            (&json!("forbidden"), &json!("Members only."))
        );
        assert_eq!(command(&mut wire, &subscribe("chat:b"))["type"], "ok");
        assert_eq!(backend.types(), ["subscribe", "subscribe"]);
        // This namespace does not ask.
        assert_eq!(command(&mut wire, &subscribe("open:a"))["type"], "ok");
        assert!(backend.types().is_empty());
    }
    // A stream takes on channels by another request, which shows who sends it.
    for mut stream in asking.connections() {
        stream.ask("GET /c/chat:a HTTP/1.1", &["Accept: text/event-stream"]);
        stream.until("\"session\":\"");
        let session = stream.take(35);
        let line = format!("POST /sessions/{session} HTTP/1.1");
        let change = json!({"subscribe": [{"channel": "chat:secret"}, {"channel": "chat:b"}]});
        let (status, answer) = send(&mut asking.server.connect(), &line, &[], &change.to_string());
        assert_eq!(status, 200, "{answer}");
        assert_eq!(answer["results"][0]["error"]["detail"], "Members only.", "{answer}");
        assert!(answer["results"][1]["cursor"].is_string(), "{answer}");
    }
}

#[test]
fn who_shows_a_key_or_needs_nothing_is_not_asked_about() {
    let backend = Backend::start(by_cookie);
    let more = "[namespaces.open]\nanonymous_publish = true\nanonymous_subscribe = true\n";
    let asking = Asking::start(&backend, &["connect", "subscribe", "publish"], more);
    let key = "Authorization: Bearer k";
    for mut wire in asking.connections() {
        let (status, _) = send(&mut wire, "POST /c/chat:a HTTP/1.1", &[key], "x");
        assert_eq!(status, 200);
    }
    for mut wire in asking.connections() {
        wire.ask("GET /c/chat:a HTTP/1.1", &[key, "Accept: text/event-stream"]);
        wire.until("fanfare.open");
    }
    assert!(backend.types().is_empty());
    // A key that is none is a mistake, and nobody else's to judge.
    for mut wire in asking.connections() {
        wire.ask("GET /c/chat:a HTTP/1.1", &["Authorization: Bearer none", "Accept: */*"]);
        assert!(wire.answer().starts_with("HTTP/1.1 401"));
    }
    assert!(backend.types().is_empty());
    // Whoever publishes where anyone may is asked about as nobody in particular.
    for mut wire in asking.connections() {
        assert_eq!(send(&mut wire, "POST /c/open:a HTTP/1.1", &[], "x").0, 200);
        assert_eq!(backend.types(), ["publish"]);
    }
}

#[test]
fn a_cookie_lets_a_page_of_ours_do_what_else_it_takes() {
    let backend = Backend::start(by_cookie);
    let asking = Asking::start(&backend, &["connect"], "[namespaces.chat]\npresence = true\n");
    let ours = ["Cookie: sid=ada", "Origin: http://localhost"];
    for (line, sent) in [
        ("POST /c/chat:a HTTP/1.1", "x"),
        ("POST /publish HTTP/1.1", "{\"channel\":\"chat:a\",\"data\":1}"),
        ("GET /c/chat:a/history HTTP/1.1", ""),
        ("GET /c/chat:a/presence HTTP/1.1", ""),
    ] {
        for mut wire in asking.connections() {
            let (status, answer) = send(&mut wire, line, &ours, sent);
            assert_eq!(status, 200, "{line}: {answer}");
            assert_eq!(backend.types(), ["connect"], "{line}");
        }
        for mut wire in asking.connections() {
            let (status, answer) = send(&mut wire, line, &[], sent);
            assert_eq!((status, &answer["detail"]), (401, &json!("Log in first.")), "{line}");
        }
        backend.asked();
    }
    for mut wire in asking.connections() {
        let (status, answer) = send(&mut wire, "DELETE /c/chat:a HTTP/1.1", &ours, "");
        assert_eq!(status, 403, "{answer}");
        // The cookie of whatever page asked is not shown.
        let (status, _) = send(&mut wire, "POST /c/chat:a HTTP/1.1", &["Cookie: sid=ada"], "x");
        assert_eq!(status, 401);
    }
}

#[test]
fn members_are_told_as_the_backend_says() {
    let backend = Backend::start(|_| {
        let mut answer = ada();
        answer["info"] = json!({"name": "Ada"});
        Reply::Json(answer)
    });
    let asking = Asking::start(&backend, &["connect"], "[namespaces.chat]\npresence = true\n");
    let mut reader = asking.server.connect();
    let line = "GET /c/chat:a?client=tab1&info=%22me%22 HTTP/1.1";
    reader.ask(line, &["Accept: text/event-stream"]);
    reader.until("fanfare.open");
    let mut wire = asking.server.connect();
    let (_, answer) = send(&mut wire, "GET /c/chat:a/presence HTTP/1.1", &[], "");
    let member = &answer["members"][0];
    assert_eq!(member["user"], "ada", "{answer}");
    assert_eq!((&member["client"], &member["info"]), (&json!("tab1"), &json!({"name": "Ada"})));
}
