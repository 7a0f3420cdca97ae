//! Letters: what others want of this shard.

use std::net::SocketAddr;
use std::sync::mpsc::TryRecvError;

use bytes::Bytes;
use fanfare_core::shard::{Completion, ConnectionId, Input, Opening};

use super::connection::{Connection, Link, Piped, State};
use super::event_loop::{Course, EventLoop, Idle};
use super::figures::SocketFigures;
use super::http::Http;
use super::proxied::Proxied;
use super::request::SocketRequest;
use super::secure::Secure;
use super::websocket;
use crate::auth::Caller;
use crate::coding;
use crate::limit::{ClientAddress, Preface};
use crate::load::Counted;
use crate::node::{Adoption, Changes, Letter, Protocol, ShardSnapshot, Tunnelling};
use crate::pipe::{PipeItem, PipeWriter};
use crate::tls::{Application, Entrance, Session};

impl EventLoop {
    /// Opens the letters that are there, up to a budget. Says whether that was all.
    pub(super) fn open_letters(&mut self) -> Idle {
        for _ in 0..LETTERS_PER_TURN {
            match self.letters.try_recv() {
                Ok(letter) => self.open_letter(letter),
                Err(TryRecvError::Empty) => return Idle::Yes,
                Err(TryRecvError::Disconnected) => {
                    // Nobody is left who could ever say stop.
                    self.course = Course::Stopped;
                    return Idle::Yes;
                }
            }
        }
        Idle::No
    }

    /// Takes a few of the parts of the history that were read: each keeps everyone else waiting for
    /// some tenths of a millisecond. Says whether there was one, which is delivered in the next turn.
    pub(super) fn take_read_back(&mut self) -> Idle {
        let mut idle = Idle::Yes;
        for _ in 0..READ_BACK_PER_TURN {
            let Some(completion) = self.read_back.pop_front() else { break };
            self.input(Input::Completion(completion));
            idle = Idle::No;
        }
        idle
    }

    fn open_letter(&mut self, letter: Letter) {
        match letter {
            Letter::Core(message) => self.input(Input::Message(message)),
            Letter::Ask { origin, channel, request, permit } => {
                self.input(Input::Ask { origin, channel, request, permit });
            }
            Letter::Publish(publishes) => self.publish_together(publishes),
            Letter::Accepted { socket, entrance, peer, counted } => {
                self.welcome((socket, entrance), peer, counted);
            }
            Letter::Adopted(adoption) => {
                let Adoption { socket, session, peer, leftover, socket_request, counted } =
                    *adoption;
                let socket = mio::net::TcpStream::from_std(socket);
                let link = link(socket, session.map(|session| *session));
                self.adopt((link, peer), leftover, socket_request, counted);
            }
            Letter::Tunnelled(tunnelling) => {
                let Tunnelling { tunnel, peer, socket_request, counted } = *tunnelling;
                self.adopt((Link::Tunnel(tunnel), peer), Bytes::new(), socket_request, counted);
            }
            Letter::TunnelHasBytes(id) => {
                if let Some(connection) = self.sockets.slab.find_mut(id) {
                    connection.marks.readable = true;
                    self.sockets.queue(id);
                }
            }
            Letter::TunnelHasRoom(id) => self.make_room(id),
            Letter::Subscriber { opening, caller, changes, address, pipe } => {
                self.subscribe_pipe((opening, address), (caller, changes), pipe);
            }
            Letter::Change(change) => self.change(*change),
            Letter::PipeReady(id) => {
                if let Some(connection) = self.sockets.slab.find_mut(id) {
                    connection.marks.told_full = false;
                    self.input(Input::Writable(id));
                }
            }
            Letter::PipeClosed(id) => self.end(id),
            Letter::Answered { connection, question, reply } => {
                self.answered(connection, question, reply);
            }
            Letter::Read { connection, request, read } => self.take_read(connection, request, read),
            Letter::Completed(completions) => {
                for completion in completions {
                    match completion {
                        // Whoever reads back has waited for the disk; that may take any time, and
                        // what is in it is encoded at once.
                        Completion::Page { .. } | Completion::History { .. } => {
                            self.read_back.push_back(completion);
                        }
                        completion => self.input(Input::Completion(completion)),
                    }
                }
            }
            Letter::Snapshot(wanted) => {
                let snapshot = ShardSnapshot {
                    core: self.core.snapshot(),
                    sockets: SocketFigures {
                        coding: coding::figures(),
                        ..self.sockets.figures.clone()
                    },
                };
                // Whoever wanted it may have given up.
                let _gone = wanted.send(snapshot);
            }
            Letter::Reload(judge) => self.reload(*judge),
            Letter::Drain(window) => self.drain(window),
            Letter::Stop => self.course = Course::Stopped,
        }
    }

