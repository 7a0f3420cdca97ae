//! Conflating feeds: of each key the newest, at the feed's own pace.
//!
//! Without a rate a conflating feed is visited like any other, as soon as something comes. With one
//! its readers are visited at its **moments** only: the first thing that comes after a pause opens
//! one at once, and the next is an interval later at the earliest. Who was full at a moment waits
//! for the next, and then gets what is newest by then.

use std::sync::Arc;

use crate::feed::{Entry, EntryBody, Feed, FeedId, FeedReader, Run};
use crate::frame::Frame;
use crate::name::ChannelName;
use crate::position::Offset;
use crate::presence::{News, Notices};
use crate::rate::{Pace, Wanted};
use crate::settings::SlowReader;
use crate::shard::flush::{Hit, Meeting, meet, move_cursor};
use crate::shard::interest::entry;
use crate::shard::reader::Flow;
use crate::shard::{ConnectionId, Item, Room, Shard, Sink};
use crate::time::Millis;
#[cfg(test)]
use crate::{position::Position, shard::reader::Slot};

/// An entry, and the offset before it if it has no frame yet.
type NewEntry = (Entry, Option<Offset>);

impl Shard {
    /// What a reader gets of a channel: what it asked for, else what the channel's namespace says.
    pub(super) fn wanted(&self, connection: ConnectionId, channel: &ChannelName) -> Wanted {
        let pace = self.readers.get(connection.index).map(|reader| reader.pace);
        match pace.unwrap_or_default() {
            Pace::AtMost(rate) => Wanted::Newest(Some(rate)),
            Pace::Every => Wanted::Every,
            Pace::Usual => match self.settings.namespaces.of(channel).slow_reader {
                SlowReader::Latest => Wanted::Newest(None),
                SlowReader::Recover | SlowReader::Disconnect => Wanted::Every,
            },
        }
    }

    /// A publication for the conflating feeds of its channel.
    pub(super) fn conflate_live(&mut self, item: &Arc<Item>) {
        let publication = &item.served.publication;
        self.conflate(&publication.channel, |feed| {
            let shared = item.frames.iter().find(|(format, _)| *format == feed.format);
            Some(match shared {
                Some((_, frame)) => (entry(publication, frame.clone()), None),
                None => (entry(publication, Frame::default()), Some(item.served.prev)),
            })
        });
    }

    /// News for the conflating feeds of a channel that are read by somebody who asked.
    pub(super) fn conflate_news(&mut self, news: &Arc<News>) {
        let (time, encode) = (self.now.unix, self.settings.encode_news);
        self.conflate(&news.channel, |feed| {
            let frame = feed.has_listeners().then(|| encode(news, feed.format))?;
            let body = EntryBody::News(Arc::clone(news));
            let entry = Entry { frame, after: None, time, exclude: None, body };
            (!entry.frame.bytes().is_empty()).then_some((entry, None))
        });
    }

    /// A mark for the conflating feeds of a channel.
    pub(super) fn conflate_mark(&mut self, channel: &ChannelName, mark: &Entry) {
        self.conflate(channel, |_| Some((mark.clone(), None)));
    }

    /// Appends to each conflating feed of a channel, if there is anything for it.
    fn conflate(&mut self, channel: &ChannelName, entry: impl Fn(&Feed) -> Option<NewEntry>) {
        let Some(interest) = self.interests.get_mut(channel) else { return };
        let Some(feeds) = interest.feeds.take_conflating() else { return };
        for id in feeds.ids() {
            let Some(mut feed) = self.feeds.take(id) else { continue };
            if let Some((entry, prev)) = entry(&feed)
                && let Some(newest) = &mut feed.conflation
            {
                let bytes = newest.bytes() as u64;
                self.figures.conflated += newest.push(entry, prev);
                self.figures.feed_bytes = self.figures.feed_bytes + newest.bytes() as u64 - bytes;
                self.stir(id, &mut feed);
            }
            self.feeds.put(id, feed);
            self.bound_newest(id);
        }
        if let Some(interest) = self.interests.get_mut(channel) {
            interest.feeds.put_conflating(feeds);
        }
    }

