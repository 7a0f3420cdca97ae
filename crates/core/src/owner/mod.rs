//! The owner: the shard that sequences a channel and keeps its ring.
//!
//! Owners are two-phase. A publish is assigned an offset and handed to the engine; only when the
//! engine says that it is stored does it enter the ring, reach readers and get its answer. Attach
//! and history see the committed head only.
//!
//! - `channel`: the state of one channel, and where a start lies in it
//! - `publish`: assigning, and what follows from the engine's answers
//! - `overdue`: engines that do not answer
//! - `attach`: readers of shards, one-off questions
//! - `deep`: what only the engine can answer, because it lies before the ring
//! - `forget`: marks, expiry, the limit on channels
//! - `restore`: channels as the engine found them at start
//! - `rings`: the limit on what owners keep in memory of what the engine stores
//! - `presence`: the members of channels
//! - `occupied`: whether anybody reads a channel, for those who are told of it

mod attach;
mod channel;
mod deep;
mod forget;
mod occupied;
mod overdue;
mod presence;
#[cfg(test)]
mod presence_tests;
mod publish;
mod restore;
mod rings;
#[cfg(test)]
mod tests;

pub(crate) use attach::Attaching;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, VecDeque};
use std::sync::Arc;

use crate::code::Code;
use crate::cursor::CursorEntry;
use crate::hash::NameHash;
use crate::name::ChannelName;
use crate::owner::channel::Channel;
use crate::owner::deep::{PageReader, Question};
use crate::owner::occupied::Occupied;
use crate::owner::presence::Rooms;
use crate::owner::rings::RingOrder;
use crate::permit::Permit;
use crate::position::{Epoch, Offset, Position};
use crate::settings::{ShardId, ShardSettings};
use crate::shard::{
    Answer, Completion, Effect, EngineCommand, Figures, Message, Origin, Refusal, Request,
};
use crate::time::{Millis, Now};

/// The channels that a shard owns.
#[derive(Debug)]
pub(crate) struct Owner {
    settings: Arc<ShardSettings>,
    channels: HashMap<ChannelName, Channel, NameHash>,
    /// Channels created from now on begin above the highest offset ever forgotten.
    mark: Offset,
    random: u64,
    /// The next number of an append, a resync or a read.
    number: u64,
    keys: usize,
    reads: HashMap<u64, Question>,
    /// How many of these are pages.
    pages_asked: usize,
    /// Pages that are asked for when others have come.
    pages_waiting: VecDeque<PageReader>,
    /// Reads by when the engine has to have answered.
    read_deadlines: VecDeque<(Millis, u64)>,
    /// Channels in the order in which they are looked at for expiry.
    sweep: VecDeque<(Millis, ChannelName)>,
    /// Channels that were written to, by when they were last touched, at the earliest.
    idle: BTreeSet<(Millis, ChannelName)>,
    /// Channels that are, or were, only read, in the same order.
    unwritten: BTreeSet<(Millis, ChannelName)>,
    /// Channels with a ring that can be given up, by when they were last touched, at the earliest.
    ring_order: RingOrder,
    /// Channels whose keys expire, in the order in which they do.
    key_expiry: VecDeque<(Millis, ChannelName)>,
    /// Channels with something on its way, by when the engine has to have answered.
    deadlines: BinaryHeap<Reverse<(Millis, ChannelName)>>,
    /// Members of channels.
    rooms: Rooms,
    /// Channels that somebody reads.
    occupied: Occupied,
}

/// Who needs a channel that has no state yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Newcomer {
    /// A reader, for whom nothing that was published may go.
    Reader,
    /// A publisher.
    Writer,
}

/// Where an owner's and a shard's consequences go.
#[derive(Debug)]
pub(crate) struct Outlet<'a> {
    pub(crate) shard: ShardId,
    pub(crate) now: Now,
    pub(crate) effects: &'a mut Vec<Effect>,
    /// Messages of this shard to itself, in the same order as to any other.
    pub(crate) local: &'a mut VecDeque<Message>,
    pub(crate) figures: &'a mut Figures,
}

impl Outlet<'_> {
    /// Sends a message to a shard.
    pub(crate) fn post(&mut self, to: ShardId, message: Message) {
        if to == self.shard {
            self.local.push_back(message);
        } else {
            self.effects.push(Effect::Forward { to, message });
        }
    }

    /// Tells whoever waits.
    pub(crate) fn answer(&mut self, origin: Origin, channel: &ChannelName, answer: Answer) {
        let channel = channel.clone();
        match origin {
            Origin::Connection { shard, .. } if shard != self.shard => {
                let message = Message::Answer { origin, channel, answer };
                self.effects.push(Effect::Forward { to: shard, message });
            }
            _ => self.effects.push(Effect::Answer { origin, channel, answer }),
        }
    }

    /// Refuses whoever waits.
    pub(crate) fn refuse(
        &mut self,
        origin: Origin,
        channel: &ChannelName,
        code: Code,
        head: Option<CursorEntry>,
    ) {
        self.figures.publishes_refused += 1;
        self.answer(origin, channel, Answer::Refused(Refusal { code, head }));
    }

    /// Hands a command to the engine.
    pub(crate) fn engine(&mut self, command: EngineCommand) {
        self.effects.push(Effect::Engine(command));
    }
}

