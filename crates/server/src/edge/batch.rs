//! `POST /publish`: the items of a batch go to each owner in one letter, and their answers come back
//! in one, because a letter for each item would cost more than the publish.

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::permit::Permit;
use fanfare_core::publication::{Content, Draft};
use fanfare_core::shard::{Answer, Refusal};
use fanfare_protocol::native::batch::{self, BatchItem, BatchRequest, ItemResult};
use fanfare_protocol::native::channels::Each;
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::response::Media;
use tokio::sync::oneshot;

use super::Shared;
use super::answer::{self, Answered};
use super::handle::Asker;
use crate::auth::{self, Caller};
use crate::limit::{Sender, What};

/// What an item of the body became; publishes are known by their number.
#[derive(Debug)]
enum Item {
    One(usize),
    Several(Vec<Each<usize>>),
    Refused(Problem),
}

/// The publishes of a batch, by number.
#[derive(Debug, Default)]
struct Batch {
    channels: Vec<ChannelName>,
    answers: Vec<Answer>,
    /// Not sent yet, by owner.
    owners: Vec<Vec<Publish>>,
    /// On their way.
    sent: Vec<Sent>,
}

/// One publish of a batch, and its number.
#[derive(Debug)]
struct Publish {
    number: usize,
    draft: Box<Draft>,
}

/// What one letter took along.
#[derive(Debug)]
struct Sent {
    numbers: Vec<usize>,
    answers: oneshot::Receiver<Vec<Answer>>,
}

impl Shared {
    /// Publishes every item of a batch. Items of one channel keep their order, because they go to
    /// its owner in order and the ways from here to an owner are all one.
    pub(super) async fn batch(
        &self,
        request: BatchRequest,
        body: Bytes,
        (caller, sender, facts): Asker<'_>,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let (publisher, rules) = (caller.publisher().clone(), self.rules);
        let bytes = body.len();
        let read = move || request.items(&body, &publisher, &rules);
        let items = self.read_body(bytes, read).await?;
        let mut batch = Batch::default();
        let items = items.into_iter().map(|item| self.check(item, (caller, sender))).collect();
        let items = self.items(items, (caller, facts)).await;
        let items: Vec<Item> = items.into_iter().map(|item| self.sort(&mut batch, item)).collect();
        for owner in 0..batch.owners.len() {
            self.send(&mut batch, owner).await;
        }
        batch.settle().await;
        let results: Vec<_> = items.into_iter().map(|item| batch.result(item)).collect();
        for result in &results {
            match result {
                ItemResult::One(_, Answer::Refused(refusal)) => self.cells.refused(refusal.code),
                ItemResult::Several(answers) => self.count_refusals(answers),
                ItemResult::Refused(problem) => self.cells.refused(problem.code()),
                ItemResult::One(..) => {}
            }
        }
        Ok(answer::whole(Media::Json, batch::answer(&results), None, origin))
    }

    /// An item without what the caller may not publish.
    fn check(&self, item: BatchItem, (caller, sender): (&Caller, &Sender)) -> BatchItem {
        let may = |channel: &ChannelName, draft: &Draft| {
            self.access.may_publish(caller, channel, draft.end).map_err(auth::told)?;
            self.limiter.take(&self.terms, What::Publish, sender, [channel])
        };
        match item {
            BatchItem::One(channel, draft) => match may(&channel, &draft) {
                Ok(()) => BatchItem::One(channel, draft),
                Err(problem) => BatchItem::Refused(problem),
            },
            BatchItem::Several(drafts) => {
                let each = drafts.into_iter().map(|each| {
                    let (channel, draft) = each?;
                    may(&channel, &draft)?;
                    Ok((channel, draft))
                });
                BatchItem::Several(each.collect())
            }
            refused @ BatchItem::Refused(_) => refused,
        }
    }

