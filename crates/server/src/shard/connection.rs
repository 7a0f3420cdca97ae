//! One connection of a shard.
//!
//! Kept small, because there may be hundreds of thousands that do nothing: whatever only some have,
//! or only for a while, stands in a box.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use bytes::Bytes;
use fanfare_core::frame::Format;
use fanfare_core::publication::SessionId;
use fanfare_core::shard::ConnectionId;
use mio::net::TcpStream;

use super::http::Http;
use super::output::{Control, Drained, Pending, write_once};
use super::proxied::Proxied;
use super::secure::{Sealing, Secure};
use super::stream::Stream;
use super::websocket::Session;
use super::wheel::Tick;
use crate::auth::{Caller, Identity};
use crate::limit::Peer;
use crate::load::Counted;
use crate::metrics::Transport;
use crate::node::Changes;
use crate::pipe::{PipeWriter, Tunnel};

/// One connection of a shard: a client's socket, the tunnel to a WebSocket over HTTP/2, or the pipe
/// to a reader on the edge.
#[derive(Debug)]
pub(super) struct Connection {
    pub link: Link,
    pub state: State,
    /// What the socket had no room for.
    pub pending: Option<Box<Pending>>,
    /// When the state wants to be looked at; [`Tick::MAX`] for never.
    pub due: Tick,
    /// The earliest tick at which the wheel will name this connection; [`Tick::MAX`] for none.
    pub armed: Tick,
    pub marks: Marks,
    /// Counts it among the node's connections; a pipe's is counted by the edge.
    pub counted: Option<Counted>,
}

/// Where a connection's bytes go.
#[derive(Debug)]
pub(super) enum Link {
    Socket(TcpStream),
    /// A socket that speaks TLS.
    Secure(Box<Secure>),
    /// A WebSocket on a stream of HTTP/2.
    Tunnel(Tunnel),
    Pipe(PipeWriter),
}

impl Link {
    /// The socket, whatever is spoken on it; none for what has none of its own.
    pub(super) fn socket(&mut self) -> Option<&mut TcpStream> {
        match self {
            Self::Socket(socket) => Some(socket),
            Self::Secure(secure) => Some(&mut secure.socket),
            Self::Tunnel(_) | Self::Pipe(_) => None,
        }
    }

    /// Writes what there is room for; none when there is no room at all, as in a pipe, which is
    /// not written to like this.
    ///
    /// # Errors
    /// What the socket said, if it is gone.
    pub(super) fn write(
        &mut self,
        bytes: &[u8],
        sealing: &mut Sealing,
    ) -> io::Result<Option<usize>> {
        match self {
            Self::Socket(socket) => write_once(|| socket.write(bytes)),
            Self::Secure(secure) => write_once(|| secure.writer(sealing).write(bytes)),
            Self::Tunnel(tunnel) => write_once(|| tunnel.write(bytes)),
            Self::Pipe(_) => Ok(None),
        }
    }

    /// The same with what has waited already.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub(super) fn write_pending(
        &mut self,
        pending: &mut Pending,
        sealing: &mut Sealing,
    ) -> io::Result<(usize, Drained)> {
        match self {
            Self::Socket(socket) => pending.write_to(socket),
            Self::Secure(secure) => pending.write_to(&mut secure.writer(sealing)),
            Self::Tunnel(tunnel) => pending.write_to(tunnel),
            Self::Pipe(_) => Ok((0, Drained::Part)),
        }
    }

    /// Whether ciphertext waits for room.
    pub(super) fn holds_ciphertext(&self) -> bool {
        matches!(self, Self::Secure(secure) if secure.session.has_unsent())
    }
}

/// What a connection is at present.
#[derive(Debug)]
pub(super) enum State {
    /// Its proxy has not said yet who is there.
    Proxied(Box<Proxied>),
    /// It sends requests and is answered.
    Http(Box<Http>),
    /// It reads a stream.
    Stream(Box<Stream>),
    /// It is a WebSocket.
    Socket(Box<Session>),
    /// It is a pipe.
    Pipe(Box<Piped>),
    /// What is written goes out, what comes is discarded, then it is closed.
    Closing,
}

/// A reader on the edge, and how its frames are made.
#[derive(Debug)]
pub(super) struct Piped {
    pub format: Format,
    pub session: SessionId,
    /// Who reads it.
    pub caller: Caller,
    /// Whether they may change it.
    pub changes: Changes,
    /// Whether it has been told where its channels stand.
    pub open: bool,
}

