//! Hooks, over real sockets: a backend of the test's own is asked, and is slow, dead or lying.

mod backend;
mod connecting;
mod failing;
mod publishing;
mod staying;

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use crate::cli::run::{Folder, fanfare};
use crate::server::Server;
use crate::wire::{Wire, body, closed, frame, text};
use backend::{Backend, Reply, SECRET};

/// A running `serve` that asks a backend.
pub(crate) struct Asking {
    server: Server,
    path: PathBuf,
    _folder: Folder,
}

impl Asking {
    /// These hooks are at the backend's URL; `more` stands below them in the configuration.
    fn start(backend: &Backend, hooks: &[&str], more: &str) -> Self {
        Self::start_with(backend, hooks, "", more)
    }

    /// The same, with this in `[auth]`.
    fn start_with(backend: &Backend, hooks: &[&str], auth: &str, more: &str) -> Self {
        let folder = Folder::new();
        let path = folder.path().join("fanfare.toml");
        let auth = format!("[auth]\n{auth}");
        let configured = configuration(&backend.url(), hooks, more).replace("[auth]\n", &auth);
        fs::write(&path, configured).unwrap();
        let mut command = fanfare(&["serve", "--listen", "127.0.0.1:0", "--config"]);
        command.arg(&path);
        Self { server: Server::of(command), path, _folder: folder }
    }

    /// A connection that a shard reads, and one that hyper owns already.
    fn connections(&self) -> [Wire; 2] {
        let mut edge = self.server.connect();
        edge.ask("GET /health HTTP/1.1", &[]);
        edge.answer();
        [self.server.connect(), edge]
    }
}

/// A configuration in which these hooks are at one URL.
fn configuration(url: &str, hooks: &[&str], more: &str) -> String {
    let urls: String = hooks.iter().map(|hook| format!("{hook}_url = \"{url}\"\n")).collect();
    let keys = "[auth]\npublisher_keys = [\"k\"]\n";
    format!("{keys}client_publish = true\n[hooks]\nsecrets = [\"{SECRET}\"]\n{urls}{more}\n")
}

/// A user that a cookie stands for, and what she may.
fn ada() -> Value {
    json!({
        "allow": true,
        "user": "ada",
        "grants": {
            "subscribe": ["chat:*"], "publish": ["chat:*"], "history": ["chat:*"],
            "presence": ["chat:*"],
        },
    })
}

/// Lets in who has the cookie, and nobody else.
fn by_cookie(question: &Value) -> Reply {
    let cookie = question["headers"]["cookie"].as_str().unwrap_or_default();
    match (question["type"].as_str(), cookie) {
        (Some("connect"), "sid=ada") => Reply::Json(ada()),
        (Some("connect"), _) => Reply::Json(json!({"allow": false, "reason": "Log in first."})),
        _ => Reply::Json(json!({"allow": true})),
    }
}

/// Sends a command of `fanfare.v1` and gives its reply.
fn command(wire: &mut Wire, command: &Value) -> Value {
    wire.send(frame(0x81, command.to_string().as_bytes()));
    text(wire)
}

/// Asks with a body, and gives status and answer.
fn send(wire: &mut Wire, line: &str, headers: &[&str], sent: &str) -> (u16, Value) {
    let length = format!("Content-Length: {}", sent.len());
    wire.ask(line, &[headers, &[&length]].concat());
    wire.send(sent);
    let answer = wire.answer();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body(&answer)).unwrap_or(Value::Null))
}
