//! What shards want done in a run, and what clients are told.

use super::World;
use crate::code::Code;
use crate::frame::Format;
use crate::publication::{Repeat, Stored};
use crate::shard::{Answer, Disconnect, Effect, EngineCommand, Origin};
use crate::simulation::presence::Heard;

impl World {
    pub(super) fn carry_out(&mut self, shard: usize, effects: Vec<Effect>) {
        for effect in effects {
            if let Err(violation) = self.effect(shard, effect) {
                self.violation.get_or_insert(violation);
            }
        }
        // Like a server, which lets go of a connection as soon as it is told to.
        let gone = self.clients.iter().find(|(key, client)| key.0 == shard && client.gone);
        if let Some(key) = gone.map(|(key, _)| *key) {
            self.leave(key);
        }
    }

    fn effect(&mut self, shard: usize, effect: Effect) -> Result<(), String> {
        match effect {
            Effect::Forward { to, message } => {
                self.links.entry((shard as u16, to)).or_default().push_back(message);
            }
            Effect::Engine(command) => {
                match command {
                    EngineCommand::Forget(_) => self.tally.forgotten += 1,
                    EngineCommand::Read { .. } => self.tally.pages += 1,
                    _ => {}
                }
                self.engines[shard].put(command);
            }
            Effect::Answer { origin: Origin::Edge(number), answer, .. } => {
                return self.answered(number, &answer);
            }
            Effect::Answer { .. } => return Err("no connection asked anything".to_owned()),
            Effect::Happened(happening) => return self.happened(&happening),
            other => return self.tell_client(shard, other),
        }
        Ok(())
    }

    fn answered(&mut self, number: u64, answer: &Answer) -> Result<(), String> {
        if let Answer::Presence(page) = answer {
            self.house.page = Some((**page).clone());
            return Ok(());
        }
        let Some(asked) = self.asked.get_mut(&number) else {
            return Err(format!("{answer:?} to nobody"));
        };
        if asked.answered {
            return Err(format!("{asked:?} was answered twice, now {answer:?}"));
        }
        asked.answered = true;
        match answer {
            Answer::Published(published) if published.stored == Stored::Yes => {
                if published.repeat == Repeat::Duplicate && !asked.keyed {
                    return Err(format!("{asked:?} is no duplicate"));
                }
                let position = published.entry.position;
                return self.truth.is(&asked.channel, position, &asked.payload);
            }
            Answer::Refused(refusal) if refusal.code == Code::OutcomeUnknown => {
                self.tally.unknown += 1;
            }
            Answer::Refused(_) => {
                self.tally.failed += 1;
                asked.surely_not_stored = !asked.keyed;
            }
            Answer::Removed(_) => self.tally.removed += 1,
            _ => {}
        }
        Ok(())
    }

    fn tell_client(&mut self, shard: usize, effect: Effect) -> Result<(), String> {
        let (Effect::Opened { connection, .. }
        | Effect::Subscribed { connection, .. }
        | Effect::Unsubscribed { connection, .. }
        | Effect::Refused { connection, .. }
        | Effect::Gap { connection, .. }
        | Effect::Presence { connection, .. }
        | Effect::End { connection, .. }
        | Effect::Finished(connection)
        | Effect::Disconnect { connection, .. }) = &effect
        else {
            return Ok(());
        };
        let key = (shard, connection.index);
        let Some(client) = self.clients.get_mut(&key) else {
            return Err(format!("{effect:?} for nobody"));
        };
        if client.connection != *connection || client.gone {
            return Err(format!("{effect:?} for a client that is gone"));
        }
        match effect {
            Effect::Opened { channels, max_rate, .. } => {
                client.opened(max_rate)?;
                for opened in &channels {
                    client.attached(opened, &self.truth)?;
                    self.tally.resumed += usize::from(!opened.gap_follows);
                }
            }
            Effect::Subscribed { opened, .. } => {
                client.asked -= 1;
                client.attached(&opened, &self.truth)?;
            }
            Effect::Unsubscribed { channel, .. } => {
                client.asked -= 1;
                client.dropped(&channel);
            }
            Effect::Refused { request, code, .. } => {
                self.tally.uncounted += usize::from(code == Code::PresenceOff);
                match request {
                    Some(_) => client.refused(),
                    None => client.gone = true,
                }
            }
            Effect::Gap { gap, .. } => {
                self.tally.gaps += 1;
                return client.gap(&gap);
            }
            Effect::Presence { news, .. } => {
                self.tally.counts += 1;
                return client.hear(&news.channel, Heard::of(&news), None);
            }
            Effect::End { channel, entry, .. } => {
                self.tally.ended += 1;
                client.ended(&channel, entry, &self.truth)?;
                if client.format.plain() == Format::WebSocketV1 || client.format.composes() {
                    client.dropped(&channel);
                }
            }
            Effect::Finished(_) => client.gone = true,
            Effect::Disconnect { why, .. } => {
                client.gone = true;
                if let Disconnect::Gap(gap) = &why {
                    client.gap(gap)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}
