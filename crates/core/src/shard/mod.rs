//! One shard: the state machine that owns connections' subscriptions and owns channels.
//!
//! - `interface`, `storage`: what goes in and what comes out; what engines are asked
//! - `reader`, `slab`: what is known of a connection
//! - `interest`: channels that this shard reads, their feeds, messages of owners
//! - `attach`: how readers come to their place in a feed, and how they leave
//! - `carried`: what a reader's own cursor holds beside the channels that it reads
//! - `flush`: how frames come from feeds to sinks
//! - `conflate`: feeds of which readers get only what is newest, at a pace
//! - `page`: history that comes to one reader at a time
//! - `occupied`: channels that have readers here, for those who are told of it
//! - `presence`: readers as members, and what they are told of others

mod attach;
mod carried;
#[cfg(test)]
mod carried_tests;
mod conflate;
mod flush;
mod interest;
mod interface;
mod occupied;
mod page;
#[cfg(test)]
mod page_tests;
mod presence;
mod reader;
mod slab;
mod storage;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

pub use interface::*;
pub(crate) use reader::Extra;
pub use storage::*;

use crate::feed::{FeedId, Run};
use crate::hash::NameHash;
use crate::name::ChannelName;
use crate::owner::{Attaching, Outlet, Owner};
use crate::presence::Notices;
use crate::settings::{ShardId, ShardSettings};
use crate::shard::attach::Ticket;
use crate::shard::interest::{Feeds, Interest};
use crate::shard::occupied::Occupied;
use crate::shard::page::{PageHolder, PageWaiter};
use crate::shard::reader::{Flow, Reader, Slot};
use crate::shard::slab::Slab;
use crate::start::Later;
use crate::time::{Millis, Now};

/// Where a shard puts frames: sockets and pipes in production, lists in the simulation.
pub trait Sink {
    /// Offers a run of frames to a connection, which takes from the front as many as it has room
    /// for. A frame counts as taken once any byte of it is on its way: the sink keeps its rest.
    fn deliver(&mut self, connection: ConnectionId, run: Run<'_>) -> Delivery;
}

/// What a connection took of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    /// Frames taken from the front of the run.
    pub taken: usize,
    /// Whether it can take more at once.
    pub room: Room,
}

/// Whether a connection can take more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Yes.
    More,
    /// Not before [`Input::Writable`].
    Full,
}

/// Whether a flush left anything to deliver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backlog {
    /// Nothing that a connection has room for.
    Empty,
    /// Some feed or reader is still to be visited.
    More,
}

/// What a shard counts, in plain cells that a scrape copies.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Publications that this shard's owners committed.
    pub publications: u64,
    /// Bytes of payload in them.
    pub publication_bytes: u64,
    /// Publishes that were refused or failed.
    pub publishes_refused: u64,
    /// Frames taken by connections.
    pub deliveries: u64,
    /// Entries of conflating feeds that a newer one superseded before every reader had had them.
    pub conflated: u64,
    /// Gaps told, by the place of their reason in [`crate::gap::GapReason::ALL`].
    pub gaps: [u64; 6],
    /// Readers that the ring passed.
    pub slow_readers: u64,
    /// Channels owned.
    pub channels: u64,
    /// Idempotency keys that owned channels remember.
    pub keys: u64,
    /// Feeds open.
    pub feeds: u64,
    /// Channels that connections read, counted for each connection.
    pub readers: u64,
    /// Bytes that the rings of owned channels hold.
    pub ring_bytes: u64,
    /// Bytes that feeds hold.
    pub feed_bytes: u64,
    /// Bytes of pages on their way.
    pub page_bytes: u64,
    /// Members of owned channels.
    pub members: u64,
    /// Members that have come.
    pub joins: u64,
    /// Members that have gone.
    pub leaves: u64,
    /// The most entries that a reader was behind the head of its feed when it was visited, since
    /// [`Shard::snapshot`] was last taken.
    pub lag_max: u64,
}

/// One shard of the hub.
///
/// [`Shard::handle`] takes what happened, [`Shard::flush`] delivers. Effects of both are to be
/// carried out, in order, before the next flush.
#[derive(Debug)]
pub struct Shard {
    settings: Arc<ShardSettings>,
    owner: Owner,
    readers: Slab<Reader>,
    feeds: Feeds,
    interests: HashMap<ChannelName, Interest, NameHash>,
    occupied: Occupied,
    tickets: HashMap<u64, Ticket>,
    next_ticket: u64,
    /// Feeds with something before a reader.
    dirty: VecDeque<FeedId>,
    /// Readers to be visited by themselves.
    ready: VecDeque<ConnectionId>,
    /// Readers that are told something before their next frame.
    held: Vec<ConnectionId>,
    /// Feeds that are to be visited, by when.
    moments: BTreeSet<(Millis, FeedId)>,
    /// Readers that wait for room in the budget of pages.
    page_queue: VecDeque<PageWaiter>,
    /// Bytes of that budget that are kept for pages which were asked for.
    pages_promised: usize,
    /// Readers that were given a page, oldest first; some may have read theirs.
    page_holders: VecDeque<PageHolder>,
    /// The number of the page given last.
    next_page: u64,
    local: VecDeque<Message>,
    figures: Figures,
    /// The moment of the input or flush at hand.
    now: Now,
}