    /// Lets go of what a conflating feed has no room for. Readers that are passed thereby skip to
    /// what is left; only who would miss a mark, or news that it asked for, is taken out, to be told on
    /// the way back in.
    fn bound_newest(&mut self, id: FeedId) {
        let before = self.feeds.get(id).map_or(0, Feed::bytes) as u64;
        while let Some(feed) = self.feeds.get_mut(id)
            && let Some(newest) = &mut feed.conflation
            && let Some(number) = newest.bound(&self.settings.feed)
        {
            let marks = newest.from(number).is_some_and(|(_, kept)| kept.entry.as_mark().is_some());
            let needed = |reader: &&FeedReader| marks || reader.notices == Notices::On;
            let missing = feed.readers.iter().filter(|reader| reader.next <= number).filter(needed);
            let missing: Vec<_> = missing
                .map(|reader| (reader.connection, reader.slot, newest.position_before(reader.next)))
                .collect();
            newest.drop_told(number);
            for (index, slot, position) in missing {
                let Some(reader) = self.readers.get(index) else { continue };
                let connection = ConnectionId { index, generation: reader.generation };
                // Who waits for its own opening has not been slow.
                self.figures.slow_readers += u64::from(reader.flow != Flow::Opening);
                self.make_lagging(connection, slot, position);
                self.make_ready(connection);
            }
        }
        let after = self.feeds.get(id).map_or(0, Feed::bytes) as u64;
        self.figures.feed_bytes = self.figures.feed_bytes + after - before;
    }

    /// Has the readers of a conflating feed visited: at once, or at its next moment.
    fn stir(&mut self, id: FeedId, feed: &mut Feed) {
        let now = self.now.millis;
        let Some(newest) = feed.conflation.as_mut().filter(|_| !feed.pass.dirty) else { return };
        let moments = &mut newest.moments;
        if moments.rate.is_none() || moments.next <= now {
            if let Some(at) = moments.wakes.take() {
                self.moments.remove(&(at, id));
            }
            feed.pass.dirty = true;
            self.dirty.push_back(id);
        } else if moments.wakes.is_none() {
            moments.wakes = Some(moments.next);
            self.moments.insert((moments.next, id));
        }
    }

    /// When the next moment of a feed is due.
    pub(super) fn moments_at(&self) -> Option<Millis> {
        self.moments.first().map(|(at, _)| *at)
    }

    /// Opens the moments that are due.
    pub(super) fn open_moments(&mut self) {
        while let Some((at, id)) = self.moments.first().copied()
            && at <= self.now.millis
        {
            self.moments.pop_first();
            let Some(mut feed) = self.feeds.take(id) else { continue };
            if let Some(newest) = &mut feed.conflation {
                newest.moments.wakes = None;
            }
            self.stir(id, &mut feed);
            self.feeds.put(id, feed);
        }
    }

    /// Forgets the moment of a feed that is closed.
    pub(super) fn forget_moment(&mut self, id: FeedId, feed: &Feed) {
        let wakes = feed.conflation.as_ref().and_then(|newest| newest.moments.wakes);
        if let Some(at) = wakes {
            self.moments.remove(&(at, id));
        }
    }

    /// Whether it waits for a moment of any feed, for the simulation.
    #[cfg(test)]
    pub(crate) fn awaits_moment(&self) -> bool {
        !self.moments.is_empty()
    }

    /// The head that this shard knows of a channel, if the reader follows it live; for the
    /// simulation, whose checkers hold what is delivered against it.
    #[cfg(test)]
    pub(crate) fn follows(
        &self,
        connection: ConnectionId,
        channel: &ChannelName,
    ) -> Option<Position> {
        let reader = self.readers.get(connection.index)?;
        let live = |slot: &Slot| match slot {
            Slot::Live { feed, .. } => {
                self.feeds.get(*feed).is_some_and(|feed| feed.channel == *channel)
            }
            Slot::Free | Slot::Away(_) => false,
        };
        let head = self.interests.get(channel)?.head;
        head.filter(|_| reader.slots.as_slice().iter().any(live))
    }

    /// Visits a conflating feed's readers, from where the last visit stopped.
    pub(super) fn visit_newest(
        &mut self,
        id: FeedId,
        mut feed: Box<Feed>,
        sink: &mut impl Sink,
        most: usize,
        hits: &mut Vec<Hit>,
    ) -> usize {
        self.encode_newest(&mut feed);
        let end = feed.conflation.as_ref().map_or(0, |newest| newest.end());
        let deliver = |feed: &mut Feed, place| self.deliver_newest(feed, place, sink, hits);
        let sends = feed.visit((end, most), deliver);
        if feed.pass.visited >= feed.readers.len() {
            self.end_moment(id, &mut feed);
        } else {
            self.dirty.push_back(id);
        }
        self.feeds.put(id, feed);
        sends
    }

