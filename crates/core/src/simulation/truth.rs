//! What really happened: every publication that was ever stored.

use std::collections::BTreeMap;

use super::newest::Key;
use crate::name::ChannelName;
use crate::position::{Epoch, Offset, Position};
use crate::publication::SessionId;

/// Every stored publication, by its place.
#[derive(Debug, Default)]
pub(super) struct Truth {
    stored: BTreeMap<(ChannelName, Epoch, Offset), Stored>,
    /// The epoch of what was stored last.
    current: BTreeMap<ChannelName, Epoch>,
}

/// What was stored at one place.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) payload: String,
    /// Its conflation key.
    pub(super) key: Key,
    /// Whether it may have expired by its own lifetime, so that missing it is no loss.
    pub(super) fleeting: bool,
    /// The session that does not get it.
    pub(super) exclude: Option<SessionId>,
}

impl Truth {
    /// Notes a stored publication; says if its place had been given before.
    pub(super) fn store(
        &mut self,
        channel: &ChannelName,
        position: Position,
        stored: Stored,
    ) -> Result<(), String> {
        let at = (channel.clone(), position.epoch, position.offset);
        let payload = stored.payload.clone();
        self.current.insert(channel.clone(), position.epoch);
        match self.stored.insert(at, stored) {
            Some(first) if first.payload != payload => {
                Err(format!("{channel} {position:?} was given to {first:?} and to {payload}"))
            }
            _ => Ok(()),
        }
    }

    /// What lies between, is meant for a session, and has nothing newer of its key behind it.
    pub(super) fn not_superseded(
        &self,
        channel: &ChannelName,
        (seen, next): (Position, Offset),
        session: SessionId,
    ) -> impl Iterator<Item = (Offset, &Stored)> {
        let owed = move |stored: &Stored| !stored.fleeting && stored.exclude != Some(session);
        let newest = move |at: Position, key: &Key| {
            self.between(channel, at, Offset::MAX).all(|(_, newer)| newer.key != *key)
        };
        self.between(channel, seen, next)
            .filter(move |(_, stored)| owed(stored))
            .filter(move |((_, _, offset), stored)| newest(seen.at(*offset), &stored.key))
            .map(|((_, _, offset), stored)| (*offset, stored))
    }

    /// Whether nothing of another history has been stored since.
    pub(super) fn is_current(&self, channel: &ChannelName, epoch: Epoch) -> bool {
        self.current.get(channel).is_none_or(|current| *current == epoch)
    }

    /// Whether nothing newer of the same key stands at the place or before `head`.
    pub(super) fn is_newest(
        &self,
        channel: &ChannelName,
        position: Position,
        head: Position,
    ) -> Result<(), String> {
        let at = (channel.clone(), position.epoch, position.offset);
        let Some(stored) = self.stored.get(&at) else { return Ok(()) };
        // A history that has given way to another one is known to its end.
        let known = if position.epoch == head.epoch { head.offset + 1 } else { Offset::MAX };
        // What has expired stands for nothing.
        let newer = |newer: &Stored| newer.key == stored.key && !newer.fleeting;
        let newer = self.between(channel, position, known).find(|(_, stored)| newer(stored));
        match newer {
            Some(newer) => Err(format!("{stored:?} at {position:?} was superseded by {newer:?}")),
            None => Ok(()),
        }
    }

    /// The newest of each key after one place and up to another, as far as a reader has to have it.
    pub(super) fn newest_of_each(
        &self,
        channel: &ChannelName,
        (from, end): (Position, Offset),
        session: SessionId,
    ) -> BTreeMap<Key, Offset> {
        let mut newest = BTreeMap::new();
        for ((_, _, offset), stored) in self.between(channel, from, end + 1) {
            // What has expired may have superseded others before it did.
            if stored.exclude == Some(session) || stored.fleeting {
                newest.remove(&stored.key);
            } else {
                newest.insert(stored.key.clone(), *offset);
            }
        }
        newest
    }

    /// Whether a reader that goes from `seen` to `next` misses nothing that is meant for it.
    pub(super) fn nothing_between(
        &self,
        channel: &ChannelName,
        (seen, next): (Position, Offset),
        session: SessionId,
    ) -> Result<(), String> {
        let missed = self
            .between(channel, seen, next)
            .find(|(_, stored)| !stored.fleeting && stored.exclude != Some(session));
        match missed {
            Some((at, stored)) => Err(format!(
                "lost {at:?} {stored:?} between {seen:?} and {next}, and nobody said so"
            )),
            None => Ok(()),
        }
    }

    /// Whether some publication between is one that the session does not get.
    pub(super) fn own_between(
        &self,
        channel: &ChannelName,
        (seen, next): (Position, Offset),
        session: SessionId,
    ) -> bool {
        self.between(channel, seen, next).any(|(_, stored)| stored.exclude == Some(session))
    }

    fn between(
        &self,
        channel: &ChannelName,
        seen: Position,
        next: Offset,
    ) -> impl Iterator<Item = (&(ChannelName, Epoch, Offset), &Stored)> + use<'_> {
        let from = (channel.clone(), seen.epoch, seen.offset + 1);
        let to = (channel.clone(), seen.epoch, next.max(seen.offset + 1));
        self.stored.range(from..to)
    }

    /// Whether this payload was stored at this place.
    pub(super) fn is(
        &self,
        channel: &ChannelName,
        position: Position,
        payload: &str,
    ) -> Result<(), String> {
        let at = (channel.clone(), position.epoch, position.offset);
        match self.stored.get(&at) {
            Some(stored) if stored.payload == payload => Ok(()),
            other => Err(format!("{channel} {position:?} holds {other:?}, told as {payload}")),
        }
    }

    /// Where a payload is stored.
    pub(super) fn places(&self, payload: &str) -> usize {
        self.stored.values().filter(|stored| stored.payload == payload).count()
    }
}
