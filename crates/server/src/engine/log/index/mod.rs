//! The index: what is stored, and where, in memory.
//!
//! The writer changes it when a batch is written, readers look into it; it stands behind a lock that
//! is never held while the disk is waited for. Opening builds it from the records in their order, by
//! the same functions.

mod channel;
mod entry;
mod segment;
#[cfg(test)]
mod tests;

pub(super) use channel::{ChannelState, Tip};
pub(super) use entry::Placed;
pub(super) use segment::{SegmentState, Segments, Slot};

use std::collections::HashMap;

use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, OFFSET_END, Offset, Position};
use fanfare_core::time::UnixMillis;

use super::format::body::HeadBody;
use super::format::checkpoint;
use super::options::RulesOf;

/// A channel's place in the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct ChannelId(u32);

/// Everything that is known of what is stored.
pub(super) struct Index {
    ids: HashMap<ChannelName, ChannelId>,
    channels: Vec<Option<Box<ChannelState>>>,
    free: Vec<ChannelId>,
    rules: RulesOf,
    pub segments: Segments,
    /// The epoch of every channel that was never removed.
    pub generation: Epoch,
    /// The highest offset that was ever forgotten.
    pub mark: Offset,
    /// How often the log was left uncleanly, as far as it is still known.
    pub jumps: u32,
    /// Which channel is swept next.
    swept: usize,
    /// Bytes of the names of all channels.
    name_bytes: u64,
}

/// A publication in a record, as the index takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stored {
    pub epoch: Epoch,
    pub prev: Offset,
    pub placed: Placed,
    pub expires_at: Option<UnixMillis>,
    /// Whether the channel ends with it.
    pub ends: bool,
}

impl Index {
    /// An index of nothing.
    pub(super) fn new(generation: Epoch, mark: Offset, rules: RulesOf) -> Self {
        Self {
            ids: HashMap::new(),
            channels: Vec::new(),
            free: Vec::new(),
            rules,
            segments: Segments::default(),
            generation,
            mark,
            jumps: 0,
            swept: 0,
            name_bytes: 0,
        }
    }

    /// The channel's place, if the log knows it.
    pub(super) fn id(&self, name: &ChannelName) -> Option<ChannelId> {
        self.ids.get(name).copied()
    }

    /// The channel.
    pub(super) fn channel(&self, ChannelId(place): ChannelId) -> Option<&ChannelState> {
        self.channels.get(usize::try_from(place).ok()?)?.as_deref()
    }

    /// The channel by its name.
    pub(super) fn find(&self, name: &ChannelName) -> Option<&ChannelState> {
        self.channel(self.id(name)?)
    }

    /// The channel, and the segments that its publications stand in.
    pub(super) fn parts(
        &mut self,
        ChannelId(place): ChannelId,
    ) -> Option<(&mut ChannelState, &mut Segments)> {
        let channel = self.channels.get_mut(usize::try_from(place).ok()?)?.as_deref_mut()?;
        Some((channel, &mut self.segments))
    }

    /// Every channel.
    pub(super) fn iter(&self) -> impl Iterator<Item = &ChannelState> {
        self.channels.iter().flatten().map(|channel| &**channel)
    }

    /// How many channels there are.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The channel; one that the log does not know begins at a position.
    pub(super) fn ensure(&mut self, name: &ChannelName, begin: Position) -> ChannelId {
        if let Some(id) = self.id(name) {
            return id;
        }
        let mut channel = ChannelState::new(name.clone(), (self.rules)(name), begin);
        channel.jumps = self.jumps;
        let channel = Some(Box::new(channel));
        let id = match self.free.pop() {
            Some(id) => id,
            // There are never as many channels as there are numbers: each takes more than a byte.
            None => ChannelId(u32::try_from(self.channels.len()).unwrap_or(u32::MAX)),
        };
        let ChannelId(place) = id;
        match self.channels.get_mut(usize::try_from(place).unwrap_or(usize::MAX)) {
            Some(free) => *free = channel,
            None => self.channels.push(channel),
        }
        self.ids.insert(name.clone(), id);
        self.name_bytes = self.name_bytes.saturating_add(name.as_str().len() as u64);
        id
    }

    /// Lets go of a channel and of everything that is kept of it.
    pub(super) fn forget(&mut self, id: ChannelId) {
        let Some((channel, segments)) = self.parts(id) else { return };
        channel.clear(segments);
        channel.rehome(None, segments);
        let name = channel.name.clone();
        self.ids.remove(&name);
        self.name_bytes = self.name_bytes.saturating_sub(name.as_str().len() as u64);
        let ChannelId(place) = id;
        if let Some(taken) = self.channels.get_mut(usize::try_from(place).unwrap_or(usize::MAX)) {
            *taken = None;
            self.free.push(id);
        }
    }

    /// The offset up to which none is given out again: the head, or far above it.
    pub(super) fn skipped(&self, channel: &ChannelState) -> Offset {
        let jumps = u64::from(self.jumps.wrapping_sub(channel.jumps));
        let skipped = channel.stored.head.saturating_add(jumps.saturating_mul(JUMP));
        skipped.min(OFFSET_END)
    }

