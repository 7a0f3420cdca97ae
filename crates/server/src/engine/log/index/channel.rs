//! What is known of one channel, and where its publications stand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use fanfare_core::history::Kept;
use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Offset, Position};
use fanfare_core::time::UnixMillis;

use super::entry::{Entry, Placed, REACH};
use super::segment::{Segments, Slot};
use crate::engine::log::options::ChannelRules;

/// One channel.
#[derive(Debug)]
pub(in super::super) struct ChannelState {
    pub name: ChannelName,
    pub rules: Arc<ChannelRules>,
    /// What is stored: all that readers are told of.
    pub stored: Tip,
    /// What will be stored when the batch that is being written is: what appends are held against.
    pub tip: Tip,
    /// Whether its end is written and not yet as durable as it has to be before anybody is told.
    pub ending: bool,
    /// Where the offsets of the epoch begin.
    pub start: Offset,
    /// The offset up to which retention removed publications.
    pub floor: Offset,
    /// The highest offset that retention, or a loss, removed: the floor is never told to be lower.
    removed: Offset,
    /// When the newest of what is stored was published, or the channel ended.
    pub newest: UnixMillis,
    /// How many jumps there had been when it was last written to.
    pub jumps: u32,
    /// Where its newest state stands; none if nothing of it was written yet.
    home: Option<Slot>,
    /// Whether its floor cannot be told from what is left of it when a segment goes.
    pub irregular: bool,
    /// The segment that it was last named in, and its number there.
    pub named: Option<(u64, u32)>,
    base: Offset,
    entries: VecDeque<Entry>,
    bytes: u64,
    /// Only of channels that have publications which expire by themselves.
    expiring: Option<Box<Expiring>>,
}

/// The publications of a channel that expire by themselves.
#[derive(Debug, Default)]
struct Expiring {
    by_time: BTreeSet<(UnixMillis, Offset)>,
    by_offset: BTreeMap<Offset, UnixMillis>,
}

/// How far a channel goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Tip {
    pub epoch: Epoch,
    pub head: Offset,
    pub ended: bool,
}

/// A channel up to a head, as a part of history is chosen from it.
#[derive(Debug)]
pub(in super::super) struct View<'a> {
    channel: &'a ChannelState,
    count: usize,
}

impl Tip {
    pub(in super::super) fn position(self) -> Position {
        Position::new(self.head, self.epoch)
    }
}

impl ChannelState {
    /// A channel of which nothing was stored yet.
    pub(super) fn new(name: ChannelName, rules: Arc<ChannelRules>, begin: Position) -> Self {
        let Position { epoch, offset } = begin;
        let tip = Tip { epoch, head: offset, ended: false };
        Self {
            name,
            rules,
            stored: tip,
            tip,
            ending: false,
            start: offset,
            floor: offset,
            removed: 0,
            newest: 0,
            jumps: 0,
            home: None,
            irregular: false,
            named: None,
            base: offset,
            entries: VecDeque::new(),
            bytes: 0,
            expiring: None,
        }
    }

    /// Begins a history at a position; what was kept is let go. What appends are held against stays:
    /// behind what begins here the batch may hold more.
    pub(super) fn begin(&mut self, begin: Position, segments: &mut Segments) {
        let Position { epoch, offset } = begin;
        self.clear(segments);
        self.stored = Tip { epoch, head: offset, ended: false };
        self.ending = false;
        self.start = offset;
        self.floor = offset;
        self.removed = 0;
        self.newest = 0;
    }

    /// Lets go of everything that is kept.
    pub(super) fn clear(&mut self, segments: &mut Segments) {
        for entry in std::mem::take(&mut self.entries) {
            let placed = entry.unpack(self.base);
            segments.release(placed.slot, placed.weight);
        }
        self.bytes = 0;
        self.expiring = None;
    }

    /// Whether a reader that knows everything up to a head may be told that the channel has ended.
    pub(in super::super) fn ended_at(&self, head: Offset) -> bool {
        self.stored.ended && !self.ending && self.stored.head == head
    }

    /// Whether anything of it was written.
    pub(in super::super) fn written(&self) -> bool {
        self.home.is_some()
    }

    /// Where its newest state stands.
    pub(in super::super) fn home(&self) -> Option<Slot> {
        self.home
    }

