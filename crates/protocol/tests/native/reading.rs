//! Content negotiation, row by row as PROTOCOL.md has it, and the settings of a reader.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::frame::Format;
use fanfare_core::rate::Rate;
use fanfare_core::shard::Echo;
use fanfare_core::start::Start;
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::reading::{BodyWanted, HeartbeatForm, OpeningEvent, Pong, Transport};
use fanfare_protocol::native::route::{Route, Rules, route};

use fanfare_protocol::websocket::Subprotocol;

use crate::asking::{NOW, ask, get, handshake, reading, refused};

/// The transport in a word.
fn kind(target: &str, headers: &[(&str, &str)]) -> String {
    match ask("GET", target, headers) {
        Ok(Route::Read(reading)) => match reading.transport {
            Transport::Sse => format!("sse {:?}", reading.format),
            Transport::Ndjson => "ndjson".to_owned(),
            Transport::Text => "text".to_owned(),
            Transport::Poll { wait } => format!("poll {}", wait.as_secs()),
            Transport::WebSocket(socket) => format!("websocket {:?}", socket.language),
        },
        Ok(Route::ChannelPage(_)) => "page".to_owned(),
        Ok(Route::History(_)) => "history".to_owned(),
        Ok(Route::Presence(_)) => "presence".to_owned(),
        Ok(other) => format!("{other:?}"),
        Err(problem) => format!("{} {}", problem.status(), problem.code().name()),
    }
}

/// A target, its headers, and what it gets.
type Row<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn the_first_row_that_matches_decides_the_transport() {
    let websocket = handshake(&[]);
    let websocket_and_sse = handshake(&[("Accept", "text/event-stream")]);
    let key: &[(&str, &str)] = &[("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")];
    let key_and_sse: &[(&str, &str)] =
        &[("Sec-WebSocket-Version", "13"), ("Accept", "text/event-stream")];
    let browser: &[(&str, &str)] =
        &[("Accept", "text/html,application/xhtml+xml,*/*;q=0.8"), ("Sec-Fetch-Mode", "navigate")];
    let sse: &[(&str, &str)] = &[("Accept", "application/json, Text/Event-Stream;q=0.1")];
    let rows: &[Row<'_>] = &[
        ("/c/a", &websocket, "websocket Raw"),
        ("/c/a?as=ndjson", &websocket_and_sse, "websocket Raw"),
        ("/c/a", key, "426 upgrade-required"),
        ("/c/a", key_and_sse, "426 upgrade-required"),
        ("/c/a?as=sse", browser, "sse Sse"),
        ("/c/a?as=envelope", &[], "sse SseEnvelope"),
        ("/c/a?as=ndjson", sse, "ndjson"),
        ("/c/a?as=json", sse, "poll 0"),
        ("/c/a?as=raw", sse, "text"),
        ("/c/a?as=json&wait=9", &[], "poll 9"),
        ("/c/a?wait=20", sse, "poll 20"),
        ("/c/a?wait=0", &[], "poll 0"),
        ("/c/a?wait=99", &[], "poll 60"),
        ("/c/a?wait=-1", &[], "poll 0"),
        ("/c/a?wait=", sse, "sse Sse"),
        ("/c/a?wait=soon", &[], "400 parameter-invalid"),
        ("/c/a?poll=1", sse, "poll 0"),
        ("/c/a?poll=0", sse, "sse Sse"),
        ("/c/a?as=sse&wait=1", &[], "400 parameter-conflict"),
        ("/c/a?as=raw&poll=1", &[], "400 parameter-conflict"),
        ("/c/a?as=xml", &[], "400 parameter-invalid"),
        ("/c/a", sse, "sse Sse"),
        ("/c/a", &[("Accept", "application/x-ndjson")], "ndjson"),
        ("/c/a", &[("Accept", "application/json"), ("Accept", "application/x-ndjson")], "ndjson"),
        ("/c/a", &[("Accept", "application/json")], "poll 0"),
        ("/c/a", &[("Accept", "text/event-stream;q=0, application/json")], "poll 0"),
        ("/c/a", browser, "page"),
        ("/c/a", &[("Accept", "*/*")], "sse Sse"),
        ("/c/a", &[("Accept", "image/png")], "sse Sse"),
        ("/c/a", &[], "sse Sse"),
        ("/c/a?event=channel", &[], "sse SseChannel"),
        ("/c/a?event=other", &[], "400 parameter-invalid"),
        ("/c/a?event=channel&as=envelope", &[], "400 parameter-conflict"),
        ("/c/a,open?event=channel", &[], "400 parameter-conflict"),
        ("/c/error?event=channel", &[], "400 parameter-conflict"),
        ("/c/a/history", sse, "history"),
        ("/c/a?history", browser, "history"),
        ("/c/a/presence", sse, "presence"),
    ];
    for (target, headers, expected) in rows {
        assert_eq!(kind(target, headers), *expected, "{target} {headers:?}");
    }
}

