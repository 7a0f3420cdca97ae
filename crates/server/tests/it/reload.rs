//! SIGHUP: the configuration is read again as a whole or not at all, and nobody who reads is
//! disturbed.

use std::fs;
use std::path::PathBuf;

use crate::cli::run::{Folder, fanfare};
use crate::server::Server;
use crate::wire::{Wire, body};

const FILE: &str = "
origins = [\"https://one.example\"]
[auth]
publisher_keys = [\"tell-nobody-first\"]
anonymous_subscribe = true
[limits]
connections_max = 100
[routes]
\"/events\" = \"/c/news\"
";

struct Serving {
    server: Server,
    path: PathBuf,
    _folder: Folder,
}

impl Serving {
    fn start() -> Self {
        let folder = Folder::new();
        let path = folder.path().join("fanfare.toml");
        fs::write(&path, FILE).unwrap();
        let mut command = fanfare(&["serve", "--listen", "127.0.0.1:0", "--config"]);
        command.arg(&path);
        Self { server: Server::of(command), path, _folder: folder }
    }

    /// Has it read this instead; gives the line that says what came of it.
    fn change(&self, from: &str, to: &str) -> String {
        assert!(FILE.contains(from), "{from}");
        fs::write(&self.path, FILE.replace(from, to)).unwrap();
        self.server.reload()
    }
}

fn post(wire: &mut Wire, key: &str, body: &str) -> String {
    let (length, key) =
        (format!("Content-Length: {}", body.len()), format!("Authorization: Bearer {key}"));
    wire.ask("POST /c/news HTTP/1.1", &[&length, &key]);
    wire.send(body);
    wire.answer()
}

#[test]
fn a_key_is_exchanged_while_readers_stay() {
    let serving = Serving::start();
    let mut reader = serving.server.connect();
    reader.ask("GET /c/news HTTP/1.1", &["Accept: text/event-stream"]);
    reader.until("fanfare.open");
    let mut kept = serving.server.connect();
    let mut edge = serving.server.connect();
    edge.ask("GET /health HTTP/1.1", &[]);
    edge.answer();
    assert!(post(&mut kept, "tell-nobody-first", "one").starts_with("HTTP/1.1 200"));
    reader.until("data: one");

    let line = serving.change("tell-nobody-first", "tell-nobody-second");
    assert!(line.contains("\"changed\":\"auth.publisher_keys\""), "{line}");
    assert!(!line.contains("tell-nobody"), "{line}");
    for wire in [&mut kept, &mut edge] {
        assert!(post(wire, "tell-nobody-first", "two").starts_with("HTTP/1.1 401"));
        assert!(post(wire, "tell-nobody-second", "three").starts_with("HTTP/1.1 200"));
    }
    reader.until("data: three");
}

#[test]
fn origins_routes_and_limits_are_exchanged_and_the_rest_is_named() {
    let serving = Serving::start();
    let mut wire = serving.server.connect();
    let allowed = |wire: &mut Wire, origin: &str| {
        wire.ask("GET /c/news?wait=0 HTTP/1.1", &[&format!("Origin: {origin}")]);
        wire.answer().starts_with("HTTP/1.1 200")
    };
    assert!(allowed(&mut wire, "https://one.example"));
    assert!(!allowed(&mut wire, "https://two.example"));
    let line = serving.change(
        "origins = [\"https://one.example\"]",
        "origins = [\"https://two.example\"]\nshards = 7",
    );
    assert!(line.contains("\"changed\":\"origins\""), "{line}");
    assert!(line.contains("\"needs_restart\":\"shards\""), "{line}");
    assert!(!allowed(&mut wire, "https://one.example"));
    assert!(allowed(&mut wire, "https://two.example"));

    let line = serving.change("\"/events\"", "\"/other\"");
    assert!(line.contains("routes.\\\"/events\\\", routes.\\\"/other\\\""), "{line}");
    wire.ask("GET /other?wait=0 HTTP/1.1", &[]);
    assert!(wire.answer().starts_with("HTTP/1.1 200"));

    let line = serving.change("connections_max = 100", "connections_max = 2");
    assert!(line.contains("limits.connections_max"), "{line}");
    assert_eq!(wire.figure("fanfare_limit{key=\"limits.connections_max\"}"), 2);
    let _second = serving.server.connect();
    wire.wait_for_figure("fanfare_connections_open", 2);
    let mut third = serving.server.connect();
    third.ask("GET /c/news?wait=0 HTTP/1.1", &[]);
    assert!(third.answer().starts_with("HTTP/1.1 503"));
}

#[test]
fn what_is_wrong_changes_nothing_and_is_told() {
    let serving = Serving::start();
    let mut wire = serving.server.connect();
    for (from, to, why) in [
        ("connections_max = 100", "conections_max = 9", "did you mean"),
        ("connections_max = 100", "connections_max = 0", "a whole number"),
        ("[\"tell-nobody-first\"]", "[]", "there is no publisher key"),
        ("anonymous_subscribe = true", "anonymous_subscribe = false", "anyone may read"),
        ("[routes]", "[routes", "fanfare.toml"),
    ] {
        let line = serving.change(from, to);
        assert!(line.contains(why) && line.contains("holds on"), "{line}");
        assert!(
            post(&mut wire, "tell-nobody-first", "still").starts_with("HTTP/1.1 200"),
            "{line}"
        );
    }
    fs::remove_file(&serving.path).unwrap();
    let line = serving.server.reload();
    assert!(line.contains("cannot be read"), "{line}");
    assert_eq!(wire.figure("fanfare_reloads_total{outcome=\"refused\"}"), 6);
    let line = serving.change("[routes]", "[routes]");
    assert!(line.contains("every value is as before"), "{line}");
    assert_eq!(wire.figure("fanfare_reloads_total{outcome=\"taken\"}"), 1);
}

#[test]
fn a_lower_log_level_holds_at_once() {
    let serving = Serving::start();
    let line = serving.change("[routes]", "[log]\nlevel = \"debug\"\n[routes]");
    assert!(line.contains("log.level"), "{line}");
    let mut wire = serving.server.connect();
    // A head that breaks off on a connection of hyper's is worth a line for whoever looks closely.
    wire.ask("GET /nothing HTTP/1.1", &[]);
    assert!(body(&wire.answer()).contains("not-found"));
    wire.send("GET /c/news HT");
    drop(wire);
    serving.server.line_with("ended early");
}
