//! What is known of the segments.

use std::collections::VecDeque;

use fanfare_core::time::UnixMillis;

use crate::engine::log::format::record::Seal;

/// The place of a segment in the table; it is shorter than the segment's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in super::super) struct Slot(pub u16);

/// One segment.
#[derive(Debug, Clone)]
pub(in super::super) struct SegmentState {
    pub number: u64,
    pub salt: u32,
    /// Bytes of the file.
    pub length: u64,
    /// Whether it is sealed; the newest one is not.
    pub sealed: bool,
    /// Publications that live in it.
    pub live: u64,
    /// Their bytes.
    pub live_bytes: u64,
    /// Channels whose newest state stands in it.
    pub homes: u64,
    /// When the last key that stands in it expires.
    pub keys_until: UnixMillis,
}

/// All segments, and what lives in all of them together.
#[derive(Debug, Default)]
pub(in super::super) struct Segments {
    slots: Vec<Option<SegmentState>>,
    /// The oldest first.
    order: VecDeque<Slot>,
    /// Publications that live.
    pub publications: u64,
    /// Their bytes.
    pub live_bytes: u64,
}

impl SegmentState {
    /// A segment in which nothing lives yet.
    pub(in super::super) fn new(number: u64, salt: u32, length: u64, sealed: bool) -> Self {
        let (live, live_bytes, homes, keys_until) = (0, 0, 0, 0);
        Self { number, salt, length, sealed, live, live_bytes, homes, keys_until }
    }

    /// What its checksums begin with.
    pub(in super::super) fn seal(&self) -> Seal {
        Seal::new(self.number, self.salt)
    }
}

impl Segments {
    /// Adds the newest segment; none if there are as many as can be.
    pub(in super::super) fn add(&mut self, segment: SegmentState) -> Option<Slot> {
        let free = self.slots.iter().position(Option::is_none);
        let place = free.unwrap_or(self.slots.len());
        let slot = Slot(u16::try_from(place).ok()?);
        match self.slots.get_mut(place) {
            Some(free) => *free = Some(segment),
            None => self.slots.push(Some(segment)),
        }
        self.order.push_back(slot);
        Some(slot)
    }

    /// Puts another segment in the place of the one with the same number.
    pub(in super::super) fn replace(&mut self, segment: SegmentState) {
        let same = |there: &&mut SegmentState| there.number == segment.number;
        if let Some(there) = self.slots.iter_mut().flatten().find(same) {
            *there = segment;
        }
    }

    /// Lets go of the oldest segment.
    pub(in super::super) fn remove_oldest(&mut self) -> Option<SegmentState> {
        let Slot(place) = self.order.pop_front()?;
        self.slots.get_mut(usize::from(place))?.take()
    }

    pub(in super::super) fn get(&self, Slot(place): Slot) -> Option<&SegmentState> {
        self.slots.get(usize::from(place))?.as_ref()
    }

    pub(in super::super) fn get_mut(&mut self, Slot(place): Slot) -> Option<&mut SegmentState> {
        self.slots.get_mut(usize::from(place))?.as_mut()
    }

    /// The oldest one.
    pub(in super::super) fn oldest(&self) -> Option<(Slot, &SegmentState)> {
        let slot = *self.order.front()?;
        Some((slot, self.get(slot)?))
    }

    /// All of them, the oldest first.
    pub(in super::super) fn iter(&self) -> impl Iterator<Item = (Slot, &SegmentState)> {
        self.order.iter().filter_map(|slot| Some((*slot, self.get(*slot)?)))
    }

    /// How many there are.
    pub(in super::super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Bytes of all their files.
    pub(in super::super) fn file_bytes(&self) -> u64 {
        self.iter().map(|(_, segment)| segment.length).sum()
    }

    /// A publication lives here now.
    pub(super) fn settle(&mut self, slot: Slot, weight: u32) {
        self.publications = self.publications.saturating_add(1);
        self.live_bytes = self.live_bytes.saturating_add(weight.into());
        if let Some(segment) = self.get_mut(slot) {
            segment.live = segment.live.saturating_add(1);
            segment.live_bytes = segment.live_bytes.saturating_add(weight.into());
        }
    }

    /// A publication does not live here any more.
    pub(super) fn release(&mut self, slot: Slot, weight: u32) {
        self.publications = self.publications.saturating_sub(1);
        self.live_bytes = self.live_bytes.saturating_sub(weight.into());
        if let Some(segment) = self.get_mut(slot) {
            segment.live = segment.live.saturating_sub(1);
            segment.live_bytes = segment.live_bytes.saturating_sub(weight.into());
        }
    }

    /// A channel's newest state stands somewhere else now, or nowhere.
    pub(super) fn rehome(&mut self, old: Option<Slot>, new: Option<Slot>) {
        if let Some(segment) = old.and_then(|slot| self.get_mut(slot)) {
            segment.homes = segment.homes.saturating_sub(1);
        }
        if let Some(segment) = new.and_then(|slot| self.get_mut(slot)) {
            segment.homes = segment.homes.saturating_add(1);
        }
    }

    /// A key stands in a segment.
    pub(in super::super) fn keep_key(&mut self, slot: Slot, until: UnixMillis) {
        if let Some(segment) = self.get_mut(slot) {
            segment.keys_until = segment.keys_until.max(until);
        }
    }
}