#[test]
fn a_handshake_that_is_not_valid_gets_http() {
    for (name, value, status) in [
        ("Sec-WebSocket-Version", Some("12"), 426),
        ("Sec-WebSocket-Version", None, 426),
        ("Upgrade", None, 426),
        ("Connection", Some("keep-alive"), 400),
        ("Sec-WebSocket-Key", Some("short"), 400),
        ("Sec-WebSocket-Key", None, 400),
        ("Host", None, 400),
    ] {
        let headers: Vec<(&str, &str)> = handshake(&[])
            .into_iter()
            .filter_map(|(known, known_value)| {
                let value = if known == name { value } else { Some(known_value) };
                value.map(|value| (known, value))
            })
            .collect();
        let problem = refused(ask("GET", "/c/a", &headers));
        assert_eq!(problem.status(), status, "{name} {value:?}");
        if status == 426 {
            assert!(problem.headers().contains(&("Upgrade", "websocket")));
            assert!(problem.headers().contains(&("Sec-WebSocket-Version", "13")));
        }
    }
    for more in [("Host", "b"), ("Content-Length", "3"), ("Transfer-Encoding", "chunked")] {
        let problem = refused(ask("GET", "/c/a", &handshake(&[more])));
        assert_eq!(problem.code(), Code::HandshakeInvalid, "{more:?}");
    }
}

