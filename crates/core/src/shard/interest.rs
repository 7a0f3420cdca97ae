//! The channels that a shard reads, and their feeds.

use std::sync::Arc;

use crate::cursor::CursorEntry;
use crate::feed::{Entry, EntryBody, Feed, FeedId, FeedMark};
use crate::frame::Format;
use crate::gap::Gap;
use crate::name::ChannelName;
use crate::position::{Offset, Position};
use crate::publication::Publication;
use crate::rate::{Rate, Wanted};
use crate::settings::{ShardSettings, SlowReader};
use crate::shard::reader::{Away, AwayState, Flow, Slot};
use crate::shard::{ConnectionId, Disconnect, Effect, Item, Message, Shard};

/// A channel that this shard reads, or is about to.
#[derive(Debug)]
pub(super) struct Interest {
    pub(super) feeds: FeedTable,
    /// Readers whose attach the owner has not answered: until then the interest stays.
    pub(super) attaching: u32,
    /// The head as this shard knows it, once the owner has answered an attach.
    pub(super) head: Option<Position>,
    pub(super) ended: bool,
    /// Members of the channel, as far as this shard has heard.
    pub(super) members: usize,
}

/// The feeds of one channel, by format.
#[derive(Debug, Default)]
pub(super) struct FeedTable {
    plain: [Option<FeedId>; Format::PLAIN.len()],
    /// Those whose bytes are compressed; most channels have none.
    compressed: Vec<(Format, FeedId)>,
    /// Those of readers that want only what is newest, one for each format and pace; few channels
    /// have any.
    conflating: Option<Box<ConflatingFeeds>>,
}

/// The conflating feeds of one channel.
#[derive(Debug, Default)]
pub(super) struct ConflatingFeeds(Vec<ConflatingFeed>);

#[derive(Debug, Clone, Copy)]
struct ConflatingFeed {
    format: Format,
    rate: Option<Rate>,
    id: FeedId,
}

/// The feeds of a shard, by number.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    slots: Vec<Option<Box<Feed>>>,
    free: Vec<FeedId>,
}

impl Interest {
    pub(super) fn new() -> Self {
        let feeds = FeedTable::default();
        Self { feeds, attaching: 0, head: None, ended: false, members: 0 }
    }

    fn unread(&self) -> bool {
        #[cfg(test)]
        if crate::simulation::makes(crate::simulation::Mistake::AttachOrder) {
            return self.feeds.is_empty();
        }
        self.attaching == 0 && self.feeds.is_empty()
    }
}

impl FeedTable {
    /// Whether nobody reads the channel.
    pub(super) fn is_empty(&self) -> bool {
        self.plain.iter().all(Option::is_none)
            && self.compressed.is_empty()
            && self.conflating.is_none()
    }

    /// The feed for readers that want this.
    pub(super) fn get(&self, format: Format, wanted: Wanted) -> Option<FeedId> {
        match (wanted, format) {
            (Wanted::Newest(rate), _) => self.conflating.as_ref()?.find(format, rate),
            (Wanted::Every, Format::Compressed(_)) => {
                let mut feeds = self.compressed.iter();
                feeds.find(|(other, _)| *other == format).map(|(_, id)| *id)
            }
            (Wanted::Every, plain) => self.plain.get(plain.index()).copied().flatten(),
        }
    }

    /// The numbers of all that hold every publication.
    pub(super) fn ids(&self) -> impl Iterator<Item = FeedId> + use<> {
        let compressed = self.compressed.clone().into_iter().map(|(_, id)| id);
        self.plain.into_iter().flatten().chain(compressed)
    }

    /// Whether there are any in which a publication may supersede another.
    pub(super) fn conflates(&self) -> bool {
        self.conflating.is_some()
    }

    /// Takes the conflating ones out, for something to be put into each.
    pub(super) fn take_conflating(&mut self) -> Option<Box<ConflatingFeeds>> {
        self.conflating.take()
    }

