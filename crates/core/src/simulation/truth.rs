//! What really happened: every publication that was ever stored.

use std::collections::BTreeMap;

use crate::name::ChannelName;
use crate::position::{Epoch, Offset, Position};

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
}

impl Truth {
    /// Notes a stored publication; says if its place had been given before.
    pub(super) fn store(
        &mut self,
        channel: &ChannelName,
        position: Position,
        payload: &str,
        fleeting: bool,
    ) -> Result<(), String> {
        let at = (channel.clone(), position.epoch, position.offset);
        let stored = Stored { payload: payload.to_owned(), fleeting };
        match self.stored.insert(at, stored) {
            Some(first) if first.payload != payload => {
                Err(format!("{channel} {position:?} was given to {first:?} and to {payload}"))
            }
            _ => Ok(()),
        }
    }

    /// Whether a reader that goes from `seen` to `next` misses nothing.
    pub(super) fn nothing_between(
        &self,
        channel: &ChannelName,
        seen: Position,
        next: Offset,
    ) -> Result<(), String> {
        let from = (channel.clone(), seen.epoch, seen.offset + 1);
        let to = (channel.clone(), seen.epoch, next);
        match self.stored.range(from..to).find(|(_, stored)| !stored.fleeting) {
            Some((at, stored)) => Err(format!(
                "lost {at:?} {stored:?} between {seen:?} and {next}, and nobody said so"
            )),
            None => Ok(()),
        }
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
