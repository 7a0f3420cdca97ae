//! The tunnel between a shard and a WebSocket on a stream of HTTP/2: bytes both ways.
//!
//! To the shard it is what a socket is: it takes as many bytes as there is room for, gives those that
//! have come, and says by a letter when there is more of either. So a WebSocket is the same session
//! over HTTP/1.1 and HTTP/2. Each direction holds [`TUNNEL_BYTES`] at most, and of each kind of
//! letter at most one is on its way.

use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::{Buf, Bytes, BytesMut};
use fanfare_core::shard::ConnectionId;
use tokio::sync::Notify;

use crate::node::{Letter, Mailbox};

/// Bytes that each direction of a tunnel holds before it is full.
pub(crate) const TUNNEL_BYTES: usize = 32 * 1024;

/// The shard's end.
#[derive(Debug)]
pub(crate) struct Tunnel {
    shared: Arc<Shared>,
}

/// The edge's end. Dropping it ends the WebSocket.
#[derive(Debug)]
pub(crate) struct TunnelEnd {
    shared: Arc<Shared>,
    shard: Mailbox,
}

/// What the shard wants done next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Outward {
    /// These bytes are to be sent.
    Bytes(Bytes),
    /// Everything was sent, and this is the end.
    End,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// For the edge: there are bytes to send, or no more will come.
    filled: Notify,
    /// For the edge: there is room for bytes that have come.
    emptied: Notify,
    /// For the edge: the shard has let go.
    left: Notify,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<ConnectionId>,
    outward: BytesMut,
    /// What the edge has taken and may not have passed on.
    taken: usize,
    wants_room: bool,
    /// Nothing more will be sent.
    shut: bool,
    inward: BytesMut,
    /// The shard knows that there is something to read.
    told: bool,
    /// Nothing more will come.
    ended: bool,
    shard_gone: bool,
    edge_gone: bool,
}

/// A tunnel whose end at the edge tells `shard` about bytes, room and the end.
pub(crate) fn tunnel(shard: Mailbox) -> (Tunnel, TunnelEnd) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        filled: Notify::new(),
        emptied: Notify::new(),
        left: Notify::new(),
    });
    (Tunnel { shared: Arc::clone(&shared) }, TunnelEnd { shared, shard })
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tunnel {
    /// Tells the edge which connection it is, so that its letters find it. Says whether the edge is
    /// still there.
    #[must_use]
    pub(crate) fn bind(&self, connection: ConnectionId) -> bool {
        let mut state = self.shared.lock();
        state.connection = Some(connection);
        !state.edge_gone
    }

    /// Ends the direction to the client, behind what was written.
    pub(crate) fn shut(&self) {
        self.shared.lock().shut = true;
        self.shared.filled.notify_one();
    }
}

impl Write for Tunnel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        if state.edge_gone || state.shut {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = TUNNEL_BYTES.saturating_sub(state.outward.len() + state.taken);
        let length = room.min(bytes.len());
        // A socket too tells its room only to who has found it full.
        state.wants_room |= length < bytes.len();
        let fits = bytes.get(..length).unwrap_or_default();
        if fits.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.outward.extend_from_slice(fits);
        drop(state);
        self.shared.filled.notify_one();
        Ok(length)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Tunnel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.shared.lock();
        let length = state.inward.len().min(buffer.len());
        state.inward.copy_to_slice(buffer.get_mut(..length).unwrap_or_default());
        if state.inward.is_empty() {
            state.told = false;
            // What a client has sent at once is not room that is kept for ever.
            state.inward = BytesMut::new();
        }
        let (ended, empty) = (state.ended, state.inward.is_empty());
        drop(state);
        if length > 0 {
            self.shared.emptied.notify_one();
            return Ok(length);
        }
        if ended && empty { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.shared.lock().shard_gone = true;
        self.shared.filled.notify_one();
        self.shared.emptied.notify_one();
        self.shared.left.notify_one();
    }
}

impl TunnelEnd {
    /// What is to be sent next. Whoever asks has passed on what it was given before.
    pub(crate) async fn next(&self) -> Outward {
        self.pass_on();
        loop {
            let filled = self.shared.filled.notified();
            if let Some(next) = self.take() {
                return next;
            }
            filled.await;
        }
    }

    fn take(&self) -> Option<Outward> {
        let mut state = self.shared.lock();
        if state.outward.is_empty() {
            return (state.shut || state.shard_gone).then_some(Outward::End);
        }
        let bytes = std::mem::take(&mut state.outward);
        state.taken = bytes.len();
        Some(Outward::Bytes(bytes.freeze()))
    }

    fn pass_on(&self) {
        let mut state = self.shared.lock();
        state.taken = 0;
        let ready = state.wants_room && state.outward.len() <= TUNNEL_BYTES / 2;
        let told = ready.then(|| {
            state.wants_room = false;
            state.connection
        });
        drop(state);
        if let Some(connection) = told.flatten() {
            self.shard.put(Letter::TunnelHasRoom(connection));
        }
    }

    /// Whether the shard ended the direction to the client before it let go.
    pub(crate) fn is_shut(&self) -> bool {
        self.shared.lock().shut
    }

    /// Returns when the shard has let go.
    pub(crate) async fn left(&self) {
        while !self.shared.lock().shard_gone {
            self.shared.left.notified().await;
        }
    }

    /// Passes on what has come, when there is room for it. Says whether the shard is still there.
    pub(crate) async fn pass_in(&self, bytes: &[u8]) -> bool {
        loop {
            let emptied = self.shared.emptied.notified();
            match self.put(bytes) {
                Some(taken) => return taken,
                None => emptied.await,
            }
        }
    }

    /// Says whether the shard took it; none if there is no room for it now.
    pub(super) fn put(&self, bytes: &[u8]) -> Option<bool> {
        let mut state = self.shared.lock();
        if state.shard_gone {
            return Some(false);
        }
        let room = TUNNEL_BYTES.saturating_sub(state.inward.len());
        if room < bytes.len() && !state.inward.is_empty() {
            return None;
        }
        // Together, since a client may send a byte at a time.
        state.inward.extend_from_slice(bytes);
        if !std::mem::replace(&mut state.told, true) {
            self.tell(state.connection);
        }
        Some(true)
    }

    /// The client has said everything.
    pub(crate) fn finish_in(&self) {
        let mut state = self.shared.lock();
        state.ended = true;
        self.tell(state.connection);
    }

    fn tell(&self, connection: Option<ConnectionId>) {
        // A shard that has not bound it yet looks by itself as soon as it has.
        if let Some(connection) = connection {
            self.shard.put(Letter::TunnelHasBytes(connection));
        }
    }
}

impl Drop for TunnelEnd {
    fn drop(&mut self) {
        let connection = {
            let mut state = self.shared.lock();
            state.edge_gone = true;
            state.connection
        };
        if let Some(connection) = connection {
            self.shard.put(Letter::PipeClosed(connection));
        }
    }
}
