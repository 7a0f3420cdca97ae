//! Readers asked again: whoever is connected when the rules change goes on as far as those of now let
//! them.
//!
//! A reader whose credentials are good no more, or who may not read any more what it reads, is sent
//! away for the reason that it would be refused for. A WebSocket of `fanfare.v1` loses only the
//! channels that it may not read. A few readers are looked at in each turn, so that nobody waits.

use std::collections::VecDeque;

use fanfare_core::name::ChannelName;
use fanfare_core::shard::{ConnectionId, Input};
use fanfare_protocol::native::problem::Problem;

use super::connection::State;
use super::event_loop::{Course, EventLoop};
use super::http::Judge;
use super::step::Step;
use crate::auth::{self, Again, Caller};
use crate::hooks::events::Parting;
use crate::pipe::PipeItem;

/// Who is to be asked again.
#[derive(Debug, Default)]
pub(super) struct Review {
    /// The chunk of the slab whose readers come next.
    chunk: Option<usize>,
    queue: VecDeque<ConnectionId>,
    /// Whether the rules have changed since the start.
    changed: bool,
}

impl Review {
    /// The rules have changed.
    fn begin(&mut self) {
        self.changed = true;
        self.chunk = Some(0);
    }

    /// A reader came, or reads another channel, and may have been let in by the rules before.
    fn add(&mut self, id: ConnectionId) {
        if self.changed {
            self.queue.push_back(id);
        }
    }

    /// Whether somebody is still to be asked.
    pub(super) fn is_under_way(&self) -> bool {
        self.chunk.is_some() || !self.queue.is_empty()
    }
}

impl EventLoop {
    /// From now on this is what requests are judged by, and readers that are here.
    pub(super) fn reload(&mut self, judge: Judge) {
        self.judge = judge;
        self.review.begin();
    }

    /// Has a reader looked at that was let in, or to another channel, some time before now.
    pub(super) fn look_at_newcomer(&mut self, id: ConnectionId) {
        self.review.add(id);
    }

    /// Asks some of those again who are to be.
    pub(super) fn look_again(&mut self) {
        if let (Some(chunk), true) = (self.review.chunk, self.review.queue.is_empty()) {
            let ids = self.sockets.slab.ids_in(chunk);
            self.review.chunk = ids.is_some().then_some(chunk + 1);
            self.review.queue.extend(ids.into_iter().flatten());
        }
        let mut looks = LOOKS_PER_TURN;
        while looks > 0
            && let Some(id) = self.review.queue.pop_front()
        {
            looks = looks.saturating_sub(1 + self.ask_again(id));
        }
    }

    /// Asks a reader again; says what that took beside the one look.
    fn ask_again(&mut self, id: ConnectionId) -> usize {
        let Some(was) = self.reader(id) else { return 0 };
        let caller = match self.judge.access.again(was) {
            Again::Known(caller) => caller,
            Again::Refused(problem) => {
                self.revoke(id, problem);
                return LOOKS_OF_A_WORD;
            }
            // It comes back at once, and is asked with what it shows then.
            Again::Unsure => {
                self.sockets.figures.revoked += 1;
                self.drain_one(id);
                return LOOKS_OF_A_WORD;
            }
        };
        let (mut looks, mut lost) = (0, Vec::new());
        for (channel, notices) in self.core.channels_of(id) {
            looks += 1;
            if let Err(problem) = self.judge.access.may_attach(&caller, channel, notices) {
                lost.push((channel.clone(), problem));
            }
        }
        if lost.is_empty() {
            self.trust(id, caller);
            return looks;
        }
        match self.judge.access.may_open(&caller, &[]) {
            Ok(()) if self.goes_without(id) => {
                looks += lost.len() * LOOKS_OF_A_WORD;
                self.trust(id, caller);
                lost.into_iter().for_each(|lost| self.take_away(id, lost));
            }
            Ok(()) => lost.into_iter().take(1).for_each(|(_, problem)| self.revoke(id, problem)),
            Err(problem) => self.revoke(id, problem),
        }
        looks + LOOKS_OF_A_WORD
    }

    /// Who reads on a connection, if it is a reader's.
    pub(super) fn reader(&self, id: ConnectionId) -> Option<&Caller> {
        let connection = self.sockets.slab.find(id).filter(|place| place.marks.attached)?;
        // Who leaves anyway needs no reason.
        if self.course != Course::Running || connection.marks.draining {
            return None;
        }
        match &connection.state {
            State::Stream(stream) => Some(&stream.opener),
            State::Socket(session) => Some(session.caller()),
            State::Pipe(piped) => Some(&piped.caller),
            State::Proxied(_) | State::Http(_) | State::Closing => None,
        }
    }

    /// From now on a reader is who these credentials say.
    pub(super) fn trust(&mut self, id: ConnectionId, caller: Caller) {
        match self.sockets.slab.find_mut(id).map(|place| &mut place.state) {
            Some(State::Stream(stream)) => stream.opener = caller,
            Some(State::Socket(session)) => session.trust(caller),
            Some(State::Pipe(piped)) => piped.caller = caller,
            _ => {}
        }
    }

    /// Whether a reader can lose a channel and keep others: what it reads has to have words for that.
    fn goes_without(&self, id: ConnectionId) -> bool {
        let state = self.sockets.slab.find(id).map(|place| &place.state);
        matches!(state, Some(State::Socket(session)) if session.goes_without())
    }

    /// Takes a channel from a reader that goes on without it.
    fn take_away(&mut self, id: ConnectionId, (channel, problem): (ChannelName, Problem)) {
        self.sockets.figures.refusals.count(problem.code());
        self.sockets.figures.channels_revoked += 1;
        let problem = auth::told(problem);
        let step = self.converse(id, |place, out| {
            if let State::Socket(session) = &place.state {
                session.tell_loss(&problem, out);
            }
            Step::Wait
        });
        self.take(id, step);
        // No command of the client has this number, so that it is told nothing of it.
        let request = u64::MAX;
        self.input(Input::Unsubscribe { connection: id, request, channel });
    }

    /// Sends a reader away that may not go on.
    fn revoke(&mut self, id: ConnectionId, problem: Problem) {
        self.sockets.figures.revoked += 1;
        self.part(id, Parting::Revoked);
        self.send_away(id, &auth::told(problem));
    }

    /// Sends a reader away for this reason. It is not the end of its channels, so a stream is broken
    /// off: its client comes back with what it has then, and is let in or told this reason.
    pub(super) fn send_away(&mut self, id: ConnectionId, problem: &Problem) {
        self.sockets.figures.refusals.count(problem.code());
        let retry = self.draw_retry(self.judge.options.retry.clone());
        self.push(id, PipeItem::Drain);
        let step = self.converse(id, |place, out| match &mut place.state {
            State::Stream(stream) => {
                stream.drain(retry, out);
                Step::Gone
            }
            State::Socket(session) => session.send_away(problem, out),
            State::Pipe(_) => Step::Gone,
            State::Proxied(_) | State::Http(_) | State::Closing => Step::Wait,
        });
        match step {
            Step::Gone => self.break_off(id),
            step => {
                self.take(id, step);
            }
        }
    }
}

/// Readers and channels of theirs that are looked at in one turn. Each takes a microsecond or so.
const LOOKS_PER_TURN: usize = 512;

/// As how many looks it counts to tell a reader something, and to close its socket.
const LOOKS_OF_A_WORD: usize = 8;