    /// A publication was stored at the channel's head.
    pub(super) fn store(&mut self, id: ChannelId, stored: &Stored, now: UnixMillis) {
        let jumps = self.jumps;
        let Some((channel, segments)) = self.parts(id) else { return };
        if channel.stored.epoch != stored.epoch {
            // It was forgotten when there was no room to say so.
            channel.begin(Position::new(stored.prev, stored.epoch), segments);
        } else if channel.stored.head != stored.prev && channel.written() {
            // What lay between was seen and then lost.
            channel.remove_up_to(stored.prev, segments);
        }
        let slot = stored.placed.slot;
        channel.stored.head = stored.placed.offset;
        channel.stored.ended = stored.ends;
        channel.newest = stored.placed.time;
        channel.jumps = jumps;
        channel.rehome(Some(slot), segments);
        channel.push(&stored.placed, stored.expires_at, segments);
        channel.retain(now, segments);
    }

    /// An end without a last publication was stored.
    pub(super) fn end(&mut self, id: ChannelId, head: Position, time: UnixMillis, slot: Slot) {
        let Some((channel, segments)) = self.parts(id) else { return };
        if channel.stored.epoch == head.epoch {
            channel.stored.head = channel.stored.head.max(head.offset);
            channel.stored.ended = true;
            channel.newest = time;
            // Where its offsets begin can no longer be told from its publications alone.
            channel.irregular = true;
            channel.rehome(Some(slot), segments);
        }
    }

    /// The channel has begun anew.
    pub(super) fn remove(&mut self, id: ChannelId, begin: Position, slot: Slot) {
        let jumps = self.jumps;
        self.mark = self.mark.max(begin.offset);
        let Some((channel, segments)) = self.parts(id) else { return };
        channel.begin(begin, segments);
        channel.jumps = jumps;
        channel.rehome(Some(slot), segments);
    }

    /// A record said where the channel stands.
    pub(super) fn place_head(&mut self, id: ChannelId, head: &HeadBody, slot: Slot) {
        let jumps = self.jumps.wrapping_sub(head.jumps);
        let Some((channel, segments)) = self.parts(id) else { return };
        if channel.stored.epoch != head.epoch {
            channel.begin(Position::new(head.floor, head.epoch), segments);
        }
        channel.stored = Tip { epoch: head.epoch, head: head.head, ended: head.ended };
        channel.start = head.start;
        channel.newest = head.newest;
        channel.set_floor(head.floor, segments);
        channel.irregular = true;
        channel.jumps = jumps;
        channel.rehome(Some(slot), segments);
    }

    /// A publication was found that had been copied from an older segment.
    pub(super) fn place_copy(&mut self, id: ChannelId, stored: &Stored, now: UnixMillis) {
        let Some((channel, segments)) = self.parts(id) else { return };
        if channel.stored.epoch != stored.epoch {
            return;
        }
        if !channel.written() {
            channel.stored.head = channel.stored.head.max(stored.placed.offset);
        }
        channel.irregular = true;
        channel.insert(&stored.placed, stored.expires_at, segments);
        channel.retain(now, segments);
    }

    /// Where a channel stands, as a record says it.
    pub(super) fn head_of(&self, channel: &ChannelState) -> HeadBody {
        let Tip { epoch, head, ended } = channel.stored;
        let (start, floor) = (channel.start, channel.floor);
        let jumps = self.jumps.wrapping_sub(channel.jumps);
        let newest = channel.newest;
        HeadBody { epoch, start, floor, head, newest, jumps, ended }
    }

    /// Lets go of what of one channel has expired or is too old by now.
    pub(super) fn age(&mut self, id: ChannelId, now: UnixMillis) {
        if let Some((channel, segments)) = self.parts(id) {
            channel.retain(now, segments);
        }
    }

    /// Does the same for the next so many channels, whose turn it is.
    pub(super) fn sweep(&mut self, count: usize, now: UnixMillis) {
        let Self { channels, segments, swept, .. } = self;
        for _ in 0..count.min(channels.len()) {
            if *swept >= channels.len() {
                *swept = 0;
            }
            if let Some(Some(channel)) = channels.get_mut(*swept) {
                channel.retain(now, segments);
            }
            *swept = swept.saturating_add(1);
        }
    }

    /// Bytes that a checkpoint of it would have, at most.
    pub(super) fn checkpoint_bytes(&self) -> u64 {
        let (segments, publications) = (self.segments.len(), self.segments.publications);
        checkpoint::length(segments, self.len(), self.name_bytes, publications)
    }

    /// Has appends held against what is stored, for every channel.
    pub(super) fn settle_tips(&mut self) {
        for channel in self.channels.iter_mut().flatten() {
            channel.tip = channel.stored;
        }
    }
}

impl std::fmt::Debug for Index {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Index").field("channels", &self.len()).finish_non_exhaustive()
    }
}

/// How far offsets go on above what is in the log after an unclean stop.
pub(super) const JUMP: u64 = 1 << 20;

/// How many times as far they go on above what is in a copy, from whose log any number of offsets may
/// have been given out since.
pub(super) const COPY_JUMPS: u32 = 1 << 16;
