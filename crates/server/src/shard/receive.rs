//! Visits: a connection has something to say, and says it within its budget.

use std::io::{self, Read};

use fanfare_core::code::Code;
use fanfare_core::publication::SessionId;
use fanfare_core::shard::{Answer, ConnectionId, Input, Origin, Refusal, Request};
use fanfare_core::start::Later;

use super::catch::guarded;
use super::connection::{Connection, Link, Marks, State};
use super::event_loop::{EventLoop, READ_BYTES};
use super::http::{Given, Judge};
use super::output::Drained;
use super::secure::Secure;
use super::step::Step;
use crate::hooks::events::Parting;
use crate::tls::{Application, Failure, Handshake};
use fanfare_core::permit::Permit;

/// What a visit reads with: the loop's buffer, and how much of it the connection may still use.
struct Reader<'a> {
    buffer: &'a mut [u8],
    /// What was read of a TLS connection, in clear.
    plain: &'a mut Vec<u8>,
    budget: Budget,
    received: u64,
    /// What a TLS connection has come to.
    news: Option<Result<Handshake, Failure>>,
}

/// What may still be done in a visit.
#[derive(Debug, Clone, Copy)]
struct Budget {
    /// Bytes that may be read.
    read: usize,
    /// Bytes that may come of inflating.
    inflate: usize,
}

/// What a read gave.
enum Taken {
    /// So many bytes.
    Bytes(usize),
    /// A TLS handshake is over, and what is spoken behind it is nothing for a shard.
    Chosen(Application),
    /// The TLS session goes no further; what the client is told of it waits to go out.
    Broken,
    /// Nothing for now.
    Nothing,
    /// Nothing in this turn.
    Exhausted,
    /// The client has said everything.
    End,
    /// The client is gone.
    Gone,
}

impl Taken {
    /// What comes of it where nothing is to be made of bytes or of a choice.
    fn step(self) -> Step {
        match self {
            Self::Bytes(_) | Self::Nothing => Step::Wait,
            Self::Chosen(_) | Self::Broken => Step::Finish,
            Self::Exhausted => Step::Yield,
            Self::End | Self::Gone => Step::Gone,
        }
    }
}

impl EventLoop {
    /// Reads and decodes what a connection has to say.
    pub(super) fn visit(&mut self, id: ConnectionId) {
        let mut budget = Budget { read: READ_BYTES, inflate: READ_BYTES };
        if let Some(connection) = self.sockets.slab.find_mut(id) {
            connection.marks.queued = false;
        }
        self.visiting = Some(id);
        let mut turn = Turn::Again;
        for _ in 0..STEPS_PER_VISIT {
            let step = self.decode(id, &mut budget);
            turn = self.take(id, step);
            if turn != Turn::Again {
                break;
            }
        }
        self.visiting = None;
        if turn != Turn::Over {
            self.sockets.queue_later(id);
        }
    }

    /// Has a connection that was answered go on; one that is being visited does so by itself.
    pub(super) fn go_on(&mut self, id: ConnectionId) {
        if self.visiting != Some(id) {
            self.sockets.queue(id);
        }
    }