    fn welcome(
        &mut self,
        (socket, entrance): (mio::net::TcpStream, Entrance),
        peer: SocketAddr,
        counted: Counted,
    ) {
        let session = match (entrance, &self.acceptance) {
            (Entrance::Secure, Some(acceptance)) => match acceptance.begin() {
                Ok(session) => Some(session),
                Err(failure) => {
                    tracing::error!(%failure, "a TLS session cannot be begun");
                    self.load.leave(self.shard);
                    self.load.end_handshake();
                    return;
                }
            },
            _ => None,
        };
        // What is spoken begins behind the header of a proxy, in TLS as in clear.
        let state = match self.judge.terms.proxies.protocol {
            Preface::Off => State::Http(Box::new(Http::new(peer))),
            Preface::V2 => State::Proxied(Box::new(Proxied::new(peer))),
        };
        let mut connection = Connection::new(link(socket, session), state, Some(counted));
        connection.marks.handshaking = true;
        // The request has often come with the connection, and then the first read saves a poll.
        connection.marks.readable = true;
        if let Some(id) = self.sockets.admit(connection) {
            self.sockets.figures.accepted += 1;
            let within = self.options().head_within;
            self.sockets.set_due(id, within);
            self.join_drain(id);
            // Who is here already does not wait for a crowd that comes.
            self.sockets.queue_later(id);
        }
    }

    fn adopt(
        &mut self,
        (link, peer): (Link, SocketAddr),
        leftover: Bytes,
        mut socket_request: SocketRequest,
        counted: Counted,
    ) {
        tracing::trace!(%peer, "a WebSocket comes back from the edge");
        let (opening, address) = (socket_request.opening(), socket_request.address);
        let mut session =
            websocket::Session::new(socket_request, &opening.subscriptions, &self.judge);
        session.keep(leftover);
        let expires = session.expires();
        let state = State::Socket(Box::new(session));
        let mut connection = Connection::new(link, state, Some(counted));
        connection.marks.readable = true;
        self.load.arrive(self.shard);
        let Some(id) = self.sockets.admit(connection) else {
            return;
        };
        let gone = matches!(
            self.sockets.slab.find(id).map(|place| &place.link),
            Some(Link::Tunnel(tunnel)) if !tunnel.bind(id)
        );
        if gone {
            self.sockets.remove(id);
        } else {
            self.lease(id, expires);
            self.attach(id, opening, Some(address));
            self.look_at_newcomer(id);
        }
    }

    fn subscribe_pipe(
        &mut self,
        (opening, address): (Box<Opening>, Option<ClientAddress>),
        (caller, changes): (Caller, Changes),
        pipe: PipeWriter,
    ) {
        let (format, session) = (opening.format, opening.session);
        let expires = caller.expires().filter(|_| changes != Changes::Brief);
        let piped = Piped { format, session, caller, changes, open: false };
        let state = State::Pipe(Box::new(piped));
        let connection = Connection::new(Link::Pipe(pipe), state, None);
        let Some(id) = self.sockets.admit(connection) else {
            return;
        };
        let bound = match self.sockets.slab.find(id).map(|place| &place.link) {
            Some(Link::Pipe(pipe)) => pipe.bind(id),
            _ => false,
        };
        if bound {
            self.lease(id, expires);
            self.attach(id, opening, address);
            self.look_at_newcomer(id);
        } else {
            self.sockets.remove(id);
        }
    }

