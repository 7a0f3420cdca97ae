//! What really happened: every publication that was ever stored.

use std::collections::BTreeMap;

use crate::name::ChannelName;
use crate::position::{Epoch, Offset, Position};
use crate::publication::SessionId;

/// Every stored publication, by its place.
#[derive(Debug, Default)]
pub(super) struct Truth {
    stored: BTreeMap<(ChannelName, Epoch, Offset), Stored>,
}

#[derive(Debug)]
struct Stored {
    payload: String,
    /// Whether it may have expired by its own lifetime, so that missing it is no loss.
    fleeting: bool,
    /// The session that does not get it.
    exclude: Option<SessionId>,
}

impl Truth {
    /// Notes a stored publication; says if its place had been given before.
    pub(super) fn store(
        &mut self,
        channel: &ChannelName,
        position: Position,
        payload: &str,
        fleeting: bool,
        exclude: Option<SessionId>,
    ) -> Result<(), String> {
        let at = (channel.clone(), position.epoch, position.offset);
        let stored = Stored { payload: payload.to_owned(), fleeting, exclude };
        match self.stored.insert(at, stored) {
            Some(first) if first.payload != payload => {
                Err(format!("{channel} {position:?} was given to {first:?} and to {payload}"))
            }
            _ => Ok(()),
        }
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
    ) -> impl Iterator<Item = (&(ChannelName, Epoch, Offset), &Stored)> {
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
