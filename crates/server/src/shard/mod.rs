//! Shards on real sockets: the poll loop around [`fanfare_core::shard::Shard`].

use fanfare_core::cursor::Cursor;
use fanfare_core::frame::Format;
use fanfare_core::publication::SessionId;
use fanfare_core::shard::Echo;
use fanfare_core::start::Subscription;

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
pub(crate) struct SocketFigures {}