    /// Puts them back.
    pub(super) fn put_conflating(&mut self, feeds: Box<ConflatingFeeds>) {
        self.conflating = Some(feeds);
    }

    fn insert(&mut self, format: Format, wanted: Wanted, id: FeedId) {
        match (wanted, format, self.plain.get_mut(format.index())) {
            (Wanted::Newest(rate), ..) => {
                let feeds = self.conflating.get_or_insert_default();
                feeds.0.push(ConflatingFeed { format, rate, id });
            }
            (Wanted::Every, Format::Compressed(_), _) | (Wanted::Every, _, None) => {
                self.compressed.push((format, id));
            }
            (Wanted::Every, _, Some(slot)) => *slot = Some(id),
        }
    }

    fn remove(&mut self, id: FeedId) {
        for slot in &mut self.plain {
            *slot = slot.filter(|feed| *feed != id);
        }
        self.compressed.retain(|(_, feed)| *feed != id);
        if self.compressed.is_empty() {
            self.compressed = Vec::new();
        }
        if let Some(feeds) = &mut self.conflating {
            feeds.0.retain(|feed| feed.id != id);
            if feeds.0.is_empty() {
                self.conflating = None;
            }
        }
    }
}

impl ConflatingFeeds {
    fn find(&self, format: Format, rate: Option<Rate>) -> Option<FeedId> {
        let fits = |feed: &&ConflatingFeed| feed.format == format && feed.rate == rate;
        self.0.iter().find(fits).map(|feed| feed.id)
    }

    /// The numbers of all of them.
    pub(super) fn ids(&self) -> impl Iterator<Item = FeedId> {
        self.0.iter().map(|feed| feed.id)
    }
}

impl Feeds {
    pub(super) fn get_mut(&mut self, id: FeedId) -> Option<&mut Feed> {
        self.slots.get_mut(id as usize)?.as_deref_mut()
    }

    pub(super) fn get(&self, id: FeedId) -> Option<&Feed> {
        self.slots.get(id as usize)?.as_deref()
    }

    /// Takes a feed out while its readers are visited.
    pub(super) fn take(&mut self, id: FeedId) -> Option<Box<Feed>> {
        self.slots.get_mut(id as usize)?.take()
    }

    /// Puts a feed back.
    pub(super) fn put(&mut self, id: FeedId, feed: Box<Feed>) {
        if let Some(slot) = self.slots.get_mut(id as usize) {
            *slot = Some(feed);
        }
    }

    fn insert(&mut self, feed: Feed) -> FeedId {
        let id = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            FeedId::try_from(self.slots.len() - 1).unwrap_or(FeedId::MAX)
        });
        self.put(id, Box::new(feed));
        id
    }

    fn remove(&mut self, id: FeedId) -> Option<Box<Feed>> {
        let feed = self.take(id)?;
        self.free.push(id);
        Some(feed)
    }
}

impl Shard {
    /// The feed of a channel for readers that want this, opened at the shard's head if there is none.
    pub(super) fn feed_of(
        &mut self,
        channel: &ChannelName,
        (format, wanted): (Format, Wanted),
    ) -> Option<FeedId> {
        let interest = self.interests.get_mut(channel)?;
        let head = interest.head?;
        if let Some(id) = interest.feeds.get(format, wanted) {
            return Some(id);
        }
        let id = self.feeds.insert(Feed::new(channel.clone(), (format, wanted), head));
        interest.feeds.insert(format, wanted, id);
        self.figures.feeds += 1;
        Some(id)
    }

    /// Closes a feed without readers, and the interest in its channel with the last one.
    pub(super) fn close_feed_if_unread(&mut self, id: FeedId, effects: &mut Vec<Effect>) {
        if self.feeds.get(id).is_none_or(|feed| !feed.readers.is_empty()) {
            return;
        }
        let Some(feed) = self.feeds.remove(id) else {
            return;
        };
        self.figures.feeds -= 1;
        self.figures.feed_bytes -= feed.bytes() as u64;
        self.forget_moment(id, &feed);
        if let Some(interest) = self.interests.get_mut(&feed.channel) {
            interest.feeds.remove(id);
        }
        self.release_if_unread(&feed.channel, effects);
    }