    /// All readers have been visited: what all of them have had goes, and the next moment comes an
    /// interval from here, so that however long the visit took, no reader is visited sooner.
    fn end_moment(&mut self, id: FeedId, feed: &mut Feed) {
        let now = self.now.millis;
        feed.pass.visited = 0;
        feed.pass.dirty = false;
        let Some(newest) = &mut feed.conflation else { return };
        let bytes = newest.bytes() as u64;
        newest.consume(feed.pass.needed);
        self.figures.feed_bytes = self.figures.feed_bytes + newest.bytes() as u64 - bytes;
        let moments = &mut newest.moments;
        moments.next = now + moments.rate.map_or(0, |rate| rate.interval());
        if std::mem::take(&mut moments.again) || newest.end() > feed.pass.until {
            self.stir(id, feed);
        }
    }

    /// Visits one reader of a conflating feed, after it had been full or has just attached. With a
    /// rate it waits for the feed's moment.
    pub(super) fn visit_newest_reader(
        &mut self,
        id: FeedId,
        feed: &mut Feed,
        place: usize,
        sink: &mut impl Sink,
        hits: &mut Vec<Hit>,
    ) -> usize {
        let Some(newest) = &mut feed.conflation else { return 0 };
        let has_moments = newest.moments.rate.is_some();
        #[cfg(test)]
        let has_moments =
            has_moments && !crate::simulation::makes(crate::simulation::Mistake::BetweenMoments);
        if !has_moments {
            self.encode_newest(feed);
            let sends = self.deliver_newest(feed, place, sink, hits);
            if let Some(newest) = &mut feed.conflation {
                newest.withdraw();
            }
            return sends;
        }
        let waits = feed.readers.get(place).is_some_and(|reader| newest.has_after(reader.next));
        if waits && feed.pass.dirty {
            newest.moments.again |= place < feed.pass.visited;
        } else if waits {
            self.stir(id, feed);
        }
        0
    }

    /// Gives frames to what came without, now that a reader is near.
    fn encode_newest(&mut self, feed: &mut Feed) {
        let Some(newest) = &mut feed.conflation else { return };
        let bytes = newest.bytes() as u64;
        newest.encode_new(self.settings.encode, feed.format);
        self.figures.feed_bytes = self.figures.feed_bytes + newest.bytes() as u64 - bytes;
    }

    /// Delivers to one reader of a conflating feed what is newest and it has not had.
    fn deliver_newest(
        &mut self,
        feed: &mut Feed,
        place: usize,
        sink: &mut impl Sink,
        hits: &mut Vec<Hit>,
    ) -> usize {
        let Feed { conflation: Some(newest), readers, .. } = feed else { return 0 };
        let Some(at) = readers.get_mut(place) else { return 0 };
        let Some(reader) = self.readers.get_mut(at.connection) else { return 0 };
        let connection = ConnectionId { index: at.connection, generation: reader.generation };
        if reader.flow != Flow::Open {
            return 0;
        }
        self.figures.slow_readers += u64::from(newest.has_passed(at.next));
        let mut sends = 0;
        while reader.flow == Flow::Open {
            let Some((number, kept)) = newest.from(at.next) else {
                at.next = newest.end();
                break;
            };
            at.next = number;
            match meet(at, reader, &kept.entry) {
                Meeting::Passed => {
                    at.next += 1;
                    continue;
                }
                Meeting::Told(hit) => {
                    at.next += 1;
                    hits.push(hit);
                    self.held.push(connection);
                    break;
                }
                Meeting::Given => {}
            }
            let offer = newest.offer(number);
            let count = offer.run_length(at, reader.eyes());
            let cursor = reader.extra.as_ref().and_then(|extra| extra.cursor.as_ref());
            let run = Run { entries: offer.entries(count), cursor };
            let delivery = sink.deliver(connection, run);
            let taken = delivery.taken.min(count);
            sends += 1;
            self.figures.deliveries += taken as u64;
            let seen = offer.entries(taken).rev().find_map(|entry| entry.after);
            move_cursor(reader, seen);
            at.next = offer.after(taken).unwrap_or(at.next);
            if delivery.room == Room::Full || taken == 0 {
                reader.flow = Flow::Full;
            }
        }
        sends
    }
}

#[cfg(test)]
#[path = "conflate_tests.rs"]
mod tests;
