//! What a panic ends: one connection if it comes from the connection's own code, else the process.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::server::Server;
use crate::wire::{Wire, frame};

#[test]
fn a_panic_in_a_codec_ends_one_connection_and_is_counted() {
    let server = start();
    let mut probe = server.connect();
    let mut good = server.connect();
    good.open_websocket("/c/a", &[]);
    let mut bad = server.connect();
    bad.open_websocket("/c/a", &[]);
    bad.send(frame(0x82, b"fanfare-fault:codec"));
    bad.end();
    let mut bad = server.connect();
    bad.ask("GET /c/fanfare-fault:codec HTTP/1.1", &[]);
    bad.end();

    good.send(frame(0x81, b"still here"));
    assert_eq!(good.frame(), (0x81, b"still here".to_vec()));
    probe.wait_for_figure("fanfare_connections{transport=\"websocket\"}", 1);
    assert_eq!(probe.figure("fanfare_connections_broken_total"), 2);
    assert_eq!(probe.figure("fanfare_panics_total"), 2);
    assert_eq!(probe.figure("fanfare_connections_open"), 2, "the probe and the good one");
}

#[test]
fn a_panic_in_a_feed_ends_the_process_with_its_own_code() {
    let mut server = start();
    let mut reader = server.connect();
    reader.ask("GET /c/a HTTP/1.1", &["Accept: text/event-stream"]);
    reader.until("fanfare.open");
    let mut publisher: Wire = server.connect();
    publisher.ask("POST /c/a HTTP/1.1", &["Content-Length: 18"]);
    publisher.send("fanfare-fault:feed");
    assert_eq!(server.exit_code(), Some(70));
    let (told, _) = reader.end();
    assert!(!told.contains("fanfare-fault"), "{told}");
}

/// A server whose code panics on demand.
fn start() -> Server {
    let mut command = Command::new(faulty());
    command.args(["dev", "--memory", "--listen", "127.0.0.1:0"]).env_clear().stdin(Stdio::null());
    Server::of(command)
}

/// The binary with faults, built on first use beside the one without: in the same folder, where
/// everything that it depends on is built already.
fn faulty() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_fanfare")).parent().unwrap();
        let profile = match folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") => "dev",
            Some(profile) => profile,
            None => panic!("{} has no name", folder.display()),
        };
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--package", "fanfare", "--bin", "fanfare-faulty"]);
        build.args(["--features", "fault-injection", "--locked", "--quiet", "--profile", profile]);
        build.arg("--target-dir").arg(folder.parent().unwrap());
        build.current_dir(env!("CARGO_MANIFEST_DIR"));
        let built = build.output().unwrap();
        let words = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "the binary with faults cannot be built: {words}");
        folder.join("fanfare-faulty")
    })
}
