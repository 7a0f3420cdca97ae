//! How an answer reaches the connection of a shard that waits for it: as a letter, whatever happens
//! to the task that waits in its place.

use fanfare_core::publication::Draft;
use fanfare_core::shard::ConnectionId;
use fanfare_protocol::native::problem::Problem;
use tokio::task::AbortHandle;

use crate::auth::Caller;
use crate::node::{Letter, Mailbox};

/// What came of a question.
#[derive(Debug)]
pub(crate) enum Reply {
    /// Who begins to read.
    Opening(Box<Caller>),
    /// Whether a channel may be read.
    Subscribe(Result<(), Problem>),
    /// What is published.
    Publish(Result<Box<Draft>, Problem>),
    /// Who stays; none if nobody says.
    Refresh(Option<Result<Caller, Problem>>),
    /// The task has broken; it is as if nobody had answered.
    Lost,
}

/// Where a reply goes.
#[derive(Debug)]
pub(crate) struct Tell {
    mailbox: Option<Mailbox>,
    connection: ConnectionId,
    question: u64,
}

impl Tell {
    /// To this connection, which knows the question by this number.
    pub(crate) fn new(mailbox: Mailbox, connection: ConnectionId, question: u64) -> Self {
        Self { mailbox: Some(mailbox), connection, question }
    }

    pub(super) fn tell(mut self, reply: Reply) {
        self.put(reply);
    }

    fn put(&mut self, reply: Reply) {
        if let Some(mailbox) = self.mailbox.take() {
            let (connection, question) = (self.connection, self.question);
            mailbox.put(Letter::Answered { connection, question, reply });
        }
    }
}

impl Drop for Tell {
    fn drop(&mut self) {
        self.put(Reply::Lost);
    }
}

/// A question that is on its way; nobody waits for it any more when this is dropped.
#[derive(Debug)]
pub(crate) struct Asked(AbortHandle);

impl Asked {
    pub(super) fn new(task: AbortHandle) -> Self {
        Self(task)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.abort();
    }
}