    /// Puts the publishes of an item before their owners.
    fn sort(&self, batch: &mut Batch, item: BatchItem) -> Item {
        let mut add = |channel: ChannelName, draft: Box<Draft>| {
            let owner = usize::from(self.node.owner(&channel));
            if batch.owners.len() <= owner {
                batch.owners.resize_with(owner + 1, Vec::new);
            }
            let number = batch.channels.len();
            batch.channels.push(channel);
            // Stands until the owner has answered, and for ever if the node ends before it does.
            batch.answers.push(refused(Code::OutcomeUnknown));
            if let Some(publishes) = batch.owners.get_mut(owner) {
                publishes.push(Publish { number, draft });
            }
            number
        };
        match item {
            BatchItem::One(channel, draft) => Item::One(add(channel, draft)),
            BatchItem::Several(drafts) => {
                let each = drafts.into_iter().map(|each| {
                    let (channel, draft) = each?;
                    Ok((channel.clone(), add(channel, Box::new(draft))))
                });
                Item::Several(each.collect())
            }
            BatchItem::Refused(problem) => Item::Refused(problem),
        }
    }

    /// Sends an owner its publishes, as many at once as there are permits for. What finds none
    /// while others of the batch are on their way waits for those.
    async fn send(&self, batch: &mut Batch, owner: usize) {
        let mut waiting = batch.owners.get_mut(owner).map(std::mem::take).unwrap_or_default();
        let mut most = waiting.len();
        while !waiting.is_empty() {
            let count = most.min(waiting.len());
            if let Some(permit) = self.permit(&waiting, count) {
                let rest = waiting.split_off(count);
                self.send_together(batch, owner, std::mem::replace(&mut waiting, rest), permit);
            } else if count > 1 {
                most = count / 2;
            } else if batch.sent.is_empty() {
                let refuse = waiting.remove(0).number;
                batch.take(refuse, refused(Code::Overloaded));
            } else {
                batch.settle().await;
                most = waiting.len();
            }
        }
    }

    fn permit(&self, waiting: &[Publish], count: usize) -> Option<Permit> {
        let weight = |publish: &Publish| publish.draft.content.as_ref().map_or(0, Content::weight);
        let bytes = waiting.iter().take(count).map(weight).sum();
        self.node.permits().take_many(count, bytes)
    }

    fn send_together(
        &self,
        batch: &mut Batch,
        owner: usize,
        publishes: Vec<Publish>,
        permit: Permit,
    ) {
        let mut numbers = Vec::with_capacity(publishes.len());
        let mut items = Vec::with_capacity(publishes.len());
        for Publish { number, draft } in publishes {
            if let Some(channel) = batch.channels.get(number) {
                numbers.push(number);
                items.push((channel.clone(), draft));
            }
        }
        let owner = owner.try_into().unwrap_or_default();
        let answers = self.node.publish(owner, items, permit);
        batch.sent.push(Sent { numbers, answers });
    }
}

impl Batch {
    /// Waits for everything that is on its way; what the node did not live to answer nobody knows.
    async fn settle(&mut self) {
        for Sent { numbers, answers } in std::mem::take(&mut self.sent) {
            let answers = answers.await.unwrap_or_default();
            for (number, answer) in numbers.into_iter().zip(answers) {
                self.take(number, answer);
            }
        }
    }

    fn take(&mut self, number: usize, answer: Answer) {
        if let Some(place) = self.answers.get_mut(number) {
            *place = answer;
        }
    }

    fn result(&self, item: Item) -> ItemResult {
        let answer = |number: usize| self.answers.get(number).cloned();
        let lost = || refused(Code::OutcomeUnknown);
        match item {
            Item::Refused(problem) => ItemResult::Refused(problem),
            Item::One(number) => match self.channels.get(number) {
                Some(channel) => {
                    ItemResult::One(channel.clone(), answer(number).unwrap_or_else(lost))
                }
                None => ItemResult::Refused(Problem::of(Code::Internal)),
            },
            Item::Several(each) => {
                let each = each.into_iter().map(|each| {
                    let (channel, number) = each?;
                    Ok((channel, answer(number).unwrap_or_else(lost)))
                });
                ItemResult::Several(each.collect())
            }
        }
    }
}

fn refused(code: Code) -> Answer {
    Answer::Refused(Refusal { code, head: None })
}
