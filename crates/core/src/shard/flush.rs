//! How frames come from feeds to sinks.
//!
//! Dirty feeds take turns, so many sends each; a reader is offered everything between its place and
//! the head at once, so that it costs one write a visit. A reader whose sink is full is passed
//! over until it says that it has room; then it is visited by itself.

use crate::cursor::CursorEntry;
use crate::feed::{Entry, Feed, FeedId, FeedMark, FeedReader, Run};
use crate::frame::Format;
use crate::name::ChannelName;
use crate::shard::reader::{AwayState, Flow, Reader, Slot};
use crate::shard::{Backlog, ConnectionId, Effect, Room, Shard, Sink};
use crate::time::Now;

/// What a reader came to that each reader is told by itself.
pub(super) struct Hit {
    pub(super) connection: ConnectionId,
    pub(super) slot: u16,
    pub(super) mark: FeedMark,
    pub(super) after: CursorEntry,
}

impl Shard {
    /// Delivers from dirty feeds, round robin, up to about `budget` sends.
    pub fn flush(
        &mut self,
        sink: &mut impl Sink,
        now: Now,
        budget: usize,
        effects: &mut Vec<Effect>,
    ) -> Backlog {
        self.now = now;
        for connection in std::mem::take(&mut self.held) {
            if let Some(reader) = self.reader_mut(connection) {
                reader.flow = reader.flow.released();
            }
            self.make_ready(connection);
        }
        let mut left = budget;
        let mut hits = Vec::new();
        while left > 0 && !(self.ready.is_empty() && self.dirty.is_empty()) {
            if let Some(connection) = self.ready.pop_front() {
                let sends = self.visit_reader(connection, sink, &mut hits, effects);
                left = left.saturating_sub(sends.max(1));
            }
            if let Some(id) = self.dirty.pop_front() {
                let most = self.settings.sends_per_visit.min(left);
                let sends = self.visit_feed(id, sink, most, &mut hits, effects);
                left = left.saturating_sub(sends.max(1));
            }
            self.tell_hits(&mut hits, effects);
        }
        self.settle(now, effects);
        if self.ready.is_empty() && self.dirty.is_empty() && self.held.is_empty() {
            Backlog::Empty
        } else {
            Backlog::More
        }
    }

    /// Visits a feed's readers, from where the last visit stopped.
    fn visit_feed(
        &mut self,
        id: FeedId,
        sink: &mut impl Sink,
        most: usize,
        hits: &mut Vec<Hit>,
        effects: &mut Vec<Effect>,
    ) -> usize {
        let Some(mut feed) = self.feeds.take(id) else {
            return 0;
        };
        if !feed.pass.dirty {
            self.feeds.put(id, feed);
            return 0;
        }
        if feed.conflation.is_some() {
            let sends = self.visit_newest(id, feed, sink, most, hits);
            self.close_feed_if_unread(id, effects);
            return sends;
        }
        let end = feed.end();
        let sends = feed.visit((end, most), |feed, place| self.deliver(feed, place, sink, hits));
        if feed.pass.visited >= feed.readers.len() {
            feed.pass.visited = 0;
            feed.pass.dirty = feed.end() > feed.pass.until;
            let bytes = feed.bytes() as u64;
            let consumed = feed.pass.needed.saturating_sub(feed.first());
            feed.trim(usize::try_from(consumed).unwrap_or(usize::MAX));
            self.figures.feed_bytes = self.figures.feed_bytes + feed.bytes() as u64 - bytes;
        }
        if feed.pass.dirty {
            self.dirty.push_back(id);
        }
        self.feeds.put(id, feed);
        self.close_feed_if_unread(id, effects);
        sends
    }

    /// Visits one reader's channels, after it had been full or has just attached.
    fn visit_reader(
        &mut self,
        connection: ConnectionId,
        sink: &mut impl Sink,
        hits: &mut Vec<Hit>,
        effects: &mut Vec<Effect>,
    ) -> usize {
        let Some(reader) = self.reader_mut(connection) else {
            return 0;
        };
        reader.queued = false;
        let mut sends = 0;
        for slot in 0..reader.slots.as_slice().len() {
            let slot = u16::try_from(slot).unwrap_or(u16::MAX);
            let Some(reader) = self.reader_mut(connection) else {
                return sends;
            };
            if reader.flow != Flow::Open {
                return sends;
            }
            match reader.slots.get_mut(slot) {
                Some(&mut Slot::Live { feed: id, place }) => {
                    let Some(mut feed) = self.feeds.take(id) else {
                        continue;
                    };
                    let place = place as usize;
                    sends += match feed.conflation {
                        None => self.deliver(&mut feed, place, sink, hits),
                        Some(_) => self.visit_newest_reader(id, &mut feed, place, sink, hits),
                    };
                    self.feeds.put(id, feed);
                }
                Some(Slot::Away(away)) => match away.state {
                    AwayState::Lagging(position) => {
                        self.resume(connection, slot, position, effects);
                    }
                    AwayState::Page(_) => {
                        sends += self.deliver_page(connection, slot, sink, hits, effects);
                    }
                    AwayState::Attaching { .. } | AwayState::AwaitingPage(_) => {}
                },
                Some(Slot::Free) | None => {}
            }
        }
        sends
    }

