//! What a client that gets only what is newest may be told, and what it has to have in the end.

use std::collections::BTreeMap;

use super::client::Told;
use super::random::Random;
use super::truth::Truth;
use crate::name::ChannelName;
use crate::position::{Offset, Position};
use crate::publication::{Lifetime, SessionId};
use crate::rate::Rate;
use crate::time::Millis;

/// A conflation key, or none.
pub(super) type Key = Option<String>;

/// What such a client has been told of one channel.
#[derive(Debug)]
pub(super) struct Newest {
    /// What was published before is not owed.
    from: Position,
    /// The newest that it has of each key.
    keys: BTreeMap<Key, Offset>,
    /// When it was given something last.
    moment: Option<Millis>,
}

/// Which publications of a run have a key.
#[derive(Debug)]
pub(super) struct Keyed {
    /// The chance of those that are stored, and of those that are live only.
    stored: usize,
    live: usize,
    /// Whether feeds have room for all that is newest, so that none of it is ever passed.
    pub(super) roomy: bool,
}

const KEYS: [&str; 2] = ["ACME", "INIT"];

/// Entries that are newest of something: of each key, and of none, one stored and one live only; and
/// an end.
const NEWEST_MAX: usize = 2 * (KEYS.len() + 1) + 1;

impl Keyed {
    pub(super) fn draw(random: &mut Random, feed: usize) -> Self {
        let stored = if random.percent(70) { 60 } else { 0 };
        let live = if random.percent(50) { 60 } else { 0 };
        Self { stored, live, roomy: feed > NEWEST_MAX }
    }

    /// The key of the next publication, if it has one.
    pub(super) fn key(&self, random: &mut Random, lifetime: Lifetime) -> Option<&'static str> {
        let chance = if lifetime == Lifetime::Live { self.live } else { self.stored };
        random.percent(chance).then(|| KEYS[random.below(KEYS.len())])
    }
}

impl Newest {
    pub(super) fn new(from: Position) -> Self {
        Self { from, keys: BTreeMap::new(), moment: None }
    }

    /// A gap was told: what lies before its end is not owed any more.
    pub(super) fn begin(&mut self, from: Position) {
        *self = Self { moment: self.moment, ..Self::new(from) };
    }

    /// A publication that has a place came.
    pub(super) fn told(&mut self, told: &Told, position: Position) -> Result<(), String> {
        let had = self.keys.insert(told.key.clone(), position.offset);
        match had.filter(|had| *had >= position.offset) {
            Some(had) => Err(format!("{told:?} came after {had} of the same key")),
            None => Ok(()),
        }
    }

    /// It was given something at this moment, while it followed the channel live.
    pub(super) fn moment(&mut self, now: Millis, max_rate: Option<Rate>) -> Result<(), String> {
        let interval = max_rate.map_or(0, Rate::interval);
        match self.moment.replace(now).filter(|last| *last != now && *last + interval > now) {
            Some(last) => Err(format!("moments at {last} and {now}, {interval} apart at least")),
            None => Ok(()),
        }
    }

    /// It does not follow the channel live at the moment, and comes back at a pace of its own.
    pub(super) fn away(&mut self) {
        self.moment = None;
    }

    /// Of each key it has to have the newest up to `end`, unless that was its own, may have expired,
    /// or made room for another history.
    pub(super) fn complete(
        &self,
        channel: &ChannelName,
        end: Position,
        session: SessionId,
        truth: &Truth,
    ) -> Result<(), String> {
        if self.from.epoch != end.epoch || !truth.is_current(channel, end.epoch) {
            return Ok(());
        }
        for (key, owed) in truth.newest_of_each(channel, (self.from, end.offset), session) {
            let had = self.keys.get(&key).copied();
            if had < Some(owed) {
                return Err(format!("{channel} {key:?} is at {owed}, had {had:?}: {self:?}"));
            }
        }
        Ok(())
    }
    /// Whether everything between gave way to something newer.
    pub(super) fn gave_way(
        &self,
        channel: &ChannelName,
        between: (Position, Offset),
        session: SessionId,
        truth: &Truth,
    ) -> Result<(), String> {
        let missed = truth.not_superseded(channel, between, session).next();
        match missed.filter(|_| truth.is_current(channel, between.0.epoch)) {
            Some(missed) => Err(format!("{missed:?} was passed over: {self:?}")),
            None => Ok(()),
        }
    }
}
