//! The application as the checkers see it: what it has been told of channels, in order.

use std::collections::BTreeSet;

use super::presence::Seat;
use super::random::Random;
use crate::happening::{Happening, What, Wishes};
use crate::name::ChannelName;
use crate::presence::MemberId;

/// What the application believes, from what it was told.
#[derive(Debug)]
pub(super) struct Application {
    /// What it wants to be told in this run.
    pub(super) wishes: Wishes,
    occupied: BTreeSet<ChannelName>,
    members: BTreeSet<Seat>,
}

impl Application {
    /// Each run wants something else.
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xbe11);
        let wishes = Wishes { occupancy: random.percent(70), members: random.percent(70) };
        Self { wishes, occupied: BTreeSet::new(), members: BTreeSet::new() }
    }

    /// Another process has begun, and says so: whatever was, nobody reads anything.
    pub(super) fn restart(&mut self) {
        self.occupied.clear();
        self.members.clear();
    }

    /// Takes what it is told.
    pub(super) fn hear(&mut self, happening: &Happening) -> Result<(), String> {
        let Happening { channel, what } = happening;
        let seat = |id: &MemberId| (channel.clone(), id.clone());
        let has_members = self.members_of(channel).next().is_some();
        let fits = match what {
            What::Occupied => self.wishes.occupancy && self.occupied.insert(channel.clone()),
            What::Vacated => self.wishes.occupancy && !has_members && self.occupied.remove(channel),
            What::Joined(member) => self.wishes.members && self.members.insert(seat(&member.id)),
            What::Left(member) => self.wishes.members && self.members.remove(&seat(&member.id)),
        };
        let unread = self.wishes.occupancy && !self.occupied.contains(channel);
        let stray = matches!(what, What::Joined(_) | What::Left(_)) && unread;
        if fits && !stray {
            return Ok(());
        }
        Err(format!("the application is told {happening:?}: {self:?}"))
    }

    /// At rest it knows whether a channel is read, and by which members.
    pub(super) fn check(
        &self,
        channel: &ChannelName,
        read: bool,
        members: &BTreeSet<MemberId>,
    ) -> Result<(), String> {
        let occupied = read || !members.is_empty();
        let knows = !self.wishes.occupancy || self.occupied.contains(channel) == occupied;
        let known = || self.members_of(channel).eq(members);
        if knows && (!self.wishes.members || known()) {
            return Ok(());
        }
        Err(format!("{channel} is read: {read}, by {members:?}, and told is {self:?}"))
    }

    /// Whether it believes that nobody is there.
    pub(super) fn is_alone(&self) -> bool {
        self.occupied.is_empty() && self.members.is_empty()
    }

    fn members_of(&self, channel: &ChannelName) -> impl Iterator<Item = &MemberId> {
        let here = |seat: &&Seat| seat.0 == *channel;
        self.members.iter().filter(here).map(|(_, member)| member)
    }
}