    /// Ends the interest in a channel that nobody here reads or is about to read.
    pub(super) fn release_if_unread(&mut self, channel: &ChannelName, effects: &mut Vec<Effect>) {
        if !self.interests.get(channel).is_some_and(Interest::unread) {
            return;
        }
        let known = self.interests.remove(channel).is_some_and(|interest| interest.head.is_some());
        if known {
            let (shard, channel) = (self.settings.shard, channel.clone());
            self.post_to_owner(Message::Detach { shard, channel }, effects);
        }
    }

    /// A publication for this shard's readers.
    pub(super) fn feed_live(&mut self, item: &Arc<Item>, effects: &mut Vec<Effect>) {
        let publication = &item.served.publication;
        let Some(interest) = self.interests.get_mut(&publication.channel) else {
            return;
        };
        if interest.head.is_none() {
            return;
        }
        if let Some(position) = publication.position {
            interest.head = Some(position);
        }
        let conflates = interest.feeds.conflates();
        for id in interest.feeds.ids() {
            let Some(feed) = self.feeds.get_mut(id) else {
                continue;
            };
            let entry = live_entry(item, feed, &self.settings);
            self.push_entry(id, entry, effects);
        }
        if conflates {
            self.conflate_live(item);
        }
    }

    /// The channel was removed: its readers are told in their place.
    pub(super) fn feed_removed(&mut self, gap: &Gap, effects: &mut Vec<Effect>) {
        let Some(interest) = self.interests.get_mut(&gap.channel) else {
            return;
        };
        if interest.head.is_none() {
            return;
        }
        interest.head = Some(gap.to);
        interest.ended = false;
        let entry = CursorEntry { hash: gap.channel.hash48(), position: gap.to, ended: false };
        let mark = Entry::mark(FeedMark::Removed(gap.clone()), entry);
        for id in interest.feeds.ids() {
            self.push_entry(id, mark.clone(), effects);
        }
        self.conflate_mark(&gap.channel, &mark);
    }

    /// The channel ended: its readers are told in their place.
    pub(super) fn feed_ended(
        &mut self,
        channel: &ChannelName,
        position: Position,
        effects: &mut Vec<Effect>,
    ) {
        let Some(interest) = self.interests.get_mut(channel) else {
            return;
        };
        if interest.head.is_none() {
            return;
        }
        interest.ended = true;
        let entry = CursorEntry { hash: channel.hash48(), position, ended: true };
        let mark = Entry::mark(FeedMark::Ended, entry);
        for id in interest.feeds.ids() {
            self.push_entry(id, mark.clone(), effects);
        }
        self.conflate_mark(channel, &mark);
    }

    /// Appends to a feed; readers that it passes thereby are behind from then on.
    pub(super) fn push_entry(&mut self, id: FeedId, entry: Entry, effects: &mut Vec<Effect>) {
        let Some(feed) = self.feeds.get_mut(id) else {
            return;
        };
        let before = feed.bytes() as u64;
        feed.push(entry);
        let excess = feed.excess(&self.settings.feed);
        if !feed.pass.dirty {
            feed.pass.dirty = true;
            self.dirty.push_back(id);
        }
        if excess > 0 {
            self.pass_readers(id, excess, effects);
        }
        let after = self.feeds.get(id).map_or(0, |feed| feed.bytes() as u64);
        self.figures.feed_bytes = self.figures.feed_bytes + after - before;
    }

