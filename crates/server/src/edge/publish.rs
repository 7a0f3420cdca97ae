//! Publishing: one channel or several, a batch, and new histories.

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Draft, Publisher};
use fanfare_core::shard::{Answer, Request};
use fanfare_protocol::native::batch::{self, BatchItem, BatchRequest, ItemResult};
use fanfare_protocol::native::channels::{Each, Named};
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::publish::{self, Publishing};
use fanfare_protocol::native::response::Media;

use super::Shared;
use super::answer::{self, Answered};
use super::ask::{self, Asked};

impl Shared {
    /// Publishes `body` to the channels of the URL.
    pub(super) async fn publish(
        &self,
        publishing: Publishing,
        body: Bytes,
        publisher: &Publisher,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let drafts = publishing.drafts(body, publisher, &self.rules)?;
        let asked = drafts
            .into_iter()
            .map(|each| {
                let (channel, draft) = each?;
                let asked = ask::publish(&self.node, channel.clone(), draft);
                Ok((channel, asked))
            })
            .collect();
        self.answer_each(asked, origin).await
    }

    /// Starts new histories.
    pub(super) async fn remove(
        &self,
        channels: Vec<Named>,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let asked = channels
            .into_iter()
            .map(|named| {
                let channel = named?;
                let asked = ask::question(&self.node, channel.clone(), Request::Remove);
                Ok((channel, asked))
            })
            .collect();
        self.answer_each(asked, origin).await
    }

    /// One channel's outcome is the answer's own; several stand in a list.
    async fn answer_each(
        &self,
        asked: Vec<Each<Asked>>,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let mut answers = settle(asked).await;
        let body = match answers.as_slice() {
            [Ok((channel, answer))] => publish::answer(channel, answer)?,
            _ => {
                self.count_refusals(&answers);
                publish::results(&answers)
            }
        };
        answers.clear();
        Ok(answer::whole(Media::Json, body, None, origin))
    }

    /// Publishes every item of a batch. Items of one channel keep their order, because they are
    /// asked in order and the ways from here to an owner are all one.
    pub(super) async fn batch(
        &self,
        request: BatchRequest,
        body: &Bytes,
        publisher: &Publisher,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let items = request.items(body, publisher, &self.rules)?;
        let mut pending = Vec::with_capacity(items.len());
        for item in items {
            let item = match item {
                BatchItem::One(channel, draft) => {
                    let asked = self.ask_or_wait(&mut pending, &channel, draft).await;
                    Pending::One(channel, asked)
                }
                BatchItem::Several(drafts) => {
                    Pending::Several(self.ask_several(&mut pending, drafts).await)
                }
                BatchItem::Refused(problem) => Pending::Settled(ItemResult::Refused(problem)),
            };
            pending.push(item);
        }
        let mut results = Vec::with_capacity(pending.len());
        for item in pending {
            results.push(item.settle().await);
        }
        for result in &results {
            match result {
                ItemResult::One(_, Answer::Refused(refusal)) => self.cells.refused(refusal.code),
                ItemResult::Several(answers) => self.count_refusals(answers),
                ItemResult::Refused(problem) => self.cells.refused(problem.code()),
                ItemResult::One(..) => {}
            }
        }
        let body = batch::answer(&results);
        Ok(answer::whole(Media::Json, body, None, origin))
    }

    /// Asks for each channel of one item.
    async fn ask_several(
        &self,
        pending: &mut [Pending],
        drafts: Vec<Each<Draft>>,
    ) -> Vec<Each<Asked>> {
        let mut asked = Vec::with_capacity(drafts.len());
        for each in drafts {
            asked.push(match each {
                Ok((channel, draft)) => {
                    let one = self.ask_or_wait(pending, &channel, draft).await;
                    Ok((channel, one))
                }
                Err(problem) => Err(problem),
            });
        }
        asked
    }

    /// Asks, and if the batch itself holds all permits waits for what it asked before.
    async fn ask_or_wait(
        &self,
        pending: &mut [Pending],
        channel: &ChannelName,
        draft: Draft,
    ) -> Asked {
        let first = ask::publish(&self.node, channel.clone(), draft.clone());
        if !matches!(first, Asked::Refused(Code::Overloaded)) {
            return first;
        }
        for item in pending.iter_mut() {
            let waiting =
                std::mem::replace(item, Pending::Settled(ItemResult::Several(Vec::new())));
            *item = Pending::Settled(waiting.settle().await);
        }
        ask::publish(&self.node, channel.clone(), draft)
    }

    fn count_refusals(&self, answers: &[Each<Answer>]) {
        for answer in answers {
            match answer {
                Ok((_, Answer::Refused(refusal))) => self.cells.refused(refusal.code),
                Err(problem) => self.cells.refused(problem.code()),
                Ok(_) => {}
            }
        }
    }
}

/// One item of a batch on its way.
#[derive(Debug)]
enum Pending {
    One(ChannelName, Asked),
    Several(Vec<Each<Asked>>),
    Settled(ItemResult),
}

impl Pending {
    async fn settle(self) -> ItemResult {
        match self {
            Self::One(channel, asked) => ItemResult::One(channel, asked.answer().await),
            Self::Several(asked) => ItemResult::Several(settle(asked).await),
            Self::Settled(result) => result,
        }
    }
}

/// Waits for all answers; they were asked at once, so this takes as long as the slowest.
async fn settle(asked: Vec<Each<Asked>>) -> Vec<Each<Answer>> {
    let mut answers = Vec::with_capacity(asked.len());
    for each in asked {
        answers.push(match each {
            Ok((channel, asked)) => Ok((channel, asked.answer().await)),
            Err(problem) => Err(problem),
        });
    }
    answers
}
