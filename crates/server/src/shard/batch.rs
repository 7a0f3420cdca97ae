//! Publishes that came together: made one after the other, answered when the last one is.

use std::collections::HashMap;

use fanfare_core::shard::{Answer, Input, Origin, Request};
use tokio::sync::oneshot;

use super::event_loop::EventLoop;
use crate::node::Publishes;

/// The batches that wait for answers.
#[derive(Debug, Default)]
pub(super) struct Batches {
    open: HashMap<u64, Batch>,
    next: u64,
}

#[derive(Debug)]
struct Batch {
    answers: Vec<Option<Answer>>,
    left: usize,
    told: oneshot::Sender<Vec<Answer>>,
}

impl Batches {
    fn open(&mut self, count: usize, told: oneshot::Sender<Vec<Answer>>) -> u64 {
        self.next += 1;
        let answers = (0..count).map(|_| None).collect();
        self.open.insert(self.next, Batch { answers, left: count, told });
        self.next
    }

    /// Takes the answer to one of a batch.
    pub(super) fn answer(&mut self, number: u64, place: u32, answer: Answer) {
        let Some(batch) = self.open.get_mut(&number) else { return };
        let Some(waiting) = batch.answers.get_mut(place as usize) else { return };
        if waiting.replace(answer).is_none() {
            batch.left -= 1;
        }
        if batch.left == 0
            && let Some(batch) = self.open.remove(&number)
        {
            // Whoever asked may have gone, which loses nothing.
            let _gone = batch.told.send(batch.answers.into_iter().flatten().collect());
        }
    }
}

impl EventLoop {
    /// Has this shard's owners make publishes that came together.
    pub(super) fn publish_together(&mut self, publishes: Publishes) {
        let Publishes { items, permit, answers } = publishes;
        let batch = self.batches.open(items.len(), answers);
        for (place, (channel, draft)) in (0..).zip(items) {
            self.input(Input::Ask {
                origin: Origin::Batch { batch, place },
                channel,
                request: Request::Publish(draft),
                permit: permit.clone(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use fanfare_core::code::Code;
    use fanfare_core::shard::{Answer, Refusal};
    use tokio::sync::oneshot;

    use super::Batches;

    #[test]
    fn answers_come_in_order_when_all_are_there() {
        let mut batches = Batches::default();
        let (told, mut waiting) = oneshot::channel();
        let number = batches.open(2, told);
        let answer = |code| Answer::Refused(Refusal { code, head: None });
        batches.answer(number, 1, answer(Code::Overloaded));
        assert!(waiting.try_recv().is_err(), "one is missing");
        batches.answer(number, 0, answer(Code::ChannelEnded));
        let codes: Vec<_> = waiting
            .try_recv()
            .unwrap()
            .into_iter()
            .map(|answer| match answer {
                Answer::Refused(refusal) => refusal.code,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(codes, [Code::ChannelEnded, Code::Overloaded]);
    }
}
