//! What is counted of HTTP/2: its connections, the requests on them, and what they overdid.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::EdgeCells;
use super::sample::{Sample, Value};

/// The cells of all HTTP/2 connections.
#[derive(Debug, Default)]
pub(crate) struct Http2Cells {
    connections: AtomicU64,
    streams: AtomicU64,
    full: AtomicU64,
    waited: AtomicU64,
    resets: AtomicU64,
    ended: [AtomicU64; Http2End::ALL.len()],
}

/// Why the server ended a connection that went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Http2End {
    /// Its client took back too many requests.
    Resets,
    /// Its client took nothing of the large answers that it had asked for.
    Stalled,
}

/// What is counted as long as this lives.
#[derive(Debug)]
pub(crate) struct Http2Counted {
    cells: Arc<EdgeCells>,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    Connection,
    Stream,
}

impl Http2End {
    /// Every reason, in the order of their numbers.
    const ALL: [Self; 2] = [Self::Resets, Self::Stalled];

    /// The label's value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Resets => "resets",
            Self::Stalled => "stalled",
        }
    }
}

impl EdgeCells {
    /// Counts a connection until the result is dropped.
    pub(crate) fn http2_connection(self: &Arc<Self>) -> Http2Counted {
        self.http2_counted(What::Connection)
    }

    /// Counts a request until the result is dropped.
    pub(crate) fn http2_stream(self: &Arc<Self>) -> Http2Counted {
        self.http2_counted(What::Stream)
    }

    fn http2_counted(self: &Arc<Self>, what: What) -> Http2Counted {
        self.http2().gauge(what).fetch_add(1, Ordering::Relaxed);
        Http2Counted { cells: Arc::clone(self), what }
    }
}

impl Http2Cells {
    /// A connection has as many requests at once as it may have.
    pub(crate) fn full(&self) {
        self.full.fetch_add(1, Ordering::Relaxed);
    }

    /// A large request had to wait for its turn.
    pub(crate) fn waited(&self) {
        self.waited.fetch_add(1, Ordering::Relaxed);
    }

    /// A client took a request back, or left a stream.
    pub(crate) fn reset(&self) {
        self.resets.fetch_add(1, Ordering::Relaxed);
    }

    /// A connection was ended.
    pub(crate) fn ended(&self, why: Http2End) {
        self.ended[why as usize].fetch_add(1, Ordering::Relaxed);
    }

    fn gauge(&self, what: What) -> &AtomicU64 {
        match what {
            What::Connection => &self.connections,
            What::Stream => &self.streams,
        }
    }

    /// What a scrape tells of them.
    pub(super) fn samples(&self) -> Vec<Sample> {
        let read = |cell: &AtomicU64| cell.load(Ordering::Relaxed);
        let counter = |name, help, cell| Sample { name, help, value: Value::Counter(read(cell)) };
        let gauge = |name, help, cell| Sample { name, help, value: Value::Gauge(read(cell)) };
        let named = Http2End::ALL.map(Http2End::as_str).into_iter().map(str::to_owned);
        vec![
            gauge("fanfare_http2_connections", "Connections of HTTP/2", &self.connections),
            gauge("fanfare_http2_streams", "Requests in work on them, streams too", &self.streams),
            counter(
                "fanfare_http2_full",
                "Times that a connection had limits.streams_per_connection_max requests at once",
                &self.full,
            ),
            counter(
                "fanfare_http2_waits",
                "Large requests that waited because of limits.large_requests_per_connection_max",
                &self.waited,
            ),
            counter(
                "fanfare_http2_resets",
                "Requests and streams that clients took back before their end",
                &self.resets,
            ),
            Sample {
                name: "fanfare_http2_ended",
                help: "Connections ended for what their clients did: took back too much, or took nothing",
                value: Value::Counters("why", named.zip(self.ended.iter().map(read)).collect()),
            },
        ]
    }
}

impl Drop for Http2Counted {
    fn drop(&mut self) {
        self.cells.http2().gauge(self.what).fetch_sub(1, Ordering::Relaxed);
    }
}