/// What is known of a connection, a bit each.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks {
    /// The socket may have something to read.
    pub readable: bool,
    /// The client has sent its last byte, and there may be others before it still unread.
    pub ending: bool,
    /// Everything that the client sent was read.
    pub ended: bool,
    /// It is on the list of those to be visited.
    pub queued: bool,
    /// The core waits to hear that there is room.
    pub told_full: bool,
    /// The core knows it as a reader.
    pub attached: bool,
    /// Its first request head is not whole yet.
    pub handshaking: bool,
    /// The application's backend is asked who begins to read; nothing is read meanwhile.
    pub asking: bool,
    /// It is to go when its turn in the drain comes.
    pub draining: bool,
}

impl Connection {
    /// A connection that is in this state from the start.
    pub(super) fn new(link: Link, state: State, counted: Option<Counted>) -> Self {
        Self {
            link,
            state,
            pending: None,
            due: Tick::MAX,
            armed: Tick::MAX,
            marks: Marks::default(),
            counted,
        }
    }

    /// What it is in the metrics; none for a pipe, which the edge counts.
    pub(super) fn transport(&self) -> Option<Transport> {
        match (&self.link, &self.state) {
            (Link::Pipe(_), _) | (_, State::Pipe(_)) => None,
            (_, State::Proxied(_) | State::Http(_) | State::Closing) => Some(Transport::Http),
            (_, State::Stream(stream)) => Some(super::figures::transport_of(stream.format)),
            (_, State::Socket(_)) => Some(Transport::WebSocket),
        }
    }

    /// Whether the client is listened to. It is not while it has an answer to come or to take.
    pub(super) fn listens(&self) -> bool {
        let control_waits =
            self.pending.as_ref().is_some_and(|pending| pending.control() == Control::Waits);
        if self.marks.asking || control_waits && !matches!(self.state, State::Closing) {
            return false;
        }
        match &self.state {
            State::Http(http) => self.pending.is_none() && http.listens(),
            State::Socket(session) => session.listens(),
            State::Proxied(_) | State::Stream(_) | State::Closing => true,
            State::Pipe(_) => false,
        }
    }

    /// Where its requests come from.
    pub(super) fn peer(&self) -> Peer {
        let address = match &self.state {
            State::Http(http) => http.peer(),
            _ => SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0),
        };
        Peer { address, counted: self.counted.as_ref().is_some_and(Counted::has_address) }
    }

    /// Whether it is a stream that who shows this secret and these credentials may change.
    pub(super) fn is_changed_by(&self, secret: SessionId, asker: &Identity) -> bool {
        match &self.state {
            State::Stream(stream) => stream.is_changed_by(secret, asker),
            State::Pipe(piped) => {
                let owned = piped.session.matches(secret) && piped.caller.is(asker);
                owned && piped.open && piped.changes == Changes::Taken
            }
            State::Proxied(_) | State::Http(_) | State::Socket(_) | State::Closing => false,
        }
    }

    /// Whether something that is no frame waits to be taken by the client.
    pub(super) fn holds_words(&self) -> bool {
        match &self.link {
            Link::Socket(_) | Link::Secure(_) | Link::Tunnel(_) => {
                self.pending.as_ref().is_some_and(|pending| pending.control() == Control::Waits)
            }
            Link::Pipe(pipe) => pipe.holds_words(),
        }
    }

    /// Keeps what the socket had no room for.
    pub(super) fn keep_control(&mut self, bytes: Bytes) {
        self.pending.get_or_insert_default().push_control(bytes);
    }
}

/// The number under which the poll knows a connection, its generation included, so that an event
/// for an earlier user of the place finds nobody.
pub(super) fn token_of(id: ConnectionId) -> mio::Token {
    mio::Token((id.generation as usize) << 32 | id.index as usize)
}

/// The connection that a token stands for.
pub(super) fn id_of(token: mio::Token) -> ConnectionId {
    ConnectionId {
        index: u32::try_from(token.0 & 0xffff_ffff).unwrap_or(u32::MAX),
        generation: u32::try_from(token.0 >> 32).unwrap_or(u32::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::{Connection, Session, Stream};

    #[test]
    fn an_idle_reader_stays_small() {
        // With the core's part and the allocator's overhead this has to stay below 400 bytes. In
        // debug builds mio adds eight bytes to a socket.
        let most = if cfg!(debug_assertions) { 80 } else { 72 };
        assert!(size_of::<Connection>() <= most, "{}", size_of::<Connection>());
        assert!(size_of::<Stream>() <= 64, "{}", size_of::<Stream>());
        assert!(size_of::<Session>() <= 136, "{}", size_of::<Session>());
    }
}
