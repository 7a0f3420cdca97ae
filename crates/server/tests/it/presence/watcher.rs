//! A reader that asks who comes and goes, over each transport that has words for it.

use serde_json::{Value, json};

use crate::server::Server;
use crate::wire::Wire;

/// What carries what a watcher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Carrier {
    Sse,
    SseEdge,
    SseEnvelope,
    Ndjson,
    NdjsonEdge,
    V1,
    V1Edge,
}

/// A reader that listens.
#[derive(Debug)]
pub(super) struct Watcher {
    carrier: Carrier,
    wire: Wire,
}

impl Carrier {
    pub(super) const ALL: [Self; 7] = [
        Self::Sse,
        Self::SseEdge,
        Self::SseEnvelope,
        Self::Ndjson,
        Self::NdjsonEdge,
        Self::V1,
        Self::V1Edge,
    ];

    /// The client's id.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Sse => "sse-watcher",
            Self::SseEdge => "sse-edge-watcher",
            Self::SseEnvelope => "sse-envelope-watcher",
            Self::Ndjson => "ndjson-watcher",
            Self::NdjsonEdge => "ndjson-edge-watcher",
            Self::V1 => "v1-watcher",
            Self::V1Edge => "v1-edge-watcher",
        }
    }

    fn via_edge(self) -> bool {
        matches!(self, Self::SseEdge | Self::NdjsonEdge | Self::V1Edge)
    }
}

impl Watcher {
    /// Begins to listen.
    pub(super) fn open(server: &Server, carrier: Carrier, channel: &str) -> Self {
        let target = format!("/c/{channel}?presence=1&client={}", carrier.name());
        let mut wire =
            if carrier.via_edge() { server.connect_to_edge("other") } else { server.connect() };
        match carrier {
            Carrier::Sse | Carrier::SseEdge => {
                wire.ask(&format!("GET {target} HTTP/1.1"), &["Accept: text/event-stream"]);
                wire.until("event: fanfare.open");
                wire.until("\n\n");
            }
            Carrier::SseEnvelope => {
                wire.ask(&format!("GET {target}&as=envelope HTTP/1.1"), &[]);
                wire.until("event: fanfare.open");
                wire.until("\n\n");
            }
            Carrier::Ndjson | Carrier::NdjsonEdge => {
                wire.ask(&format!("GET {target}&as=ndjson HTTP/1.1"), &[]);
                wire.until("\"type\":\"open\"");
                wire.until("}\n");
            }
            Carrier::V1 | Carrier::V1Edge => {
                wire.open_websocket(&target, &["Sec-WebSocket-Protocol: fanfare.v1"]);
                wire.frame();
            }
        }
        Self { carrier, wire }
    }

    /// What comes next: kind, client and info of a member; kind and number; or `["message"]`.
    pub(super) fn next(&mut self) -> Value {
        let (kind, json) = match self.carrier {
            Carrier::Sse | Carrier::SseEdge | Carrier::SseEnvelope => self.next_event(),
            Carrier::Ndjson | Carrier::NdjsonEdge => {
                let line = loop {
                    self.wire.until("{");
                    let line = format!("{{{}", self.wire.until("}\n"));
                    if !line.contains("\"keepalive\"") {
                        break line;
                    }
                };
                typed(&line)
            }
            Carrier::V1 | Carrier::V1Edge => {
                let payload = loop {
                    let (head, payload) = self.wire.frame();
                    // Pings come in between; nobody waits for their answers for long enough.
                    if head == 0x81 {
                        break payload;
                    }
                };
                typed(&String::from_utf8(payload).unwrap())
            }
        };
        match &*kind {
            "join" | "leave" => {
                assert_eq!(json["user"], Value::Null, "{json}");
                json!([kind, json["client"], json["info"]])
            }
            "presence" => json!([kind, json["count"]]),
            _ => json!([kind]),
        }
    }

    /// Nothing comes before the next publication.
    pub(super) fn until_marker(&mut self) {
        assert_eq!(self.next(), json!(["message"]));
    }

    fn next_event(&mut self) -> (String, Value) {
        loop {
            let block = self.wire.until("\n\n");
            let field = |name: &str| {
                block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned)
            };
            let Some(data) = field("data: ") else { continue };
            let Some(event) = field("event: fanfare.") else {
                return ("message".to_owned(), Value::Null);
            };
            assert_eq!(field("id: "), None, "{block}");
            return (event, serde_json::from_str(&data).unwrap());
        }
    }
}

fn typed(json: &str) -> (String, Value) {
    let json: Value = serde_json::from_str(json.trim()).unwrap();
    (json["type"].as_str().unwrap().to_owned(), json)
}
