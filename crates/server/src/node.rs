//! The node: how shards and the edge reach each other.
//!
//! Every shard has one mailbox, which other shards and the edge put [`Letter`]s into. It never
//! blocks and has no bound of its own: what it can hold is bounded by the permits that publishes
//! carry and by one control message in flight for each connection. Letters of one sender arrive in
//! the order in which they were put in, which is what makes recovery exact.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};

use bytes::Bytes;
use fanfare_core::name::ChannelName;
use fanfare_core::permit::{Permit, PermitPool};
use fanfare_core::publication::Draft;
use fanfare_core::settings::ShardId;
use fanfare_core::shard::{
    Answer, Completion, ConnectionId, Figures, Message, Opening, Origin, Request,
};
use fanfare_protocol::native::head::HTTP2_PREFACE;
use tokio::sync::oneshot;

use crate::auth::Caller;
use crate::clerk::Clerks;
use crate::hooks::Reply;
use crate::limit::ClientAddress;
use crate::load::Counted;
use crate::pipe::{PipeWriter, Tunnel};
use crate::shard::{Change, Judge};
use crate::tls::{Entrance, Session};

/// What a shard can find in its mailbox.
#[derive(Debug)]
pub(crate) enum Letter {
    /// The core's own: from shard to shard.
    Core(Message),
    /// A question of the edge, with [`Origin::Edge`].
    Ask {
        /// Who waits.
        origin: Origin,
        /// The channel.
        channel: ChannelName,
        /// The question.
        request: Request,
        /// What it takes to be on its way.
        permit: Permit,
    },
    /// Publishes of one request to channels of this shard.
    Publish(Publishes),
    /// A socket that the acceptor dealt to this shard; its first request is still unread.
    Accepted {
        /// The socket, its options set.
        socket: mio::net::TcpStream,
        /// What is spoken on it.
        entrance: Entrance,
        /// Where it comes from.
        peer: SocketAddr,
        /// Counts it.
        counted: Counted,
    },
    /// A WebSocket whose upgrade the edge has answered with 101.
    Adopted(Box<Adoption>),
    /// A WebSocket over HTTP/2 that the edge has answered.
    Tunnelled(Box<Tunnelling>),
    /// The tunnel of this connection has bytes, or has had its last.
    TunnelHasBytes(ConnectionId),
    /// The tunnel of this connection has room again.
    TunnelHasRoom(ConnectionId),
    /// A subscriber of the edge: a stream or a poll on a connection that hyper owns.
    Subscriber {
        /// What it reads.
        opening: Box<Opening>,
        /// Who reads it.
        caller: Caller,
        /// Whether they may change it.
        changes: Changes,
        /// Where it comes from; none for a poll, whose end nobody is told.
        address: Option<ClientAddress>,
        /// Where its frames go; learns the connection's id from the shard.
        pipe: PipeWriter,
    },
    /// A stream's channels are to be changed.
    Change(Box<Change>),
    /// The pipe of this connection has room again.
    PipeReady(ConnectionId),
    /// The other end of this connection's pipe, or tunnel, is gone.
    PipeClosed(ConnectionId),
    /// The application's backend has answered a question about a connection, or will not.
    Answered {
        /// The connection that waits.
        connection: ConnectionId,
        /// The number of the question.
        question: u64,
        /// The answer.
        reply: Reply,
    },
    /// A clerk has read a large message of this connection.
    Read {
        /// The connection that waits.
        connection: ConnectionId,
        /// Its number for it.
        request: u64,
        /// What came of it; none if the reading itself broke.
        read: Option<Box<crate::shard::Read>>,
    },
    /// The engine has answered.
    Completed(Vec<Completion>),
    /// Somebody wants to see the figures.
    Snapshot(oneshot::Sender<ShardSnapshot>),
    /// Requests are judged by this from now on.
    Reload(Box<Judge>),
    /// Begin to drain: streams and sockets are told to come back, spread over this window.
    Drain(std::time::Duration),
    /// End the loop.
    Stop,
}

/// Whether the channels of a subscriber of the edge can be changed while it reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Changes {
    /// They can, and it is told when its credentials expire: it is a stream.
    Taken,
    /// They cannot: its payloads do not say of which channel they are.
    Refused,
    /// It is a poll, which is over before long.
    Brief,
}

