//! A client as the checkers see it: what it has been told, and whether that was the truth.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::presence::{Attended, Ears, Heard};
use super::truth::Truth;
use crate::cursor::{Cursor, CursorEntry};
use crate::frame::Format;
use crate::gap::Gap;
use crate::name::ChannelName;
use crate::position::{Offset, Position};
use crate::presence::{MemberId, Notices};
use crate::publication::SessionId;
use crate::shard::{ConnectionId, Opened};
use crate::start::Start;
use crate::time::Millis;

/// One frame as the plain encoder of the simulation writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) channel: String,
    pub(super) position: Option<Position>,
    pub(super) prev: Offset,
    pub(super) payload: String,
}

/// What a connection has been told, in order.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) connection: ConnectionId,
    pub(super) shard: usize,
    pub(super) format: Format,
    /// What has been seen of each channel.
    pub(super) seen: BTreeMap<ChannelName, CursorEntry>,
    /// What its cursor holds beside that: entries of channels that it does not read.
    pub(super) carried: BTreeMap<ChannelName, CursorEntry>,
    /// Whether its cursor bears the mark.
    pub(super) marked: bool,
    /// Where each channel that was asked for is to start.
    pub(super) starts: BTreeMap<ChannelName, Start>,
    /// Channels asked for whose answer has not come.
    pub(super) asked: usize,
    pub(super) opened: bool,
    pub(super) gone: bool,
    /// Frames its sink still has room for.
    pub(super) room: usize,
    /// Live-only payloads, each of which comes once.
    live: VecDeque<String>,
    pub(super) publications: usize,
    pub(super) gaps: usize,
    /// The member that it is in the channels that it reads.
    pub(super) member: Option<MemberId>,
    /// Whether it asks who comes and goes.
    pub(super) listens: bool,
    /// Channels whose members it has asked for, before they answer.
    pricked: BTreeSet<ChannelName>,
    /// What it has heard of members.
    pub(super) ears: BTreeMap<ChannelName, Ears>,
}

impl Client {
    pub(super) fn new(connection: ConnectionId, shard: usize, format: Format) -> Self {
        Self {
            connection,
            shard,
            format,
            seen: BTreeMap::new(),
            carried: BTreeMap::new(),
            marked: false,
            starts: BTreeMap::new(),
            asked: 0,
            opened: false,
            gone: false,
            room: usize::MAX,
            live: VecDeque::new(),
            publications: 0,
            gaps: 0,
            member: None,
            listens: false,
            pricked: BTreeSet::new(),
            ears: BTreeMap::new(),
        }
    }

    /// It asks to read a channel.
    pub(super) fn ask(&mut self, channel: &ChannelName, start: Start, notices: Notices) {
        self.starts.insert(channel.clone(), start);
        // Where a format has no words for news, none come.
        if notices == Notices::On && self.format.tells_gaps() {
            self.pricked.insert(channel.clone());
        }
    }

    /// What it asked for was refused.
    pub(super) fn refused(&mut self) {
        self.asked -= 1;
        self.starts.clear();
        self.pricked.clear();
    }

    /// The stream began, or a channel was added.
    pub(super) fn attached(&mut self, opened: &Opened, truth: &Truth) -> Result<(), String> {
        let start = self.starts.remove(&opened.channel).unwrap_or_default();
        let given = opened.entry.map(|entry| entry.position);
        if let Some(claimed) = start.position() {
            // What it published itself and does not get moves its cursor all the same.
            let reached = given.filter(|given| given.epoch == claimed.epoch && *given >= claimed);
            let Some(reached) = reached else {
                return Err(format!("asked to go on from {claimed:?}, given {opened:?}"));
            };
            truth.nothing_between(
                &opened.channel,
                (claimed, reached.offset + 1),
                self.session(),
            )?;
        }
        if start == Start::Unreadable && (given.is_some() || !opened.gap_follows) {
            return Err(format!("its place could not be known, given {opened:?}"));
        }
        self.carried.remove(&opened.channel);
        let hash = opened.channel.hash48();
        let position = opened.entry.map_or(opened.head, |entry| entry.position);
        let entry = CursorEntry { hash, position, ended: opened.over };
        self.seen.insert(opened.channel.clone(), entry);
        if self.pricked.remove(&opened.channel) && !opened.over {
            self.ears.insert(opened.channel.clone(), Ears::default());
        }
        Ok(())
    }

    /// A channel is not read any more; in a cursor of its own the reader keeps its place.
    pub(super) fn dropped(&mut self, channel: &ChannelName) {
        self.ears.remove(channel);
        if let Some(entry) = self.seen.remove(channel).filter(|_| self.format.composes()) {
            self.carried.insert(channel.clone(), entry);
        }
    }

    /// What it can come back with.
    pub(super) fn memory(&self) -> BTreeMap<ChannelName, CursorEntry> {
        self.seen.iter().chain(&self.carried).map(|(name, entry)| (name.clone(), *entry)).collect()
    }

