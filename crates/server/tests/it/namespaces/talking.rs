//! What the frames of a WebSocket may do.

use super::{KEY, Serving, closed_with, post};
use crate::wire::{Wire, frame};

/// Sends a command and gives the reply.
fn command(wire: &mut Wire, rest: &str) -> String {
    wire.send(frame(0x81, format!("{{\"id\":1,\"type\":{rest}}}").as_bytes()));
    loop {
        let (_, payload) = wire.frame();
        let text = String::from_utf8_lossy(&payload).into_owned();
        if text.starts_with("{\"id\":1,") {
            return text;
        }
    }
}

#[test]
fn every_command_asks_what_its_channel_allows() {
    let serving = Serving::start();
    let forbidden = "\"code\":\"forbidden\"";
    let unauthorized = "\"code\":\"unauthorized\"";
    let ok = "\"type\":\"ok\"";
    for (headers, commands) in [
        (
            &[][..],
            &[
                ("\"subscribe\",\"channel\":\"closed\"", unauthorized),
                ("\"subscribe\",\"channel\":\"news:a\"", ok),
                ("\"subscribe\",\"channel\":\"talk:a\"", ok),
                ("\"history\",\"channel\":\"closed\"", unauthorized),
                ("\"history\",\"channel\":\"news:a\"", ok),
                ("\"publish\",\"channel\":\"talk:a\",\"data\":\"x\"", ok),
                ("\"publish\",\"channel\":\"talk:a\",\"end\":true", unauthorized),
                ("\"publish\",\"channel\":\"news:a\",\"data\":\"x\"", forbidden),
                ("\"publish\",\"channel\":\"closed\",\"data\":\"x\"", unauthorized),
                ("\"unsubscribe\",\"channel\":\"talk:a\"", ok),
            ][..],
        ),
        (
            &[KEY],
            &[
                ("\"subscribe\",\"channel\":\"closed\"", ok),
                ("\"history\",\"channel\":\"closed\"", ok),
                ("\"publish\",\"channel\":\"closed\",\"data\":\"x\"", ok),
                ("\"publish\",\"channel\":\"news:a\",\"data\":\"x\"", forbidden),
                ("\"publish\",\"channel\":\"talk:over\",\"end\":true", ok),
            ],
        ),
    ] {
        for (number, mut wire) in serving.connections().into_iter().enumerate() {
            let protocol = "Sec-WebSocket-Protocol: fanfare.v1";
            wire.open_websocket("/c", &[&[protocol], headers].concat());
            for (said, expected) in commands {
                // What one connection has ended the other cannot end.
                let said = said.replace("talk:over", &format!("talk:over-{number}"));
                let reply = command(&mut wire, &said);
                assert!(reply.contains(expected), "{headers:?} {said}: {reply}");
            }
            let reply = command(&mut wire, "\"publish\",\"channel\":\"news:a\",\"data\":\"x\"");
            assert!(reply.contains("set `namespaces.news.client_publish` to true"), "{reply}");
        }
    }
    serving.connect().wait_for_figure("fanfare_refusals_total{reason=\"forbidden\"}", 8);
}

#[test]
fn a_raw_frame_is_published_only_where_frames_may() {
    let serving = Serving::start();
    for mut wire in serving.connections() {
        wire.open_websocket("/c/talk:a", &[]);
        wire.send(frame(0x81, b"said"));
        assert_eq!(wire.frame(), (0x81, b"said".to_vec()), "it comes back to its sender");
    }
    for headers in [&[][..], &[KEY]] {
        for mut wire in serving.connections() {
            wire.open_websocket("/c/news:a", headers);
            let posted = post(&mut serving.connect(), "/c/news:a", "posted", &[KEY]);
            assert!(posted.starts_with("HTTP/1.1 200 "), "{posted}");
            assert_eq!(wire.frame(), (0x81, b"posted".to_vec()), "posting is not concerned");
            wire.send(frame(0x81, b"said"));
            let (code, reason) = closed_with(&mut wire);
            assert_eq!(code, 1008, "{reason}");
            let told = "forbidden: A WebSocket's frames may not publish here: \
                        `namespaces.news.client_publish` is false.";
            assert!(reason.starts_with(told), "{reason}");
        }
    }
}