#[test]
fn the_first_known_subprotocol_is_selected_and_a_token_never_echoed() {
    for (offer, language, echoed) in [
        (None, Subprotocol::Raw, None),
        (Some("fanfare.raw"), Subprotocol::Raw, Some("fanfare.raw")),
        (Some("x, fanfare.v1, fanfare.raw"), Subprotocol::V1, Some("fanfare.v1")),
        (Some("bearer.abc, fanfare.v1"), Subprotocol::V1, Some("fanfare.v1")),
    ] {
        let more: Vec<_> =
            offer.map(|offer| ("Sec-WebSocket-Protocol", offer)).into_iter().collect();
        let asked = reading("/c/a", &handshake(&more));
        let Transport::WebSocket(socket) = asked.transport else {
            panic!("no WebSocket for {offer:?}");
        };
        assert_eq!((socket.language, socket.subprotocol), (language, echoed), "{offer:?}");
        // The example of RFC 6455 §1.3.
        assert_eq!(socket.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
    for offer in ["graphql-ws", "bearer.abc"] {
        let headers = handshake(&[("Sec-WebSocket-Protocol", offer)]);
        assert_eq!(refused(ask("GET", "/c/a", &headers)).code(), Code::SubprotocolUnknown);
    }
}

#[test]
fn channels_come_from_the_path_and_the_query() {
    for (target, expected) in [
        ("/c/news", &["news"][..]),
        ("/c/a,b,a", &["a", "b"]),
        ("/c/a%2Cb", &["a,b"]),
        ("/c/runs%2F1", &["runs/1"]),
        ("/c?channel=runs/1&channel=b", &["runs/1", "b"]),
        ("/c/?channel=a+b", &["a+b"]),
        ("/c/a?channel=b", &["a", "b"]),
        ("/c/history", &["history"]),
        ("/c/%E6%97%A5%E6%9C%AC", &["日本"]),
    ] {
        let names: Vec<String> = reading(target, &[])
            .subscriptions
            .iter()
            .map(|subscription| subscription.channel.to_string())
            .collect();
        assert_eq!(names, expected, "{target}");
    }
    let many: Vec<String> = (0..65).map(|number| format!("n{number}")).collect();
    for (target, code) in [
        ("/c", Code::ChannelMissing),
        ("/c?channel=", Code::ChannelMissing),
        ("/c/a,,b", Code::ChannelInvalid),
        ("/c/a/b", Code::ChannelInvalid),
        ("/c/$sys", Code::ChannelInvalid),
        ("/c/a%20b", Code::ChannelInvalid),
        ("/c/%ff", Code::ChannelInvalid),
        ("/c/%2", Code::ChannelInvalid),
        (&format!("/c/{}", many.join(",")), Code::ChannelsTooMany),
        ("/c/a,b/history", Code::ParameterInvalid),
    ] {
        assert_eq!(refused(get(target)).code(), code, "{target}");
    }
    assert_eq!(reading(&format!("/c/{}", many[..64].join(",")), &[]).subscriptions.len(), 64);
}

#[test]
fn a_path_without_channels_is_for_v1_alone() {
    let v1 = handshake(&[("Sec-WebSocket-Protocol", "fanfare.v1")]);
    assert!(reading("/c", &v1).subscriptions.is_empty());
    assert_eq!(refused(ask("GET", "/c", &handshake(&[]))).code(), Code::ChannelMissing);
}

#[test]
fn methods_lead_where_they_belong() {
    for (method, target, expected) in [
        ("POST", "/c/a", "Publish"),
        ("PUT", "/c/a", "Publish"),
        ("DELETE", "/c/a,b", "Remove"),
        ("OPTIONS", "/c/a", "Preflight"),
        ("OPTIONS", "/publish", "Preflight"),
        ("POST", "/publish", "Batch"),
        ("POST", "/sessions/AAAAAAAAAAAAAAAAAAAAAQACAAAAAwAAAAQ", "Change"),
        ("OPTIONS", "/sessions/x", "Preflight"),
        ("GET", "/", "Other"),
        ("GET", "/health", "Other"),
        ("GET", "/cc", "Other"),
    ] {
        let route = ask(method, target, &[]).unwrap();
        assert!(format!("{route:?}").starts_with(expected), "{method} {target} {route:?}");
    }
    for (method, target) in
        [("PATCH", "/c/a"), ("GET", "/publish"), ("POST", "/c/a/history"), ("GET", "/sessions/x")]
    {
        let problem = refused(ask(method, target, &[]));
        assert_eq!(problem.code(), Code::MethodNotAllowed);
        assert!(problem.headers().iter().any(|(name, _)| *name == "Allow"));
    }
    for id in ["x", "", "%41", "AAAAAAAAAAAAAAAAAAAAAQ", &"A".repeat(10_000)] {
        let problem = refused(ask("POST", &format!("/sessions/{id}"), &[]));
        assert_eq!(problem.code(), Code::SessionGone, "{id}");
    }
    assert_eq!(refused(ask("DELETE", "/c", &[])).code(), Code::ChannelMissing);
}

#[test]
fn the_settings_of_a_reader_are_read_and_clamped() {
    let plain = reading("/c/a?unknown=1", &[]);
    assert_eq!(plain.echo, Echo::On);
    assert_eq!(plain.opening, OpeningEvent::Told);
    assert_eq!(plain.body, BodyWanted::Yes);
    assert_eq!(reading("/c/a?echo=0", &[]).echo, Echo::Off);
    assert_eq!(reading("/c/a?open=0", &[]).opening, OpeningEvent::Silent);
    for (text, seconds, form) in [
        ("", 15, HeartbeatForm::Comment),
        ("10s", 10, HeartbeatForm::Comment),
        ("10", 10, HeartbeatForm::Comment),
        ("1s", 5, HeartbeatForm::Comment),
        ("2h", 60, HeartbeatForm::Comment),
        ("event", 15, HeartbeatForm::Event),
        ("event:10s", 10, HeartbeatForm::Event),
    ] {
        let heartbeat = reading(&format!("/c/a?heartbeat={text}"), &[]).heartbeat;
        assert_eq!(heartbeat.every, Duration::from_secs(seconds), "{text}");
        assert_eq!(heartbeat.form, form, "{text}");
    }
    for target in ["heartbeat=often", "heartbeat=event:", "echo=maybe", "open=x", "wait=%zz"] {
        let problem = refused(get(&format!("/c/a?{target}")));
        assert_eq!(problem.code(), Code::ParameterInvalid, "{target}");
    }
    for (text, rate) in [
        ("", None),
        ("1", Some(Rate::One)),
        ("1.99", Some(Rate::One)),
        ("5", Some(Rate::Five)),
        ("9.5", Some(Rate::Five)),
        ("49", Some(Rate::Twenty)),
        ("50.0", Some(Rate::Fifty)),
        ("1000", Some(Rate::Fifty)),
        ("99999999999999999999999", Some(Rate::Fifty)),
    ] {
        assert_eq!(reading(&format!("/c/a?max_rate={text}"), &[]).max_rate, rate, "{text}");
        let socket = reading(&format!("/c/a?max_rate={text}"), &handshake(&[]));
        assert_eq!(socket.max_rate, rate, "{text}");
    }
    for text in ["0", "0.5", "0.99", "-1", "often", "1e3", "1.", ".5", "1.2.3", "+5", "5/s"] {
        let problem = refused(get(&format!("/c/a?max_rate={text}")));
        assert_eq!(problem.code(), Code::ParameterInvalid, "{text}");
        assert!(problem.hint().contains("max_rate=5"), "{text}");
    }
    for poll in ["wait=10", "poll=1", "as=json"] {
        let problem = refused(get(&format!("/c/a?{poll}&max_rate=5")));
        assert_eq!(problem.code(), Code::ParameterConflict, "{poll}");
    }
    for (query, expected) in
        [("", Pong::Usual), ("?pong=here", Pong::Text("here".into())), ("?ping=off", Pong::Off)]
    {
        let Transport::WebSocket(socket) =
            reading(&format!("/c/a{query}"), &handshake(&[])).transport
        else {
            panic!("no WebSocket");
        };
        assert_eq!(socket.pong, expected);
    }
}

#[test]
fn a_head_request_never_opens_a_stream() {
    let headers = handshake(&[]);
    let Ok(Route::Read(asked)) = ask("HEAD", "/c/a", &headers) else {
        panic!("HEAD is a reading");
    };
    assert_eq!(asked.transport, Transport::Sse);
    assert_eq!(asked.body, BodyWanted::No);
}

#[test]
fn old_http_is_told_apart() {
    let head = Head::new("GET", "/c/a", Version::Http10, &[]);
    let Ok(Route::Read(asked)) = route(&head, &Rules::default(), NOW) else {
        panic!("HTTP/1.0 reads too");
    };
    assert_eq!(asked.version, Version::Http10);
    assert_eq!(asked.format, Format::Sse);
}

#[test]
fn a_poll_starts_with_everything_by_default() {
    for (target, start) in [
        ("/c/a?poll=1", Start::All),
        ("/c/a?poll=1&since=now", Start::Now),
        ("/c/a?wait=0", Start::Now),
    ] {
        assert_eq!(reading(target, &[]).subscriptions[0].start, start, "{target}");
    }
}
