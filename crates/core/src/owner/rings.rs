//! Rings as a cache: where the engine stores everything, an owner keeps in memory what is read most.
//!
//! Each ring has bounds of its own, and all of them a budget; beyond it the longest untouched
//! channels give theirs up. Nothing is lost by that: who wants more reads pages.

use std::collections::BTreeSet;

use crate::name::ChannelName;
use crate::owner::channel::Channel;
use crate::owner::{Outlet, Owner};
use crate::settings::{Depth, Retention, ShardSettings};
use crate::time::Millis;

/// Channels with a ring, by when they were last touched, at the earliest: touching moves nobody, who
/// is looked at is moved then.
#[derive(Debug, Default)]
pub(super) struct RingOrder {
    order: BTreeSet<(Millis, ChannelName)>,
}

impl RingOrder {
    fn insert(&mut self, stamp: Millis, channel: &mut Channel) {
        channel.ring_stamp = Some(stamp);
        self.order.insert((stamp, channel.name.clone()));
    }

    /// Takes out a channel that goes.
    pub(super) fn remove(&mut self, channel: &Channel) {
        if let Some(stamp) = channel.ring_stamp {
            self.order.remove(&(stamp, channel.name.clone()));
        }
    }

    /// Whether no channel stands in it.
    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

impl Owner {
    /// Keeps the rings within their budget after a channel's has grown.
    pub(super) fn bound_rings(&mut self, grown: &ChannelName, out: &mut Outlet<'_>) {
        if self.settings.depth == Depth::Ring {
            return;
        }
        if let Some(channel) = self.channels.get_mut(grown)
            && channel.ring_stamp.is_none()
            && !channel.ring.is_empty()
        {
            self.ring_order.insert(out.now.millis, channel);
        }
        let most = self.settings.rings_bytes_max as u64;
        // A channel that was touched meanwhile is passed over once, so that this ends.
        let mut looks = self.ring_order.order.len() * 2;
        while out.figures.ring_bytes > most && looks > 0 {
            looks -= 1;
            let Some((stamp, name)) = self.ring_order.order.pop_first() else { return };
            let Some(channel) = self.channels.get_mut(&name) else { continue };
            if channel.touched > stamp {
                self.ring_order.insert(channel.touched, channel);
                continue;
            }
            channel.ring_stamp = None;
            out.figures.ring_bytes -= channel.ring.bytes() as u64;
            channel.ring.give_up();
        }
    }
}

impl Channel {
    /// What the ring keeps: all of the history, or of what the engine stores the newest part.
    pub(super) fn ring_bounds(&self, settings: &ShardSettings) -> Retention {
        let history = self.rules.history;
        match settings.depth {
            Depth::Ring => history,
            Depth::Engine => Retention {
                count: history.count.min(settings.ring.count),
                bytes: history.bytes.min(settings.ring.bytes),
                age: history.age,
            },
        }
    }
}
