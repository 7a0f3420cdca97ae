//! Channels go: marks, expiry, and the limit on how many there are.
//!
//! A forgotten channel leaves only the mark: channels made later begin above the highest offset
//! that was ever forgotten, so that an old position falls below the floor and is told as a gap.
//! The engine stores a rise of the mark before the channel is let go.

use std::cmp::Reverse;

use crate::code::Code;
use crate::name::ChannelName;
use crate::owner::{Newcomer, Outlet, Owner};
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
        self.expire_keys(now);
        for _ in 0..SWEEP_MAX {
            let Some((at, name)) = self.sweep.pop_front_if(|(at, _)| *at <= now) else {
                return;
            };
            let Some(channel) = self.channels.get_mut(&name) else {
                continue;
            };
            if channel.sweep_at != at {
                // The channel was forgotten and made again; its newer entry is the valid one.
                continue;
            }
            channel.sweep_at = now + SWEEP_EVERY;
            channel.age(out);
            let expendable = channel.expendable(self.settings.depth, out.now.unix);
            if expendable && !self.rooms.holds(&name) {
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
        let read = self.read_deadlines.front().map(|(at, _)| *at);
        sweep.into_iter().chain(deadline).chain(read).chain(self.rooms.tick_at()).min()
    }

    /// Makes room for one more channel. At the limit the longest idle channel without readers goes,
    /// one that was only ever read before one that was written to; a reader makes no publication
    /// go, and readers alone never take more than half of the room.
    pub(super) fn make_room(
        &mut self,
        newcomer: Newcomer,
        out: &mut Outlet<'_>,
    ) -> Result<(), Code> {
        let most = self.settings.channels_max;
        let crowded = newcomer == Newcomer::Reader && self.unwritten.len() >= most.div_ceil(2);
        if self.channels.len() < most && !crowded {
            return Ok(());
        }
        let victim = self.longest_idle(Newcomer::Reader, out.now.millis);
        let victim = victim.or_else(|| {
            (newcomer == Newcomer::Writer).then(|| self.longest_idle(newcomer, out.now.millis))?
        });
        let victim = victim.ok_or(Code::ChannelsFull)?;
        self.forget(&victim, out);
        Ok(())
    }

    /// The longest idle channel of those that were only read, or of those that were written to and
    /// whose keys have expired.
    fn longest_idle(&mut self, of: Newcomer, now: Millis) -> Option<ChannelName> {
        let order = match of {
            Newcomer::Reader => &mut self.unwritten,
            Newcomer::Writer => &mut self.idle,
        };
        for _ in 0..EVICTION_TRIES {
            let (stamp, name) = order.pop_first()?;
            let Some(channel) = self.channels.get_mut(&name) else { continue };
            let untouched = channel.touched <= stamp;
            let free = channel.idle() && channel.keys.len() == 0 && !self.rooms.holds(&name);
            // A channel that cannot go now is looked at again after all others.
            channel.idle_at = if untouched { now } else { channel.touched };
            order.insert((channel.idle_at, name.clone()));
            if untouched && free {
                return Some(name);
            }
        }
        None
    }

    /// Notes that a channel is written to: from now on it counts as one that holds something.
    pub(super) fn written(&mut self, name: &ChannelName) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        if !channel.written {
            channel.written = true;
            let entry = (channel.idle_at, name.clone());
            self.unwritten.remove(&entry);
            self.idle.insert(entry);
        }
    }

    /// Notes when the keys that a channel has just remembered are to be forgotten. However much is
    /// published to it without a key, there is no more to note.
    pub(super) fn keys_settled(&mut self, name: &ChannelName) {
        let Some(channel) = self.channels.get_mut(name) else { return };
        let expires = channel.keys.remembered_until();
        if let Some(expires) = expires.filter(|expires| *expires > channel.keys_until) {
            channel.keys_until = expires;
            self.key_expiry.push_back((expires, name.clone()));
        }
    }

    /// Forgets the keys whose window has ended.
    pub(super) fn expire_keys(&mut self, now: Millis) {
        while let Some((_, name)) = self.key_expiry.pop_front_if(|(at, _)| *at <= now) {
            if let Some(channel) = self.channels.get_mut(&name) {
                self.keys -= channel.keys.expire(now);
            }
        }
    }

    /// Begins to forget a channel. One that nothing was published to leaves no mark.
    fn forget(&mut self, name: &ChannelName, out: &mut Outlet<'_>) {
        let blank = self.blank();
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        channel.leaving = Some(channel.touched);
        let told_only = channel.head == channel.start && channel.epoch == blank.epoch;
        if told_only && channel.head <= self.mark && !channel.ended {
            self.drop_channel(name, out);
            return;
        }
        let mark = self.mark.max(channel.highest());
        out.engine(EngineCommand::RaiseMark { channel: name.clone(), mark });
    }

    /// The mark is stored: the channel goes, unless it was touched meanwhile.
    pub(super) fn mark_raised(&mut self, name: &ChannelName, mark: Offset, out: &mut Outlet<'_>) {
        self.raise_mark(mark);
        let Some(channel) = self.channels.get(name) else {
            return;
        };
        let idle = channel.idle() && !self.rooms.holds(name);
        if idle && channel.head <= mark && channel.leaving == Some(channel.touched) {
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
            let entry = (channel.idle_at, name.clone());
            self.idle.remove(&entry);
            self.ring_order.remove(&channel);
            self.unwritten.remove(&entry);
            out.figures.ring_bytes -= channel.ring.bytes() as u64;
            out.figures.channels -= 1;
            out.engine(EngineCommand::Forget(name.clone()));
        }
    }
}
