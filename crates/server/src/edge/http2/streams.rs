//! What one HTTP/2 connection has in work, and what it may not overdo.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout};

use crate::metrics::{self, EdgeCells, Http2Counted, Http2End, Transport};
use crate::pipe::Common;

/// In how much time `resets_max` is counted.
const RESETS_WITHIN: Duration = Duration::from_secs(10);

/// What one connection may have and do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StreamBounds {
    /// Requests at once (`limits.streams_per_connection_max`).
    pub streams_max: u32,
    /// Of these, large ones that are worked on (`limits.large_requests_per_connection_max`).
    pub turns: usize,
    /// Requests that it may take back in ten seconds (`limits.stream_resets_max`).
    pub resets_max: u64,
    /// How long an answer may wait of which nothing is taken.
    pub stalled_within: Duration,
}

/// The requests of one connection.
#[derive(Debug)]
pub(crate) struct Streams {
    bounds: StreamBounds,
    cells: Arc<EdgeCells>,
    live: AtomicUsize,
    /// Told when a request begins or ends.
    changed: Notify,
    turns: Arc<Semaphore>,
    /// What its streams hold that it has not taken.
    common: Arc<Common>,
    /// Large answers of which not everything has been taken.
    answering: AtomicUsize,
    /// Grows whenever a part of one is taken.
    progress: AtomicU64,
    began: Instant,
    /// The ten seconds in which resets are counted now, and how many there were in them.
    resets: [AtomicU64; 2],
    flooded: AtomicBool,
    overdone: Notify,
    _connection: Http2Counted,
}

/// A request in work: from its head until the last byte of its answer is handed to hyper.
#[derive(Debug)]
pub(crate) struct Stream {
    streams: Arc<Streams>,
    finished: bool,
    _counted: (metrics::Counted, Http2Counted),
}

/// The right to work on something large. While it lives, others may wait for theirs.
#[derive(Debug)]
pub(crate) struct Turn {
    streams: Arc<Streams>,
    answers: bool,
    _permit: OwnedSemaphorePermit,
}

impl Streams {
    /// A connection without requests.
    pub(crate) fn new(bounds: StreamBounds, cells: &Arc<EdgeCells>) -> Arc<Self> {
        Arc::new(Self {
            bounds,
            cells: Arc::clone(cells),
            live: AtomicUsize::new(0),
            changed: Notify::new(),
            turns: Arc::new(Semaphore::new(bounds.turns.max(1))),
            common: Arc::default(),
            answering: AtomicUsize::new(0),
            progress: AtomicU64::new(0),
            began: Instant::now(),
            resets: [const { AtomicU64::new(0) }; 2],
            flooded: AtomicBool::new(false),
            overdone: Notify::new(),
            _connection: cells.http2_connection(),
        })
    }

    /// A request has come.
    pub(crate) fn begin(self: &Arc<Self>) -> Stream {
        let live = self.live.fetch_add(1, Ordering::AcqRel) + 1;
        self.changed.notify_one();
        if live == self.bounds.streams_max as usize {
            self.cells.http2().full();
        }
        Stream {
            streams: Arc::clone(self),
            finished: false,
            _counted: (self.cells.enter(Transport::Http), self.cells.http2_stream()),
        }
    }

    /// The room that its streams have in common.
    pub(crate) fn common(&self) -> Arc<Common> {
        Arc::clone(&self.common)
    }

    /// Waits for the turn of a request that reads or answers much.
    pub(crate) async fn turn(self: &Arc<Self>) -> Option<Turn> {
        let turns = Arc::clone(&self.turns);
        let permit = match Arc::clone(&turns).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_none_free) => {
                self.cells.http2().waited();
                // It is never closed.
                turns.acquire_owned().await.ok()?
            }
        };
        Some(Turn { streams: Arc::clone(self), answers: false, _permit: permit })
    }

    /// Returns when nothing has been in work for this long.
    pub(crate) async fn idle(&self, within: Duration) {
        loop {
            let changed = self.changed.notified();
            if self.live.load(Ordering::Acquire) > 0 {
                changed.await;
            } else if timeout(within, changed).await.is_err() {
                return;
            }
        }
    }

    /// Returns when the connection is to be ended, and why.
    pub(crate) async fn overdone(&self) -> Http2End {
        tokio::select! {
            () = self.flooded() => Http2End::Resets,
            () = self.stalled() => Http2End::Stalled,
        }
    }

    async fn flooded(&self) {
        while !self.flooded.load(Ordering::Acquire) {
            self.overdone.notified().await;
        }
    }

    /// Returns when large answers have waited for too long, and nothing was taken of any.
    async fn stalled(&self) {
        loop {
            let before = self.progress.load(Ordering::Acquire);
            sleep(self.bounds.stalled_within).await;
            let waiting = self.answering.load(Ordering::Acquire) > 0;
            if waiting && self.progress.load(Ordering::Acquire) == before {
                return;
            }
        }
    }

    /// A request was taken back before its answer was whole.
    fn reset(&self) {
        let period = self.began.elapsed().as_secs() / RESETS_WITHIN.as_secs() + 1;
        let [counted_in, count] = &self.resets;
        if counted_in.swap(period, Ordering::AcqRel) != period {
            count.store(0, Ordering::Release);
        }
        let count = count.fetch_add(1, Ordering::AcqRel) + 1;
        self.cells.http2().reset();
        if count > self.bounds.resets_max && !self.flooded.swap(true, Ordering::AcqRel) {
            self.overdone.notify_one();
        }
    }
}

impl Stream {
    /// Everything of its answer has been handed over, or was cut by the server itself.
    pub(crate) fn finish(&mut self) {
        self.finished = true;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.streams.live.fetch_sub(1, Ordering::AcqRel);
        self.streams.changed.notify_one();
        if !self.finished {
            self.streams.reset();
        }
    }
}

impl Turn {
    /// A part of the answer was taken, or its first one can be.
    pub(crate) fn go_on(&mut self) {
        if !self.answers {
            self.answers = true;
            self.streams.answering.fetch_add(1, Ordering::AcqRel);
        }
        self.streams.progress.fetch_add(1, Ordering::AcqRel);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if self.answers {
            self.streams.answering.fetch_sub(1, Ordering::AcqRel);
            self.streams.progress.fetch_add(1, Ordering::AcqRel);
        }
    }
}
