//! Presence: the members of the channels that a shard owns.
//!
//! A channel's members stand here by their ids, each with the number of its connections, as long as
//! there are any; a channel without members costs nothing. They do not depend on the channel's
//! other state, so that no limit on channels can part a connection's join from its leave.
//!
//! Who has lost the last connection lingers for a while, so that a page can be loaded again, and a
//! poller can poll again, without anyone being told. Names are told while there are few members;
//! above that only their number is, once a second while it changes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::code::Code;
use crate::hash::NameHash;
use crate::name::ChannelName;
use crate::namespace::{Presence, PresenceBounds};
use crate::owner::{Outlet, Owner};
use crate::presence::{ById, Change, Linger, Member, MemberId, News, PresencePage, PresenceQuery};
use crate::settings::ShardSettings;
use crate::shard::{Answer, Message, Refusal};
use crate::time::Millis;

/// The members of every channel that has some.
#[derive(Debug)]
pub(super) struct Rooms {
    rooms: HashMap<ChannelName, Box<Room>, NameHash>,
    /// Listed members without a connection, each once, by when they are looked at. Some may have
    /// come back, or may stay longer, by then.
    lingering: BinaryHeap<Reverse<(Millis, ChannelName, MemberId)>>,
    /// Channels whose number of members is to be told, by when.
    counts: BinaryHeap<Reverse<(Millis, ChannelName)>>,
}

/// The members of one channel.
#[derive(Debug)]
struct Room {
    bounds: PresenceBounds,
    listed: BTreeMap<ById, Stay>,
    /// Members for whom the list had no room, by the number of their connections. They do not
    /// linger, so that there are never more of them than connections.
    unlisted: BTreeMap<ById, u32>,
    /// Whether only the number is told at present.
    crowded: bool,
    /// When the number was told last.
    counted: Option<Millis>,
    /// When the number is to be told.
    count_at: Option<Millis>,
}

/// A listed member's stay in its channel.
#[derive(Debug)]
struct Stay {
    connections: u32,
    /// Whether it stands among the lingering.
    watched: bool,
    /// Until when it stays without a connection.
    until: Millis,
}

impl Rooms {
    pub(super) fn new(settings: &ShardSettings) -> Self {
        Self {
            rooms: HashMap::with_hasher(NameHash::new(settings.seed)),
            lingering: BinaryHeap::new(),
            counts: BinaryHeap::new(),
        }
    }

    /// Whether a channel has members.
    pub(super) fn holds(&self, name: &ChannelName) -> bool {
        self.rooms.contains_key(name)
    }

    /// How many members a channel has.
    pub(super) fn count(&self, name: &ChannelName) -> usize {
        self.rooms.get(name).map_or(0, |room| room.count())
    }

    /// Forgets a room that all have left, once that is told.
    fn close_if_empty(&mut self, name: &ChannelName) {
        if self.rooms.get(name).is_some_and(|room| room.count() == 0 && room.count_at.is_none()) {
            self.rooms.remove(name);
        }
    }

    /// When somebody has to be looked at next.
    pub(super) fn tick_at(&self) -> Option<Millis> {
        let lingering = self.lingering.peek().map(|Reverse((at, ..))| *at);
        let count = self.counts.peek().map(|Reverse((at, _))| *at);
        lingering.into_iter().chain(count).min()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.lingering.is_empty() && self.counts.is_empty()
    }
}

impl Owner {
    /// A connection has begun to read a channel.
    pub(crate) fn join(&mut self, name: &ChannelName, member: Arc<Member>, out: &mut Outlet<'_>) {
        let Presence::On(bounds) = self.settings.namespaces.of(name).presence else { return };
        let rooms = &mut self.rooms.rooms;
        let room = rooms.entry(name.clone()).or_insert_with(|| Box::new(Room::new(bounds)));
        let before = room.count();
        let news = room.arrive(&member);
        if room.count() > before {
            out.figures.members += 1;
            out.figures.joins += 1;
            self.tell_joined(name, &member, out);
        }
        if news {
            self.tell(name, Change::Joined(member), out);
        }
    }

    /// A connection has stopped reading a channel.
    pub(crate) fn leave(
        &mut self,
        name: &ChannelName,
        member: &MemberId,
        linger: Linger,
        out: &mut Outlet<'_>,
    ) {
        let Rooms { rooms, lingering, .. } = &mut self.rooms;
        let Some(room) = rooms.get_mut(name) else { return };
        let until = out.now.millis + linger.millis();
        let left = match room.depart(member, until) {
            Departed::Stays => return,
            Departed::Lingers(at) if lingering.len() < linger.members_max() => {
                lingering.push(Reverse((at, name.clone(), member.clone())));
                room.watch(member);
                return;
            }
            Departed::Lingers(_) => room.remove(member),
            Departed::Unlisted(left) => Some(left),
        };
        if let Some(left) = left {
            self.left(name, left, out);
        }
    }