    /// Lets go of a feed's oldest entries and takes out the readers that still needed them.
    fn pass_readers(&mut self, id: FeedId, excess: usize, effects: &mut Vec<Effect>) {
        let Some(feed) = self.feeds.get_mut(id) else {
            return;
        };
        let first = feed.first() + excess as u64;
        let channel = feed.channel.clone();
        let passed: Vec<_> = feed
            .readers
            .iter()
            .filter(|reader| reader.next < first)
            .map(|reader| (reader.connection, reader.slot, feed.position_before(reader.next)))
            .collect();
        feed.trim(excess);
        let policy = self.settings.namespaces.of(&channel).slow_reader;
        for (index, slot, position) in passed {
            let Some(reader) = self.readers.get(index) else {
                continue;
            };
            let connection = ConnectionId { index, generation: reader.generation };
            // Who waits for its own opening has not been slow.
            let slow = reader.flow != Flow::Opening;
            self.make_lagging(connection, slot, position);
            self.figures.slow_readers += u64::from(slow);
            if slow && policy == SlowReader::Disconnect {
                self.disconnect(connection, Disconnect::Slow, effects);
            }
            self.make_ready(connection);
        }
    }

    /// Takes a reader out of a feed that it can no longer read from.
    pub(super) fn make_lagging(&mut self, connection: ConnectionId, slot: u16, position: Position) {
        let Some(reader) = self.readers.get_mut(connection.index) else {
            return;
        };
        let Some(slot) = reader.slots.get_mut(slot) else {
            return;
        };
        let Slot::Live { feed, place } = *slot else {
            return;
        };
        let Some(feed) = self.feeds.get_mut(feed) else {
            return;
        };
        let channel = feed.channel.clone();
        let notices = feed.readers.get(place as usize).map(|reader| reader.notices);
        let (state, notices) = (AwayState::Lagging(position), notices.unwrap_or_default());
        *slot = Slot::Away(Box::new(Away { channel, state, notices }));
        let moved = feed.remove(place);
        self.replace(moved);
    }

    /// Tells the connections of readers that moved within a feed where they stand now.
    pub(super) fn replace(&mut self, moved: [Option<(crate::feed::FeedReader, u32)>; 2]) {
        for (reader, now) in moved.into_iter().flatten() {
            let slot = self
                .readers
                .get_mut(reader.connection)
                .and_then(|connection| connection.slots.get_mut(reader.slot));
            if let Some(Slot::Live { place, .. }) = slot {
                *place = now;
            }
        }
    }

    /// Has a connection ended; nothing more is delivered to it.
    pub(super) fn disconnect(
        &mut self,
        connection: ConnectionId,
        why: Disconnect,
        effects: &mut Vec<Effect>,
    ) {
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        if reader.flow != Flow::Gone {
            reader.flow = Flow::Gone;
            effects.push(Effect::Disconnect { connection, why });
        }
    }
}

/// A live publication as an entry of this feed.
fn live_entry(item: &Item, feed: &Feed, settings: &ShardSettings) -> Entry {
    let publication = &item.served.publication;
    // Where a reader came in from before publications that have expired since, what it saw last
    // lies before the stored predecessor: this one frame is encoded anew.
    let prev = match publication.position {
        Some(_) => item.served.prev.min(feed.last_offset()),
        None => item.served.prev,
    };
    let shared = item.frames.iter().find(|(format, _)| *format == feed.format);
    let frame = match shared {
        Some((_, frame)) if prev == item.served.prev => frame.clone(),
        _ => (settings.encode)(publication, prev, feed.format),
    };
    entry(publication, frame)
}

/// A publication of the history as an entry of a feed or a page.
pub(super) fn history_entry(
    publication: &Arc<Publication>,
    prev: Offset,
    format: Format,
    settings: &ShardSettings,
) -> Entry {
    let frame = (settings.encode)(publication, prev, format);
    entry(publication, frame)
}

/// A publication with its frame as an entry.
pub(super) fn entry(publication: &Arc<Publication>, frame: crate::frame::Frame) -> Entry {
    let hash = publication.channel.hash48();
    let after = publication.position.map(|position| CursorEntry { hash, position, ended: false });
    let exclude = publication.content.exclude();
    let body = EntryBody::Publication(Arc::clone(publication));
    Entry { frame, after, time: publication.time, exclude, body }
}
