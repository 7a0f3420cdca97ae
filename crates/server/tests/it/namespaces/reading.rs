//! Who may read what, over each transport.

use super::{KEY, Serving, closed_with};
use crate::wire::{body, header};

/// What is asked for of a channel, over plain HTTP.
const READS: [&str; 8] = [
    "GET /c/{} HTTP/1.1\r\nAccept: text/event-stream",
    "GET /c/{}?as=ndjson HTTP/1.1",
    "GET /c/{}?as=raw HTTP/1.1",
    "GET /c/{}?poll=1 HTTP/1.1",
    "GET /c/{}?wait=0 HTTP/1.1",
    "GET /c/{}/history HTTP/1.1",
    "HEAD /c/{} HTTP/1.1",
    "HEAD /c/{}/history HTTP/1.1",
];

#[test]
fn reading_takes_a_key_where_the_namespace_does_not_open_it() {
    let serving = Serving::start();
    for read in READS {
        for (channel, headers, status) in [
            ("news:a", &[][..], "200"),
            ("talk:a", &[], "200"),
            ("news:a", &[KEY], "200"),
            ("news:a", &["Authorization: Bearer wrong"], "401"),
            ("closed", &[], "401"),
            ("closed", &["Authorization: Bearer wrong"], "401"),
            ("closed", &[KEY], "200"),
        ] {
            for mut wire in serving.connections() {
                wire.ask(&read.replace("{}", channel), headers);
                let head = wire.until("\r\n\r\n");
                let told = head.starts_with(&format!("HTTP/1.1 {status} "));
                assert!(told, "{read} {channel} {headers:?}: {head}");
            }
        }
    }
}

#[test]
fn several_channels_are_read_only_if_each_may_be() {
    let serving = Serving::start();
    for (channels, headers, status) in [
        ("news:a,talk:a", &[][..], "200"),
        ("news:a,closed,talk:a", &[], "401"),
        ("news:a,closed,talk:a", &[KEY], "200"),
    ] {
        for transport in ["?as=sse", "?as=ndjson", "?poll=1"] {
            for mut wire in serving.connections() {
                wire.ask(&format!("GET /c/{channels}{transport} HTTP/1.1"), headers);
                let head = wire.until("\r\n\r\n");
                let told = head.starts_with(&format!("HTTP/1.1 {status} "));
                assert!(told, "{channels} {transport}: {head}");
            }
        }
    }
}

#[test]
fn the_refusal_says_which_channel_and_which_key_to_change() {
    let serving = Serving::start();
    let mut wire = serving.connect();
    wire.ask("GET /c/news:a,closed?poll=1 HTTP/1.1", &[]);
    let answer = wire.answer();
    assert_eq!(header(&answer, "www-authenticate"), Some("Bearer"));
    let problem = body(&answer);
    for part in [
        "\"code\":\"unauthorized\"",
        "\"channel\":\"closed\"",
        "`auth.anonymous_subscribe`",
        "`auth.publisher_keys`",
    ] {
        assert!(problem.contains(part), "{part}: {problem}");
    }
}

#[test]
fn a_websocket_is_told_after_its_handshake() {
    let serving = Serving::start();
    for protocol in ["fanfare.raw", "fanfare.v1"] {
        let offered = format!("Sec-WebSocket-Protocol: {protocol}");
        let with_key = format!("Sec-WebSocket-Protocol: {protocol}, bearer.tell-nobody");
        let with_wrong_key = format!("Sec-WebSocket-Protocol: {protocol}, bearer.wrong");
        for (channels, headers, opens) in [
            ("news:a", &[offered.as_str()][..], true),
            ("closed", &[&offered], false),
            ("news:a,closed", &[&offered], false),
            ("closed", &[&with_key], true),
            ("news:a,closed", &[&offered, KEY], true),
            ("news:a", &[&with_wrong_key], false),
        ] {
            for mut wire in serving.connections() {
                wire.open_websocket(&format!("/c/{channels}"), headers);
                if !opens {
                    let (code, reason) = closed_with(&mut wire);
                    assert_eq!(code, 4001, "{channels} {headers:?}: {reason}");
                    assert!(reason.starts_with("unauthorized: "), "{reason}");
                } else if protocol == "fanfare.v1" {
                    let (_, open) = wire.frame();
                    let open = String::from_utf8_lossy(&open).into_owned();
                    assert!(open.starts_with("{\"type\":\"open\""), "{channels}: {open}");
                } else {
                    // A ping that is answered shows that it is open.
                    wire.send(crate::wire::frame(0x89, b"there"));
                    assert_eq!(wire.frame(), (0x8a, b"there".to_vec()), "{channels}");
                }
            }
        }
    }
}
