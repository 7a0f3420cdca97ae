//! The limits and periods of a shard's sockets.

use std::ops::Range;
use std::time::Duration;

/// What the loop of every shard holds its connections to.
#[derive(Debug, Clone)]
pub(crate) struct ShardOptions {
    /// Bytes of a request head at most (`limits.request_head_bytes_max`).
    pub head_bytes_max: usize,
    /// How long a request head may take from its first byte, or from the accept.
    pub head_within: Duration,
    /// Bytes that have to come in every `body_within` of a body or a WebSocket's message, or its
    /// end (`limits.request_body_progress_bytes`).
    pub body_progress_bytes: usize,
    /// See `body_progress_bytes`; a body that a shard takes has to be whole by then.
    pub body_within: Duration,
    /// Bytes of a body that a shard takes itself; larger ones go to the edge.
    pub body_bytes_max: usize,
    /// How long a connection may stay between two requests.
    pub idle_within: Duration,
    /// How long what is sent may wait for a reader that takes nothing of it
    /// (`limits.write_timeout`), seen with its heartbeat.
    pub write_within: Duration,
    /// How long a closing connection may take to go.
    pub close_within: Duration,
    /// How long before its credentials expire a reader is told (`auth.expiry_notice`).
    pub expiry_notice: Duration,
    /// How long after that it may stay (`auth.expiry_grace`).
    pub expiry_grace: Duration,
    /// When a stream's client is to come back by itself after a cut, at the earliest and at the
    /// latest.
    pub retry: Range<Duration>,
    /// The same when the server drains or refuses.
    pub drain_retry: Range<Duration>,
}

impl Default for ShardOptions {
    fn default() -> Self {
        Self {
            head_bytes_max: 16 * 1024,
            head_within: Duration::from_secs(10),
            body_progress_bytes: 64 * 1024,
            body_within: Duration::from_secs(30),
            body_bytes_max: 64 * 1024,
            idle_within: Duration::from_secs(75),
            write_within: Duration::from_secs(20),
            close_within: Duration::from_secs(5),
            expiry_notice: Duration::from_secs(30),
            expiry_grace: Duration::from_secs(10),
            retry: Duration::from_secs(2)..Duration::from_secs(3),
            drain_retry: Duration::from_secs(1)..Duration::from_secs(10),
        }
    }
}
