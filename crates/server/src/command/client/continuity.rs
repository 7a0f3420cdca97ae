//! Proves from positions that a reader missed nothing.
//!
//! A publication names the offset before it. As long as that is not above the last offset the
//! reader saw of the channel in the same epoch, nothing lies between; anything else that the server
//! has not told as a gap is a fault, and is said. But of a channel whose opening declares that only
//! what is newest comes, anything may lie between.

use std::collections::{BTreeMap, BTreeSet};

use super::frame::{Gap, Open};
use super::message::Message;

/// What is known of each channel.
#[derive(Debug, Default)]
pub(crate) struct Continuity {
    seen: BTreeMap<String, Seen>,
    /// Channels of which only what is newest comes.
    latest: BTreeSet<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    offset: u64,
    epoch: String,
}

/// What a message proves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing lies between it and what was seen before, as far as anything was.
    Continuous,
    /// It was published live only and has no place in the order.
    Unplaced,
    /// It was seen before.
    Duplicate,
    /// Something lies between, and the server has declared that it may.
    Skipped,
    /// Something lies between, and the server has not told of it.
    Untold(String),
}

impl Continuity {
    /// Takes the opening of a stream.
    pub(crate) fn opened(&mut self, open: &Open) {
        self.latest = open.latest().map(str::to_owned).collect();
    }

    /// Takes the next message of its channel.
    pub(crate) fn message(&mut self, message: &Message) -> Verdict {
        let (Some(offset), Some(epoch)) = (message.offset, message.epoch.clone()) else {
            return Verdict::Unplaced;
        };
        let verdict = match self.seen.get(&message.channel) {
            None => Verdict::Continuous,
            Some(seen) if seen.epoch != epoch => Verdict::Untold(format!(
                "the history of {} was {} and is {epoch}",
                message.channel, seen.epoch
            )),
            Some(seen) if offset <= seen.offset => return Verdict::Duplicate,
            Some(seen) => match message.prev {
                Some(prev) if prev > seen.offset && self.latest.contains(&message.channel) => {
                    Verdict::Skipped
                }
                Some(prev) if prev > seen.offset => Verdict::Untold(format!(
                    "{} has {prev} before {offset}, and {} was the last to arrive",
                    message.channel, seen.offset
                )),
                Some(_) => Verdict::Continuous,
                None => {
                    Verdict::Untold(format!("{} does not say what it follows", message.channel))
                }
            },
        };
        self.seen.insert(message.channel.clone(), Seen { offset, epoch });
        verdict
    }

    /// Takes a gap that the server told: the next message follows its end.
    pub(crate) fn gap(&mut self, gap: &Gap) {
        match gap.to.as_deref().and_then(position) {
            Some(seen) => self.seen.insert(gap.channel.clone(), seen),
            None => self.seen.remove(&gap.channel),
        };
    }
}

/// How many publications a gap took, if its ends say so: at most this many, since offsets may be
/// sparse.
pub(crate) fn missed(gap: &Gap) -> Option<u64> {
    let from = position(gap.from.as_deref()?)?;
    let to = position(gap.to.as_deref()?)?;
    (from.epoch == to.epoch).then(|| to.offset.saturating_sub(from.offset))
}

fn position(text: &str) -> Option<Seen> {
    let (offset, epoch) = text.split_once('.')?;
    Some(Seen { offset: offset.parse().ok()?, epoch: epoch.to_owned() })
}

#[cfg(test)]
#[path = "continuity_test.rs"]
mod tests;
