//! Clients that ask and do not read the answers.

use super::Before;
use crate::server::Server;
use crate::wire::{Wire, frame};

/// More than the buffers of both kernels hold together.
const SENT_BYTES: usize = 64 * 1024 * 1024;

#[test]
fn who_pings_without_reading_is_not_listened_to_until_it_reads() {
    let server = Server::dev(&[]);
    let before = Before::of(&server);
    let ping = frame(0x89, &[b'p'; 125]);
    let mut pinging = server.connect();
    pinging.open_websocket("/c/a", &[]);
    let pings = flood(&mut pinging, &ping);

    let text = frame(0x81, b"ping");
    let mut asking = server.connect();
    asking.open_websocket("/c/a", &[]);
    let texts = flood(&mut asking, &text);
    before.check(&server, "pings without reading");
    assert!(server.connect().post_chunked("b", "x").starts_with("HTTP/1.1 200 "));

    for _ in 0..pings {
        assert_eq!(pinging.frame(), (0x8a, vec![b'p'; 125]));
    }
    for _ in 0..texts {
        assert_eq!(asking.frame(), (0x81, b"pong".to_vec()));
    }
    pinging.send(frame(0x88, &[]));
    assert_eq!(pinging.frame().0, 0x88);
}

/// Sends `frame` over and over until nobody listens any more. Says how often it went, once the
/// last one is whole.
fn flood(wire: &mut Wire, frame: &[u8]) -> usize {
    let sent = wire.fill(&frame.repeat(SENT_BYTES / frame.len()));
    assert!(sent < SENT_BYTES - frame.len(), "the server took everything and kept the answers");
    let missing = frame.len() - sent % frame.len();
    let mut writer = wire.writer();
    let rest = frame[frame.len() - missing..].to_vec();
    // It blocks until the answers are read.
    std::thread::spawn(move || std::io::Write::write_all(&mut writer, &rest));
    sent / frame.len() + 1
}