impl Shard {
    /// An empty shard.
    #[must_use]
    pub fn new(settings: ShardSettings) -> Self {
        let settings = Arc::new(settings);
        Self {
            owner: Owner::new(Arc::clone(&settings)),
            readers: Slab::new(),
            feeds: Feeds::default(),
            interests: HashMap::with_hasher(NameHash::new(settings.seed)),
            occupied: HashMap::with_hasher(NameHash::new(settings.seed)),
            tickets: HashMap::new(),
            next_ticket: 0,
            dirty: VecDeque::new(),
            ready: VecDeque::new(),
            held: Vec::new(),
            moments: BTreeSet::new(),
            page_queue: VecDeque::new(),
            pages_promised: 0,
            page_holders: VecDeque::new(),
            next_page: 0,
            local: VecDeque::new(),
            figures: Figures::default(),
            now: Now::default(),
            settings,
        }
    }

    /// Gives the channels that this shard owns the state that an engine found at start. To be
    /// called before anything else.
    pub fn restore(&mut self, restored: impl IntoIterator<Item = Restored>, now: Now) {
        self.now = now;
        self.owner.restore(restored, now, &mut self.figures);
    }

    /// Takes one input and appends what has to be done for it to `effects`.
    pub fn handle(&mut self, input: Input, now: Now, effects: &mut Vec<Effect>) {
        self.now = now;
        self.proceed(input, now, effects);
        self.settle(now, effects);
    }

    /// The channels that a connection reads, and whether it is told who comes and goes there.
    pub fn channels_of(
        &self,
        connection: ConnectionId,
    ) -> impl Iterator<Item = (&ChannelName, Notices)> {
        let reader = self
            .readers
            .get(connection.index)
            .filter(|reader| reader.generation == connection.generation);
        let slots = reader.map_or(&[][..], |reader| reader.slots.as_slice());
        slots.iter().filter_map(|slot| match slot {
            Slot::Free => None,
            Slot::Live { feed, place } => {
                let feed = self.feeds.get(*feed)?;
                let notices = feed.readers.get(*place as usize).map(|reader| reader.notices);
                Some((&feed.channel, notices.unwrap_or_default()))
            }
            Slot::Away(away) => Some((&away.channel, away.notices)),
        })
    }

    /// When [`Input::Tick`] is wanted next.
    #[must_use]
    pub fn tick_at(&self) -> Option<Millis> {
        let own = self.pages_at().into_iter().chain(self.moments_at());
        self.owner.tick_at().into_iter().chain(own).min()
    }

