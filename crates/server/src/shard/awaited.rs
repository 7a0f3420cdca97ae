//! Refreshes that wait for keys: a token whose issuer has new keys is looked at again when these have
//! been fetched, as it is when a connection begins.
//!
//! Fetching is the edge's, and a shard blocks for nobody; so as long as anybody waits it looks now
//! and then whether there has been a round.

use fanfare_core::shard::ConnectionId;
use fanfare_core::time::Millis;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::v1::Token;

use super::connection::State;
use super::event_loop::EventLoop;
use super::step::Step;
use super::websocket::Reply;
use crate::auth::{self, NotRenewed, Rounds};

/// A refresh that waits.
#[derive(Debug)]
pub(super) struct Awaited {
    id: ConnectionId,
    request: u64,
    token: Token,
    rounds: Rounds,
    until: Millis,
}

impl EventLoop {
    /// Has a refresh wait for its issuer's keys.
    pub(super) fn await_keys(
        &mut self,
        id: ConnectionId,
        request: u64,
        (token, rounds): (Token, Rounds),
    ) {
        let within = u64::try_from(Rounds::WITHIN.as_millis()).unwrap_or(u64::MAX);
        let until = self.sockets.now.millis.saturating_add(within);
        // One more than there may be is refused at once.
        let until = if self.awaited.len() < AWAITED_MAX { until } else { 0 };
        let awaited = Awaited { id, request, token, rounds, until };
        match until {
            0 => self.look_once_more(awaited),
            _ => self.awaited.push(awaited),
        }
    }

    /// Looks again at tokens whose issuers' keys may have come, or have not in time.
    pub(super) fn look_at_awaited(&mut self) {
        if self.awaited.is_empty() {
            return;
        }
        let now = self.sockets.now.millis;
        let (due, waiting) = std::mem::take(&mut self.awaited)
            .into_iter()
            .partition::<Vec<_>, _>(|it| it.until <= now || it.rounds.have_passed());
        self.awaited = waiting;
        for awaited in due {
            self.look_once_more(awaited);
        }
    }

    /// When it is to be looked whether keys have come.
    pub(super) fn awaited_at(&self) -> Option<Millis> {
        let soon = self.sockets.now.millis.saturating_add(LOOK_EVERY_MILLIS);
        (!self.awaited.is_empty()).then_some(soon)
    }

    fn look_once_more(&mut self, awaited: Awaited) {
        let Awaited { id, request, token, until, .. } = awaited;
        let Some(State::Socket(session)) = self.sockets.slab.find(id).map(|it| &it.state) else {
            return;
        };
        let (was, now) = (session.caller().identity(), self.sockets.now);
        match self.judge.access.renewed(&was, token.as_bytes(), now.unix) {
            Ok(caller) => self.refresh(id, request, &caller),
            // The round was another issuer's.
            Err(NotRenewed { rounds: Some(rounds), .. }) if until > now.millis => {
                self.awaited.push(Awaited { id, request, token, rounds, until });
            }
            Err(NotRenewed { problem, .. }) => {
                self.refuse_refresh(id, request, &auth::told(problem));
            }
        }
    }

    fn refuse_refresh(&mut self, id: ConnectionId, request: u64, problem: &Problem) {
        self.sockets.figures.refusals.count(problem.code());
        let step = self.converse(id, |place, out| match &mut place.state {
            State::Socket(session) => session.reply(request, &Reply::Problem(problem), out),
            _ => Step::Wait,
        });
        // What came behind the command is still there to be decoded.
        self.go_on(id);
        self.take(id, step);
    }
}

/// Refreshes that wait at one time.
const AWAITED_MAX: usize = 256;

/// How often it is looked whether keys have come.
const LOOK_EVERY_MILLIS: Millis = 20;
