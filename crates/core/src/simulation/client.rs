//! A client as the checkers see it: what it has been told, and whether that was the truth.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::newest::{Key, Newest};
use super::presence::{Attended, Ears, Heard};
use super::truth::Truth;
use super::world::Tally;
use crate::cursor::{Cursor, CursorEntry};
use crate::feed::{Entry, Run};
use crate::frame::Format;
use crate::gap::Gap;
use crate::name::ChannelName;
use crate::position::{OFFSET_END, Offset, Position};
use crate::presence::{MemberId, Notices};
use crate::publication::SessionId;
use crate::rate::{Pace, Rate};
use crate::settings::SlowReader;
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
    pub(super) key: Key,
}

/// What a connection has been told, in order.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) connection: ConnectionId,
    pub(super) shard: usize,
    pub(super) format: Format,
    pub(super) pace: Pace,
    /// Whether feeds have room for all that is newest, so that it is never passed.
    pub(super) roomy: bool,
    /// The channels of which it was told that it gets only what is newest.
    pub(super) newest: BTreeMap<ChannelName, Newest>,
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
            pace: Pace::Usual,
            roomy: false,
            newest: BTreeMap::new(),
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

    /// The stream began, at this pace.
    pub(super) fn opened(&mut self, max_rate: Option<Rate>) -> Result<(), String> {
        self.opened = true;
        let told = max_rate == self.pace.max_rate();
        if told { Ok(()) } else { Err(format!("told {max_rate:?}: {self:?}")) }
    }

    /// Where a channel stands, of the stream that began or added to it.
    pub(super) fn attached(&mut self, opened: &Opened, truth: &Truth) -> Result<(), String> {
        let start = self.starts.remove(&opened.channel).unwrap_or_default();
        let given = opened.entry.map(|entry| entry.position);
        if let Some(claimed) = start.position() {
            // What it published itself and does not get moves its cursor all the same.
            let reached = given.filter(|given| given.epoch == claimed.epoch && *given >= claimed);
            let Some(reached) = reached else {
                return Err(format!("asked to go on from {claimed:?}, given {opened:?}"));
            };
            self.nothing_missed(&opened.channel, (claimed, reached.offset + 1), truth)?;
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
        self.newest.remove(&opened.channel);
        if opened.policy == SlowReader::Latest {
            self.newest.insert(opened.channel.clone(), Newest::new(position));
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
            self.nothing_missed(channel, (first, second.offset + 1), truth)?;
        }
        if cursor.marked() == self.marked { Ok(()) } else { Err(format!("the mark: {cursor:?}")) }
    }

    /// Whether nothing lies between that it had to be given: its cursor may move past that.
    fn nothing_missed(
        &self,
        channel: &ChannelName,
        between: (Position, Offset),
        truth: &Truth,
    ) -> Result<(), String> {
        match self.newest.get(channel) {
            Some(newest) if self.roomy => newest.gave_way(channel, between, self.session(), truth),
            Some(_) => Ok(()),
            None => truth.nothing_between(channel, between, self.session()),
        }
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
        let newest = self.newest.get_mut(name);
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
        match newest {
            Some(newest) => newest.told(told, position)?,
            None => {
                let own = truth.own_between(name, (last, told.prev + 1), session);
                if told.prev > last.offset && !own {
                    return Err(format!(
                        "{told:?} after {last:?}: its prev says that some lie between"
                    ));
                }
                truth.nothing_between(name, (last, position.offset), session)?;
            }
        }
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

    /// Of what it is offered at once nothing supersedes anything else, where it gets only what is
    /// newest.
    pub(super) fn offered(&self, run: &Run<'_>) -> Result<(), String> {
        let stored = |entry: &Entry| {
            let publication = entry.publication()?;
            let key = publication.content.conflate().map(str::to_owned);
            self.newest.get(&publication.channel)?;
            Some((publication.position?.epoch, key))
        };
        let mut keys = BTreeSet::new();
        match run.entries().filter_map(stored).find(|key| !keys.insert(key.clone())) {
            Some(twice) => Err(format!("{twice:?} was offered twice at once")),
            None => Ok(()),
        }
    }

    /// The publication was one of a channel of which it gets only what is newest, if it is one:
    /// given at this moment by a shard that knew of this head, unless it came in a page.
    pub(super) fn told_newest(
        &mut self,
        told: &Told,
        (head, now): (Option<Position>, Millis),
        truth: &Truth,
        tally: &mut Tally,
    ) -> Result<(), String> {
        let newest = self.newest.iter_mut().find(|(name, _)| name.as_str() == told.channel);
        let Some((name, newest)) = newest else { return Ok(()) };
        let Some(head) = head else {
            tally.newest_pages += 1;
            return Ok(());
        };
        *if self.pace.max_rate().is_some() { &mut tally.paced } else { &mut tally.newest } += 1;
        newest.moment(now, self.pace.max_rate())?;
        told.position.map_or(Ok(()), |position| truth.is_newest(name, position, head))
    }

    /// A gap was told.
    pub(super) fn gap(&mut self, gap: &Gap) -> Result<(), String> {
        let Some(seen) = self.seen.get_mut(&gap.channel) else {
            return Err(format!("{gap:?} is of a channel that is not read"));
        };
        seen.position = gap.to;
        if let Some(newest) = self.newest.get_mut(&gap.channel) {
            newest.begin(gap.to);
        }
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
        *seen = entry;
        self.ears.remove(channel);
        match self.newest.get(channel) {
            Some(newest) if self.roomy => newest.complete(channel, end, session, truth),
            Some(_) => Ok(()),
            None => truth.nothing_between(channel, (last, end.offset + 1), session),
        }
    }

    /// Whether of each channel of which it gets only what is newest it has that, when all is told.
    pub(super) fn complete(&self, truth: &Truth) -> Result<(), String> {
        for (channel, newest) in self.newest.iter().filter(|_| self.roomy) {
            let seen = self.seen.get(channel).filter(|seen| !seen.ended);
            if let Some(seen) = seen {
                let end = seen.position.at(OFFSET_END);
                newest.complete(channel, end, self.session(), truth)?;
            }
        }
        Ok(())
    }
}
