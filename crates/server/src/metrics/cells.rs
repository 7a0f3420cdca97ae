//! The cells that are counted in: plain ones for shards, atomic ones for the edge.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_core::code::{Code, TABLE};

use super::Http2Cells;

/// What a connection is at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// A WebSocket.
    WebSocket,
    /// A stream of Server-Sent Events.
    Sse,
    /// A stream of NDJSON.
    Ndjson,
    /// A stream of bare payloads (`as=raw`).
    Raw,
    /// A long-poll that waits.
    Poll,
    /// HTTP otherwise: publishing, asking, or idle between requests.
    Http,
}

impl Transport {
    /// Every transport, in the order of their numbers.
    pub(crate) const ALL: [Self; 6] =
        [Self::WebSocket, Self::Sse, Self::Ndjson, Self::Raw, Self::Poll, Self::Http];

    /// The label's value.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Sse => "sse",
            Self::Ndjson => "ndjson",
            Self::Raw => "raw",
            Self::Poll => "poll",
            Self::Http => "http",
        }
    }
}

/// How long things took: counts by upper bound, and the sum.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Delays {
    counts: [u64; Self::BOUNDS_MILLIS.len() + 1],
    sum_millis: u64,
}

impl Delays {
    /// Inclusive upper bounds in milliseconds, the unit in which publications carry their time;
    /// what is above the last counts in a bucket without a bound.
    pub(crate) const BOUNDS_MILLIS: [u64; 13] =
        [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

    /// Counts one that took so many milliseconds.
    pub(crate) fn observe(&mut self, millis: u64) {
        let place = Self::BOUNDS_MILLIS.partition_point(|bound| *bound < millis);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum_millis = self.sum_millis.saturating_add(millis);
    }

    /// Adds what another shard counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.sum_millis = self.sum_millis.saturating_add(other.sum_millis);
    }

    /// The counts by upper bound in seconds, not cumulative, the last one unbounded.
    pub(crate) fn buckets(&self) -> Vec<(f64, u64)> {
        let bounds = Self::BOUNDS_MILLIS
            .into_iter()
            .map(|millis| Duration::from_millis(millis).as_secs_f64())
            .chain([f64::MAX]);
        bounds.zip(self.counts).collect()
    }

    /// The sum in seconds.
    pub(crate) fn sum(&self) -> f64 {
        Duration::from_millis(self.sum_millis).as_secs_f64()
    }

    /// How many were counted.
    pub(crate) fn count(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Refusals by code, in plain cells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Refusals {
    counts: Vec<u64>,
}

impl Refusals {
    /// Counts a refusal.
    pub(crate) fn count(&mut self, code: Code) {
        self.add_at(code as usize - 1, 1);
    }

    /// Adds what another shard or the edge counted, in the order of the table of codes.
    pub(crate) fn add(&mut self, others: impl IntoIterator<Item = u64>) {
        for (place, more) in others.into_iter().enumerate() {
            self.add_at(place, more);
        }
    }

    /// The counts in the order of the table of codes.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u64> {
        self.counts.iter().copied()
    }

    /// Adds so many refusals of this code.
    pub(crate) fn raise(&mut self, code: Code, more: u64) {
        self.add_at(code as usize - 1, more);
    }

    /// The names of the codes and their counts, those never used too, so that a rate can be taken
    /// from the first refusal on.
    pub(crate) fn named(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.counts().chain(std::iter::repeat(0));
        TABLE.iter().map(|row| row.name).zip(counts)
    }

    fn add_at(&mut self, place: usize, more: u64) {
        if self.counts.is_empty() {
            self.counts = vec![0; TABLE.len()];
        }
        if let Some(count) = self.counts.get_mut(place) {
            *count += more;
        }
    }
}

/// What the edge counts, shared by its connections.
#[derive(Debug)]
pub(crate) struct EdgeCells {
    connections: [AtomicU64; Transport::ALL.len()],
    refusals: Box<[AtomicU64]>,
    written_bytes: AtomicU64,
    reloads: [AtomicU64; 2],
    http2: Http2Cells,
}

/// What came of reading the configuration again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reloaded {
    /// It holds.
    Taken,
    /// It was wrong, and the one before holds on.
    Refused,
}

/// One connection in `fanfare_connections`, as long as this lives.
#[derive(Debug)]
pub(crate) struct Counted {
    cells: Arc<EdgeCells>,
    transport: Transport,
}

impl EdgeCells {
    /// All zero.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            connections: Default::default(),
            refusals: TABLE.iter().map(|_| AtomicU64::new(0)).collect(),
            written_bytes: AtomicU64::new(0),
            reloads: Default::default(),
            http2: Http2Cells::default(),
        })
    }

    /// Counts a connection of this transport until the result is dropped.
    pub(crate) fn enter(self: &Arc<Self>, transport: Transport) -> Counted {
        self.connections[transport as usize].fetch_add(1, Ordering::Relaxed);
        Counted { cells: Arc::clone(self), transport }
    }

    /// Counts a refusal.
    pub(crate) fn refused(&self, code: Code) {
        if let Some(count) = self.refusals.get(code as usize - 1) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Counts that the configuration was read again.
    pub(crate) fn reloaded(&self, outcome: Reloaded) {
        self.reloads[outcome as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// How often the configuration was read again, by what came of it.
    pub(crate) fn reloads(&self) -> [(&'static str, u64); 2] {
        let count = |outcome: Reloaded| self.reloads[outcome as usize].load(Ordering::Relaxed);
        [("taken", count(Reloaded::Taken)), ("refused", count(Reloaded::Refused))]
    }

    /// Counts bytes of streams handed to hyper.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.written_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// What is counted of HTTP/2.
    pub(crate) fn http2(&self) -> &Http2Cells {
        &self.http2
    }

    /// Connections of a transport. Every connection, and every request of HTTP/2, is entered as [`Transport::Http`] and, while
    /// it carries a stream, as that too; here it counts once.
    pub(crate) fn connections(&self, transport: Transport) -> u64 {
        let count =
            |transport: Transport| self.connections[transport as usize].load(Ordering::Relaxed);
        match transport {
            Transport::Http => {
                let streams = Transport::ALL.into_iter().map(count).sum::<u64>();
                let all = count(Transport::Http);
                all.saturating_sub(streams.saturating_sub(all))
            }
            stream => count(stream),
        }
    }

    /// Refusals in the order of the table of codes.
    pub(crate) fn refusals(&self) -> impl Iterator<Item = u64> {
        self.refusals.iter().map(|count| count.load(Ordering::Relaxed))
    }

    /// Bytes of streams handed to hyper.
    pub(crate) fn written_bytes(&self) -> u64 {
        self.written_bytes.load(Ordering::Relaxed)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.cells.connections[self.transport as usize].fetch_sub(1, Ordering::Relaxed);
    }
}

/// Panics of the whole process: those that ended one connection and were survived.
#[derive(Debug)]
pub(crate) struct PanicCount;

static PANICS: AtomicU64 = AtomicU64::new(0);

impl PanicCount {
    /// Counts every panic from here on, and logs it as the log is set, so that a log of JSON stays
    /// one.
    pub(crate) fn install() {
        std::panic::set_hook(Box::new(|panic| {
            PANICS.fetch_add(1, Ordering::Relaxed);
            let place = panic.location().map(ToString::to_string);
            let thread = std::thread::current().name().map(str::to_owned);
            let words = panic.payload_as_str();
            tracing::error!(words, place, thread, "a panic: this is a bug in Fanfare");
        }));
    }

    /// How many there were.
    pub(crate) fn read() -> u64 {
        PANICS.load(Ordering::Relaxed)
    }
}
