//! Requests that never come to their end.

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use super::Before;
use crate::server::Server;
use crate::wire::Wire;

/// Clients that drip at the same time.
const CLIENTS: usize = 100;

#[test]
fn a_dripped_head_is_told_in_time() {
    let server = Server::dev(&[("FANFARE_LIMITS__REQUEST_HEAD_TIMEOUT", "2s")]);
    let start = "GET /c/x HTTP/1.1\r\nHost: localhost\r\nX-Long: ";
    let head = format!("{start}{}", "x".repeat(8_000));
    let begin = |mut wire: Wire| {
        wire.send(&head);
        wire
    };
    drip(
        &server,
        &[
            ("dripped heads", &|| begin(server.connect())),
            ("dripped heads at the edge", &|| begin(server.connect_to_edge("x"))),
        ],
    );
}

#[test]
fn a_dripped_body_is_told_in_time() {
    let server = Server::dev(&[("FANFARE_LIMITS__REQUEST_BODY_PROGRESS_TIMEOUT", "2s")]);
    let begin = |length: &str, first: &[u8]| {
        let mut wire = server.connect();
        wire.ask("POST /c/x HTTP/1.1", &[length]);
        wire.send(first);
        wire
    };
    let half = "x".repeat(30_000).into_bytes();
    drip(
        &server,
        &[
            ("dripped bodies", &|| begin("Content-Length: 60000", &half)),
            ("dripped large bodies", &|| begin("Content-Length: 1000000", &half)),
            ("dripped chunks", &|| begin("Transfer-Encoding: chunked", b"ea60\r\n")),
        ],
    );
}

/// Has many clients of each kind send a byte now and then, which gains them nothing.
fn drip(server: &Server, kinds: &[(&str, &dyn Fn() -> Wire)]) {
    let before = Before::of(server);
    let began = Instant::now();
    let wires: Vec<_> = kinds
        .iter()
        .flat_map(|(what, begin)| (0..CLIENTS).map(move |_| (*what, begin())))
        .collect();
    let stop = keep_dripping(wires.iter().map(|(_, wire)| wire.writer()).collect());
    for (what, mut wire) in wires {
        let (answer, _) = wire.end();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{what}: {answer}");
        assert!(answer.contains("\"code\":\"request-timeout\""), "{what}: {answer}");
    }
    drop(stop);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2), "told after {took:?}");
    assert!(took < Duration::from_secs(10), "told after {took:?}");
    before.check(server, kinds[0].0);
}

/// A byte on every socket ten times a second, until the result is dropped.
fn keep_dripping(sockets: Vec<TcpStream>) -> SyncSender<()> {
    let (stop, stopped) = sync_channel(1);
    thread::spawn(move || {
        while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(Duration::from_millis(100))
        {
            for mut socket in &sockets {
                // Those that were answered already take nothing more.
                let _closed = socket.write(b"x");
            }
        }
    });
    stop
}