impl Owner {
    /// An owner without channels.
    pub(crate) fn new(settings: Arc<ShardSettings>) -> Self {
        Self {
            channels: HashMap::with_hasher(NameHash::new(settings.seed)),
            mark: settings.mark,
            random: settings.seed,
            number: 0,
            keys: 0,
            reads: HashMap::new(),
            pages_asked: 0,
            pages_waiting: VecDeque::new(),
            read_deadlines: VecDeque::new(),
            sweep: VecDeque::new(),
            idle: BTreeSet::new(),
            unwritten: BTreeSet::new(),
            ring_order: RingOrder::default(),
            key_expiry: VecDeque::new(),
            deadlines: BinaryHeap::new(),
            rooms: Rooms::new(&settings),
            occupied: Occupied::new(&settings),
            settings,
        }
    }

    /// Idempotency keys that its channels remember.
    pub(crate) fn keys(&self) -> usize {
        self.keys
    }

    /// Takes a client's request.
    pub(crate) fn ask(
        &mut self,
        origin: Origin,
        name: &ChannelName,
        request: Request,
        permit: Permit,
        out: &mut Outlet<'_>,
    ) {
        match request {
            Request::Publish(draft) => self.publish(origin, name, draft, permit, out),
            Request::Remove => self.remove(origin, name, permit, out),
            Request::History(query) => self.history(origin, name, query, out),
            Request::Resolve(start) => self.resolve(origin, name, start, out),
            Request::Presence(query) => {
                let present = self.present(name, &query);
                out.answer(origin, name, present);
            }
        }
    }

    /// Takes an engine's answer.
    pub(crate) fn complete(&mut self, completion: Completion, out: &mut Outlet<'_>) {
        match completion {
            Completion::Committed { channel, append } => self.committed(&channel, append, out),
            Completion::Failed { channel, append, code } => {
                self.failed(&channel, append, code, out);
            }
            Completion::Unknown { channel, append } => self.unknown(&channel, append, out),
            Completion::Resynced { resync, channel, head, ended } => {
                self.resynced(&channel, resync, (head, ended), out);
            }
            Completion::Removed { channel, epoch, outcome } => {
                self.removed(&channel, epoch, outcome, out);
            }
            Completion::MarkRaised { channel, mark } => self.mark_raised(&channel, mark, out),
            Completion::Page { read, page, .. } => self.page(read, page, out),
            Completion::Located { read, after, .. } => self.located(read, after, out),
            Completion::History { read, page, .. } => self.history_read(read, page, out),
        }
    }

    /// Whether no table holds anything.
    #[cfg(test)]
    pub(crate) fn holds_nothing(&self) -> bool {
        self.channels.is_empty()
            && self.keys == 0
            && self.reads.is_empty()
            && self.pages_asked == 0
            && self.pages_waiting.is_empty()
            && self.read_deadlines.is_empty()
            && self.deadlines.is_empty()
            && self.idle.is_empty()
            && self.unwritten.is_empty()
            && self.ring_order.is_empty()
            && self.key_expiry.is_empty()
            && self.sweep.is_empty()
            && self.rooms.is_empty()
            && self.occupied.is_empty()
    }

    /// Entries of channels whose keys expire.
    #[cfg(test)]
    pub(crate) fn keys_noted(&self) -> usize {
        self.key_expiry.len()
    }

    /// The position of a channel without state.
    fn blank(&self) -> Position {
        Position::new(self.mark, self.settings.generation)
    }

    /// A channel's state, made if it has none.
    fn channel(
        &mut self,
        name: &ChannelName,
        newcomer: Newcomer,
        out: &mut Outlet<'_>,
    ) -> Result<&mut Channel, Code> {
        if !self.channels.contains_key(name) {
            self.make_room(newcomer, out)?;
            let blank = self.blank();
            let now = out.now.millis;
            let rules = self.settings.namespaces.of(name);
            let mut channel = Channel::new(name.clone(), rules, blank, now);
            channel.sweep_at = now + forget::SWEEP_EVERY;
            self.sweep.push_back((channel.sweep_at, name.clone()));
            self.channels.insert(name.clone(), channel);
            self.unwritten.insert((now, name.clone()));
            out.figures.channels += 1;
        }
        self.channels.get_mut(name).ok_or(Code::Internal)
    }

    fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    /// Draws an epoch (SplitMix64).
    fn draw_epoch(&mut self) -> Epoch {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        Epoch::from_bits(bits ^ bits >> 31)
    }
}
