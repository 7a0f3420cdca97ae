//! Messages in very many pieces.

use std::io::Write;
use std::thread;

use super::Before;
use crate::server::Server;
use crate::wire::frame;

/// The fragments of one message.
const FRAGMENTS: usize = 1_000_000;

#[test]
fn a_million_fragments_are_one_message() {
    let server = Server::dev(&[]);
    let before = Before::of(&server);
    // The first one, and all others but the last one, are of one byte each.
    fragments(&server, b"x", FRAGMENTS - 1, FRAGMENTS);
    // Empty ones add nothing to the message, nor to what is kept of it.
    fragments(&server, b"", FRAGMENTS, 1);
    before.check(&server, "a million tiny fragments");
}

fn fragments(server: &Server, piece: &[u8], more: usize, bytes: usize) {
    let mut wire = server.connect();
    wire.open_websocket("/c/a", &[]);
    let mut sent = frame(0x01, b"x");
    sent.extend(frame(0x00, piece).repeat(more));
    sent.extend(frame(0x80, b""));
    let mut writer = wire.writer();
    let writing = thread::spawn(move || writer.write_all(&sent));
    let (head, payload) = wire.frame();
    assert_eq!(head, 0x81);
    assert_eq!(payload.len(), bytes);
    assert!(payload.iter().all(|byte| *byte == b'x'));
    writing.join().unwrap().unwrap();
}
