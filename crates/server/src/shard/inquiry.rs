//! Asking is a state: what a client wants waits here while the application's backend is asked, and
//! nothing else of the client's goes on meanwhile.
//!
//! A request that begins to read is judged again when it is known who sent it; a command goes on to
//! the core, or is refused. A connection that goes takes its question with it.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Content, Draft};
use fanfare_core::shard::{ConnectionId, Input, Request};
use fanfare_core::start::{Later, Subscription};
use fanfare_protocol::native::problem::Problem;

use super::connection::State;
use super::event_loop::EventLoop;
use super::step::Step;
use super::websocket::Reply;
use super::wheel::Tick;
use crate::auth::Caller;
use crate::hooks::{self, Asked, Facts, Questions, Tell};

/// What the backend is to be asked about.
#[derive(Debug)]
pub(super) enum Inquiry {
    /// Who begins to read, and whether they may read these channels.
    Opening { caller: Caller, facts: Facts, subscriptions: Vec<Subscription> },
    /// Whether another channel may be read.
    Subscribe { request: u64, caller: Caller, subscription: Subscription },
    /// What is to be published.
    Publish { request: u64, caller: Caller, channel: ChannelName, draft: Box<Draft> },
}

/// The questions of a shard that are not answered.
#[derive(Debug, Default)]
pub(super) struct Inquiries {
    waiting: HashMap<ConnectionId, Waiting>,
    last: u64,
}

/// A question of one connection.
#[derive(Debug)]
struct Waiting {
    question: u64,
    next: Next,
    _asked: Asked,
}

/// What goes on when it is answered.
#[derive(Debug)]
enum Next {
    Opening,
    Subscribe { request: u64, subscription: Subscription },
    Publish { request: u64, channel: ChannelName },
}

impl Inquiries {
    /// Nobody waits for a connection's answer any more.
    pub(super) fn end(&mut self, id: ConnectionId) {
        self.waiting.remove(&id);
    }

    /// The number of another question.
    pub(super) fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn take(&mut self, id: ConnectionId, question: u64) -> Option<Next> {
        let found = self.waiting.get(&id).is_some_and(|it| it.question == question);
        if found { self.waiting.remove(&id).map(|it| it.next) } else { None }
    }
}

impl EventLoop {
    /// Asks the backend, and has the connection wait.
    pub(super) fn inquire(&mut self, id: ConnectionId, inquiry: Inquiry) {
        let question = self.inquiries.number();
        let Some((hooks, tell)) = self.teller(id, question) else {
            return self.go_on_unasked(id, inquiry);
        };
        let asking = Arc::clone(&hooks);
        let (next, asked) = match inquiry {
            Inquiry::Opening { caller, facts, subscriptions } => {
                if let Some(connection) = self.sockets.slab.find_mut(id) {
                    connection.marks.asking = true;
                    // The question has a deadline of its own.
                    connection.due = Tick::MAX;
                }
                self.join_drain(id);
                let access = Arc::clone(&self.judge.access);
                let asked = hooks.spawn(tell, async move {
                    let caller = asking.admit(&access, caller, &facts, &subscriptions).await;
                    hooks::Reply::Opening(Box::new(caller))
                });
                (Next::Opening, asked)
            }
            Inquiry::Subscribe { request, caller, subscription } => {
                let channel = subscription.channel.clone();
                let asked = hooks.spawn(tell, async move {
                    let facts = Facts::default();
                    hooks::Reply::Subscribe(asking.may_read(&caller, &facts, &channel).await)
                });
                (Next::Subscribe { request, subscription }, asked)
            }
            Inquiry::Publish { request, caller, channel, draft } => {
                let named = channel.clone();
                let asked = hooks.spawn(tell, async move {
                    let facts = Facts::default();
                    let draft = asking.publication(&caller, &facts, &named, draft, None).await;
                    hooks::Reply::Publish(draft)
                });
                (Next::Publish { request, channel }, asked)
            }
        };
        self.inquiries.waiting.insert(id, Waiting { question, next, _asked: asked });
    }

    /// Who is asked, and how the answer finds this connection.
    pub(super) fn teller(&self, id: ConnectionId, question: u64) -> Option<(Arc<Questions>, Tell)> {
        let hooks = self.judge.hooks.clone()?;
        let mailbox = self.node.mailboxes().get(usize::from(self.shard))?.clone();
        Some((hooks, Tell::new(mailbox, id, question)))
    }

    /// The configuration has been exchanged since it was found that there is somebody to ask.
    fn go_on_unasked(&mut self, id: ConnectionId, inquiry: Inquiry) {
        match inquiry {
            Inquiry::Opening { caller, .. } => self.admitted(id, caller),
            Inquiry::Subscribe { request, subscription, .. } => {
                self.subscribe_allowed(id, request, subscription);
            }
            Inquiry::Publish { request, channel, draft, .. } => {
                self.publish_allowed(id, request, channel, draft);
            }
        }
    }

    /// The backend has answered, or will not.
    pub(super) fn answered(&mut self, id: ConnectionId, question: u64, reply: hooks::Reply) {
        if self.leases.awaits(id, question) {
            let answer = match reply {
                hooks::Reply::Refresh(answer) => answer,
                _ => None,
            };
            return self.stays(id, question, answer);
        }
        let Some(next) = self.inquiries.take(id, question) else {
            // Its connection is gone.
            return;
        };
        match (next, reply) {
            (Next::Opening, hooks::Reply::Opening(caller)) => self.admitted(id, *caller),
            (Next::Opening, _) => self.admitted(id, Caller::refused(hooks::unanswered())),
            (Next::Subscribe { request, subscription }, hooks::Reply::Subscribe(answer)) => {
                match answer {
                    Ok(()) => self.subscribe_allowed(id, request, subscription),
                    Err(problem) => self.inquiry_refused(id, request, &problem),
                }
            }
            (Next::Publish { request, channel }, hooks::Reply::Publish(answer)) => match answer {
                Ok(draft) => self.publish_allowed(id, request, channel, draft),
                Err(problem) => self.inquiry_refused(id, request, &problem),
            },
            (Next::Subscribe { request, .. } | Next::Publish { request, .. }, _) => {
                self.inquiry_refused(id, request, &hooks::unanswered());
            }
        }
    }

    /// It is known who begins to read: the request is judged again.
    fn admitted(&mut self, id: ConnectionId, caller: Caller) {
        let Some(connection) = self.sockets.slab.find_mut(id) else {
            return;
        };
        connection.marks.asking = false;
        if let State::Http(http) = &mut connection.state {
            http.admit(caller);
        }
        self.sockets.queue(id);
    }

    fn subscribe_allowed(&mut self, id: ConnectionId, request: u64, subscription: Subscription) {
        let later = Later::Said;
        self.input(Input::Subscribe { connection: id, request, subscription, later });
    }

    fn publish_allowed(
        &mut self,
        id: ConnectionId,
        request: u64,
        channel: ChannelName,
        draft: Box<Draft>,
    ) {
        let bytes = draft.content.as_ref().map_or(0, Content::weight);
        let question = Request::Publish(draft);
        self.take(id, Step::Ask { request, channel, question, bytes });
    }

    fn inquiry_refused(&mut self, id: ConnectionId, request: u64, problem: &Problem) {
        self.sockets.figures.refusals.count(problem.code());
        self.reply(id, request, &Reply::Problem(problem));
    }
}
