//! What a shard counts of its sockets, in plain cells that a scrape copies.

use fanfare_core::code::{Code, TABLE};
use fanfare_core::frame::Format;

/// Upper ends of the buckets of publish-to-write, in milliseconds; the last bucket has none.
pub(crate) const LATENCY_BUCKETS: [u64; 12] =
    [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 5_000, 30_000];

/// What carries a connection, as metrics tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Carrier {
    /// A connection that asks and is answered.
    Request,
    /// Server-Sent Events.
    Sse,
    /// NDJSON, and `as=raw`.
    Ndjson,
    /// WebSocket.
    WebSocket,
    /// A reader on a connection that the edge owns.
    Edge,
}

impl Carrier {
    /// Every carrier, in the order of their numbers.
    pub(crate) const ALL: [Self; 5] = [
        Self::Request,
        Self::Sse,
        Self::Ndjson,
        Self::WebSocket,
        Self::Edge,
    ];

    /// The word in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Sse => "sse",
            Self::Ndjson => "ndjson",
            Self::WebSocket => "websocket",
            Self::Edge => "edge",
        }
    }

    /// What carries frames of this format on a socket.
    pub(crate) fn of(format: Format) -> Self {
        match format {
            Format::Sse | Format::SseChannel | Format::SseEnvelope => Self::Sse,
            Format::Ndjson | Format::Text => Self::Ndjson,
            Format::WebSocketRaw | Format::WebSocketV1 => Self::WebSocket,
        }
    }
}

/// Counters and gauges of one shard's sockets.
#[derive(Debug, Clone)]
pub(crate) struct SocketFigures {
    /// Connections now, by [`Carrier`].
    pub connections: [u64; Carrier::ALL.len()],
    /// Connections that the acceptor dealt to this shard.
    pub accepted: u64,
    /// Connections handed to the edge.
    pub handed_over: u64,
    /// Requests that this shard answered itself.
    pub requests: u64,
    /// Frames written, by [`Carrier`].
    pub deliveries: [u64; Carrier::ALL.len()],
    /// Bytes read from sockets.
    pub bytes_read: u64,
    /// Bytes written to sockets and pipes.
    pub bytes_written: u64,
    /// Refusals told, by [`Code`], from the first row of its table.
    pub refusals: Vec<u64>,
    /// Connections ended because their client was silent for too long.
    pub silent: u64,
    /// Connections ended because their own code panicked.
    pub panics: u64,
    /// Frames by the milliseconds from publish to write, see [`LATENCY_BUCKETS`].
    pub latency: [u64; LATENCY_BUCKETS.len() + 1],
    /// The sum of those milliseconds.
    pub latency_millis: u64,
}

impl Default for SocketFigures {
    fn default() -> Self {
        Self {
            connections: [0; Carrier::ALL.len()],
            accepted: 0,
            handed_over: 0,
            requests: 0,
            deliveries: [0; Carrier::ALL.len()],
            bytes_read: 0,
            bytes_written: 0,
            refusals: vec![0; TABLE.len()],
            silent: 0,
            panics: 0,
            latency: [0; LATENCY_BUCKETS.len() + 1],
            latency_millis: 0,
        }
    }
}

impl SocketFigures {
    /// Counts a refusal that a client was told.
    pub(crate) fn refuse(&mut self, code: Code) {
        if let Some(count) = self.refusals.get_mut(code as usize - 1) {
            *count += 1;
        }
    }

    /// Counts a frame written `millis` after it was published.
    pub(crate) fn deliver(&mut self, carrier: Carrier, millis: u64) {
        self.deliveries[carrier as usize] += 1;
        let bucket = LATENCY_BUCKETS.partition_point(|end| *end < millis);
        self.latency[bucket] += 1;
        self.latency_millis += millis;
    }

    /// A connection is carried by `carrier` from now on.
    pub(crate) fn enter(&mut self, carrier: Carrier) {
        self.connections[carrier as usize] += 1;
    }

    /// A connection is carried by `carrier` no more.
    pub(crate) fn leave(&mut self, carrier: Carrier) {
        let count = &mut self.connections[carrier as usize];
        *count = count.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use super::{Carrier, LATENCY_BUCKETS, SocketFigures};

    #[test]
    fn every_delivery_falls_into_one_bucket() {
        let mut figures = SocketFigures::default();
        for millis in [0, 1, 2, 3, 30_000, 30_001] {
            figures.deliver(Carrier::Sse, millis);
        }
        assert_eq!(figures.latency[..3], [2, 1, 1]);
        assert_eq!(figures.latency[LATENCY_BUCKETS.len() - 1..], [1, 1]);
        assert_eq!(figures.latency.iter().sum::<u64>(), 6);
        assert_eq!(figures.deliveries[Carrier::Sse as usize], 6);
    }
}
