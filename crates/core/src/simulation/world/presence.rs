//! Members in a run: who comes as whom, polls, lists, and what must be true of them at rest.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use super::World;
use crate::name::ChannelName;
use crate::namespace::{NamespaceRules, Namespaces, Presence, PresenceBounds};
use crate::permit::Permit;
use crate::presence::{Attendance, Linger, Member, MemberId, Notices, PresencePage, PresenceQuery};
use crate::publication::SessionId;
use crate::settings::SlowReader;
use crate::shard::{Input, Message, Origin, Request};
use crate::simulation::application::Application;
use crate::simulation::presence::{Attended, Ears, LEASE, Seat, infos};
use crate::simulation::random::Random;
use crate::start::Subscription;

/// What a run knows of members.
pub(super) struct House {
    pub(super) presence: Presence,
    /// Chance in what only presence cares about.
    random: Random,
    pub(super) attended: Attended,
    /// Whether the world knows to the millisecond when an owner hears of a member.
    pub(super) strict: bool,
    polls: VecDeque<Poll>,
    /// What it is told of those who read.
    pub(super) application: Application,
    /// The list that was asked for last.
    pub(super) page: Option<PresencePage>,
}

/// A poll that somebody counts.
#[derive(Debug)]
struct Poll {
    channel: ChannelName,
    member: Arc<Member>,
}

/// As whom a client comes.
#[derive(Debug)]
pub(super) struct Guise {
    pub(super) attendance: Attendance,
    /// None for one that somebody else counts.
    pub(super) member: Option<MemberId>,
    pub(super) listens: bool,
}

/// More members than a run has.
pub(super) const PLENTY: usize = 100;

/// The prefix of channels without members.
const SILENT: &str = "x/";

impl House {
    /// Every other run has members; told and listed are more or fewer of them.
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x5eed);
        let told_max = [1, 3, 6, PLENTY][random.below(4)];
        let listed_max = [2, 4, PLENTY, PLENTY][random.below(4)];
        let bounds = PresenceBounds { told_max, listed_max };
        let presence = if seed % 2 == 1 { Presence::On(bounds) } else { Presence::Off };
        let (attended, polls) = (Attended::default(), VecDeque::new());
        let application = Application::new(seed);
        Self { presence, random, attended, strict: false, polls, application, page: None }
    }

    /// The owners have forgotten everybody, and no poll has outlived them.
    pub(super) fn restart(&mut self) {
        self.polls.clear();
        self.attended = Attended::default();
        self.application.restart();
    }
}

/// The rules of a run, of the channels that have no members in any, and of those of which readers get
/// only what is newest, if there are some.
pub(super) fn namespaces(rules: NamespaceRules, latest: Option<&str>) -> Arc<Namespaces> {
    let silent = NamespaceRules { presence: Presence::Off, ..rules.clone() };
    let newest = NamespaceRules { slow_reader: SlowReader::Latest, ..rules.clone() };
    let latest = latest.map(|prefix| (prefix.into(), newest));
    let silent = (SILENT.into(), silent);
    Arc::new(Namespaces::new(latest.into_iter().chain([silent]), rules))
}

impl World {
    /// Whether a channel has members in this run.
    pub(super) fn has_members(&self, channel: &ChannelName) -> bool {
        self.house.presence != Presence::Off && !channel.as_str().starts_with(SILENT)
    }

    /// Draws as whom the next client comes. Few names, so that they come back, and twice.
    pub(super) fn draw_guise(&mut self, session: SessionId) -> Guise {
        if self.house.presence == Presence::Off {
            let (attendance, member) = (Attendance::default(), None);
            return Guise { attendance, member, listens: false };
        }
        let listens = self.house.random.percent(60);
        let (attendance, member) = match self.house.random.below(10) {
            0 => (Attendance::Absent, None),
            1..4 => {
                let info = self.house.random.percent(30).then(|| "3".into());
                let id = Member::unnamed(session, None).id;
                (Attendance::Unnamed { user: None, info }, Some(id))
            }
            _ => {
                let member = self.draw_member();
                let id = member.id.clone();
                (Attendance::Named(member), Some(id))
            }
        };
        Guise { attendance, member, listens }
    }

    /// Whether a reader that listens asks for news of a channel. Where there are no members that is
    /// refused, which has to be tried too.
    pub(super) fn draw_notices(&mut self, channel: &ChannelName, listens: bool) -> Notices {
        let asks = listens && (self.has_members(channel) || self.house.random.percent(8));
        if asks { Notices::On } else { Notices::Off }
    }

    /// Whether a reader asks for news of a channel without members.
    pub(super) fn asks_in_vain(&self, asked: &Subscription) -> bool {
        asked.notices == Notices::On && !self.has_members(&asked.channel)
    }

    fn draw_member(&mut self) -> Arc<Member> {
        let client = format!("client-{}", self.house.random.below(6));
        let info = [None, Some("1"), Some("2")][self.house.random.below(3)];
        let user = self.house.random.percent(20).then(|| "alice".into());
        let id = MemberId { user, client: client.into() };
        Arc::new(Member { id, info: info.map(Into::into) })
    }

    /// Something happens that only presence cares about.
    pub(super) fn attend(&mut self) {
        if self.house.presence == Presence::Off {
            return;
        }
        match self.house.random.below(20) {
            0..2 => self.begin_poll(),
            2..4 => self.end_poll(),
            4..8 => self.read_list(),
            _ => {}
        }
    }

    fn owner_index(&self, channel: &ChannelName) -> usize {
        channel.hash48().value() as usize % self.shards.len()
    }

