//! Who reads here since when and from where, for the application that wants to be told of the end of
//! each stream and WebSocket. Where it does not, nothing is kept.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_core::presence::Attendance;
use fanfare_core::publication::SessionId;
use fanfare_core::shard::{ConnectionId, Opening};
use fanfare_core::time::Millis;
use fanfare_protocol::native::session::Session;

use super::connection::{Connection, State};
use super::event_loop::EventLoop;
use super::figures::transport_of;
use crate::hooks::events::{Departure, Parting};
use crate::limit::ClientAddress;
use crate::metrics::Transport;

/// The readers whose end is told.
#[derive(Debug, Default)]
pub(super) struct Visits(HashMap<ConnectionId, Visit>);

/// One of them.
#[derive(Debug)]
struct Visit {
    address: ClientAddress,
    user: Option<Arc<str>>,
    client: Option<Arc<str>>,
    /// When its stream began; none as long as it has not.
    began: Option<Millis>,
    /// Why it ends, if not because its client goes.
    parting: Option<Parting>,
}

impl EventLoop {
    /// A reader comes; with no address it is none whose end is told.
    pub(super) fn receive_visit(
        &mut self,
        id: ConnectionId,
        address: Option<ClientAddress>,
        opening: &Opening,
    ) {
        let wanted = self.judge.teller.as_ref().is_some_and(|teller| teller.wants_departures());
        let Some(address) = address.filter(|_| wanted) else { return };
        let (user, client) = match &opening.attendance {
            Attendance::Named(member) => (member.id.user.clone(), Some(member.id.client.clone())),
            Attendance::Unnamed { user, .. } => (user.clone(), None),
            Attendance::Absent => (None, None),
        };
        let visit = Visit { address, user, client, began: None, parting: None };
        self.visits.0.insert(id, visit);
    }

    /// The reader's stream begins.
    pub(super) fn begin_visit(&mut self, id: ConnectionId) {
        let now = self.sockets.now.millis;
        if let Some(visit) = self.visits.0.get_mut(&id) {
            visit.began = Some(now);
        }
    }

    /// The reader is about to be sent away, for this reason if there was none before.
    pub(super) fn part(&mut self, id: ConnectionId, parting: Parting) {
        if let Some(visit) = self.visits.0.get_mut(&id) {
            visit.parting.get_or_insert(parting);
        }
    }

    /// The reader goes; the core still knows it.
    pub(super) fn end_visit(&mut self, id: ConnectionId) {
        if self.visits.0.is_empty() {
            return;
        }
        let Some(visit) = self.visits.0.remove(&id) else { return };
        let (Some(teller), Some(began)) = (&self.judge.teller, visit.began) else { return };
        let known = self.sockets.slab.find(id).and_then(reader);
        let Some((secret, transport)) = known else { return };
        let mut session = Vec::new();
        Session { secret, shard: self.shard, connection: id }.append(&mut session);
        teller.departed(Departure {
            session: String::from_utf8(session).unwrap_or_default(),
            user: visit.user,
            client: visit.client,
            address: visit.address,
            transport,
            channels: self.core.channels_of(id).map(|(channel, _)| channel.clone()).collect(),
            lasted: self.sockets.now.millis.saturating_sub(began),
            parting: visit.parting.unwrap_or(Parting::Client),
        });
    }
}

/// Which stream or WebSocket a connection is.
fn reader(connection: &Connection) -> Option<(SessionId, Transport)> {
    match &connection.state {
        State::Stream(stream) => Some((stream.session, transport_of(stream.format))),
        State::Socket(session) => Some((session.id(), Transport::WebSocket)),
        State::Pipe(piped) => Some((piped.session, transport_of(piped.format))),
        State::Proxied(_) | State::Http(_) | State::Closing => None,
    }
}