    fn decode(&mut self, id: ConnectionId, budget: &mut Budget) -> Step {
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return Step::Wait;
        };
        if !connection.listens() {
            // Who asks to read and goes takes the question about it along.
            let gone = connection.marks.asking && connection.marks.ending;
            return if gone { Step::Gone } else { Step::Wait };
        }
        let session = match connection.state {
            State::Http(_) => self.sessions.next(),
            _ => SessionId(0),
        };
        let given = Given { now: self.sockets.now.unix, session, peer: connection.peer() };
        self.out.clear();
        let mut reader = Reader {
            buffer: &mut self.read,
            plain: &mut self.plain,
            budget: *budget,
            received: 0,
            news: None,
        };
        let (judge, out) = (&self.judge, &mut self.out);
        let step = guarded(|| advance(connection, &mut reader, judge, given, out));
        *budget = reader.budget;
        self.sockets.figures.received_bytes += reader.received;
        match reader.news {
            None => {}
            Some(Ok(handshake)) => self.sockets.figures.tls.complete(handshake),
            Some(Err(failure)) => {
                tracing::debug!(%failure, "a TLS connection goes no further");
                self.sockets.figures.tls.fail(&failure);
            }
        }
        let Some(step) = step else {
            return self.broken(id);
        };
        if matches!(step, Step::Become(_)) {
            self.sessions.spend();
        }
        self.send_out(id);
        step
    }

    /// Lets a connection's own code say something; what it says goes out before its step is given.
    pub(super) fn converse(
        &mut self,
        id: ConnectionId,
        code: impl FnOnce(&mut Connection, &mut Vec<u8>) -> Step,
    ) -> Step {
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return Step::Wait;
        };
        self.out.clear();
        let out = &mut self.out;
        let Some(step) = guarded(|| code(connection, out)) else {
            return self.broken(id);
        };
        self.send_out(id);
        step
    }

    pub(super) fn broken(&mut self, id: ConnectionId) -> Step {
        tracing::error!(index = id.index, "a connection's own code panicked; it is ended");
        self.sockets.figures.broken += 1;
        Step::Gone
    }

    fn send_out(&mut self, id: ConnectionId) {
        let out = std::mem::take(&mut self.out);
        self.sockets.send(id, &out);
        self.out = out;
        // What a large answer needed is not kept for ever.
        self.out.clear();
        self.out.shrink_to(READ_BYTES);
    }

    /// Does what a connection's code wants done.
    pub(super) fn take(&mut self, id: ConnectionId, step: Step) -> Turn {
        self.end_handshake_after(id, &step);
        match step {
            Step::Wait => {
                self.renew_deadline(id);
                return Turn::Over;
            }
            Step::Yield => return Turn::Later,
            Step::Ask { request, channel, question, bytes } => {
                // From here on it is the server that is waited for, not the client.
                self.renew_deadline(id);
                let permit = match question {
                    Request::Publish(_) => self.node.permits().take(bytes),
                    _ => Some(Permit::free()),
                };
                let Some(permit) = permit else {
                    let refusal = Refusal { code: Code::Overloaded, head: None };
                    self.answer(id, request, &channel, &Answer::Refused(refusal));
                    return Turn::Again;
                };
                self.input(Input::Ask {
                    origin: Origin::Connection { shard: self.shard, connection: id, request },
                    channel,
                    request: question,
                    permit,
                });
            }
            Step::HandIn { request, large } => self.hand_in(id, request, *large),
            Step::Subscribe { request, subscription } => {
                // What a WebSocket carries is known where its commands are read.
                let later = Later::Said;
                self.input(Input::Subscribe { connection: id, request, subscription, later });
            }
            Step::Unsubscribe { request, channel } => {
                self.input(Input::Unsubscribe { connection: id, request, channel });
            }
            Step::Inquire(inquiry) => self.inquire(id, *inquiry),
            Step::Refresh { request, caller } => self.refresh(id, request, &caller),
            Step::AwaitKeys { request, token, rounds } => {
                self.await_keys(id, request, (token, rounds));
            }
            Step::Greet(http) => self.sockets.turn_into(id, State::Http(http)),
            Step::Become(becoming) => {
                self.become_reader(id, *becoming);
                return Turn::Over;
            }
            Step::HandOver => {
                self.hand_over(id);
                return Turn::Over;
            }
            Step::AwaitClose => {
                self.part(id, Parting::Refused);
                self.await_close(id);
            }
            Step::AwaitCloseFor(code) => {
                self.sockets.figures.refusals.count(code);
                self.part(id, Parting::Refused);
                self.await_close(id);
            }
            Step::Told(code) => self.sockets.figures.refusals.count(code),
            Step::Refuse(code) => {
                self.sockets.figures.refusals.count(code);
                self.finish(id);
            }
            Step::Finish => self.finish(id),
            Step::Gone => {
                self.end(id);
                return Turn::Over;
            }
        }
        self.turn_of(id)
    }

    /// Whether the connection goes on at once: with the memory engine and an owner on this shard,
    /// what was asked is answered by now.
    fn turn_of(&self, id: ConnectionId) -> Turn {
        match self.sockets.slab.find(id) {
            Some(connection) if connection.listens() => Turn::Again,
            _ => Turn::Over,
        }
    }

    fn end_handshake_after(&mut self, id: ConnectionId, step: &Step) {
        let waits = matches!(step, Step::Wait | Step::Yield | Step::Greet(_));
        let first = self.sockets.slab.find(id).is_some_and(|connection| match &connection.state {
            State::Proxied(_) => true,
            State::Http(http) => http.is_first(),
            _ => false,
        });
        if !(waits && first) {
            self.sockets.end_handshake(id);
        }
    }
}

/// Whether a visit goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// At once.
    Again,
    /// After everyone else had a turn.
    Later,
    /// When something happens.
    Over,
}

