//! Publishing to the channels of a URL, and new histories.

use bytes::Bytes;
use fanfare_core::shard::{Answer, Request};
use fanfare_protocol::native::channels::{Each, Named};
use fanfare_protocol::native::cors::AllowedOrigin;
use fanfare_protocol::native::problem::Problem;
use fanfare_protocol::native::publish::{self, Publishing};
use fanfare_protocol::native::response::Media;

use super::Shared;
use super::answer::{self, Answered};
use super::ask::{self, Asked};
use crate::auth::{self, Caller};
use crate::hooks::Facts;

impl Shared {
    /// Publishes `body` to the channels of the URL.
    pub(super) async fn publish(
        &self,
        publishing: Publishing,
        body: Bytes,
        (caller, facts): (&Caller, &Facts),
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let (publisher, rules) = (caller.publisher().clone(), self.rules);
        let bytes = body.len();
        let drafts =
            self.read_body(bytes, move || publishing.drafts(body, &publisher, &rules)).await?;
        let drafts = drafts.into_iter().map(|each| self.allowed(caller, each)).collect();
        let drafts = self.publications(drafts, (caller, facts)).await;
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
        caller: &Caller,
        origin: &AllowedOrigin,
    ) -> Result<Answered, Problem> {
        let asked = channels
            .into_iter()
            .map(|named| {
                let channel = named?;
                self.access.may_remove(caller, &channel).map_err(auth::told)?;
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
            [Err(problem)] => return Err(problem.clone()),
            _ => {
                self.count_refusals(&answers);
                publish::results(&answers)
            }
        };
        answers.clear();
        Ok(answer::whole(Media::Json, body, None, origin))
    }

    /// Counts what was refused of several.
    pub(super) fn count_refusals(&self, answers: &[Each<Answer>]) {
        for answer in answers {
            match answer {
                Ok((_, Answer::Refused(refusal))) => self.cells.refused(refusal.code),
                Err(problem) => self.cells.refused(problem.code()),
                Ok(_) => {}
            }
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
