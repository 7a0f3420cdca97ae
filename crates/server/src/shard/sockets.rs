//! The connections of a shard with everything they share: poll, wheel, buffers, figures.
//!
//! It stands apart from the core, which delivers into it while it is flushed.

use std::collections::VecDeque;
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::settings::ShardId;
use fanfare_core::shard::ConnectionId;
use fanfare_core::time::Now;
use fanfare_protocol::native::packing::{Packing, Powers};
use mio::{Interest, Registry};

use super::connection::{Connection, Link, State, token_of};
use super::figures::SocketFigures;
use super::output::Drained;
use super::secure::Sealing;
use super::slab::Slab;
use super::wheel::{Tick, Wheel};
use crate::load::Load;

/// Every connection of one shard.
#[derive(Debug)]
pub(super) struct Sockets {
    pub slab: Slab<Connection>,
    pub wheel: Wheel,
    pub figures: SocketFigures,
    pub now: Now,
    /// Connections to be visited in the next turn of the loop.
    pub ready: Vec<ConnectionId>,
    /// Connections that have just come, leave, or had more to say than one visit takes: they are
    /// visited behind the others, a few each turn.
    pub later: VecDeque<ConnectionId>,
    /// Connections whose socket failed while it was written to.
    pub gone: Vec<ConnectionId>,
    /// Frames on their way into one write.
    pub scratch: Vec<u8>,
    /// Where each of those frames ends.
    pub ends: Vec<usize>,
    /// How a stream that is packed stands after each of them.
    pub packings: Vec<Packing>,
    pub powers: Powers,
    /// What TLS connections are sealed with.
    pub sealing: Sealing,
    registry: Registry,
    load: Arc<Load>,
    shard: ShardId,
}

/// What became of output that had waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flushed {
    /// Nothing waits any more.
    Empty,
    /// The socket is full again.
    Waits,
}

impl Sockets {
    pub(super) fn new(registry: Registry, load: Arc<Load>, shard: ShardId, now: Now) -> Self {
        Self {
            slab: Slab::new(),
            wheel: Wheel::new(now.millis),
            figures: SocketFigures::default(),
            now,
            ready: Vec::new(),
            later: VecDeque::new(),
            gone: Vec::new(),
            scratch: Vec::with_capacity(SCRATCH_BYTES),
            ends: Vec::new(),
            packings: Vec::new(),
            powers: Powers::default(),
            sealing: Sealing::default(),
            registry,
            load,
            shard,
        }
    }