    pub(super) fn rehome(&mut self, home: Option<Slot>, segments: &mut Segments) {
        if self.home != home {
            segments.rehome(self.home, home);
            self.home = home;
        }
    }

    /// Sets the floor as a head tells it, but not below what is known to be removed.
    pub(super) fn set_floor(&mut self, floor: Offset, segments: &mut Segments) {
        self.floor = floor.max(self.removed);
        self.remove_up_to(self.floor, segments);
    }

    /// Adds the newest publication.
    pub(in super::super) fn push(
        &mut self,
        placed: &Placed,
        expires_at: Option<UnixMillis>,
        segments: &mut Segments,
    ) {
        self.make_reach(placed.offset, segments);
        self.note_expiry(placed.offset, expires_at);
        self.bytes = self.bytes.saturating_add(placed.weight.into());
        segments.settle(placed.slot, placed.weight);
        self.entries.push_back(Entry::pack(placed, self.base));
    }

    /// Puts a publication in its place; one with the same offset gives way to it.
    pub(super) fn insert(
        &mut self,
        placed: &Placed,
        expires_at: Option<UnixMillis>,
        segments: &mut Segments,
    ) {
        let place = self.place_after(placed.offset.saturating_sub(1));
        if self.placed(place).is_some_and(|there| there.offset == placed.offset) {
            self.remove(place, segments);
        }
        if place == self.entries.len() {
            return self.push(placed, expires_at, segments);
        }
        // What lies so far before the others would have to go at once.
        if self.newest().saturating_sub(placed.offset) >= REACH {
            self.floor = self.floor.max(placed.offset);
            self.removed = self.removed.max(placed.offset);
            return;
        }
        if placed.offset < self.base {
            self.rebase(placed.offset);
        }
        self.note_expiry(placed.offset, expires_at);
        self.bytes = self.bytes.saturating_add(placed.weight.into());
        segments.settle(placed.slot, placed.weight);
        self.entries.insert(place, Entry::pack(placed, self.base));
    }

    /// Lets go of what has expired, is too old, or is too much.
    pub(in super::super) fn retain(&mut self, now: UnixMillis, segments: &mut Segments) {
        self.expire(now, segments);
        let retention = self.rules.retention;
        let age = u64::try_from(retention.age.as_millis()).unwrap_or(u64::MAX);
        let bytes = retention.bytes as u64;
        while let Some(oldest) = self.placed(0) {
            let old = oldest.time.saturating_add(age) <= now;
            let many = self.entries.len() > retention.count || self.bytes > bytes;
            if old || (many && self.entries.len() > 1) {
                self.remove_up_to(oldest.offset, segments);
            } else {
                return;
            }
        }
    }

    /// Lets go of everything up to an offset: whoever reads from below it is told a gap.
    pub(in super::super) fn remove_up_to(&mut self, offset: Offset, segments: &mut Segments) {
        while self.placed(0).is_some_and(|oldest| oldest.offset <= offset) {
            self.remove(0, segments);
        }
        self.floor = self.floor.max(offset);
        self.removed = self.removed.max(offset);
    }

    /// Notes that a publication now stands elsewhere; says whether it still stood where it was.
    pub(in super::super) fn relocate(
        &mut self,
        offset: Offset,
        from: Slot,
        (to, at): (Slot, u32),
        segments: &mut Segments,
    ) -> bool {
        let Some(place) = self.find(offset) else { return false };
        let Some(entry) = self.entries.get_mut(place) else { return false };
        let placed = entry.unpack(self.base);
        if placed.slot != from {
            return false;
        }
        *entry = Entry::pack(&Placed { slot: to, at, ..placed }, self.base);
        segments.release(from, placed.weight);
        segments.settle(to, placed.weight);
        self.irregular = true;
        true
    }

    /// The publication with this offset, if it is kept.
    pub(in super::super) fn at_offset(&self, offset: Offset) -> Option<Placed> {
        self.placed(self.find(offset)?)
    }

    /// The highest offset of those that stand in a segment.
    pub(in super::super) fn highest_in(&self, slot: Slot) -> Option<Offset> {
        let placed = self.entries.iter().rev().map(|entry| entry.unpack(self.base));
        placed.filter(|placed| placed.slot == slot).map(|placed| placed.offset).next()
    }

