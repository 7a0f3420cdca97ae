//! What is counted of events, and the room that there is for those that wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use fanfare_core::time::UnixMillis;

use super::event::Kind;
use crate::edge::unix_millis;

/// What is counted of events.
#[derive(Debug)]
pub(crate) struct Figures {
    told: [AtomicU64; Kind::ALL.len()],
    silenced: AtomicU64,
    delivered: AtomicU64,
    dead: [AtomicU64; Loss::ALL.len()],
    failed: AtomicU64,
    waiting: AtomicUsize,
    bytes: AtomicUsize,
    bytes_max: AtomicUsize,
    /// Since when the one waits that is to go next, in Unix milliseconds; 0: none does.
    oldest: AtomicU64,
    /// Events that there was no room for, as far as nobody was told.
    overflow: AtomicU64,
}

/// Why an event has not reached the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    /// There was no room for it.
    Full,
    /// It was tried for too long.
    Expired,
    /// The server left before it was taken, or there is nobody any more who is told.
    Stopped,
}

impl Loss {
    const ALL: [Self; 3] = [Self::Full, Self::Expired, Self::Stopped];

    fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Expired => "expired",
            Self::Stopped => "stopped",
        }
    }
}

/// The room that one event takes, as long as this lives.
#[derive(Debug)]
pub(super) struct Charge {
    figures: Arc<Figures>,
    bytes: usize,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.figures.waiting.fetch_sub(1, Relaxed);
        self.figures.bytes.fetch_sub(self.bytes, Relaxed);
    }
}

impl Figures {
    pub(super) fn new(bytes_max: usize) -> Arc<Self> {
        Arc::new(Self {
            told: Default::default(),
            silenced: AtomicU64::new(0),
            delivered: AtomicU64::new(0),
            dead: Default::default(),
            failed: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            bytes_max: AtomicUsize::new(bytes_max),
            oldest: AtomicU64::new(0),
            overflow: AtomicU64::new(0),
        })
    }

    pub(super) fn set_bytes_max(&self, bytes_max: usize) {
        self.bytes_max.store(bytes_max, Relaxed);
    }

    /// Makes room for an event; if there is none, it is lost.
    pub(super) fn admit(self: &Arc<Self>, bytes: usize) -> Option<Charge> {
        let before = self.bytes.fetch_add(bytes, Relaxed);
        self.waiting.fetch_add(1, Relaxed);
        let charge = Charge { figures: Arc::clone(self), bytes };
        if before.saturating_add(bytes) > self.bytes_max.load(Relaxed) {
            self.dead[Loss::Full as usize].fetch_add(1, Relaxed);
            self.overflow.fetch_add(1, Relaxed);
            return None;
        }
        Some(charge)
    }

    /// How many events there was no room for since this was last asked.
    pub(super) fn take_overflow(&self) -> u64 {
        self.overflow.swap(0, Relaxed)
    }

    pub(super) fn told(&self, kind: Kind) {
        self.told[kind as usize].fetch_add(1, Relaxed);
    }

    pub(super) fn silenced(&self, events: u64) {
        self.silenced.fetch_add(events, Relaxed);
    }

    pub(super) fn delivered(&self, events: u64) {
        self.delivered.fetch_add(events, Relaxed);
    }

    pub(super) fn failed(&self) {
        self.failed.fetch_add(1, Relaxed);
    }

    pub(super) fn died(&self, why: Loss, events: u64) {
        self.dead[why as usize].fetch_add(events, Relaxed);
    }

    pub(super) fn set_oldest(&self, since: Option<UnixMillis>) {
        self.oldest.store(since.unwrap_or(0), Relaxed);
    }

    /// Events by what they are called.
    pub(crate) fn told_by_kind(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.told.iter().map(|count| count.load(Relaxed));
        Kind::ALL.into_iter().map(Kind::as_str).zip(counts)
    }

    /// Events that were not told because who had gone came back.
    pub(crate) fn silenced_count(&self) -> u64 {
        self.silenced.load(Relaxed)
    }

    /// Events that were taken.
    pub(crate) fn delivered_count(&self) -> u64 {
        self.delivered.load(Relaxed)
    }

    /// Events that nobody will ever take, by why.
    pub(crate) fn dead_by_reason(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = self.dead.iter().map(|count| count.load(Relaxed));
        Loss::ALL.into_iter().map(Loss::as_str).zip(counts)
    }

    /// Times that a batch was not taken.
    pub(crate) fn failed_count(&self) -> u64 {
        self.failed.load(Relaxed)
    }

    /// Events that wait, and the bytes that they take.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        (self.waiting.load(Relaxed) as u64, self.bytes.load(Relaxed) as u64)
    }

    /// How long the one waits that goes next.
    pub(crate) fn oldest_age(&self) -> Duration {
        let since = self.oldest.load(Relaxed);
        let now = unix_millis();
        Duration::from_millis(if since == 0 { 0 } else { now.saturating_sub(since) })
    }

    #[cfg(test)]
    pub(super) fn dead_of(&self, why: Loss) -> u64 {
        self.dead[why as usize].load(Relaxed)
    }
}
