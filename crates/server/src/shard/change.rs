//! Changes of live streams: the channels of a `POST /sessions/{id}`, one after another.
//!
//! A stream subscribes and unsubscribes as a `fanfare.v1` client does; only what comes of it goes
//! to who asked, at the edge, not into the stream. There is no table of streams: a change comes
//! with the place where its stream should be, and with a secret that the stream knows.

use std::collections::VecDeque;
use std::vec::IntoIter;

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::SessionId;
use fanfare_core::shard::{ConnectionId, Input};
use fanfare_core::start::{Later, Subscription};
use fanfare_protocol::native::change::Changed;
use fanfare_protocol::native::problem::Problem;
use tokio::sync::oneshot;

use super::connection::Connection;
use super::event_loop::EventLoop;
use super::websocket::Reply;
use crate::auth::{Caller, Identity};

/// A request to change a stream, on its way from the edge.
#[derive(Debug)]
pub(crate) struct Change {
    /// Where the stream is said to be.
    pub connection: ConnectionId,
    /// What only the stream's reader knows.
    pub secret: SessionId,
    /// Who asks.
    pub asker: Identity,
    /// Whose credentials the stream is to stay for from now on, if that is to change.
    pub renewed: Option<Caller>,
    /// What is wanted, in order.
    pub wanted: Vec<Alteration>,
    /// Where the outcome goes.
    pub outcome: oneshot::Sender<Outcome>,
}

/// One channel of a change.
#[derive(Debug)]
pub(crate) enum Alteration {
    /// It is not read any more.
    Drop(ChannelName),
    /// It is read too.
    Add(Subscription, Later),
    /// It was refused before it came here.
    Refused(Problem),
}

/// A result for each channel, or why there is none.
pub(crate) type Outcome = Result<Vec<Result<Changed, Problem>>, Problem>;

/// The change of a stream that is being made.
#[derive(Debug)]
pub(super) struct Changing {
    left: IntoIter<Alteration>,
    results: Vec<Result<Changed, Problem>>,
    outcome: oneshot::Sender<Outcome>,
    /// The channel that the core is working on, and the number that it knows it by.
    channel: Option<ChannelName>,
    request: u64,
    /// Changes that came meanwhile.
    waiting: VecDeque<Change>,
}

impl EventLoop {
    /// Changes a stream, if it is there and who asks may. Anything else has one answer, which does
    /// not say what was wrong.
    pub(super) fn change(&mut self, change: Change) {
        let id = change.connection;
        let connection = self.sockets.slab.find(id);
        let found = connection.is_some_and(|connection| {
            connection.marks.attached && connection.is_changed_by(change.secret, &change.asker)
        });
        if !found {
            return refuse(change.outcome, Code::SessionGone);
        }
        if let Some(changing) = self.changes.get_mut(&id) {
            if changing.waiting.len() >= WAITING_MAX {
                return refuse(change.outcome, Code::Overloaded);
            }
            return changing.waiting.push_back(change);
        }
        if let Some(changing) = self.ready(change) {
            self.changes.insert(id, changing);
            self.go_on_changing(id);
        }
    }

    /// Renews what the stream stays for, if that is asked; refuses the change if that cannot be.
    fn renewed(&mut self, change: Change) -> Option<Change> {
        let Some(caller) = &change.renewed else {
            return Some(change);
        };
        let Err(problem) = self.renew(change.connection, caller) else {
            return Some(change);
        };
        let _gone = change.outcome.send(Err(problem));
        None
    }

    /// A change that can begin; none if nobody waits for it any more, or its stream has not taken
    /// what it was told before: a reader that does not read could be told gaps without end, and that
    /// its credentials expire as often as it renews them.
    fn ready(&mut self, change: Change) -> Option<Changing> {
        if change.outcome.is_closed() {
            return None;
        }
        if self.sockets.slab.find(change.connection).is_none_or(Connection::holds_words) {
            refuse(change.outcome, Code::Overloaded);
            return None;
        }
        let Change { wanted, outcome, .. } = self.renewed(change)?;
        Some(Changing {
            results: Vec::with_capacity(wanted.len()),
            left: wanted.into_iter(),
            outcome,
            channel: None,
            request: 0,
            waiting: VecDeque::new(),
        })
    }

    /// Goes on with the next channel, then with the next change.
    fn go_on_changing(&mut self, id: ConnectionId) {
        while let Some(changing) = self.changes.get_mut(&id) {
            changing.request += 1;
            let request = changing.request;
            let input = match changing.left.next() {
                Some(Alteration::Refused(problem)) => {
                    self.sockets.figures.refusals.count(problem.code());
                    self.sockets.figures.changes_refused += 1;
                    changing.results.push(Err(problem));
                    continue;
                }
                Some(Alteration::Drop(channel)) => {
                    changing.channel = Some(channel.clone());
                    Input::Unsubscribe { connection: id, request, channel }
                }
                Some(Alteration::Add(subscription, later)) => {
                    changing.channel = Some(subscription.channel.clone());
                    Input::Subscribe { connection: id, request, subscription, later }
                }
                None => {
                    self.finish_change(id);
                    continue;
                }
            };
            // Its answer comes back here, at once or later.
            return self.input(input);
        }
    }

    /// The core has answered about one channel.
    pub(super) fn changed(&mut self, id: ConnectionId, request: u64, reply: &Reply<'_>) {
        let Some(changing) = self.changes.get_mut(&id).filter(|it| it.request == request) else {
            return;
        };
        let Some(channel) = changing.channel.take() else {
            return;
        };
        let result = match reply {
            Reply::Subscribed(opened) => Ok(Changed::Added((*opened).clone())),
            Reply::Unsubscribed(_) => Ok(Changed::Dropped(channel)),
            Reply::Refused(code) => Err(Problem::of(*code).about(&channel, None)),
            Reply::Problem(problem) => Err((*problem).clone()),
            Reply::Answer(..) | Reply::Refreshed(_) => {
                Err(Problem::of(Code::Internal).about(&channel, None))
            }
        };
        let figures = &mut self.sockets.figures;
        match &result {
            Ok(_) => figures.changes_made += 1,
            Err(_) => figures.changes_refused += 1,
        }
        changing.results.push(result);
        self.go_on_changing(id);
    }

    fn finish_change(&mut self, id: ConnectionId) {
        let Some(changing) = self.changes.remove(&id) else {
            return;
        };
        let Changing { results, outcome, request, mut waiting, .. } = changing;
        // Whoever asked may have gone, which loses nothing.
        let _gone = outcome.send(Ok(results));
        while let Some(next) = waiting.pop_front() {
            if let Some(next) = self.ready(next) {
                // What the core still says of the change before is not about this one.
                self.changes.insert(id, Changing { request, waiting, ..next });
                return;
            }
        }
    }

    /// The stream is gone, and with it what was to be changed.
    pub(super) fn give_up_changes(&mut self, id: ConnectionId) {
        let Some(changing) = self.changes.remove(&id) else {
            return;
        };
        let others = changing.waiting.into_iter().map(|change| change.outcome);
        for outcome in std::iter::once(changing.outcome).chain(others) {
            refuse(outcome, Code::SessionGone);
        }
    }
}

/// Tells who asked, if they are still there.
fn refuse(outcome: oneshot::Sender<Outcome>, code: Code) {
    let _gone = outcome.send(Err(Problem::of(code)));
}

/// Changes that wait for their turn on one stream, at most.
const WAITING_MAX: usize = 16;
