//! Channels go: marks, expiry, and the limit on how many there are.
//!
//! A forgotten channel leaves only the mark: channels made later begin above the highest offset
//! that was ever forgotten, so that an old position falls below the floor and is told as a gap.
//! The engine stores a rise of the mark before the channel is let go.

use std::cmp::Reverse;

use crate::code::Code;
use crate::name::ChannelName;
use crate::owner::{Outlet, Owner};
use crate::position::Offset;
use crate::shard::EngineCommand;
use crate::time::Millis;

/// How often each channel is looked at for expiry.
pub(super) const SWEEP_EVERY: Millis = 10_000;

/// Channels looked at in one sweep, so that a million of them do not stall a shard.
const SWEEP_MAX: usize = 1024;

/// Channels looked at for one that may go when the limit is reached.
const EVICTION_TRIES: usize = 64;

impl Owner {
    /// Looks at the channels whose turn it is.
    pub(crate) fn sweep(&mut self, out: &mut Outlet<'_>) {
        let now = out.now.millis;
        for _ in 0..SWEEP_MAX {
            let Some((at, name)) = self.sweep.pop_front_if(|(at, _)| *at <= now) else {
                return;
            };
            let history = self.settings.history;
            let Some(channel) = self.channels.get_mut(&name) else {
                continue;
            };
            if channel.sweep_at != at {
                // The channel was forgotten and made again; its newer entry is the valid one.
                continue;
            }
            channel.sweep_at = now + SWEEP_EVERY;
            channel.age(&history, out);
            self.keys -= channel.keys.expire(now);
            if channel.expendable() {
                self.forget(&name, out);
            }
            if self.channels.contains_key(&name) {
                self.sweep.push_back((now + SWEEP_EVERY, name));
            }
        }
    }

    /// When this owner has to look at its channels next.
    pub(crate) fn tick_at(&self) -> Option<Millis> {
        let sweep = self.sweep.front().map(|(at, _)| *at);
        let deadline = self.deadlines.peek().map(|Reverse((at, _))| *at);
        sweep.into_iter().chain(deadline).min()
    }

    /// Makes room for one more channel: at the limit the longest idle one without readers goes.
    pub(super) fn make_room(&mut self, out: &mut Outlet<'_>) -> Result<(), Code> {
        if self.channels.len() < self.settings.channels_max {
            return Ok(());
        }
        for _ in 0..EVICTION_TRIES {
            let Some(Reverse((stamp, name))) = self.idle.pop() else {
                break;
            };
            let Some(channel) = self.channels.get_mut(&name) else {
                continue;
            };
            if channel.idle_at != stamp {
                continue;
            }
            let used = channel.touched > stamp;
            channel.idle_at = if used { channel.touched } else { out.now.millis };
            self.idle.push(Reverse((channel.idle_at, name.clone())));
            if !used && channel.idle() {
                self.forget(&name, out);
                return Ok(());
            }
        }
        Err(Code::ChannelsFull)
    }

    /// Begins to forget a channel. One that nothing was published to leaves no mark.
    fn forget(&mut self, name: &ChannelName, out: &mut Outlet<'_>) {
        let blank = self.blank();
        let Some(channel) = self.channels.get(name) else {
            return;
        };
        let told_only = channel.head == channel.start && channel.epoch == blank.epoch;
        if told_only && channel.head <= self.mark && !channel.ended {
            self.drop_channel(name, out);
            return;
        }
        let mark = self.mark.max(channel.head);
        out.engine(EngineCommand::RaiseMark { channel: name.clone(), mark });
    }

    /// The mark is stored: the channel goes, unless it was touched meanwhile.
    pub(super) fn mark_raised(&mut self, name: &ChannelName, mark: Offset, out: &mut Outlet<'_>) {
        self.raise_mark(mark);
        let Some(channel) = self.channels.get(name) else {
            return;
        };
        if channel.idle() && channel.head <= mark {
            self.drop_channel(name, out);
        }
    }

    fn raise_mark(&mut self, mark: Offset) {
        #[cfg(test)]
        if crate::simulation::makes(crate::simulation::Mistake::ForgottenMark) {
            return;
        }
        self.mark = self.mark.max(mark);
    }

    fn drop_channel(&mut self, name: &ChannelName, out: &mut Outlet<'_>) {
        if let Some(channel) = self.channels.remove(name) {
            self.keys -= channel.keys.len();
            out.figures.ring_bytes -= channel.ring.bytes() as u64;
            out.figures.channels -= 1;
            out.engine(EngineCommand::Forget(name.clone()));
        }
    }
}
