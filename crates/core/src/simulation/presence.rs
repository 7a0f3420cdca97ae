//! Presence as the checkers see it: who is there in truth, and what a client makes of what it is
//! told.

use std::collections::{BTreeMap, BTreeSet};

use crate::name::ChannelName;
use crate::presence::{Change, MemberId, News, PresencePage};
use crate::time::Millis;

/// A member of a channel, as the world knows it.
pub(super) type Seat = (ChannelName, MemberId);

/// What members say of themselves.
type Infos = BTreeMap<MemberId, Option<String>>;

/// Who was there when, by what the world itself has done.
#[derive(Debug, Default)]
pub(super) struct Attended {
    /// Who is there.
    there: BTreeSet<Seat>,
    /// Since when others are not.
    absent: BTreeMap<Seat, Millis>,
    /// Those who were away for longer than the grace at some time.
    missed: BTreeSet<Seat>,
    /// Until when pollers count.
    leases: BTreeMap<Seat, Millis>,
}

/// What one client has heard of one channel's members.
#[derive(Debug, Default)]
pub(super) struct Ears {
    /// Who is there, from the list and what was heard since.
    there: Infos,
    /// What was heard of each since the names were last said to be incomplete.
    last: BTreeMap<MemberId, Heard>,
    /// The number that was heard last.
    pub(super) count: Option<usize>,
    /// Whether the list was read since the names were last said to be incomplete.
    listed: bool,
    fetch: Option<Fetch>,
}

/// A list that is being read page by page.
#[derive(Debug, Default)]
struct Fetch {
    after: Option<MemberId>,
    gathered: Infos,
    /// What was heard since it was asked for, which is applied to it.
    heard: Vec<Heard>,
}

/// Something that a client heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Heard {
    Joined(MemberId, Option<String>),
    Left(MemberId),
    Counted(usize),
}

/// The grace, as the documentation promises it.
const GRACE: Millis = 2_000;

/// The lease of a poll, as the documentation promises it.
pub(super) const LEASE: Millis = 30_000;

impl Attended {
    /// Takes note of who is there now.
    pub(super) fn note(&mut self, there: BTreeSet<Seat>, now: Millis) {
        for left in self.there.difference(&there) {
            self.absent.insert(left.clone(), now);
        }
        for seat in &there {
            let away = self.absent.remove(seat).is_some_and(|since| now - since >= GRACE);
            if away {
                self.missed.insert(seat.clone());
            }
        }
        self.there = there;
    }

    /// A poll has ended.
    pub(super) fn lease(&mut self, seat: Seat, until: Millis) {
        let lease = self.leases.entry(seat).or_default();
        *lease = until.max(*lease);
    }

    /// Whether any poller's lease runs.
    pub(super) fn leases(&self, now: Millis) -> bool {
        self.leases.values().any(|until| *until > now)
    }

    /// Who is to be on the list of a channel once everything has come to rest.
    pub(super) fn of(&self, channel: &ChannelName, now: Millis) -> BTreeSet<MemberId> {
        let leased = self.leases.iter().filter(|(_, until)| **until > now).map(|(seat, _)| seat);
        let seats = self.there.iter().chain(leased).filter(|(place, _)| place == channel);
        seats.map(|(_, member)| member.clone()).collect()
    }

    /// Whether it may have been told that somebody has gone.
    fn was_away(&self, seat: &Seat, now: Millis) -> bool {
        let away = self.absent.get(seat).is_some_and(|since| now - since >= GRACE);
        away || self.missed.contains(seat)
    }
}

impl Heard {
    pub(super) fn of(news: &News) -> Self {
        match &news.change {
            Change::Joined(member) => {
                Self::Joined(member.id.clone(), member.info.as_deref().map(str::to_owned))
            }
            Change::Left(member) => Self::Left(member.id.clone()),
            Change::Counted => Self::Counted(news.count),
        }
    }
}

impl Ears {
    /// Takes what came on the stream. `strict` is whether the world knows the owner's time well
    /// enough to tell a reload from an absence.
    pub(super) fn hear(
        &mut self,
        channel: &ChannelName,
        heard: Heard,
        own: Option<&MemberId>,
        truth: Option<(&Attended, Millis)>,
    ) -> Result<(), String> {
        let subject = match &heard {
            Heard::Counted(count) => {
                self.count = Some(*count);
                (self.listed, self.fetch) = (false, None);
                self.last.clear();
                return Ok(());
            }
            Heard::Joined(member, _) | Heard::Left(member) => member.clone(),
        };
        if own == Some(&subject) {
            return Err(format!("{heard:?}, which is itself"));
        }
        match (self.last.get(&subject), &heard) {
            (Some(Heard::Joined(_, before)), Heard::Joined(_, info)) if before == info => {
                return Err(format!("{heard:?} twice"));
            }
            (Some(Heard::Left(_)), Heard::Left(_)) => return Err(format!("{heard:?} twice")),
            _ => {}
        }
        if let (Heard::Left(_), Some((attended, now))) = (&heard, truth)
            && !attended.was_away(&(channel.clone(), subject.clone()), now)
        {
            return Err(format!("{heard:?}, who was never away for longer than the grace"));
        }
        self.last.insert(subject, heard.clone());
        if let Some(fetch) = &mut self.fetch {
            fetch.heard.push(heard.clone());
        }
        apply(&mut self.there, heard);
        Ok(())
    }

    /// Whether the client does not know all names and would have to read the list.
    pub(super) fn needs_list(&self) -> bool {
        !self.listed
    }

    /// What it asks for next of the list.
    pub(super) fn next_page(&mut self) -> Option<MemberId> {
        self.fetch.get_or_insert_default().after.clone()
    }

    /// Takes a page of the list.
    pub(super) fn page(&mut self, page: &PresencePage) {
        let Some(fetch) = &mut self.fetch else { return };
        for member in &page.members {
            let info = member.info.as_deref().map(str::to_owned);
            fetch.gathered.insert(member.id.clone(), info);
        }
        self.count = Some(page.count);
        fetch.after.clone_from(&page.next);
        if page.next.is_none() {
            let Fetch { mut gathered, heard, .. } = self.fetch.take().unwrap_or_default();
            heard.into_iter().for_each(|heard| apply(&mut gathered, heard));
            self.there = gathered;
            self.listed = true;
        }
    }

    /// Whether what it knows of others is what the owner says. Of its own client it is told nothing,
    /// and here, unlike in a server, the list that it reads can overtake its own join.
    pub(super) fn agrees(&self, owner: &Infos, own: Option<&MemberId>) -> bool {
        let other = |(member, _): &(&MemberId, _)| own != Some(*member);
        self.there.iter().filter(other).eq(owner.iter().filter(other))
    }
}

/// What a list says.
pub(super) fn infos(page: &PresencePage) -> Infos {
    let info = |info: &std::sync::Arc<str>| info.as_ref().to_owned();
    page.members.iter().map(|member| (member.id.clone(), member.info.as_ref().map(info))).collect()
}

fn apply(there: &mut Infos, heard: Heard) {
    match heard {
        Heard::Joined(member, info) => drop(there.insert(member, info)),
        Heard::Left(member) => drop(there.remove(&member)),
        Heard::Counted(_) => {}
    }
}
