//! What was acknowledged, held against what the server gives.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::wire::{Wire, body};

/// One publication: who published it and which one of its publisher's it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Message {
    pub(super) publisher: usize,
    pub(super) number: u64,
}

/// An acknowledgement.
#[derive(Debug, Clone)]
pub(super) struct Acknowledged {
    pub(super) channel: String,
    pub(super) message: Message,
    pub(super) offset: u64,
    pub(super) epoch: String,
}

/// Everything that was acknowledged, and the whole of what the server has given so far.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    acknowledged: BTreeMap<(String, u64), Acknowledged>,
    channels: HashMap<String, Channel>,
}

#[derive(Debug, Default)]
struct Channel {
    epoch: Option<String>,
    /// Up to where it was compared.
    head: Option<String>,
    given: BTreeMap<u64, Message>,
    seen: HashSet<Message>,
    newest: HashMap<usize, u64>,
}

#[derive(Debug, Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    publications: Vec<Given<'a>>,
    cursor: String,
    next: Option<String>,
    #[serde(borrow)]
    gaps: Vec<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Given<'a> {
    offset: u64,
    epoch: &'a str,
    data: &'a str,
}

impl Message {
    pub(super) fn text(self) -> String {
        format!("{}-{}", self.publisher, self.number)
    }

    pub(super) fn parse(text: &str) -> Self {
        let (publisher, number) = text.split_once('-').unwrap();
        Self { publisher: publisher.parse().unwrap(), number: number.parse().unwrap() }
    }
}

impl Ledger {
    /// Takes note of acknowledgements. The same message may be acknowledged again, in its place.
    pub(super) fn note(&mut self, acknowledged: impl IntoIterator<Item = Acknowledged>) {
        for one in acknowledged {
            let place = (one.channel.clone(), one.offset);
            let before = self.acknowledged.insert(place, one.clone());
            assert!(
                before.as_ref().is_none_or(|before| before.message == one.message),
                "{one:?} has the place of {before:?}"
            );
        }
    }

    /// Reads what is new of every channel, and holds it against what was acknowledged.
    pub(super) fn compare(&mut self, address: &str, channels: &[String]) {
        let mut wire = Wire::connect(address);
        for channel in channels {
            self.channels.entry(channel.clone()).or_default().read_on(&mut wire, channel);
        }
        for ((channel, offset), one) in &self.acknowledged {
            let given = self.channels.get(channel).and_then(|given| given.given.get(offset));
            assert_eq!(given, Some(&one.message), "acknowledged and not there: {one:?}");
            let epoch = self.channels[channel].epoch.as_deref();
            assert_eq!(epoch, Some(one.epoch.as_str()), "{channel} has another epoch");
        }
    }

    /// What a channel has given, by offset.
    pub(super) fn given(&self, channel: &str) -> &BTreeMap<u64, Message> {
        &self.channels[channel].given
    }

    /// How many messages were acknowledged.
    pub(super) fn count(&self) -> usize {
        self.acknowledged.len()
    }

    /// Acknowledged messages that are not there any more: for a harness that has to lose some.
    pub(super) fn lost(&self, address: &str, channels: &[String]) -> usize {
        let mut wire = Wire::connect(address);
        let mut lost = 0;
        for channel in channels {
            let mut found = Channel::default();
            found.read_on(&mut wire, channel);
            let own = self.acknowledged.values().filter(|one| one.channel == *channel);
            lost += own.filter(|one| !found.seen.contains(&one.message)).count();
        }
        lost
    }
}

impl Channel {
    fn read_on(&mut self, wire: &mut Wire, channel: &str) {
        loop {
            let since = self.head.as_deref().unwrap_or("all");
            let target = format!("/c/{channel}/history?limit=1000&since={since}");
            wire.ask(&format!("GET {target} HTTP/1.1"), &[]);
            let answer = wire.answer();
            let page: Page<'_> = serde_json::from_str(body(&answer)).unwrap();
            assert!(page.gaps.is_empty(), "{channel} since {since}: {:?}", page.gaps);
            for given in &page.publications {
                self.take(channel, given);
            }
            self.head = Some(page.cursor.clone());
            if page.next.is_none() {
                return;
            }
        }
    }

    fn take(&mut self, channel: &str, given: &Given<'_>) {
        let message = Message::parse(given.data);
        let epoch = self.epoch.get_or_insert_with(|| given.epoch.to_owned());
        assert_eq!(epoch, given.epoch, "{channel} has another epoch");
        let last = self.given.last_key_value().map_or(0, |(offset, _)| *offset);
        assert!(given.offset > last, "{channel}: {} after {last}", given.offset);
        assert!(self.seen.insert(message), "{channel}: {message:?} is there twice");
        let newest = self.newest.entry(message.publisher).or_default();
        assert!(message.number > *newest, "{channel}: {message:?} after {newest}");
        *newest = message.number;
        self.given.insert(given.offset, message);
    }
}
