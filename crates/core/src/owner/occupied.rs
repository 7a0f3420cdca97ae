//! Which of an owner's channels are read at all, and what is told of that.
//!
//! A channel is occupied while a shard has readers of it or it has members. So its first member is
//! told of after it is occupied, and its last one is told to have left before it is vacated, however
//! long members linger. It does not depend on the channel's other state: a reader that is given
//! pages, or has fallen behind, reads it as well.

use std::collections::HashMap;
use std::sync::Arc;

use crate::happening::{Happening, What};
use crate::hash::NameHash;
use crate::name::ChannelName;
use crate::owner::{Outlet, Owner};
use crate::presence::Member;
use crate::settings::ShardSettings;
use crate::shard::Effect;

/// The channels that are occupied, as far as that is told.
#[derive(Debug)]
pub(super) struct Occupied {
    /// How many shards have readers of each.
    shards: HashMap<ChannelName, u32, NameHash>,
}

impl Occupied {
    pub(super) fn new(settings: &ShardSettings) -> Self {
        Self { shards: HashMap::with_hasher(NameHash::new(settings.seed)) }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.shards.is_empty()
    }
}

impl Owner {
    /// A shard has its first reader of a channel.
    pub(crate) fn occupy(&mut self, name: &ChannelName, out: &mut Outlet<'_>) {
        self.make_occupied(name, out);
        if let Some(shards) = self.occupied.shards.get_mut(name) {
            *shards += 1;
        }
    }

    /// A shard has lost its last reader of a channel.
    pub(crate) fn vacate(&mut self, name: &ChannelName, out: &mut Outlet<'_>) {
        if let Some(shards) = self.occupied.shards.get_mut(name) {
            *shards = shards.saturating_sub(1);
        }
        self.vacate_if_left(name, out);
    }

    /// A channel has one member more.
    pub(super) fn tell_joined(
        &mut self,
        name: &ChannelName,
        member: &Arc<Member>,
        out: &mut Outlet<'_>,
    ) {
        let wishes = self.settings.namespaces.of(name).wishes;
        if wishes.occupancy {
            self.make_occupied(name, out);
        }
        if wishes.members {
            happen(name, What::Joined(Arc::clone(member)), out);
        }
    }

    /// A channel has one member less.
    pub(super) fn tell_left(
        &mut self,
        name: &ChannelName,
        member: &Arc<Member>,
        out: &mut Outlet<'_>,
    ) {
        if self.settings.namespaces.of(name).wishes.members {
            happen(name, What::Left(Arc::clone(member)), out);
        }
        self.vacate_if_left(name, out);
    }

    fn make_occupied(&mut self, name: &ChannelName, out: &mut Outlet<'_>) {
        if !self.occupied.shards.contains_key(name) {
            self.occupied.shards.insert(name.clone(), 0);
            happen(name, What::Occupied, out);
        }
    }

    fn vacate_if_left(&mut self, name: &ChannelName, out: &mut Outlet<'_>) {
        let unread = self.occupied.shards.get(name) == Some(&0);
        if unread && !self.has_members(name) {
            self.occupied.shards.remove(name);
            happen(name, What::Vacated, out);
        }
    }

    fn has_members(&self, name: &ChannelName) -> bool {
        #[cfg(test)]
        if crate::simulation::makes(crate::simulation::Mistake::VacatedEarly) {
            return false;
        }
        self.rooms.count(name) > 0
    }
}

fn happen(name: &ChannelName, what: What, out: &mut Outlet<'_>) {
    let channel = name.clone();
    out.effects.push(Effect::Happened(Happening { channel, what }));
}
