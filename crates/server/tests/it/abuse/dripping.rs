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
    drip(&server, "dripped heads", || {
        let mut wire = server.connect();
        wire.send(&head);
        wire
    });
    drip(&server, "dripped heads at the edge", || {
        let mut wire = server.connect_to_edge("x");
        wire.send(&head);
        wire
    });
}

#[test]
fn a_dripped_body_is_told_in_time() {
    let server = Server::dev(&[("FANFARE_LIMITS__REQUEST_BODY_PROGRESS_TIMEOUT", "2s")]);
    drip(&server, "dripped bodies", || {
        let mut wire = server.connect();
        wire.ask("POST /c/x HTTP/1.1", &["Content-Length: 60000"]);
        wire.send("x".repeat(30_000));
        wire
    });
    drip(&server, "dripped large bodies", || {
        let mut wire = server.connect();
        wire.ask("POST /c/x HTTP/1.1", &["Content-Length: 1000000"]);
        wire.send("x".repeat(30_000));
        wire
    });
    drip(&server, "dripped chunks", || {
        let mut wire = server.connect();
        wire.ask("POST /c/x HTTP/1.1", &["Transfer-Encoding: chunked"]);
        wire.send("ea60\r\n");
        wire
    });
}

/// Has every client send a byte now and then, which gains it nothing.
fn drip(server: &Server, what: &str, begin: impl Fn() -> Wire) {
    let before = Before::of(server);
    let began = Instant::now();
    let wires: Vec<Wire> = (0..CLIENTS).map(|_| begin()).collect();
    let sockets = wires.iter().map(Wire::writer).collect();
    let stop = keep_dripping(sockets);
    for mut wire in wires {
        let (answer, _) = wire.end();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{what}: {answer}");
        assert!(answer.contains("\"code\":\"request-timeout\""), "{what}: {answer}");
    }
    drop(stop);
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2), "{what}: told after {took:?}");
    assert!(took < Duration::from_secs(10), "{what}: told after {took:?}");
    before.check(server, what);
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