    /// Some of a channel's members.
    pub(super) fn present(&self, name: &ChannelName, query: &PresenceQuery) -> Answer {
        if self.settings.namespaces.of(name).presence == Presence::Off {
            return Answer::Refused(Refusal { code: Code::PresenceOff, head: None });
        }
        let nobody = || PresencePage { members: Vec::new(), count: 0, next: None };
        let room = self.rooms.rooms.get(name);
        Answer::Presence(Box::new(room.map_or_else(nobody, |room| room.page(query))))
    }

    /// Looks after members who have not come back, and tells the numbers that are due.
    pub(crate) fn attend(&mut self, out: &mut Outlet<'_>) {
        let now = out.now.millis;
        for _ in 0..LOOKS_MAX {
            let due = self.rooms.lingering.peek().is_some_and(|Reverse((at, ..))| *at <= now);
            let Some(Reverse((_, name, member))) =
                due.then(|| self.rooms.lingering.pop()).flatten()
            else {
                break;
            };
            let Some(room) = self.rooms.rooms.get_mut(&name) else { continue };
            match room.look(&member, now) {
                Looked::Back => {}
                Looked::Stays(until) => {
                    self.rooms.lingering.push(Reverse((until, name, member)));
                }
                Looked::Gone(left) => self.left(&name, left, out),
            }
        }
        for _ in 0..LOOKS_MAX {
            let due = self.rooms.counts.peek().is_some_and(|Reverse((at, _))| *at <= now);
            let Some(Reverse((at, name))) = due.then(|| self.rooms.counts.pop()).flatten() else {
                break;
            };
            self.tell_count(&name, at, out);
        }
    }

    /// A member has gone for good.
    fn left(&mut self, name: &ChannelName, member: Arc<Member>, out: &mut Outlet<'_>) {
        out.figures.members -= 1;
        out.figures.leaves += 1;
        self.tell_left(name, &member, out);
        self.tell(name, Change::Left(member), out);
        self.rooms.close_if_empty(name);
    }

    /// Tells the readers who asked, or has their number told soon.
    fn tell(&mut self, name: &ChannelName, change: Change, out: &mut Outlet<'_>) {
        let Rooms { rooms, counts, .. } = &mut self.rooms;
        let Some(room) = rooms.get_mut(name) else { return };
        let count = room.count();
        room.crowded |= count > room.told_max();
        if !room.crowded {
            return self.post_news(News { channel: name.clone(), change, count }, out);
        }
        if room.count_at.is_none() {
            let now = out.now.millis;
            let at = room.counted.map_or(now, |last| now.max(last + COUNT_EVERY));
            room.count_at = Some(at);
            counts.push(Reverse((at, name.clone())));
        }
    }

    fn tell_count(&mut self, name: &ChannelName, at: Millis, out: &mut Outlet<'_>) {
        let Some(room) = self.rooms.rooms.get_mut(name) else { return };
        if room.count_at != Some(at) {
            // All had gone and others came: they have a time of their own.
            return;
        }
        room.count_at = None;
        room.counted = Some(out.now.millis);
        let count = room.count();
        room.crowded = count > room.told_max();
        let news = News { channel: name.clone(), change: Change::Counted, count };
        self.post_news(news, out);
        self.rooms.close_if_empty(name);
    }

    fn post_news(&self, news: News, out: &mut Outlet<'_>) {
        let Some(channel) = self.channels.get(&news.channel) else { return };
        let news = Arc::new(news);
        for interested in &channel.interested {
            out.post(interested.shard, Message::Presence(Arc::clone(&news)));
        }
    }
}

/// What came of a connection's end.
enum Departed {
    /// The member has others, or stands among the lingering already; or there is no such member.
    Stays,
    /// It was the last one of a listed member, who is to be looked at at this time.
    Lingers(Millis),
    /// It was the last one of a member that was not listed.
    Unlisted(Arc<Member>),
}

/// What came of looking at a lingering member.
enum Looked {
    /// It has a connection.
    Back,
    /// It stays until then.
    Stays(Millis),
    /// It has gone.
    Gone(Arc<Member>),
}

impl Room {
    fn new(bounds: PresenceBounds) -> Self {
        Self {
            bounds,
            listed: BTreeMap::new(),
            unlisted: BTreeMap::new(),
            crowded: false,
            counted: None,
            count_at: None,
        }
    }

    fn count(&self) -> usize {
        self.listed.len() + self.unlisted.len()
    }

