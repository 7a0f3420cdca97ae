//! A server whose namespaces hold different rules, as its clients meet them.

mod keeping;
mod reading;
mod talking;
mod writing;

use std::fs;
use std::ops::Deref;

use crate::cli::run::{Folder, fanfare};
use crate::server::Server;
use crate::wire::Wire;

/// Anyone reads and writes `talk:`, anyone reads `news:`, and everything else takes a key.
const FILE: &str = "
[auth]
publisher_keys = [\"tell-nobody\"]
[history]
count = 3
[namespaces.talk]
anonymous_subscribe = true
anonymous_publish = true
history_count = 2
[namespaces.news]
anonymous_subscribe = true
client_publish = false
history_count = 1
slow_reader = \"disconnect\"
";

/// What the holder of the key sends.
pub(crate) const KEY: &str = "Authorization: Bearer tell-nobody";

/// A running server of [`FILE`].
pub(crate) struct Serving {
    server: Server,
    _file: Folder,
}

impl Serving {
    pub(crate) fn start() -> Self {
        let file = Folder::new();
        let path = file.path().join("fanfare.toml");
        fs::write(&path, FILE).unwrap();
        let mut command = fanfare(&["serve", "--listen", "127.0.0.1:0", "--config"]);
        command.arg(&path);
        Self { server: Server::of(command), _file: file }
    }

    /// A connection that a shard reads, and one that hyper owns already.
    fn connections(&self) -> [Wire; 2] {
        [self.connect(), self.connect_to_edge("talk:warm")]
    }
}

impl Deref for Serving {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

/// Publishes a text by a small POST.
fn post(wire: &mut Wire, target: &str, body: &str, headers: &[&str]) -> String {
    let length = format!("Content-Length: {}", body.len());
    wire.ask(&format!("POST {target} HTTP/1.1"), &[&[length.as_str()], headers].concat());
    wire.send(body);
    wire.answer()
}

/// The code of a close frame and its reason.
fn closed_with(wire: &mut Wire) -> (u16, String) {
    let (head, payload) = wire.frame();
    assert_eq!(head, 0x88, "{}", String::from_utf8_lossy(&payload));
    let (code, reason) = payload.split_at(2);
    (u16::from_be_bytes([code[0], code[1]]), String::from_utf8_lossy(reason).into_owned())
}
