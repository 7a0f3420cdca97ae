//! Deadlines: what happens to a connection when its time has come, and how connections end.

use std::time::Duration;

use fanfare_core::shard::ConnectionId;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::head::Version;
use fanfare_protocol::native::response::{Persistence, append_problem};
use socket2::SockRef;

use super::connection::{Link, State};
use super::event_loop::EventLoop;
use super::http::Timed;
use super::step::Step;
use super::wheel::{TICK_MILLIS, Tick};
use crate::hooks::events::Parting;

impl EventLoop {
    /// The wheel names a connection, whose deadline may have moved meanwhile.
    pub(super) fn come_due(&mut self, id: ConnectionId, tick: Tick) {
        let passed = self.sockets.wheel.passed();
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return;
        };
        if connection.armed != tick {
            // An earlier moment was set after this one, and has been dealt with.
            return;
        }
        connection.armed = Tick::MAX;
        if connection.due > passed {
            let due = connection.due;
            if due != Tick::MAX {
                self.sockets.set_due_at(id, due);
            }
            return;
        }
        connection.due = Tick::MAX;
        self.lapse(id);
    }

    fn lapse(&mut self, id: ConnectionId) {
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return;
        };
        if connection.marks.draining && !matches!(connection.state, State::Closing) {
            let closing =
                matches!(&connection.state, State::Socket(session) if session.is_closing());
            if !closing {
                return self.drain_one(id);
            }
        }
        match &connection.state {
            State::Http(_) => self.time_out(id),
            State::Stream(_) => self.beat(id),
            State::Socket(_) => self.ping(id),
            State::Proxied(_) | State::Closing => self.end(id),
            State::Pipe(_) => {}
        }
    }

    /// A request did not arrive in time; a connection that asked for nothing is just closed.
    fn time_out(&mut self, id: ConnectionId) {
        let step = self.converse(id, |place, out| {
            let problem = match &place.state {
                State::Http(http) => http.timed_out(),
                _ => None,
            };
            let Some(problem) = problem else {
                // Over TLS an end that is not said looks like an attack.
                let secure = matches!(place.link, Link::Secure(_));
                return if secure { Step::Finish } else { Step::Gone };
            };
            append_problem(out, &problem, &AllowedOrigin::None, Persistence::Close);
            Step::Refuse(problem.code())
        });
        self.take(id, step);
    }

    /// Ends a reader that takes nothing of what waits for it, so that it comes back.
    fn ends_stuck(&mut self, id: ConnectionId) -> bool {
        let now = self.sockets.tick();
        let within = ticks(self.options().write_within);
        let stuck = self
            .sockets
            .slab
            .find_mut(id)
            .and_then(|connection| connection.pending.as_mut())
            .is_some_and(|pending| pending.is_stuck(now, within));
        if stuck {
            self.sockets.figures.stuck += 1;
            self.part(id, Parting::Timeout);
            self.abort(id);
        }
        stuck
    }

    fn beat(&mut self, id: ConnectionId) {
        if self.ends_stuck(id) {
            return;
        }
        let step = self.converse(id, |place, out| {
            // A reader that has not taken what it was sent gets nothing on top.
            if let (State::Stream(stream), None) = (&mut place.state, &place.pending)
                && stream.is_open()
            {
                stream.beat(out);
            }
            Step::Wait
        });
        self.start_beating(id);
        self.take(id, step);
    }

    fn ping(&mut self, id: ConnectionId) {
        if self.ends_stuck(id) {
            return;
        }
        let now = self.sockets.tick();
        let options = self.options().clone();
        let mut silent = false;
        let step = self.converse(id, |place, out| {
            let State::Socket(session) = &mut place.state else {
                return Step::Wait;
            };
            if session.is_closing() {
                return Step::Gone;
            }
            let patience = ticks(session.beat_every() * 3 / 2);
            if session.pinged().is_some_and(|since| now.saturating_sub(since) >= patience) {
                silent = true;
                return Step::Gone;
            }
            if let Some(problem) = session.is_too_slow(now, &options) {
                return session.give_up(&problem, out);
            }
            if place.pending.is_none() {
                session.ping(now, out);
            }
            Step::Wait
        });
        if silent {
            self.sockets.figures.silent += 1;
            self.part(id, Parting::Timeout);
        }
        self.start_beating(id);
        self.take(id, step);
    }

    /// Sets the next heartbeat of a reader.
    pub(super) fn start_beating(&mut self, id: ConnectionId) {
        let now = self.sockets.tick();
        let Some(connection) = self.sockets.slab.find(id) else {
            return;
        };
        if connection.marks.draining {
            return;
        }
        let at = match &connection.state {
            State::Stream(stream) => now.saturating_add(ticks(stream.beat_every())),
            State::Socket(session) if !session.is_closing() => {
                let every = ticks(session.beat_every());
                let next = now.saturating_add(every);
                // Half a period after the second ping a client that answers none is gone.
                let patience =
                    session.pinged().map_or(Tick::MAX, |since| since.saturating_add(every * 3 / 2));
                next.min(patience.max(now.saturating_add(1)))
            }
            _ => return,
        };
        self.sockets.set_due_at(id, at);
    }

    /// Sets the deadline of what a connection that sends requests is now waited for.
    pub(super) fn renew_deadline(&mut self, id: ConnectionId) {
        let options = &self.judge.options;
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return;
        };
        let draining = connection.marks.draining;
        let State::Http(http) = &mut connection.state else {
            return;
        };
        let within = match http.new_deadline() {
            None => return,
            // Its last answer was given before the drain began, and did not say that it is the last.
            Some(Timed::Idle) if draining => return self.join_drain(id),
            Some(Timed::Idle) => options.idle_within,
            Some(Timed::First | Timed::Head) => options.head_within,
            Some(Timed::Body) => options.body_within,
            Some(Timed::Working) => {
                connection.due = Tick::MAX;
                return;
            }
        };
        self.sockets.set_due(id, within);
    }

    /// A WebSocket has sent its close frame: it is no reader any more, and has a while to answer.
    pub(super) fn await_close(&mut self, id: ConnectionId) {
        self.detach(id);
        let within = self.options().close_within;
        self.sockets.set_due(id, within);
        self.sockets.queue(id);
    }

    /// Sends what is written and closes.
    pub(super) fn finish(&mut self, id: ConnectionId) {
        self.detach(id);
        self.sockets.end_handshake(id);
        let closing = self
            .sockets
            .slab
            .find(id)
            .is_none_or(|connection| matches!(connection.state, State::Closing));
        if closing {
            return;
        }
        self.sockets.turn_into(id, State::Closing);
        self.sockets.shut_if_drained(id);
        let within = self.options().close_within;
        self.sockets.set_due(id, within);
        // Closing over bytes that nobody has read would reset the connection, and could take the
        // last answer with it.
        self.sockets.queue(id);
    }

    /// Breaks a stream off where it is, so that its client does not take that for its end.
    pub(super) fn abort(&mut self, id: ConnectionId) {
        if let Some(connection) = self.sockets.slab.find_mut(id)
            && let State::Stream(stream) = &connection.state
            && stream.version == Version::Http10
            && let Some(socket) = connection.link.socket()
        {
            // Without chunks only a reset tells an abort from an end.
            let _gone = SockRef::from(&*socket).set_linger(Some(Duration::ZERO));
        }
        self.end(id);
    }

    /// The connection is gone.
    pub(super) fn end(&mut self, id: ConnectionId) {
        self.detach(id);
        self.sockets.remove(id);
    }
}

/// So many ticks.
pub(super) fn ticks(duration: Duration) -> Tick {
    let ticks = duration.as_millis().div_ceil(u128::from(TICK_MILLIS));
    Tick::try_from(ticks).unwrap_or(Tick::MAX)
}
