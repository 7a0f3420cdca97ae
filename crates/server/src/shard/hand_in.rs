//! Large messages: to a clerk, and back when it has read them.

use fanfare_core::shard::ConnectionId;

use super::catch::guarded;
use super::connection::State;
use super::event_loop::EventLoop;
use super::step::Step;
use super::websocket::{Large, Read};
use crate::node::Letter;

impl EventLoop {
    /// Has a clerk read a message of this connection.
    pub(super) fn hand_in(&self, id: ConnectionId, request: u64, large: Large) {
        let Some(mailbox) = self.node.mailboxes().get(usize::from(self.shard)).cloned() else {
            return;
        };
        self.node.clerks().give(move || {
            let read = guarded(|| large.read()).map(Box::new);
            mailbox.put(Letter::Read { connection: id, request, read });
        });
    }

    /// Goes on with what a clerk has read.
    pub(super) fn take_read(&mut self, id: ConnectionId, request: u64, read: Option<Box<Read>>) {
        let (judge, now) = (self.judge.clone(), self.sockets.now.unix);
        let step = match read {
            Some(read) => self.converse(id, |place, out| match &mut place.state {
                State::Socket(session) => session.take_read(request, *read, &judge, now, out),
                _ => Step::Wait,
            }),
            None => self.broken(id),
        };
        // What came behind it is still there to be decoded.
        self.go_on(id);
        self.take(id, step);
    }
}