/// Reads and decodes until there is something to do.
fn advance(
    connection: &mut Connection,
    reader: &mut Reader<'_>,
    judge: &Judge,
    given: Given,
    out: &mut Vec<u8>,
) -> Step {
    let Connection { link, marks, .. } = connection;
    match &mut connection.state {
        State::Proxied(proxied) => {
            let secure = matches!(link, Link::Secure(_));
            let Some(socket) = link.socket() else {
                return Step::Gone;
            };
            let step = proxied.advance(socket, judge, out);
            if secure && matches!(step, Step::Refuse(_)) {
                // Words would take the handshake that has not begun.
                return Step::Gone;
            }
            // It stops before `WouldBlock` only where something follows.
            marks.readable &= !matches!(step, Step::Wait);
            step
        }
        State::Http(http) => loop {
            // What has come before is used up first, so that the buffer stays bounded.
            let step = http.decode(judge, given, out);
            if !matches!(step, Step::Wait) || !http.listens() {
                return step;
            }
            match reader.read(link, marks) {
                Taken::Bytes(bytes) => http.receive(reader.bytes(link, bytes)),
                Taken::Chosen(Application::Http2) => {
                    http.receive(reader.plain);
                    return Step::HandOver;
                }
                taken => return taken.step(),
            }
        },
        State::Socket(session) => {
            if reader.budget.inflate == 0 {
                return Step::Yield;
            }
            let step = session.resume(judge, given.now, out);
            reader.budget.inflated(session.take_inflated());
            if !matches!(step, Step::Wait) {
                return step;
            }
            loop {
                let bytes = match reader.read(link, marks) {
                    Taken::Bytes(bytes) => bytes,
                    taken => return taken.step(),
                };
                session.heard();
                let step = session.receive(reader.bytes(link, bytes), judge, given.now, out);
                reader.budget.inflated(session.take_inflated());
                if !matches!(step, Step::Wait) {
                    return step;
                }
            }
        }
        State::Stream(_) | State::Closing => loop {
            match reader.read(link, marks) {
                Taken::Bytes(_) => {}
                // What is broken while it closes is just closed.
                Taken::Chosen(_) | Taken::Broken => return Step::Gone,
                taken => return taken.step(),
            }
        },
        State::Pipe(_) => Step::Wait,
    }
}

impl Budget {
    fn inflated(&mut self, bytes: usize) {
        self.inflate = self.inflate.saturating_sub(bytes);
    }
}

impl Reader<'_> {
    fn read(&mut self, link: &mut Link, marks: &mut Marks) -> Taken {
        match link {
            Link::Socket(socket) => self.read_socket(socket, 0, marks),
            Link::Secure(secure) => self.read_secure(secure, marks),
            Link::Tunnel(tunnel) => self.read_socket(tunnel, 0, marks),
            Link::Pipe(_) => Taken::Nothing,
        }
    }

    /// Reads until there is plaintext, or something else to say of the connection.
    fn read_secure(&mut self, secure: &mut Secure, marks: &mut Marks) -> Taken {
        loop {
            if secure.session.has_ended() {
                marks.ended = true;
                return Taken::End;
            }
            // A client that takes nothing of the handshake is not given more of it.
            let flushed = secure.flush_handshake();
            match flushed {
                Ok(Drained::Whole) => {}
                Ok(Drained::Part) => return Taken::Nothing,
                Err(_) => return Taken::Gone,
            }
            let kept = secure.session.restore(self.buffer);
            let bytes = match self.read_socket(&mut secure.socket, kept, marks) {
                Taken::Bytes(bytes) => bytes,
                nothing => return nothing,
            };
            let ciphertext = self.buffer.get_mut(..kept + bytes).unwrap_or_default();
            self.plain.clear();
            let outcome = secure.session.receive(ciphertext, self.plain);
            if let Err(failure) = &outcome {
                secure.explain(failure);
            }
            // What there is no room for goes out when there is.
            if secure.flush().is_err() {
                return Taken::Gone;
            }
            match outcome {
                Ok(None) => {}
                Ok(Some(handshake)) => {
                    self.news = Some(Ok(handshake));
                    let application = secure.session.application();
                    if application != Application::Http1 {
                        return Taken::Chosen(application);
                    }
                }
                Err(failure) => {
                    self.news = Some(Err(failure));
                    return Taken::Broken;
                }
            }
            if !self.plain.is_empty() {
                return Taken::Bytes(self.plain.len());
            }
        }
    }

    /// Reads what goes behind the first `kept` bytes of the buffer.
    fn read_socket(&mut self, socket: &mut impl Read, kept: usize, marks: &mut Marks) -> Taken {
        if marks.ended {
            return Taken::End;
        }
        if !marks.readable {
            return Taken::Nothing;
        }
        if self.budget.read == 0 {
            return Taken::Exhausted;
        }
        loop {
            let room = self.buffer.get_mut(kept..).unwrap_or_default();
            let whole = room.len();
            match socket.read(room) {
                Ok(0) => {
                    marks.readable = false;
                    marks.ended = true;
                    return Taken::End;
                }
                Ok(bytes) => {
                    // A short read has emptied the socket, unless its end stands behind it, and
                    // saves the read that would say so.
                    marks.readable = bytes == whole || marks.ending;
                    self.budget.read = self.budget.read.saturating_sub(bytes);
                    self.received += bytes as u64;
                    return Taken::Bytes(bytes);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    marks.readable = false;
                    return Taken::Nothing;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return Taken::Gone,
            }
        }
    }

    /// The bytes that were read last.
    fn bytes(&self, link: &Link, bytes: usize) -> &[u8] {
        let from: &[u8] = if let Link::Secure(_) = link { self.plain } else { self.buffer };
        from.get(..bytes).unwrap_or_default()
    }
}

/// Requests or commands of one connection that are carried out in one turn.
const STEPS_PER_VISIT: usize = 64;