    /// Delivers to one reader of a feed what it has not had.
    fn deliver(
        &mut self,
        feed: &mut Feed,
        place: usize,
        sink: &mut impl Sink,
        hits: &mut Vec<Hit>,
    ) -> usize {
        let Some(at) = feed.readers.get(place).copied() else {
            return 0;
        };
        let Some(reader) = self.readers.get_mut(at.connection) else {
            return 0;
        };
        let connection = ConnectionId { index: at.connection, generation: reader.generation };
        let (mut next, mut sends, end) = (at.next, 0, feed.end());
        while reader.flow == Flow::Open
            && let Some(entry) = feed.entry(next)
        {
            let mut count = feed.common_length(next);
            if count == 0 {
                let at = FeedReader { next, ..at };
                match meet(&at, reader, entry) {
                    Meeting::Passed => {
                        next += 1;
                        continue;
                    }
                    Meeting::Told(hit) => {
                        next += 1;
                        hits.push(hit);
                        self.held.push(connection);
                        break;
                    }
                    Meeting::Given => count = feed.run_length(&at, reader.eyes()),
                }
            }
            let cursor = reader.extra.as_ref().and_then(|extra| extra.cursor.as_ref());
            let run = Run { entries: feed.entries(next, count), cursor };
            let delivery = sink.deliver(connection, run);
            let taken = delivery.taken.min(count);
            sends += 1;
            self.figures.deliveries += taken as u64;
            if reader.extra.is_some() {
                let seen = feed.entries(next, taken).rev().find_map(|entry| entry.after);
                move_cursor(reader, seen);
            }
            next += taken as u64;
            if delivery.room == Room::Full || taken == 0 {
                reader.flow = Flow::Full;
            }
        }
        if let Some(reader) = feed.readers.get_mut(place) {
            reader.next = next;
        }
        self.figures.lag_max = self.figures.lag_max.max(end - next);
        sends
    }

    /// Tells readers what they came to.
    fn tell_hits(&mut self, hits: &mut Vec<Hit>, effects: &mut Vec<Effect>) {
        for Hit { connection, slot, mark, after } in hits.drain(..) {
            if self.reader_mut(connection).is_none_or(|reader| reader.flow == Flow::Gone) {
                continue;
            }
            match mark {
                FeedMark::Removed(gap) => self.tell_gap(connection, gap, effects),
                FeedMark::Ended => self.tell_ended(connection, slot, after, effects),
            }
        }
    }

    fn tell_ended(
        &mut self,
        connection: ConnectionId,
        slot: u16,
        entry: CursorEntry,
        effects: &mut Vec<Effect>,
    ) {
        let Some(channel) = self.channel_of(connection, slot) else {
            return;
        };
        if self.reader_mut(connection).is_some_and(|reader| reader.slots.used() > 1) {
            // The other one may have been added and not be answered yet.
            self.compose_cursor(connection);
        }
        self.leave(connection, slot, effects);
        let cursor = self.set_cursor(connection, entry);
        effects.push(Effect::End { connection, channel, entry, cursor });
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        if reader.slots.used() == 0 && reader.format.plain() != Format::WebSocketV1 {
            reader.flow = Flow::Gone;
            effects.push(Effect::Finished(connection));
        }
    }

    fn channel_of(&mut self, connection: ConnectionId, slot: u16) -> Option<ChannelName> {
        let reader = self.readers.get_mut(connection.index)?;
        match reader.slots.get_mut(slot)? {
            Slot::Free => None,
            Slot::Live { feed, .. } => Some(self.feeds.get(*feed)?.channel.clone()),
            Slot::Away(away) => Some(away.channel.clone()),
        }
    }
}

/// What an entry is to a reader that comes to it.
pub(super) enum Meeting {
    /// Nothing: it is not for this one, whose cursor has moved over it.
    Passed,
    /// Something to tell it, before which it gets nothing more.
    Told(Hit),
    /// A frame that it gets.
    Given,
}

/// A reader comes to the entry that it waits for.
pub(super) fn meet(at: &FeedReader, reader: &mut Reader, entry: &Entry) -> Meeting {
    if at.passes(entry, at.next, reader.eyes()) {
        move_cursor(reader, entry.after);
        return Meeting::Passed;
    }
    let (Some(mark), Some(after)) = (entry.as_mark(), entry.after) else {
        return Meeting::Given;
    };
    reader.flow = reader.flow.held();
    let connection = ConnectionId { index: at.connection, generation: reader.generation };
    Meeting::Told(Hit { connection, slot: at.slot, mark: mark.clone(), after })
}

/// Moves a reader's own cursor on, if it has one.
pub(super) fn move_cursor(reader: &mut Reader, seen: Option<CursorEntry>) {
    if let (Some(entry), Some(cursor)) = (seen, reader.cursor_mut()) {
        cursor.set(entry);
    }
}