    /// What it carries, as a request brings it.
    pub(super) fn cursor_carried(&self) -> Cursor {
        let mut cursor = Cursor::new();
        self.carried.values().for_each(|entry| cursor.set(*entry));
        if self.marked {
            cursor.mark();
        }
        cursor
    }

    /// Where a channel is to start that is added without saying from where, if its cursor knows.
    pub(super) fn carried_start(&self, channel: &ChannelName) -> Option<Start> {
        if !self.format.composes() {
            return None;
        }
        let entry = self.carried.get(channel).map(|entry| Start::of_entry(*entry));
        entry.or(self.marked.then_some(Start::Unreadable))
    }

    /// Frames come whose ids are composed from this cursor, or are those of their channel alone.
    pub(super) fn composed(&self, cursor: Option<&Cursor>, truth: &Truth) -> Result<(), String> {
        if !self.format.composes() {
            return Ok(());
        }
        let Some(cursor) = cursor else {
            let alone = self.seen.len() + self.carried.len() < 2 && !self.marked;
            return if alone { Ok(()) } else { Err("its ids leave channels out".to_owned()) };
        };
        for (channel, seen) in self.seen.iter().chain(&self.carried) {
            let Some(told) = cursor.entry(channel.hash48()) else {
                return Err(format!("its ids leave {channel} out: {cursor:?}"));
            };
            let (last, place) = (seen.position, told.position);
            if place.epoch != last.epoch || told.ended != seen.ended {
                return Err(format!("its id says {told:?} of {channel}, {seen:?} was told"));
            }
            // What it published itself and does not get moves its cursor all the same. A place
            // whose publication has expired may be told as the one before.
            let (first, second) = if place < last { (place, last) } else { (last, place) };
            truth.nothing_between(channel, (first, second.offset + 1), self.session())?;
        }
        if cursor.marked() == self.marked { Ok(()) } else { Err(format!("the mark: {cursor:?}")) }
    }

    fn session(&self) -> SessionId {
        SessionId(u128::from(self.connection.generation))
    }

    /// A publication came.
    pub(super) fn told(&mut self, told: &Told, truth: &Truth) -> Result<(), String> {
        if !self.opened {
            return Err(format!("{told:?} came before the opening"));
        }
        let session = self.session();
        let Some((name, seen)) =
            self.seen.iter_mut().find(|(name, _)| name.as_str() == told.channel)
        else {
            return Err(format!("{told:?} is of a channel that is not read"));
        };
        let Some(position) = told.position else {
            if self.live.contains(&told.payload) {
                return Err(format!("{told:?} came twice"));
            }
            self.live.push_back(told.payload.clone());
            if self.live.len() > 1000 {
                self.live.pop_front();
            }
            return Ok(());
        };
        let last = seen.position;
        if position.epoch != last.epoch {
            return Err(format!("{told:?} after {last:?}: another history, and nobody said so"));
        }
        if position.offset <= last.offset {
            return Err(format!("{told:?} after {last:?}: a duplicate, or out of order"));
        }
        let own = truth.own_between(name, (last, told.prev + 1), session);
        if told.prev > last.offset && !own {
            return Err(format!("{told:?} after {last:?}: its prev says that some were missed"));
        }
        truth.nothing_between(name, (last, position.offset), session)?;
        truth.is(name, position, &told.payload)?;
        seen.position = position;
        self.publications += 1;
        Ok(())
    }

    /// News of a channel's members came.
    pub(super) fn hear(
        &mut self,
        channel: &ChannelName,
        heard: Heard,
        attended: Option<(&Attended, Millis)>,
    ) -> Result<(), String> {
        if !self.opened {
            return Err(format!("{heard:?} came before the opening"));
        }
        let own = self.member.as_ref();
        match self.ears.get_mut(channel) {
            Some(ears) => ears.hear(channel, heard, own, attended),
            None => Err(format!("{heard:?} of {channel}, which nobody asked for")),
        }
    }

    /// A gap was told.
    pub(super) fn gap(&mut self, gap: &Gap) -> Result<(), String> {
        let Some(seen) = self.seen.get_mut(&gap.channel) else {
            return Err(format!("{gap:?} is of a channel that is not read"));
        };
        seen.position = gap.to;
        self.gaps += 1;
        Ok(())
    }

    /// The end of a channel was told.
    pub(super) fn ended(
        &mut self,
        channel: &ChannelName,
        entry: CursorEntry,
        truth: &Truth,
    ) -> Result<(), String> {
        let session = self.session();
        let Some(seen) = self.seen.get_mut(channel) else {
            return Err(format!("the end of {channel}, which is not read"));
        };
        let (last, end) = (seen.position, entry.position);
        if last.epoch != end.epoch || last.offset > end.offset {
            return Err(format!("{channel} ended at {end:?}, seen {last:?}"));
        }
        truth.nothing_between(channel, (last, end.offset + 1), session)?;
        *seen = entry;
        self.ears.remove(channel);
        Ok(())
    }
}