/// Publishes that travel to their owner, and are answered, together.
#[derive(Debug)]
pub(crate) struct Publishes {
    /// In the order in which they are made.
    pub items: Vec<(ChannelName, Box<Draft>)>,
    /// What it takes for all of them to be on their way.
    pub permit: Permit,
    /// Where the answers go, in the order of the items.
    pub answers: oneshot::Sender<Vec<Answer>>,
}

/// What a scrape sees of one shard.
#[derive(Debug, Clone, Default)]
pub(crate) struct ShardSnapshot {
    /// The counters of the core.
    pub core: Figures,
    /// The counters of the sockets.
    pub sockets: crate::shard::SocketFigures,
}

/// A WebSocket on its way from the edge to a shard.
#[derive(Debug)]
pub(crate) struct Adoption {
    /// The socket, non-blocking.
    pub socket: std::net::TcpStream,
    /// Its TLS session, if it has one.
    pub session: Option<Box<Session>>,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Bytes that the client sent after its request head.
    pub leftover: Bytes,
    /// What it asked for.
    pub socket_request: crate::shard::SocketRequest,
    /// Counts it; the one that came with its [`Handover`].
    pub counted: Counted,
}

/// A WebSocket over HTTP/2 on its way to a shard, while its stream stays with hyper.
#[derive(Debug)]
pub(crate) struct Tunnelling {
    /// What it is written to and read from.
    pub tunnel: Tunnel,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// What it asked for.
    pub socket_request: crate::shard::SocketRequest,
    /// Counts it beside the connection that carries it.
    pub counted: Counted,
}

/// A connection on its way from a shard to hyper.
#[derive(Debug)]
pub(crate) struct Handover {
    /// The socket, non-blocking.
    pub socket: std::net::TcpStream,
    /// Its TLS session, if it has one.
    pub session: Option<Box<Session>>,
    /// Where it comes from.
    pub peer: SocketAddr,
    /// Bytes already read, beginning with a request head, or with the preface of HTTP/2.
    pub read: Bytes,
    /// What the client speaks.
    pub protocol: Protocol,
    /// Counts it until it ends.
    pub counted: Counted,
}

/// The HTTP of a connection that hyper owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// HTTP/1.0 or HTTP/1.1.
    Http1,
    /// HTTP/2, by prior knowledge: the client began with its preface.
    Http2,
}

impl Protocol {
    /// What a client speaks that began with these bytes.
    pub(crate) fn of(read: &[u8]) -> Self {
        if read.starts_with(HTTP2_PREFACE) { Self::Http2 } else { Self::Http1 }
    }
}

/// The sending half of a shard's mailbox.
#[derive(Debug, Clone)]
pub(crate) struct Mailbox {
    letters: mpsc::Sender<Letter>,
    waker: Arc<ShardWaker>,
}

/// Wakes a shard's poll, once for any number of letters.
#[derive(Debug)]
pub(crate) struct ShardWaker {
    waker: mio::Waker,
    pending: std::sync::atomic::AtomicBool,
}

/// What everything outside the shards knows of them.
#[derive(Debug)]
pub(crate) struct Node {
    mailboxes: Vec<Mailbox>,
    permits: Arc<PermitPool>,
    clerks: Clerks,
    /// None when the shards have ended, so that there will be no answers.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>,
    next_request: AtomicU64,
}

impl ShardWaker {
    /// A waker for the poll that `waker` belongs to.
    pub(crate) fn new(waker: mio::Waker) -> Self {
        Self { waker, pending: std::sync::atomic::AtomicBool::new(false) }
    }

    /// Wakes the shard unless it is woken already.
    pub(crate) fn wake(&self) {
        if !self.pending.swap(true, Ordering::AcqRel) {
            // A waker fails only when the poll is gone, and then nobody waits for the letter.
            let _gone = self.waker.wake();
        }
    }

    /// To be called by the shard before it looks into its mailbox.
    pub(crate) fn reset(&self) {
        self.pending.store(false, Ordering::Release);
    }
}

impl Mailbox {
    /// A mailbox and the end that the shard reads.
    #[expect(
        clippy::disallowed_methods,
        reason = "bounded by permits and one control message a connection, so that shards never block on each other"
    )]
    pub(crate) fn new(waker: Arc<ShardWaker>) -> (Self, mpsc::Receiver<Letter>) {
        let (letters, receiver) = mpsc::channel();
        (Self { letters, waker }, receiver)
    }

    /// Puts a letter in. Letters to a shard that has ended are dropped.
    pub(crate) fn put(&self, letter: Letter) {
        if self.letters.send(letter).is_ok() {
            self.waker.wake();
        }
    }
}

