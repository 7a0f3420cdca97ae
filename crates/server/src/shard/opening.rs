//! Readers begin: from the request that asks for a stream or a WebSocket to its opening event.

use std::time::Duration;

use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_core::rate::Rate;
use fanfare_core::shard::{ConnectionId, Input, Opened};
use fanfare_protocol::native::opening::Open;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::session::Session;

use super::connection::State;
use super::event_loop::EventLoop;
use super::step::{Becoming, Step};
use crate::auth;
use crate::pipe::PipeItem;

impl EventLoop {
    /// Makes a connection that sent a request the reader that the request asks for.
    pub(super) fn become_reader(&mut self, id: ConnectionId, becoming: Becoming) {
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return;
        };
        let State::Http(http) = &mut connection.state else {
            return;
        };
        let leftover = http.take_unread();
        if let (Becoming::Stream(.., from) | Becoming::Socket(.., from), Some(counted)) =
            (&becoming, &mut connection.counted)
        {
            counted.attribute(&from.1);
        }
        // Nothing is due while the core works on it; the first heartbeat is set when it stands.
        connection.due = super::wheel::Tick::MAX;
        match becoming {
            Becoming::Stream(stream, opening, (address, _)) => {
                // Whatever else the client has sent, on a stream it is not listened to.
                let expires = stream.expires();
                self.sockets.turn_into(id, State::Stream(Box::new(stream)));
                self.lease(id, expires);
                self.attach(id, Box::new(opening), Some(address));
            }
            Becoming::Socket(mut session, opening, (address, _)) => {
                session.keep(leftover);
                self.lease(id, session.expires());
                self.sockets.turn_into(id, State::Socket(Box::new(session)));
                self.attach(id, opening, Some(address));
            }
            Becoming::RefusedStream(stream, problem) => {
                self.sockets.turn_into(id, State::Stream(Box::new(stream)));
                self.refuse_for(id, &auth::told(problem));
            }
            Becoming::Refused(session) => {
                self.sockets.turn_into(id, State::Socket(Box::new(session)));
                let mut told = None;
                let step = self.converse(id, |place, out| {
                    if let State::Socket(session) = &mut place.state {
                        told = session.tell_refusal(out);
                    }
                    Step::AwaitClose
                });
                if let Some(code) = told {
                    self.sockets.figures.refusals.count(code);
                }
                self.take(id, step);
            }
        }
        // A stream listens only for its client's end, and that may have come already.
        self.sockets.queue(id);
    }

    /// The core has attached the reader: its stream begins.
    pub(super) fn opened(
        &mut self,
        id: ConnectionId,
        channels: Vec<Opened>,
        cursor: Cursor,
        max_rate: Option<Rate>,
    ) {
        let retry = self.draw_retry(self.judge.options.retry.clone());
        let shard = self.shard;
        let over = !channels.is_empty() && channels.iter().all(|opened| opened.over);
        if !over {
            self.begin_visit(id);
        }
        let known = |secret| Session { secret, shard, connection: id };
        let step = self.converse(id, |place, out| match &mut place.state {
            State::Stream(stream) => {
                if over {
                    stream.over(&cursor, out);
                    return Step::Finish;
                }
                let open = Open {
                    session: known(stream.session),
                    channels: &channels,
                    cursor: &cursor,
                    from: "",
                    max_rate,
                };
                stream.open(&open, retry, out);
                Step::Wait
            }
            State::Socket(session) => {
                let (channels, known) = (channels.as_slice(), known(session.id()));
                let open = Open { session: known, channels, cursor: &cursor, from: "", max_rate };
                session.open(&open, out);
                Step::Wait
            }
            State::Pipe(piped) => {
                piped.open = true;
                Step::Wait
            }
            _ => Step::Wait,
        });
        self.push(id, PipeItem::Opened { channels, cursor });
        self.start_beating(id);
        self.sockets.queue(id);
        self.take(id, step);
    }

    /// The core could not attach the reader.
    pub(super) fn refused(&mut self, id: ConnectionId, code: Code) {
        self.push(id, PipeItem::Refused(code));
        self.refuse_for(id, &Problem::of(code));
    }

    /// Tells a reader why it cannot begin.
    fn refuse_for(&mut self, id: ConnectionId, problem: &Problem) {
        self.sockets.figures.refusals.count(problem.code());
        let retry = self.draw_retry(self.judge.options.drain_retry.clone());
        let after = problem.retry_after().map_or(0, u64::from);
        let retry = retry.max(Duration::from_secs(after));
        let step = self.converse(id, |place, out| match &mut place.state {
            State::Stream(stream) => stream.refuse(problem, retry, out),
            State::Socket(session) => session.refuse(problem, out),
            _ => Step::Gone,
        });
        match step {
            Step::Gone => self.break_off(id),
            step => {
                self.take(id, step);
            }
        }
    }

    /// Takes the reader out of the core, which delivers nothing more to it.
    pub(super) fn detach(&mut self, id: ConnectionId) {
        self.inquiries.end(id);
        self.leases.end(id);
        self.give_up_changes(id);
        self.end_visit(id);
        let attached = self
            .sockets
            .slab
            .find_mut(id)
            .is_some_and(|connection| std::mem::take(&mut connection.marks.attached));
        if attached {
            self.input(Input::Close(id));
        }
    }
}