    /// Members whose names are told. Names without a list to compare them with are worth nothing.
    fn told_max(&self) -> usize {
        self.bounds.told_max.min(self.bounds.listed_max)
    }

    /// Counts a connection; says whether that is news.
    fn arrive(&mut self, member: &Arc<Member>) -> bool {
        if let Some(stay) = self.listed.get_mut(&member.id) {
            stay.connections += 1;
            return self.renew(member);
        }
        if let Some(connections) = self.unlisted.get_mut(&member.id) {
            *connections += 1;
            return false;
        }
        let member = ById(Arc::clone(member));
        if self.listed.len() < self.bounds.listed_max {
            self.listed.insert(member, Stay { connections: 1, watched: false, until: 0 });
        } else {
            self.unlisted.insert(member, 1);
        }
        true
    }

    /// Takes what a member says of itself now; says whether that is something else than before.
    fn renew(&mut self, member: &Arc<Member>) -> bool {
        let known = self.listed.get_key_value(&member.id).map(|(known, _)| &known.0.info);
        if member.info.is_none() || known.is_none_or(|known| *known == member.info) {
            return false;
        }
        if let Some(stay) = self.listed.remove(&member.id) {
            self.listed.insert(ById(Arc::clone(member)), stay);
        }
        true
    }

    /// Takes a connection away.
    fn depart(&mut self, member: &MemberId, until: Millis) -> Departed {
        if let Some(stay) = self.listed.get_mut(member) {
            stay.connections = stay.connections.saturating_sub(1);
            stay.until = stay.until.max(until);
            let waits = stay.connections > 0 || stay.watched;
            return if waits { Departed::Stays } else { Departed::Lingers(stay.until) };
        }
        match self.unlisted.get_mut(member) {
            Some(connections) if *connections > 1 => {
                *connections -= 1;
                Departed::Stays
            }
            Some(_) => match self.unlisted.remove_entry(member) {
                Some((left, _)) => Departed::Unlisted(left.0),
                None => Departed::Stays,
            },
            None => Departed::Stays,
        }
    }

    /// Notes that a member stands among the lingering.
    fn watch(&mut self, member: &MemberId) {
        if let Some(stay) = self.listed.get_mut(member) {
            stay.watched = true;
        }
    }

    /// Looks at a member that stood among the lingering.
    fn look(&mut self, member: &MemberId, now: Millis) -> Looked {
        let Some(stay) = self.listed.get_mut(member) else { return Looked::Back };
        if stay.connections > 0 {
            stay.watched = false;
            return Looked::Back;
        }
        if stay.until > now {
            return Looked::Stays(stay.until);
        }
        self.remove(member).map_or(Looked::Back, Looked::Gone)
    }

    /// Takes a member out of the list; one for whom there had been no room takes its place.
    fn remove(&mut self, member: &MemberId) -> Option<Arc<Member>> {
        let (left, _) = self.listed.remove_entry(member)?;
        if let Some((next, connections)) = self.unlisted.pop_first() {
            self.listed.insert(next, Stay { connections, watched: false, until: 0 });
        }
        Some(left.0)
    }

    fn page(&self, query: &PresenceQuery) -> PresencePage {
        let from = query.after.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let rest =
            self.listed.range::<MemberId, _>((from, Bound::Unbounded)).map(|(member, _)| &member.0);
        let (mut members, mut left) = (Vec::new(), query.bytes);
        let mut more = false;
        for member in rest {
            more = members.len() == query.limit || member.weight() > left && !members.is_empty();
            if more {
                break;
            }
            left = left.saturating_sub(member.weight());
            members.push(Arc::clone(member));
        }
        let next = members.last().filter(|_| more).map(|last: &Arc<Member>| last.id.clone());
        PresencePage { members, count: self.count(), next }
    }
}

impl Linger {
    /// Members of all channels that stand among the lingering at most when another one is to;
    /// beyond it a member leaves with its last connection. Leases have the smaller share, because
    /// somebody who polls under ever new names leaves many behind and holds one connection.
    fn members_max(self) -> usize {
        match self {
            Self::Grace => 65_536,
            Self::Lease => 16_384,
        }
    }

    fn millis(self) -> Millis {
        #[cfg(test)]
        if self == Self::Grace && crate::simulation::makes(crate::simulation::Mistake::NoGrace) {
            return 0;
        }
        match self {
            Self::Grace => 2_000,
            Self::Lease => 30_000,
        }
    }
}

/// How often the number of a crowd is told while it changes.
const COUNT_EVERY: Millis = 1_000;

/// Members looked at, and numbers told, in one go, so that no crowd stalls a shard.
const LOOKS_MAX: usize = 1024;