    /// The counters and gauges of this shard.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures { keys: self.owner.keys() as u64, ..self.figures.clone() }
    }

    /// The counters and gauges for a scrape; those that hold a maximum begin anew.
    pub fn snapshot(&mut self) -> Figures {
        let figures = self.figures();
        self.figures.lag_max = 0;
        figures
    }

    /// Entries of channels whose keys expire.
    #[cfg(test)]
    pub(crate) fn keys_noted(&self) -> usize {
        self.owner.keys_noted()
    }

    /// Whether nothing is on its way, waited for or remembered; for the simulation, in which
    /// whatever is left over at the end has leaked.
    #[cfg(test)]
    pub(crate) fn holds_nothing(&self) -> bool {
        self.owner.holds_nothing()
            && self.interests.is_empty()
            && self.occupied.is_empty()
            && self.tickets.is_empty()
            && self.page_queue.is_empty()
            && self.pages_promised == 0
            && self.page_holders.is_empty()
            && !self.awaits_moment()
    }

    /// The shard that owns a channel.
    fn owner_of(&self, channel: &ChannelName) -> ShardId {
        let shards = u64::from(self.settings.shards.max(1));
        ShardId::try_from(channel.hash48().value() % shards).unwrap_or_default()
    }

    /// Takes an input that needs no permission, or has it.
    fn proceed(&mut self, input: Input, now: Now, effects: &mut Vec<Effect>) {
        match input {
            Input::Open { connection, opening } => self.open(connection, *opening, effects),
            Input::Subscribe { connection, request, mut subscription, later } => {
                if later == Later::Carried {
                    subscription.start = self.carried_start(connection, &subscription);
                }
                self.subscribe(connection, request, subscription, effects);
            }
            Input::Unsubscribe { connection, request, channel } => {
                self.unsubscribe(connection, request, channel, effects);
            }
            Input::Close(connection) => self.close(connection, effects),
            Input::Writable(connection) => {
                if let Some(reader) = self.reader_mut(connection) {
                    reader.flow = reader.flow.drained();
                    self.make_ready(connection);
                }
            }
            Input::Ask { origin, channel, request, permit } => {
                let message = Message::Ask { origin, channel, request, permit };
                self.post_to_owner(message, effects);
            }
            Input::Message(message) => self.local.push_back(message),
            Input::Completion(completion) => {
                let (owner, mut out) = self.owner(now, effects);
                owner.complete(completion, &mut out);
            }
            Input::Tick => {
                let (owner, mut out) = self.owner(now, effects);
                owner.overdue(&mut out);
                owner.sweep(&mut out);
                owner.attend(&mut out);
                self.reclaim_pages(effects);
                self.open_moments();
            }
        }
    }

    /// Works off what this shard has to say to itself, which may lead to more of it.
    fn settle(&mut self, now: Now, effects: &mut Vec<Effect>) {
        while let Some(message) = self.local.pop_front() {
            self.receive(message, now, effects);
        }
    }

    /// Takes a message of another shard, or of this one.
    fn receive(&mut self, message: Message, now: Now, effects: &mut Vec<Effect>) {
        match message {
            Message::Ask { origin, channel, request, permit } => {
                let (owner, mut out) = self.owner(now, effects);
                owner.ask(origin, &channel, request, permit, &mut out);
            }
            Message::Answer { origin, channel, answer } => {
                effects.push(Effect::Answer { origin, channel, answer });
            }
            Message::Attach { shard, ticket, channel, start, format, wanted } => {
                let attaching = Attaching { shard, ticket, start, format, wanted };
                let (owner, mut out) = self.owner(now, effects);
                owner.attach(&channel, &attaching, &mut out);
            }
            Message::Detach { shard, channel } => {
                let (owner, out) = self.owner(now, effects);
                owner.detach(&channel, shard, out.now);
            }
            Message::Join { channel, member } => {
                let (owner, mut out) = self.owner(now, effects);
                owner.join(&channel, member, &mut out);
            }
            Message::Leave { channel, member, linger } => {
                let (owner, mut out) = self.owner(now, effects);
                owner.leave(&channel, &member.id, linger, &mut out);
            }
            Message::Occupied(channel) => {
                let (owner, mut out) = self.owner(now, effects);
                owner.occupy(&channel, &mut out);
            }
            Message::Vacated(channel) => {
                let (owner, mut out) = self.owner(now, effects);
                owner.vacate(&channel, &mut out);
            }
            Message::Presence(news) => self.feed_news(&news, effects),
            Message::Attached { ticket, outcome } => self.attached(ticket, outcome, effects),
            Message::Live { item, permit } => {
                self.feed_live(&item, effects);
                drop(permit);
            }
            Message::Removed(gap) => self.feed_removed(&gap, effects),
            Message::Ended(channel, position) => self.feed_ended(&channel, position, effects),
        }
    }

    /// The owner in this shard, and where its consequences go.
    fn owner<'a>(
        &'a mut self,
        now: Now,
        effects: &'a mut Vec<Effect>,
    ) -> (&'a mut Owner, Outlet<'a>) {
        let Self { owner, local, figures, settings, .. } = self;
        (owner, Outlet { shard: settings.shard, now, effects, local, figures })
    }

    /// Sends a message to the owner of its channel.
    fn post_to_owner(&mut self, message: Message, effects: &mut Vec<Effect>) {
        let (Message::Ask { channel, .. }
        | Message::Attach { channel, .. }
        | Message::Join { channel, .. }
        | Message::Leave { channel, .. }
        | Message::Occupied(channel)
        | Message::Vacated(channel)
        | Message::Detach { channel, .. }) = &message
        else {
            return;
        };
        let to = self.owner_of(channel);
        if to == self.settings.shard {
            self.local.push_back(message);
        } else {
            effects.push(Effect::Forward { to, message });
        }
    }

    fn reader_mut(&mut self, connection: ConnectionId) -> Option<&mut Reader> {
        let reader = self.readers.get_mut(connection.index)?;
        (reader.generation == connection.generation).then_some(reader)
    }

    /// Has a reader visited with the next flush.
    fn make_ready(&mut self, connection: ConnectionId) {
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        if !reader.queued && reader.flow == Flow::Open {
            reader.queued = true;
            self.ready.push_back(connection);
        }
    }
}