impl Node {
    /// The node of these shards.
    pub(crate) fn new(mailboxes: Vec<Mailbox>, permits: Arc<PermitPool>) -> Arc<Self> {
        Arc::new(Self {
            mailboxes,
            permits,
            clerks: Clerks::default(),
            waiting: Mutex::new(Some(HashMap::new())),
            next_request: AtomicU64::new(1),
        })
    }

    /// The mailboxes, by shard.
    pub(crate) fn mailboxes(&self) -> &[Mailbox] {
        &self.mailboxes
    }

    /// The bound on publishes on their way.
    pub(crate) fn permits(&self) -> &Arc<PermitPool> {
        &self.permits
    }

    /// Who reads what is large.
    pub(crate) fn clerks(&self) -> &Clerks {
        &self.clerks
    }

    /// The shard that owns a channel.
    pub(crate) fn owner(&self, channel: &ChannelName) -> ShardId {
        let shards = self.mailboxes.len().max(1) as u64;
        ShardId::try_from(channel.hash48().value() % shards).unwrap_or_default()
    }

    /// Asks a channel's owner. The answer is lost, and the receiver told so, only if the node ends.
    pub(crate) fn ask(
        &self,
        channel: ChannelName,
        request: Request,
        permit: Permit,
    ) -> oneshot::Receiver<Answer> {
        let (sender, receiver) = oneshot::channel();
        let number = self.next_request.fetch_add(1, Ordering::Relaxed);
        match self.waiting.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            Some(waiting) => waiting.insert(number, sender),
            None => return receiver,
        };
        if let Some(mailbox) = self.mailboxes.get(usize::from(self.owner(&channel))) {
            mailbox.put(Letter::Ask { origin: Origin::Edge(number), channel, request, permit });
        }
        receiver
    }

    /// Publishes to channels that one shard owns. The answers are lost, and the receiver told so,
    /// only if the node ends.
    pub(crate) fn publish(
        &self,
        owner: ShardId,
        items: Vec<(ChannelName, Box<Draft>)>,
        permit: Permit,
    ) -> oneshot::Receiver<Vec<Answer>> {
        let (answers, receiver) = oneshot::channel();
        if let Some(mailbox) = self.mailboxes.get(usize::from(owner)) {
            mailbox.put(Letter::Publish(Publishes { items, permit, answers }));
        }
        receiver
    }

    /// Tells a channel's owner something that it does not answer.
    pub(crate) fn tell(&self, channel: &ChannelName, message: Message) {
        if let Some(mailbox) = self.mailboxes.get(usize::from(self.owner(channel))) {
            mailbox.put(Letter::Core(message));
        }
    }

    /// The shards have ended: whoever waits, or asks from now on, is told that no answer comes.
    pub(crate) fn end(&self) {
        *self.waiting.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Hands an answer to whoever waits for it at the edge.
    pub(crate) fn answer(&self, number: u64, answer: Answer) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let asker = waiting.as_mut().and_then(|waiting| waiting.remove(&number));
        drop(waiting);
        if let Some(sender) = asker {
            // Whoever asked may have gone; the answer then has no reader, which loses nothing.
            let _gone = sender.send(answer);
        }
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::shard::{HistoryQuery, Order};
    use fanfare_core::start::Start;

    use super::*;

    #[test]
    fn who_asks_a_node_that_has_ended_is_told() {
        let node = Node::new(Vec::new(), PermitPool::new(1, 1));
        let ask = || {
            let query = HistoryQuery {
                since: Start::All,
                until: None,
                limit: 1,
                bytes: 1,
                order: Order::Ascending,
            };
            let channel = ChannelName::new("a").unwrap();
            node.ask(channel, Request::History(query), Permit::free())
        };
        let mut waiting = ask();
        assert!(
            waiting.try_recv().is_err_and(|error| error == oneshot::error::TryRecvError::Empty)
        );
        node.end();
        assert!(waiting.blocking_recv().is_err());
        assert!(ask().blocking_recv().is_err());
    }
}
