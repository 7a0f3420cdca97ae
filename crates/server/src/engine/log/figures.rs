//! What the log counts.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What the log has counted since it was started, and where it stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LogFigures {
    /// Publications and ends that were stored.
    pub appends: u64,
    /// Appends that were refused, for whatever reason.
    pub appends_failed: u64,
    /// Batches that were written.
    pub batches: u64,
    /// Bytes that were written in batches.
    pub bytes_written: u64,
    /// Syncs of what was written.
    pub syncs: u64,
    /// What they took together.
    pub sync_time: Duration,
    /// What the longest of them took.
    pub sync_time_max: Duration,
    /// Bytes that were copied forward.
    pub bytes_copied: u64,
    /// Segments that were removed.
    pub segments_removed: u64,
    /// Publications that went because the directory had reached its bound.
    pub publications_forced: u64,
    /// Pages and other parts of the history that were read.
    pub reads: u64,
    /// Reads that met something damaged.
    pub reads_damaged: u64,
    /// Whether appends are refused because there is no room.
    pub full: bool,
    /// Commands that wait for the writer.
    pub commands_waiting: u64,
    /// Questions that wait for a reader.
    pub reads_waiting: u64,
    /// Segments there are.
    pub segments: u64,
    /// Bytes of the directory, as the bound counts them.
    pub bytes: u64,
    /// Bytes of the publications that are kept.
    pub live_bytes: u64,
    /// Publications that are kept.
    pub publications: u64,
    /// Channels with a state.
    pub channels: u64,
}

/// Where the threads count.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub appends: AtomicU64,
    pub appends_failed: AtomicU64,
    pub batches: AtomicU64,
    pub bytes_written: AtomicU64,
    pub syncs: AtomicU64,
    sync_micros: AtomicU64,
    sync_micros_max: AtomicU64,
    pub bytes_copied: AtomicU64,
    pub segments_removed: AtomicU64,
    pub publications_forced: AtomicU64,
    pub reads: AtomicU64,
    pub reads_damaged: AtomicU64,
    pub full: AtomicU64,
    /// Bytes of the directory beside the segments.
    pub bytes_beside: AtomicU64,
}

impl Cells {
    /// Counts a sync.
    pub(super) fn synced(&self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.syncs.fetch_add(1, Relaxed);
        self.sync_micros.fetch_add(micros, Relaxed);
        self.sync_micros_max.fetch_max(micros, Relaxed);
    }

    /// What was counted. Where things stand is for the caller to add.
    pub(super) fn figures(&self) -> LogFigures {
        LogFigures {
            appends: self.appends.load(Relaxed),
            appends_failed: self.appends_failed.load(Relaxed),
            batches: self.batches.load(Relaxed),
            bytes_written: self.bytes_written.load(Relaxed),
            syncs: self.syncs.load(Relaxed),
            sync_time: Duration::from_micros(self.sync_micros.load(Relaxed)),
            sync_time_max: Duration::from_micros(self.sync_micros_max.load(Relaxed)),
            bytes_copied: self.bytes_copied.load(Relaxed),
            segments_removed: self.segments_removed.load(Relaxed),
            publications_forced: self.publications_forced.load(Relaxed),
            reads: self.reads.load(Relaxed),
            reads_damaged: self.reads_damaged.load(Relaxed),
            full: self.full.load(Relaxed) != 0,
            ..LogFigures::default()
        }
    }
}

/// Adds to a cell.
pub(super) fn count(cell: &AtomicU64, more: u64) {
    cell.fetch_add(more, Relaxed);
}
