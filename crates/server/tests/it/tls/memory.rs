//! What a TLS connection that does nothing costs the server.

use super::Secure;
use crate::wire::Wire;

/// Connections that are there before anything is measured, so that what is shared is there as well.
const BEFORE: usize = 100;

/// Connections that are measured.
const MEASURED: usize = 400;

/// Bytes of the process's memory for each, the connection, its reader and the allocator included.
const BYTES_MAX: u64 = 4_500;

/// Lets the clients of this process have their sockets.
fn raise_files() {
    let files = rustix::process::Resource::Nofile;
    let mut limit = rustix::process::getrlimit(files);
    limit.current = limit.maximum;
    rustix::process::setrlimit(files, limit).unwrap();
}

/// A reader in TLS that has had all there is.
fn reader(secure: &Secure, version: usize, kind: &str) -> Wire {
    let mut wire = secure.connect_with(&secure.configs[version]);
    if kind == "WebSocket" {
        wire.open_websocket("/c/idle", &[]);
    } else {
        wire.ask("GET /c/idle HTTP/1.1", &["Accept: text/event-stream"]);
        wire.until("event: fanfare.open\n");
    }
    wire
}

#[test]
fn an_idle_reader_keeps_its_keys_and_no_buffer() {
    raise_files();
    let all = [(1, "stream"), (1, "WebSocket"), (0, "stream"), (0, "WebSocket")];
    // Each takes its handshakes, of which one kind is enough for every day.
    let some = if crate::soaks() { &all[..] } else { &all[..1] };
    for (version, kind) in some.iter().copied() {
        let name = ["TLS 1.2", "TLS 1.3"][version];
        let secure = Secure::start(&[("FANFARE_HEARTBEAT", "60s")]);
        let mut readers: Vec<_> = (0..BEFORE).map(|_| reader(&secure, version, kind)).collect();
        let before = secure.server.resident_bytes();
        readers.extend((0..MEASURED).map(|_| reader(&secure, version, kind)));
        let after = secure.server.resident_bytes();
        let each = after.saturating_sub(before) / MEASURED as u64;
        println!("an idle {kind} in {name}: {each} bytes");
        assert!(each <= BYTES_MAX, "an idle {kind} in {name} takes {each} bytes");
    }
}
