//! Frames, heads and bodies above their limits.

use super::Before;
use crate::server::Server;
use crate::wire::{Wire, body, frame, frame_head};

const MEBIBYTE: u64 = 1024 * 1024;

#[test]
fn a_frame_over_the_limit_is_refused_by_its_head_alone() {
    let server = Server::dev(&[]);
    let before = Before::of(&server);
    for length in [MEBIBYTE + 1, 1 << 40, (1 << 63) - 1] {
        for head in [0x81, 0x82, 0x02] {
            let mut wire = server.connect();
            wire.open_websocket("/c/a", &[]);
            wire.send(frame_head(head, length));
            too_big(&mut wire);
        }
    }
    let mut wire = server.connect();
    wire.open_websocket("/c/a", &["Sec-WebSocket-Protocol: fanfare.v1"]);
    wire.frame();
    wire.send(frame_head(0x81, 8 * MEBIBYTE + 1));
    too_big(&mut wire);
    before.check(&server, "frames that claim to be large");
}

#[test]
fn a_message_over_the_limit_is_refused_however_it_is_cut() {
    let server = Server::dev(&[]);
    let before = Before::of(&server);
    let mut wire = server.connect();
    wire.open_websocket("/c/a", &[]);
    wire.send(frame(0x02, &vec![0; 1024 * 1024]));
    wire.send(frame(0x80, b"x"));
    too_big(&mut wire);
    before.check(&server, "a large message in fragments");
}

fn too_big(wire: &mut Wire) {
    let (head, payload) = wire.frame();
    assert_eq!(head, 0x88);
    assert_eq!(payload.get(..2), Some(1009_u16.to_be_bytes().as_slice()));
}

#[test]
fn a_head_over_the_limit_is_refused_on_shard_and_edge_alike() {
    let server = Server::dev(&[]);
    let before = Before::of(&server);
    let long = format!("X-Long: {}", "x".repeat(16 * 1024));
    let many = (0..200).map(|n| format!("X-{n}: x\r\n")).collect::<String>();
    for header in [long.as_str(), many.trim_end()] {
        for mut wire in [server.connect(), server.connect_to_edge("a")] {
            wire.ask("GET /c/a HTTP/1.1", &[header]);
            let (answer, _) = wire.end();
            assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
        }
    }
    // One that never ends is told as soon as it is too large.
    let mut wire = server.connect();
    wire.send(format!("GET /c/a?{}", "x".repeat(20 * 1024)));
    let (answer, _) = wire.end();
    assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    assert!(answer.contains("\"code\":\"head-too-large\""), "{answer}");
    before.check(&server, "large heads");
}

#[test]
fn a_body_over_the_limit_is_refused_with_its_length_and_without() {
    let server = Server::dev(&[]);
    let before = Before::of(&server);
    for target in ["/c/a", "/publish"] {
        let bytes = if target == "/publish" { 8 * MEBIBYTE + 1 } else { MEBIBYTE + 1 };
        let payload = "x".repeat(usize::try_from(bytes).unwrap());
        let mut wire = server.connect();
        wire.ask(&format!("POST {target} HTTP/1.1"), &[&format!("Content-Length: {bytes}")]);
        wire.send(&payload);
        too_large(&mut wire);
        let mut wire = server.connect();
        wire.ask(&format!("POST {target} HTTP/1.1"), &["Transfer-Encoding: chunked"]);
        wire.send(format!("{bytes:x}\r\n{payload}\r\n0\r\n\r\n"));
        too_large(&mut wire);
    }
    // A length that no memory holds is refused before anything of it comes.
    let mut wire = server.connect();
    wire.ask("POST /c/a HTTP/1.1", &["Content-Length: 1000000000000000", "Expect: 100-continue"]);
    too_large(&mut wire);
    before.check(&server, "large bodies");
}

fn too_large(wire: &mut Wire) {
    let answer = wire.answer();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(body(&answer).contains("limits.payload_bytes_max"), "{answer}");
}
