//! Clients of a run: how they come, stall, read on, change their channels and leave.

use std::collections::BTreeMap;

use super::World;
use crate::frame::Format;
use crate::position::{Epoch, Position};
use crate::publication::SessionId;
use crate::rate::{Pace, Rate};
use crate::shard::{ConnectionId, Echo, Input, Opening};
use crate::simulation::client::Client;
use crate::start::{Later, Start, Subscription};

impl World {
    pub(super) fn connect(&mut self) {
        if self.clients.values().filter(|client| !client.gone).count() > 12 {
            return self.disconnect();
        }
        let shard = self.random.below(self.shards.len());
        self.generations += 1;
        let used = |index: &u32| !self.clients.contains_key(&(shard, *index));
        let Some(index) = (0..).find(used) else { return };
        let connection = ConnectionId { index, generation: self.generations };
        let format = Format::at(self.random.below(Format::COUNT)).unwrap();
        let memory = if self.random.percent(60) { self.left_behind.pop() } else { None };
        let memory = memory.unwrap_or_default();
        let mut client = Client::new(connection, shard, format);
        let mut channels = Vec::new();
        for (channel, entry) in &memory {
            if format.composes() && self.random.percent(30) {
                client.carried.insert(channel.clone(), *entry);
            } else {
                channels.push(channel.clone());
            }
        }
        while channels.is_empty() || channels.len() < 4 && self.random.percent(40) {
            let channel = self.pick_channel();
            client.carried.remove(&channel);
            if !channels.contains(&channel) {
                channels.push(channel);
            }
        }
        client.marked = format.composes() && self.random.percent(5);
        let carried = client.cursor_carried();
        let session = SessionId(u128::from(self.generations));
        let guise = self.draw_guise(session);
        client.member.clone_from(&guise.member);
        client.listens = guise.listens;
        let mut subscriptions = Vec::new();
        for channel in channels {
            let start = memory.get(&channel).map(|entry| Start::of_entry(*entry));
            let start = start.unwrap_or_else(|| self.pick_start());
            let notices = self.draw_notices(&channel, guise.listens);
            subscriptions.push(Subscription { channel, start, notices });
        }
        client.pace = match self.random.below(10) {
            0..2 => Pace::AtMost(Rate::ALL[self.random.below(Rate::ALL.len())]),
            2 => Pace::Every,
            _ => Pace::Usual,
        };
        let pace = client.pace;
        client.roomy = self.keyed.roomy;
        for Subscription { channel, start, notices } in &subscriptions {
            client.ask(channel, *start, *notices);
        }
        if self.random.percent(20) {
            client.room = self.random.below(5);
        }
        self.clients.insert((shard, index), client);
        // Who asks for news that nobody has is refused before anybody hears of it.
        if !subscriptions.iter().any(|asked| self.asks_in_vain(asked)) {
            self.note_attendance();
        }
        let (echo, attendance) = (Echo::On, guise.attendance);
        let opening = Opening { format, subscriptions, carried, session, echo, attendance, pace };
        self.input(shard, Input::Open { connection, opening: Box::new(opening) });
    }

    /// The heads that a shard knows of channels of which its clients get only what is newest, as far
    /// as they follow them live.
    pub(super) fn heads_of_newest(&mut self, shard: usize) -> BTreeMap<(u32, String), Position> {
        let mut heads = BTreeMap::new();
        for client in self.clients.values_mut().filter(|client| client.shard == shard) {
            for (channel, newest) in &mut client.newest {
                match self.shards[shard].follows(client.connection, channel) {
                    Some(head) => {
                        heads.insert((client.connection.index, channel.to_string()), head);
                    }
                    None => newest.away(),
                }
            }
        }
        heads
    }

    fn pick_start(&mut self) -> Start {
        match self.random.below(8) {
            0 => Start::All,
            1 => Start::Last(1 + self.random.below(4) as u32),
            2 => Start::Since(self.now.unix - self.random.below(500) as u64),
            3 => Start::Unreadable,
            4 => Start::After(Position::new(self.random.below(30) as u64, Epoch::from_bits(7))),
            5 => Start::After(Position::new(3, Epoch::from_bits(99))),
            _ => Start::Now,
        }
    }

    fn pick_client(&mut self) -> Option<(usize, u32)> {
        let keys: Vec<_> = self.clients.keys().copied().collect();
        (!keys.is_empty()).then(|| keys[self.random.below(keys.len())])
    }

    pub(super) fn disconnect(&mut self) {
        let Some(key) = self.pick_client() else { return };
        self.leave(key);
    }

    pub(super) fn leave(&mut self, key: (usize, u32)) {
        let Some(client) = self.clients.remove(&key) else { return };
        if client.opened {
            self.left_behind.push(client.memory());
        }
        self.input(client.shard, Input::Close(client.connection));
    }

    pub(super) fn stall(&mut self) {
        let Some(key) = self.pick_client() else { return };
        let room = self.random.below(3);
        if let Some(client) = self.clients.get_mut(&key) {
            client.room = client.room.min(room);
        }
    }

    pub(super) fn drain(&mut self) {
        let Some(key) = self.pick_client() else { return };
        let room = if self.random.percent(50) { usize::MAX } else { 1 + self.random.below(6) };
        self.make_room(key, room);
    }

    pub(super) fn make_room(&mut self, key: (usize, u32), room: usize) {
        let Some(client) = self.clients.get_mut(&key) else { return };
        let was_full = client.room == 0;
        client.room = room;
        let (shard, connection) = (client.shard, client.connection);
        if was_full {
            self.input(shard, Input::Writable(connection));
        }
    }

    pub(super) fn resubscribe(&mut self) {
        let Some(key) = self.pick_client() else { return };
        let mut channel = self.pick_channel();
        let start = self.pick_start();
        let again = self.random.percent(40);
        let later = if self.random.percent(60) { Later::Carried } else { Later::Said };
        let listens = self.clients.get(&key).is_some_and(|client| client.listens);
        let Some(client) = self.clients.get_mut(&key) else { return };
        if client.format.plain() == Format::Text || !client.opened || client.gone {
            return;
        }
        if client.asked > 0 {
            return;
        }
        if let (true, Some(carried)) = (again, client.carried.keys().next()) {
            channel = carried.clone();
        }
        client.asked += 1;
        let (shard, connection, request) = (client.shard, client.connection, 1);
        let input = if client.seen.contains_key(&channel) {
            Input::Unsubscribe { connection, request, channel }
        } else {
            let carried = client.carried_start(&channel).filter(|_| later == Later::Carried);
            self.tally.carried += usize::from(carried.is_some());
            let start_known = carried.unwrap_or(start);
            let notices = self.draw_notices(&channel, listens);
            if let Some(client) = self.clients.get_mut(&key) {
                client.ask(&channel, start_known, notices);
            }
            let subscription = Subscription { channel, start, notices };
            Input::Subscribe { connection, request, subscription, later }
        };
        self.note_attendance();
        self.input(shard, input);
    }
}
