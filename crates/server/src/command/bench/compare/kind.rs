//! The four transports, and how each is asked.

use anyhow::{Context, Result};
use serde::Serialize;

use crate::command::bench::description::Description;
use crate::command::bench::template::{Request, Values};

/// What carries the messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    /// A WebSocket with `fanfare.v1`.
    WebSocket,
    /// Server-Sent Events as `EventSource` reads them.
    Sse,
    /// A JSON object a line.
    Ndjson,
    /// One request after another on a connection that is kept.
    Poll,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 4] = [Self::WebSocket, Self::Sse, Self::Ndjson, Self::Poll];

    /// What people call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::WebSocket => "WebSocket",
            Self::Sse => "SSE",
            Self::Ndjson => "NDJSON",
            Self::Poll => "long-poll",
        }
    }

    /// Its request.
    ///
    /// # Errors
    /// None but a mistake of ours.
    pub(super) fn request(self) -> Result<Request> {
        let name = match self {
            Self::WebSocket => "v1",
            Self::Sse => "sse",
            Self::Ndjson => "ndjson",
            Self::Poll => return Request::read(POLL),
        };
        let description = Description::fanfare()?;
        let transport = description.transport(name).context("Fanfare has this transport")?;
        Ok(transport.request.clone())
    }

    /// What is asked for by someone who has everything up to this cursor; an empty one is now.
    pub(super) fn query(self, cursor: &str) -> String {
        match (self, cursor) {
            // The first answer comes at once: it says where the next one begins.
            (Self::Poll, "") => "wait=0".to_owned(),
            (Self::Poll, cursor) => format!("wait={HEARTBEAT_SECONDS}&since={cursor}"),
            (_, "") => format!("heartbeat={HEARTBEAT_SECONDS}s"),
            (_, cursor) => format!("heartbeat={HEARTBEAT_SECONDS}s&since={cursor}"),
        }
    }

    /// Appends the request of someone who has everything up to this cursor.
    pub(super) fn ask(
        self,
        out: &mut Vec<u8>,
        request: &Request,
        (host, channel, cursor): (&str, &str, &str),
    ) {
        let query = self.query(cursor);
        let values =
            Values { host, channel, channels: channel, query: &query, ..Values::default() };
        request.fill(out, &values);
    }
}

/// How often a server gives a sign of life, and how long it keeps a poll: the least that Fanfare
/// grants.
pub(super) const HEARTBEAT_SECONDS: u64 = 5;

const POLL: &str = "
GET /c/{channels}?{query} HTTP/1.1
Host: {host}
Accept: application/json
";
