//! Drain: every connection is told to come back, spread over a window. The loop goes on, because
//! other shards and the edge still ask its owners, until it is told to stop.

use std::time::Duration;

use fanfare_core::shard::ConnectionId;

use super::connection::State;
use super::event_loop::{Course, EventLoop};
use super::step::Step;
use crate::hooks::events::Parting;
use crate::pipe::PipeItem;

impl EventLoop {
    /// Begins to drain.
    pub(super) fn drain(&mut self, window: Duration) {
        self.course = Course::Draining;
        let window = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        self.drain_ends = self.sockets.now.millis.saturating_add(window);
        for id in self.sockets.slab.ids() {
            self.join_drain(id);
        }
    }

    /// Gives the connection its moment, if the shard drains.
    pub(super) fn join_drain(&mut self, id: ConnectionId) {
        if self.course != Course::Draining {
            return;
        }
        // Who comes late has what is left, so that the end does not move with every newcomer, but
        // enough to be told something.
        let left = self.drain_ends.saturating_sub(self.sockets.now.millis);
        let after = self.draw_below(Duration::from_millis(left).max(LATE_WITHIN));
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return;
        };
        let working = match &connection.state {
            State::Closing => return,
            State::Socket(session) if session.is_closing() => return,
            State::Http(http) => !http.listens(),
            _ => false,
        };
        connection.marks.draining = true;
        // A request in work is answered first; its answer says that it is the last.
        if !working {
            self.sockets.set_due(id, after);
        }
    }

    /// The connection's moment has come.
    pub(super) fn drain_one(&mut self, id: ConnectionId) {
        let retry = self.draw_retry(self.judge.options.drain_retry.clone());
        self.part(id, Parting::Drain);
        self.push(id, PipeItem::Drain);
        let step = self.converse(id, |place, out| match &mut place.state {
            State::Stream(stream) => {
                stream.drain(retry, out);
                Step::Gone
            }
            State::Socket(session) => session.drain(out),
            State::Http(http) if http.listens() => Step::Finish,
            State::Proxied(_) => Step::Gone,
            State::Http(_) | State::Closing => Step::Wait,
            State::Pipe(_) => Step::Gone,
        });
        match step {
            Step::Gone => self.break_off(id),
            step => {
                self.take(id, step);
            }
        }
    }

    /// Aborts a stream, but lets what it was told last go out first if that can be.
    pub(super) fn break_off(&mut self, id: ConnectionId) {
        let chunked = self.sockets.slab.find(id).is_some_and(|connection| {
            matches!(&connection.state, State::Stream(stream)
                if stream.version != fanfare_protocol::native::head::Version::Http10)
        });
        if chunked {
            // Without its last chunk the body is broken off, however orderly the socket closes.
            self.finish(id);
        } else {
            self.abort(id);
        }
    }
}

/// Over how long those are spread who come when the window has passed; less than the grace that
/// the server has after it.
const LATE_WITHIN: Duration = Duration::from_secs(1);
