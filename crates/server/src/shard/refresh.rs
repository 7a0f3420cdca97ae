//! New credentials for a reader that goes on reading: a `refresh` of `fanfare.v1`, or of a stream by
//! `POST /sessions/{id}`.

use fanfare_core::shard::ConnectionId;
use fanfare_protocol::native::problem::Problem;

use super::connection::State;
use super::event_loop::EventLoop;
use super::step::Step;
use super::websocket::Reply;
use crate::auth::{self, Caller};

impl EventLoop {
    /// Lets the reader stay as long as the caller's credentials are good, if these cover all that it
    /// reads: what they do not cover, it has to drop first.
    ///
    /// # Errors
    /// Which channel they do not cover, and why.
    pub(super) fn renew(&mut self, id: ConnectionId, caller: &Caller) -> Result<(), Problem> {
        let may = self.judge.access.may_go_on(caller, self.core.channels_of(id));
        may.map_err(auth::told)?;
        self.lease(id, caller.expires());
        self.trust(id, caller.clone());
        Ok(())
    }

    /// Carries out the `refresh` of a WebSocket.
    pub(super) fn refresh(&mut self, id: ConnectionId, request: u64, caller: &Caller) {
        let renewed = self.renew(id, caller);
        let left = caller.time_left(self.sockets.now.unix);
        if let Err(problem) = &renewed {
            self.sockets.figures.refusals.count(problem.code());
        }
        let step = self.converse(id, |place, out| {
            let State::Socket(session) = &mut place.state else {
                return Step::Wait;
            };
            match &renewed {
                Ok(()) => session.reply(request, &Reply::Refreshed(left), out),
                Err(problem) => session.reply(request, &Reply::Problem(problem), out),
            }
        });
        self.take(id, step);
    }
}
