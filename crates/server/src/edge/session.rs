//! Changing a live stream: `POST /sessions/{id}`, whose id says where the stream lives.

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::cursor::Cursor;
use fanfare_core::start::{Later, Start, Subscription};
use fanfare_protocol::native::change::{self, ChangeItem, ChangeRequest};
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::response::Media;
use fanfare_protocol::native::session::Session;
use fanfare_protocol::native::starts::start_later;
use tokio::sync::oneshot;

use super::Shared;
use super::answer::{self, Answered};
use super::handle::{Asker, unix_millis};
use crate::auth::{self, Caller};
use crate::limit::{Sender, What};
use crate::node::Letter;
use crate::shard::{Alteration, Change};

impl Shared {
    /// Adds channels to a stream and drops others, as the body says.
    pub(super) async fn change_stream(
        &self,
        session: Session,
        body: Bytes,
        (caller, sender, facts): Asker<'_>,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let now = unix_millis();
        let read = self.read_body(body.len(), move || change::parse(&body, now));
        let ChangeRequest { items, refresh } = read.await?;
        let items = self.changes(items, (caller, facts)).await;
        let wanted =
            items.into_iter().map(|item| self.alteration(item, (caller, sender))).collect();
        let mailbox = self.node.mailboxes().get(usize::from(session.shard));
        let mailbox = mailbox.ok_or_else(|| Problem::of(Code::SessionGone))?;
        let (outcome, told) = oneshot::channel();
        let Session { secret, connection, .. } = session;
        let asker = caller.identity();
        let renewed = refresh.then(|| caller.clone());
        let change = Change { connection, secret, asker, renewed, wanted, outcome };
        mailbox.put(Letter::Change(Box::new(change)));
        match told.await {
            Ok(Ok(results)) => {
                let left = if refresh { caller.time_left(now) } else { None };
                Ok(answer::whole(Media::Json, change::answer(&results, left), None, origin))
            }
            Ok(Err(problem)) => Err(problem),
            // The shard has ended, and every stream with it.
            Err(_ended) => Err(Problem::of(Code::Draining)),
        }
    }

    /// What the stream is to do about one channel.
    fn alteration(&self, item: ChangeItem, (caller, sender): (&Caller, &Sender)) -> Alteration {
        let (channel, since, notices) = match item {
            ChangeItem::Drop(channel) => return Alteration::Drop(channel),
            ChangeItem::Refused(problem) => return Alteration::Refused(problem),
            ChangeItem::Add { channel, since, notices } => (channel, since, notices),
        };
        let may = self.access.may_attach(caller, &channel, notices).map_err(auth::told);
        let limit = || self.limiter.take(&self.terms, What::Subscribe, sender, [&channel]);
        if let Err(problem) = may.and_then(|()| limit()) {
            return Alteration::Refused(problem);
        }
        let (start, later) = match since {
            Some(since) => (start_later(&channel, Some(&since), &Cursor::new()), Later::Said),
            None => (Start::Now, Later::Carried),
        };
        Alteration::Add(Subscription { channel, start, notices }, later)
    }
}
