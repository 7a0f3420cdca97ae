//! What shards tell the application in a run, and what must be true of it at rest.

use std::collections::BTreeSet;

use super::World;
use super::presence::PLENTY;
use crate::happening::Happening;
use crate::namespace::Presence;

impl World {
    /// A shard tells the application something.
    pub(super) fn happened(&mut self, happening: &Happening) -> Result<(), String> {
        self.tally.happenings += 1;
        self.house.application.hear(happening)
    }

    /// At rest the application knows who reads what.
    pub(super) fn check_application(&self) -> Result<(), String> {
        let now = self.now.millis;
        if let Presence::On(bounds) = self.house.presence
            && bounds.listed_max < PLENTY
            && self.house.attended.leases(now)
        {
            // A poller for whom the list had no room has no lease, and the world cannot know that.
            return Ok(());
        }
        for channel in &self.channels {
            let read = self.clients.values().filter(|client| !client.gone).any(|client| {
                let seen = client.seen.get(channel).is_some_and(|seen| !seen.ended);
                seen || client.starts.contains_key(channel)
            });
            let members = match self.has_members(channel) {
                true => self.house.attended.of(channel, now),
                false => BTreeSet::new(),
            };
            self.house.application.check(channel, read, &members)?;
        }
        Ok(())
    }
}