    /// The publication at a place.
    pub(in super::super) fn placed(&self, place: usize) -> Option<Placed> {
        Some(self.entries.get(place)?.unpack(self.base))
    }

    /// How many publications are kept.
    pub(in super::super) fn count(&self) -> usize {
        self.entries.len()
    }

    /// When the publication with this offset expires by itself.
    pub(in super::super) fn expires_at(&self, offset: Offset) -> Option<UnixMillis> {
        self.expiring.as_ref()?.by_offset.get(&offset).copied()
    }

    /// The channel up to a head.
    pub(in super::super) fn view(&self, head: Offset) -> View<'_> {
        View { channel: self, count: self.place_after(head) }
    }

    fn place_after(&self, offset: Offset) -> usize {
        self.entries.partition_point(|entry| entry.unpack(self.base).offset <= offset)
    }

    fn find(&self, offset: Offset) -> Option<usize> {
        let place = self.place_after(offset.checked_sub(1)?);
        self.placed(place).filter(|placed| placed.offset == offset).map(|_| place)
    }

    fn newest(&self) -> Offset {
        self.entries.back().map_or(self.base, |entry| entry.unpack(self.base).offset)
    }

    fn note_expiry(&mut self, offset: Offset, expires_at: Option<UnixMillis>) {
        if let Some(at) = expires_at {
            self.irregular = true;
            let expiring = self.expiring.get_or_insert_default();
            expiring.by_time.insert((at, offset));
            expiring.by_offset.insert(offset, at);
        }
    }

    fn expire(&mut self, now: UnixMillis, segments: &mut Segments) {
        while let Some(expiring) = &self.expiring
            && let Some((at, offset)) = expiring.by_time.first().copied()
            && at <= now
        {
            match self.find(offset) {
                Some(place) => self.remove(place, segments),
                None => self.forget_expiry(offset),
            }
        }
    }

    fn forget_expiry(&mut self, offset: Offset) {
        let Some(expiring) = &mut self.expiring else { return };
        if let Some(at) = expiring.by_offset.remove(&offset) {
            expiring.by_time.remove(&(at, offset));
        }
        if expiring.by_time.is_empty() {
            self.expiring = None;
        }
    }

    fn remove(&mut self, place: usize, segments: &mut Segments) {
        if let Some(entry) = self.entries.remove(place) {
            let placed = entry.unpack(self.base);
            segments.release(placed.slot, placed.weight);
            self.bytes = self.bytes.saturating_sub(placed.weight.into());
            self.forget_expiry(placed.offset);
        }
    }

    /// Makes the base such that an offset at the end is within reach of it.
    fn make_reach(&mut self, offset: Offset, segments: &mut Segments) {
        if self.entries.is_empty() {
            self.base = offset;
        }
        if offset.saturating_sub(self.base) < REACH {
            return;
        }
        while let Some(oldest) = self.placed(0)
            && offset.saturating_sub(oldest.offset) >= REACH
        {
            self.remove_up_to(oldest.offset, segments);
        }
        let base = self.placed(0).map_or(offset, |oldest| oldest.offset);
        self.rebase(base);
    }

    fn rebase(&mut self, base: Offset) {
        let old = std::mem::replace(&mut self.base, base);
        for entry in &mut self.entries {
            *entry = Entry::pack(&entry.unpack(old), base);
        }
    }
}

impl Kept for View<'_> {
    fn count(&self) -> usize {
        self.count
    }

    fn floor(&self) -> Offset {
        self.channel.floor
    }

    fn offset(&self, place: usize) -> Option<Offset> {
        (place < self.count).then(|| self.channel.placed(place))?.map(|placed| placed.offset)
    }

    fn weight(&self, place: usize) -> usize {
        let weight = self.channel.placed(place).map_or(0, |placed| placed.weight);
        usize::try_from(weight).unwrap_or(usize::MAX)
    }

    fn place_after(&self, offset: Offset) -> usize {
        self.channel.place_after(offset).min(self.count)
    }

    fn place_since(&self, time: UnixMillis) -> usize {
        let entries = self.channel.entries.iter().take(self.count);
        let later = |entry: &Entry| entry.unpack(self.channel.base).time >= time;
        let mut entries = entries.enumerate().filter(|(_, entry)| later(entry));
        entries.next().map_or(self.count, |(place, _)| place)
    }
}
