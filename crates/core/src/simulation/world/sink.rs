//! The sinks of a run: clients that take what they have room for, and say what is wrong with it.

use std::collections::BTreeMap;

use super::Tally;
use super::wire::{parse, parse_news};
use crate::feed::Run;
use crate::position::Position;
use crate::publication::SessionId;
use crate::shard::{ConnectionId, Delivery, Room, Sink};
use crate::simulation::client::Client;
use crate::simulation::presence::Attended;
use crate::simulation::truth::Truth;
use crate::time::Millis;

/// The sinks of one shard's clients.
pub(super) struct Clients<'a> {
    pub(super) shard: usize,
    pub(super) now: Millis,
    /// The head that the shard knows of channels of which clients get only what is newest, if they
    /// follow them live.
    pub(super) heads: BTreeMap<(u32, String), Position>,
    pub(super) clients: &'a mut BTreeMap<(usize, u32), Client>,
    pub(super) truth: &'a Truth,
    /// Who was away when, where the world knows it to the millisecond.
    pub(super) attended: Option<(&'a Attended, Millis)>,
    pub(super) tally: &'a mut Tally,
    pub(super) violation: &'a mut Option<String>,
}

impl Sink for Clients<'_> {
    fn deliver(&mut self, connection: ConnectionId, run: Run<'_>) -> Delivery {
        let Some(client) = self.clients.get_mut(&(self.shard, connection.index)) else {
            self.violation.get_or_insert(format!("{connection:?} is no client"));
            return Delivery { taken: 0, room: Room::Full };
        };
        if client.connection != connection || client.gone {
            self.violation.get_or_insert(format!("{connection:?} was delivered to when gone"));
        }
        if let Err(violation) = client.composed(run.cursor(), self.truth) {
            self.violation.get_or_insert(format!("{connection:?}: {violation}"));
        }
        let mut taken = 0;
        if let Err(violation) = client.offered(&run) {
            self.violation.get_or_insert(format!("{connection:?}: {violation}"));
        }
        for entry in run.entries() {
            if client.room == 0 {
                break;
            }
            client.room -= 1;
            taken += 1;
            self.tally.deliveries += 1;
            let told = match parse_news(entry.frame.bytes()) {
                Some((channel, heard)) => {
                    self.tally.news += 1;
                    client.hear(&channel, heard, self.attended)
                }
                None => {
                    let told = parse(entry.frame.bytes());
                    let newest = self.heads.get(&(connection.index, told.channel.clone())).copied();
                    client.told(&told, self.truth).and_then(|()| {
                        client.told_newest(&told, (newest, self.now), self.truth, self.tally)
                    })
                }
            };
            if let Err(violation) = told {
                let format = client.format;
                self.violation.get_or_insert(format!("{connection:?} {format:?}: {violation}"));
            }
            if entry.exclude == Some(SessionId(u128::from(connection.generation))) {
                self.violation.get_or_insert(format!("{connection:?} got its own back"));
            }
            if let (Some(cursor), Some(after)) = (run.cursor(), entry.after)
                && cursor.entry(after.hash).is_none_or(|own| own.position > after.position)
            {
                self.violation.get_or_insert(format!("{connection:?}: a cursor ran ahead"));
            }
        }
        let room = if client.room == 0 { Room::Full } else { Room::More };
        Delivery { taken, room }
    }
}