    /// Takes a connection in. None if the poll does not take its socket, which is then closed.
    pub(super) fn admit(&mut self, connection: Connection) -> Option<ConnectionId> {
        let transport = connection.transport();
        let counted_here = !matches!(connection.link, Link::Pipe(_));
        let id = self.slab.insert(connection);
        let place = self.slab.find_mut(id)?;
        if let Some(socket) = place.link.socket() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            if let Err(error) = self.registry.register(socket, token_of(id), interest) {
                tracing::warn!(%error, "a socket cannot be polled");
                let handshaking = place.marks.handshaking;
                self.slab.remove(id);
                self.count_out(handshaking);
                return None;
            }
        }
        if let Some(transport) = transport {
            self.figures.enter(transport);
        }
        debug_assert!(counted_here == transport.is_some(), "pipes are counted elsewhere");
        Some(id)
    }

    /// Takes a connection out; dropping it closes its socket.
    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<Connection> {
        let mut connection = self.slab.remove(id)?;
        if let Some(transport) = connection.transport() {
            self.figures.leave(transport);
        }
        if let Some(socket) = connection.link.socket() {
            // A socket that is handed over must not be polled here any more.
            let _closed = self.registry.deregister(socket);
        }
        self.count_out(connection.marks.handshaking);
        Some(connection)
    }

    /// Makes the connection something else.
    pub(super) fn turn_into(&mut self, id: ConnectionId, state: State) {
        let Some(connection) = self.slab.find_mut(id) else {
            return;
        };
        let before = connection.transport();
        connection.state = state;
        let after = connection.transport();
        if let Some(before) = before {
            self.figures.leave(before);
        }
        if let Some(after) = after {
            self.figures.enter(after);
        }
    }

    /// Takes note that the first request head is whole, or never will be.
    pub(super) fn end_handshake(&mut self, id: ConnectionId) {
        if let Some(connection) = self.slab.find_mut(id)
            && connection.marks.handshaking
        {
            connection.marks.handshaking = false;
            self.load.end_handshake();
        }
    }

    fn count_out(&self, handshaking: bool) {
        self.load.leave(self.shard);
        if handshaking {
            self.load.end_handshake();
        }
    }

    /// Has the connection visited in the next turn.
    pub(super) fn queue(&mut self, id: ConnectionId) {
        if let Some(connection) = self.slab.find_mut(id)
            && !connection.marks.queued
        {
            connection.marks.queued = true;
            self.ready.push(id);
        }
    }

    /// The same behind the others, as soon as there is time for it.
    pub(super) fn queue_later(&mut self, id: ConnectionId) {
        if let Some(connection) = self.slab.find_mut(id)
            && !connection.marks.queued
        {
            connection.marks.queued = true;
            self.later.push_back(id);
        }
    }

    /// Has the connection looked at after this long.
    pub(super) fn set_due(&mut self, id: ConnectionId, after: Duration) {
        let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
        let at = self.now.millis.saturating_add(millis);
        self.set_due_at(id, self.wheel.tick_of(at));
    }

    /// Has the connection looked at in this tick; [`Tick::MAX`] for never.
    pub(super) fn set_due_at(&mut self, id: ConnectionId, at: Tick) {
        let Some(connection) = self.slab.find_mut(id) else {
            return;
        };
        connection.due = at;
        if at < connection.armed {
            connection.armed = self.wheel.arm(id, at);
        }
    }

    /// The tick of this moment.
    pub(super) fn tick(&self) -> Tick {
        self.wheel.tick_of(self.now.millis)
    }

    /// Sends what is no frame, behind whatever waits already.
    pub(super) fn send(&mut self, id: ConnectionId, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let Some(connection) = self.slab.find_mut(id) else {
            return;
        };
        if matches!(connection.link, Link::Pipe(_)) {
            return;
        }
        if connection.pending.is_some() {
            connection.keep_control(Bytes::copy_from_slice(bytes));
            return;
        }
        match connection.link.write(bytes, &mut self.sealing) {
            Ok(written) => {
                // A short write means as much as a full socket: an edge will come.
                let written = written.unwrap_or(0);
                self.figures.written_bytes += written as u64;
                if let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
                    connection.keep_control(Bytes::copy_from_slice(rest));
                }
            }
            Err(_) => self.gone.push(id),
        }
    }

    /// Writes what waits, now that the socket has room.
    pub(super) fn flush_pending(&mut self, id: ConnectionId) -> Flushed {
        let Some(connection) = self.slab.find_mut(id) else {
            return Flushed::Waits;
        };
        let waits = match (&mut connection.link, &mut connection.pending) {
            (Link::Pipe(_), _) => return Flushed::Empty,
            (link, Some(pending)) => link.write_pending(pending, &mut self.sealing),
            (Link::Secure(secure), None) => secure.flush().map(|drained| (0, drained)),
            (Link::Socket(_) | Link::Tunnel(_), None) => return Flushed::Empty,
        };
        match waits {
            Ok((written, drained)) => {
                self.figures.written_bytes += written as u64;
                if drained == Drained::Part {
                    return Flushed::Waits;
                }
                connection.pending = None;
                if connection.link.holds_ciphertext() { Flushed::Waits } else { Flushed::Empty }
            }
            Err(_) => {
                self.gone.push(id);
                Flushed::Waits
            }
        }
    }

    /// Says that nothing more will be sent, once everything is.
    pub(super) fn shut_if_drained(&mut self, id: ConnectionId) {
        if let Some(connection) = self.slab.find_mut(id)
            && connection.pending.is_none()
        {
            if let Link::Secure(secure) = &mut connection.link {
                secure.close();
                match secure.flush() {
                    Ok(Drained::Whole) => {}
                    Ok(Drained::Part) => return,
                    Err(_) => return self.gone.push(id),
                }
            }
            if let Link::Tunnel(tunnel) = &connection.link {
                return tunnel.shut();
            }
            if let Some(socket) = connection.link.socket() {
                // It fails only if the client is gone, which the next read tells as well.
                let _gone = socket.shutdown(Shutdown::Write);
            }
        }
    }
}

/// Bytes of frames that go with one write.
pub(super) const SCRATCH_BYTES: usize = 64 * 1024;
