//! From one segment to the next, within the bound of the directory.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use fanfare_core::time::Millis;

use super::active::{Active, Fresh};
use super::retire::Mode;
use super::{Fatal, Writer};
use crate::engine::log::files::{no_room, passing};
use crate::engine::log::format::segment::SegmentHeader;
use crate::engine::log::index::{Index, SegmentState, Slot};
use crate::engine::log::outcome::Report;

/// What came of the wish for a new segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rolled {
    /// There is one.
    Yes,
    /// An old one has to go first, and is about to.
    Later,
    /// There is no room for one.
    Full,
}

impl Writer {
    /// Makes a new segment and seals the old one.
    pub(super) fn roll(&mut self, now: Millis) -> Result<Rolled, Fatal> {
        if !self.within_bound() {
            // If what has to be kept of the oldest one did not fit, nothing can be done.
            if self.chores.is_empty() && self.force_oldest() {
                return Ok(Rolled::Later);
            }
            let error = io::Error::other("the bound of the log leaves no room");
            self.fill_up(now, error);
            return Ok(Rolled::Full);
        }
        let shared = Arc::clone(&self.shared);
        let (files, paths, options) = (&shared.files, &shared.paths, &shared.options);
        let number = self.active.header.number.saturating_add(1);
        let header = SegmentHeader {
            number,
            // The footer of the old one comes first.
            first: self.active.sequence.saturating_add(1),
            generation: self.active.header.generation,
            mark: self.mark,
            time: options.clock.unix(),
            salt: salt(options.random),
        };
        let closed = Fresh::make(files, paths, header, options.segment_bytes)
            .and_then(|fresh| Ok((fresh, self.active.close(self.mark)?)));
        let (fresh, length) = match closed {
            Err(error) if no_room(&error) || passing(&error) => {
                self.fill_up(now, error);
                return Ok(Rolled::Full);
            }
            closed => closed?,
        };
        // It holds what was answered: an error of this sync is final, even if it speaks of room.
        self.active.seal(length)?;
        let sealed = self.active.slot;
        self.active = fresh.enter(files, paths, |header| {
            let mut index = shared.index();
            if let Some(segment) = index.segments.get_mut(sealed) {
                (segment.length, segment.sealed) = (length, true);
            }
            add_segment(&mut index, header, options.segment_bytes)
        })?;
        self.synced = self.active.sequence.saturating_sub(1);
        self.dirty_since = None;
        self.choose_at = now;
        self.heal();
        Ok(Rolled::Yes)
    }

    /// Appends are taken again.
    fn heal(&mut self) {
        self.full_until = None;
        if self.shared.cells.full.swap(0, Relaxed) != 0 {
            self.shared.report(Report::Healed);
        }
    }

    /// Whether there is room for one more segment below the bound. What was set aside goes first.
    fn within_bound(&self) -> bool {
        loop {
            let options = &self.shared.options;
            let fits = self.used().saturating_add(options.segment_bytes) <= options.bytes_max;
            let slots = self.shared.index().segments.len() < usize::from(u16::MAX);
            if fits && slots {
                return true;
            }
            if !self.drop_set_aside() {
                return false;
            }
        }
    }

    /// Bytes of the directory, with those that a checkpoint would have.
    pub(super) fn used(&self) -> u64 {
        let index = self.shared.index();
        let beside = self.shared.cells.bytes_beside.load(Relaxed);
        index.segments.file_bytes().saturating_add(beside).saturating_add(index.checkpoint_bytes())
    }

    /// Has the oldest segment go, whatever lives in it. Says whether there is one that can.
    fn force_oldest(&mut self) -> bool {
        if let Some(retiring) = &mut self.retiring {
            return retiring.force();
        }
        self.retire_oldest(Mode::Drop)
    }

    /// Removes the oldest of the segments that were set aside, if there is one.
    fn drop_set_aside(&self) -> bool {
        let (files, cells) = (&self.shared.files, &self.shared.cells);
        if cells.bytes_beside.load(Relaxed) == 0 {
            return false;
        }
        let directory = self.shared.paths.quarantine();
        let oldest = files.names(&directory).ok().and_then(|names| names.into_iter().min());
        let left = oldest.and_then(|oldest| {
            let file = directory.join(oldest);
            let length = files.length(&file).ok()?.unwrap_or(0);
            files.remove(&file).ok()?;
            Some(cells.bytes_beside.load(Relaxed).saturating_sub(length))
        });
        cells.bytes_beside.store(left.unwrap_or(0), Relaxed);
        left.is_some()
    }
}

/// Makes the first segment of a log, or one behind a segment that cannot be gone on with.
pub(in super::super) fn begin_segment(
    shared: &super::Shared,
    header: SegmentHeader,
) -> io::Result<Active> {
    let (files, paths, capacity) = (&shared.files, &shared.paths, shared.options.segment_bytes);
    Fresh::make(files, paths, header, capacity)?
        .enter(files, paths, |header| add_segment(&mut shared.index(), header, capacity))
}

/// Enters a segment into the index.
fn add_segment(index: &mut Index, header: &SegmentHeader, capacity: u64) -> io::Result<Slot> {
    let segment = SegmentState::new(header.number, header.salt, capacity, false);
    index.segments.add(segment).ok_or_else(|| io::Error::other("too many segments"))
}

/// Random bits for a segment.
pub(in super::super) fn salt(random: fn() -> u64) -> u32 {
    let [a, b, c, d, ..] = random().to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
