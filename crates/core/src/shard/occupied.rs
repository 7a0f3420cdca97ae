//! Which channels a shard has readers of, where the application is told whether anybody reads them.
//!
//! What is counted are the slots of readers, not feeds: a reader that has fallen behind, or is given
//! pages, is in no feed and reads all the same.

use std::collections::HashMap;

use crate::hash::NameHash;
use crate::name::ChannelName;
use crate::shard::{Effect, Message, Shard};

/// How many readers this shard has of each channel whose occupancy is told.
pub(super) type Occupied = HashMap<ChannelName, u32, NameHash>;

impl Shard {
    /// A reader of this shard has taken a channel whose occupancy is told.
    pub(super) fn count_reader(&mut self, channel: &ChannelName, effects: &mut Vec<Effect>) {
        if let Some(readers) = self.occupied.get_mut(channel) {
            *readers += 1;
            return;
        }
        self.occupied.insert(channel.clone(), 1);
        self.post_to_owner(Message::Occupied(channel.clone()), effects);
    }

    /// A reader of this shard has given a channel up, one whose occupancy is told or not.
    pub(super) fn discount_reader(&mut self, channel: &ChannelName, effects: &mut Vec<Effect>) {
        if self.occupied.is_empty() {
            return;
        }
        #[cfg(test)]
        if crate::simulation::makes(crate::simulation::Mistake::Lodger) {
            return;
        }
        let Some(readers) = self.occupied.get_mut(channel) else { return };
        *readers = readers.saturating_sub(1);
        if *readers == 0 {
            self.occupied.remove(channel);
            self.post_to_owner(Message::Vacated(channel.clone()), effects);
        }
    }
}