    /// Makes the connection a reader in the eyes of the core; one that is no stream comes from
    /// nowhere.
    pub(super) fn attach(
        &mut self,
        id: ConnectionId,
        opening: Box<Opening>,
        address: Option<ClientAddress>,
    ) {
        self.receive_visit(id, address, &opening);
        if let Some(connection) = self.sockets.slab.find_mut(id) {
            connection.marks.attached = true;
        }
        self.join_drain(id);
        self.input(Input::Open { connection: id, opening });
    }

    /// Hands an item to the reader behind a pipe.
    pub(super) fn push(&self, id: ConnectionId, item: PipeItem) {
        if let Some(Connection { link: Link::Pipe(pipe), .. }) = self.sockets.slab.find(id) {
            pipe.push(item);
        }
    }

    /// Hands the connection to the edge, with what was read of it.
    pub(super) fn hand_over(&mut self, id: ConnectionId) {
        let Some(connection) = self.sockets.remove(id) else {
            return;
        };
        let (State::Http(mut http), Some(counted)) = (connection.state, connection.counted) else {
            return;
        };
        let (socket, session) = match connection.link {
            Link::Socket(socket) => (socket, None),
            Link::Secure(secure) => (secure.socket, Some(Box::new(secure.session))),
            Link::Tunnel(_) | Link::Pipe(_) => return,
        };
        let (peer, read) = (http.peer(), http.take_unread());
        let chosen = session.as_ref().map(|session| session.application());
        let protocol = match chosen {
            // Its preface may not have come yet.
            Some(Application::Http2) => Protocol::Http2,
            _ => Protocol::of(&read),
        };
        let socket = socket.into();
        let handover = crate::node::Handover { socket, session, peer, read, protocol, counted };
        self.sockets.figures.handed_over += 1;
        if let Err(handover) = self.handoff.hand_over(handover) {
            self.turn_away(handover);
        }
    }

    /// The edge takes nothing more: whoever asked is told so, if the socket has room for it.
    fn turn_away(&mut self, mut handover: crate::node::Handover) {
        let code = fanfare_core::code::Code::Overloaded;
        self.sockets.figures.refusals.count(code);
        let mut out = Vec::new();
        match handover.protocol {
            Protocol::Http1 => fanfare_protocol::native::response::append_problem(
                &mut out,
                &fanfare_protocol::native::problem::Problem::of(code),
                &fanfare_protocol::native::cors::AllowedOrigin::None,
                fanfare_protocol::native::response::Persistence::Close,
            ),
            Protocol::Http2 => out.extend_from_slice(CALM_DOWN),
        }
        if let Some(session) = &mut handover.session {
            let mut sealed = std::mem::take(session.unsent());
            if session.seal(&out, &mut sealed).is_err() {
                return;
            }
            session.close(&mut sealed);
            out = sealed;
        }
        // It is closed in any case.
        let _unsent = std::io::Write::write(&mut handover.socket, &out);
    }
}

fn link(socket: mio::net::TcpStream, session: Option<Session>) -> Link {
    match session {
        Some(session) => Link::Secure(Box::new(Secure { socket, session })),
        None => Link::Socket(socket),
    }
}

/// Parts of the history that are taken in one turn.
const READ_BACK_PER_TURN: usize = 2;
/// To a client of HTTP/2 that is turned away: no settings, then GOAWAY (RFC 9113 §6.8) with
/// `ENHANCE_YOUR_CALM`, which says that none of its requests was looked at.
const CALM_DOWN: &[u8] = b"\0\0\0\x04\0\0\0\0\0\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x0b";

/// Letters opened in one turn, so that sockets have theirs.
const LETTERS_PER_TURN: usize = 1024;