    fn begin_poll(&mut self) {
        let channel = self.channels[self.house.random.below(self.channels.len())].clone();
        let member = self.draw_member();
        let joined = Message::Join { channel: channel.clone(), member: Arc::clone(&member) };
        let owner = self.owner_index(&channel);
        self.house.polls.push_back(Poll { channel, member });
        self.note_attendance();
        self.input(owner, Input::Message(joined));
    }

    fn end_poll(&mut self) {
        let Some(Poll { channel, member }) = self.house.polls.pop_front() else { return };
        let owner = self.owner_index(&channel);
        if self.has_members(&channel) {
            let seat = (channel.clone(), member.id.clone());
            self.house.attended.lease(seat, self.now.millis + LEASE);
        }
        let leave = Message::Leave { channel, member, linger: Linger::Lease };
        self.input(owner, Input::Message(leave));
    }

    /// One client reads a page of a list.
    fn read_list(&mut self) {
        let keys: Vec<_> = self.clients.keys().copied().collect();
        if keys.is_empty() {
            return;
        }
        let key = keys[self.house.random.below(keys.len())];
        let listening = self.clients.get(&key).map(|client| client.ears.keys().cloned());
        let channels: Vec<ChannelName> = listening.into_iter().flatten().collect();
        if !channels.is_empty() {
            let channel = channels[self.house.random.below(channels.len())].clone();
            self.read_page(key, &channel);
        }
    }

    fn read_page(&mut self, key: (usize, u32), channel: &ChannelName) {
        let ears = self.clients.get_mut(&key).and_then(|client| client.ears.get_mut(channel));
        let Some(after) = ears.map(Ears::next_page) else { return };
        let limit = 1 + self.house.random.below(3);
        let page = self.list(channel, PresenceQuery { after, limit, bytes: usize::MAX });
        let ears = self.clients.get_mut(&key).and_then(|client| client.ears.get_mut(channel));
        if let (Some(ears), Some(page)) = (ears, page) {
            ears.page(&page);
        }
    }

    /// The owner's list, or a page of it.
    fn list(&mut self, channel: &ChannelName, query: PresenceQuery) -> Option<PresencePage> {
        let (origin, permit) = (Origin::Edge(u64::MAX), Permit::free());
        let (channel, request) = (channel.clone(), Request::Presence(query));
        let owner = self.owner_index(&channel);
        self.input(owner, Input::Ask { origin, channel, request, permit });
        self.house.page.take()
    }

    /// Notes who holds a place, by what the clients know. Nobody else is asked.
    pub(super) fn note_attendance(&mut self) {
        if self.house.presence == Presence::Off {
            return;
        }
        let mut there: BTreeSet<Seat> = BTreeSet::new();
        for client in self.clients.values().filter(|client| !client.gone) {
            let Some(member) = &client.member else { continue };
            let reads = client.seen.iter().filter(|(_, seen)| !seen.ended);
            let channels = reads.map(|(channel, _)| channel).chain(client.starts.keys());
            let counted = channels.filter(|channel| self.has_members(channel));
            there.extend(counted.map(|channel| (channel.clone(), member.clone())));
        }
        let polls = self.house.polls.iter().filter(|poll| self.has_members(&poll.channel));
        there.extend(polls.map(|poll| (poll.channel.clone(), poll.member.id.clone())));
        self.house.attended.note(there, self.now.millis);
    }

    /// Ends all polls, and has everybody who needs it read the list.
    pub(super) fn settle_members(&mut self) {
        while !self.house.polls.is_empty() {
            self.end_poll();
        }
        for key in self.clients.keys().copied().collect::<Vec<_>>() {
            for channel in self.channels.clone() {
                let needs = |world: &Self| {
                    let ears = world.clients.get(&key).and_then(|client| client.ears.get(&channel));
                    ears.is_some_and(Ears::needs_list)
                };
                while needs(self) {
                    self.read_page(key, &channel);
                }
            }
        }
    }

    /// At rest the owner's lists are the truth, and so is what those who listened know.
    pub(super) fn check_members(&mut self) -> Result<(), String> {
        let Presence::On(bounds) = self.house.presence else { return Ok(()) };
        self.settle_members();
        self.note_attendance();
        if bounds.listed_max < PLENTY && self.house.attended.leases(self.now.millis) {
            // A poller for whom the list had no room has no lease, and the world cannot know that.
            return Ok(());
        }
        for channel in &self.channels.clone() {
            if !self.has_members(channel) {
                continue;
            }
            let truth = self.house.attended.of(channel, self.now.millis);
            let all = PresenceQuery { after: None, limit: usize::MAX, bytes: usize::MAX };
            let page = self.list(channel, all).ok_or("no list")?;
            let listed: BTreeSet<_> = page.members.iter().map(|member| member.id.clone()).collect();
            let whole = listed.len() == truth.len().min(bounds.listed_max);
            if page.count != truth.len() || !whole || !listed.is_subset(&truth) {
                return Err(format!("{channel}: {page:?} is listed, and {truth:?} are there"));
            }
            self.tally.members += page.count;
            let named = page.count <= bounds.told_max.min(bounds.listed_max);
            for client in self.clients.values().filter(|client| !client.gone) {
                let Some(ears) = client.ears.get(channel) else { continue };
                let own = client.member.as_ref();
                if named && !ears.agrees(&infos(&page), own) || ears.count.is_none() {
                    return Err(format!("{channel}: {page:?} is not what is known to {client:?}"));
                }
                if !named && ears.count != Some(page.count) {
                    return Err(format!("{channel}: {} are there: {client:?}", page.count));
                }
            }
        }
        Ok(())
    }
}
