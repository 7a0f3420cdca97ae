//! Shards on real sockets: the poll loop around [`fanfare_core::shard::Shard`].

use fanfare_core::cursor::Cursor;
use fanfare_core::frame::Format;
use fanfare_core::publication::SessionId;
use fanfare_core::shard::Echo;
use fanfare_core::start::Subscription;

use crate::metrics::{Delays, Refusals, Transport};

/// What a WebSocket's request asked for, decoded and checked, while it travels between threads.
#[derive(Debug, Clone)]
pub(crate) struct SocketRequest {
    /// [`Format::WebSocketRaw`] or [`Format::WebSocketV1`].
    pub format: Format,
    /// The channels of the URL and where each starts.
    pub subscriptions: Vec<Subscription>,
    /// Cursor entries of other channels.
    pub carried: Cursor,
    /// The identity of the connection.
    pub session: SessionId,
    /// Whether it gets its own publications back.
    pub echo: Echo,
}

/// What a shard counts of its sockets, in plain cells that a scrape copies.
#[derive(Debug, Clone, Default)]
pub(crate) struct SocketFigures {
    /// Connections by the number of their [`Transport`]; those of edge subscribers are not here.
    pub connections: [u64; Transport::ALL.len()],
    /// Requests and connections refused.
    pub refusals: Refusals,
    /// Bytes written to sockets.
    pub written_bytes: u64,
    /// Bytes read from sockets.
    pub received_bytes: u64,
    /// From a publication's time to the write of its frame.
    pub delays: Delays,
    /// Connections ended by a panic that was caught.
    pub broken: u64,
}
