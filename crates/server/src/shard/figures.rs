//! What a shard counts of its sockets, in plain cells that a scrape copies.

use fanfare_core::frame::Format;

use crate::coding::CodingFigures;
use crate::metrics::{Delays, Refusals, Transport};
use crate::tls::TlsFigures;

/// Counters and gauges of one shard's sockets.
#[derive(Debug, Clone, Default)]
pub(crate) struct SocketFigures {
    /// Connections now, by [`Transport`]. Readers on the edge are counted there.
    pub connections: [u64; Transport::ALL.len()],
    /// Refusals told, by code.
    pub refusals: Refusals,
    /// Bytes written to sockets.
    pub written_bytes: u64,
    /// Bytes read from sockets.
    pub received_bytes: u64,
    /// From publish to write, for every frame, by [`Transport`].
    pub delays: [Delays; Transport::ALL.len()],
    /// Connections ended because their own code panicked.
    pub broken: u64,
    /// Connections that the acceptor dealt to this shard.
    pub accepted: u64,
    /// Connections handed to the edge.
    pub handed_over: u64,
    /// Publishes that this shard answered in place.
    pub publishes: u64,
    /// Channels added to streams and dropped by `POST /sessions/{id}`.
    pub changes_made: u64,
    /// The same, refused.
    pub changes_refused: u64,
    /// WebSockets ended because nobody answered their pings.
    pub silent: u64,
    /// What became of TLS handshakes.
    pub tls: TlsFigures,
    /// Readers sent away because their credentials had expired.
    pub expired: u64,
    /// Readers sent away because the rules have changed.
    pub revoked: u64,
    /// Channels taken from readers for the same reason.
    pub channels_revoked: u64,
    /// Readers ended because they took nothing of what waited for them.
    pub stuck: u64,
    /// What was compressed and inflated; filled in for a snapshot.
    pub coding: CodingFigures,
}

impl SocketFigures {
    /// A connection is one of `transport` from now on.
    pub(crate) fn enter(&mut self, transport: Transport) {
        self.connections[transport as usize] += 1;
    }

    /// A frame of this format was written so many milliseconds after it was published.
    pub(crate) fn observe(&mut self, format: Format, millis: u64) {
        self.delays[transport_of(format) as usize].observe(millis);
    }

    /// A connection is one of `transport` no more.
    pub(crate) fn leave(&mut self, transport: Transport) {
        let count = &mut self.connections[transport as usize];
        *count = count.saturating_sub(1);
    }
}

/// What carries frames of this format on a socket.
pub(crate) fn transport_of(format: Format) -> Transport {
    match format.plain() {
        Format::Sse | Format::SseChannel | Format::SseEnvelope => Transport::Sse,
        Format::Ndjson => Transport::Ndjson,
        Format::Text => Transport::Raw,
        // `plain` gives no compressed one.
        Format::WebSocketRaw | Format::WebSocketV1 | Format::Compressed(_) => Transport::WebSocket,
    }
}
