//! Long-poll: asks again from where the last answer ended.

use std::collections::VecDeque;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::incoming::{Broken, Incoming};
use super::item::{Ending, Gap, Item, read};
use super::{Attach, Said};

/// A polling client.
#[derive(Debug)]
pub(super) struct Poll {
    pub(super) incoming: Incoming,
    pub(super) cursor: String,
    address: String,
    channel: String,
    items: VecDeque<Item>,
}

#[derive(Deserialize)]
struct Answer<'a> {
    cursor: String,
    #[serde(borrow)]
    publications: Vec<&'a RawValue>,
    gaps: Vec<Gap>,
    end: bool,
}

impl Poll {
    /// Asks for the first time.
    pub(super) fn ask(incoming: Incoming, attach: &Attach<'_>) -> Result<Self, Broken> {
        let mut poll = Self {
            incoming,
            cursor: String::new(),
            address: attach.address.to_owned(),
            channel: attach.channel.to_owned(),
            items: VecDeque::new(),
        };
        poll.exchange(attach)?;
        Ok(poll)
    }

    fn exchange(&mut self, attach: &Attach<'_>) -> Result<(), Broken> {
        self.incoming.send(attach.request().as_bytes())?;
        let (head, body) = self.incoming.answer()?;
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let answer: Answer<'_> = serde_json::from_slice(&body).unwrap();
        assert_eq!(super::header(&head, "fanfare-cursor"), Some(answer.cursor.as_str()));
        self.cursor = answer.cursor;
        self.items.extend(answer.gaps.into_iter().map(|mut gap| {
            gap.cursor.clone_from(&self.cursor);
            Item::Gap(gap)
        }));
        self.items
            .extend(answer.publications.iter().filter_map(|line| read(line.get().as_bytes())));
        if answer.end {
            self.items.push_back(Item::Ended(Ending::Whole));
        }
        Ok(())
    }

    pub(super) fn next(&mut self) -> Item {
        loop {
            if let Some(item) = self.items.pop_front() {
                return item;
            }
            let (address, channel) = (self.address.clone(), self.channel.clone());
            let cursor = self.cursor.clone();
            let again = Attach {
                address: &address,
                carrier: super::Carrier::Poll,
                channel: &channel,
                from: Some(&cursor),
                said: Said::Since,
                via: super::Via::Shard,
            };
            if self.exchange(&again).is_err() {
                return Item::Ended(Ending::Cut);
            }
        }
    }
}
