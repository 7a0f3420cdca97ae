//! Publishers and readers that go on through crashes.

use std::collections::BTreeMap;
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Deserialize;

use super::ledger::{Acknowledged, Message};
use crate::reader::{Attach, Broken, Carrier, Incoming, Item, Place, Said, Via};

/// A publisher: one request at a time, and after a crash the one again that was not answered.
#[derive(Debug)]
pub(super) struct Publisher {
    number: usize,
    channels: Vec<String>,
    next: u64,
    /// What was sent and not answered.
    open: Option<(String, Message)>,
}

/// A reader of one channel.
#[derive(Debug)]
pub(super) struct Listener {
    channel: String,
    carrier: Carrier,
    cursor: Option<String>,
    /// What it was given, by offset.
    pub(super) given: BTreeMap<u64, Message>,
}

#[derive(Deserialize)]
struct Answer {
    offset: u64,
    epoch: String,
}

impl Publisher {
    pub(super) fn new(number: usize, channels: &[String]) -> Self {
        Self { number, channels: channels.to_vec(), next: 1, open: None }
    }

    /// Publishes until the server is gone.
    pub(super) fn run(mut self, address: String) -> JoinHandle<(Self, Vec<Acknowledged>)> {
        std::thread::spawn(move || {
            let mut acknowledged = Vec::new();
            let mut incoming = Incoming::try_connect(&address);
            while let Ok(incoming) = &mut incoming
                && let Ok(one) = self.publish(incoming)
            {
                acknowledged.extend(one);
            }
            (self, acknowledged)
        })
    }

    fn publish(&mut self, incoming: &mut Incoming) -> Result<Option<Acknowledged>, Broken> {
        let (channel, message) = self.open.clone().unwrap_or_else(|| {
            let message = Message { publisher: self.number, number: self.next };
            self.next += 1;
            let channel = &self.channels[fastrand::usize(..self.channels.len())];
            (channel.clone(), message)
        });
        self.open = Some((channel.clone(), message));
        let text = message.text();
        let length = text.len();
        // Whether a publish was made before the crash only its key can tell.
        let request = format!(
            "POST /c/{channel} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n\
             Idempotency-Key: {text}\r\nContent-Length: {length}\r\n\r\n{text}"
        );
        incoming.send(request.as_bytes())?;
        let (head, body) = incoming.answer()?;
        if head.starts_with("HTTP/1.1 503") {
            return Ok(None);
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}{}", String::from_utf8_lossy(&body));
        let Answer { offset, epoch } = serde_json::from_slice(&body).unwrap();
        self.open = None;
        Ok(Some(Acknowledged { channel, message, offset, epoch }))
    }
}

impl Listener {
    pub(super) fn new(channel: &str, carrier: Carrier) -> Self {
        let (channel, cursor) = (channel.to_owned(), None);
        Self { channel, carrier, cursor, given: BTreeMap::new() }
    }

    /// Reads until the server is gone, from where it was, half of the time over another transport.
    pub(super) fn run(mut self, address: String) -> JoinHandle<Self> {
        std::thread::spawn(move || {
            if fastrand::bool() {
                let carriers = [Carrier::Sse, Carrier::Ndjson, Carrier::V1, Carrier::Poll];
                self.carrier = carriers[fastrand::usize(..carriers.len())];
            }
            // The server may be gone before it has answered.
            if let Ok(()) = self.read(&address, None) {}
            self
        })
    }

    /// Reads up to this offset, from where it was.
    pub(super) fn catch_up(&mut self, address: &str, head: u64) {
        let seen = self.given.last_key_value().map_or(0, |(offset, _)| *offset);
        if seen < head {
            assert_eq!(self.read(address, Some(head)), Ok(()), "the server is there");
        }
    }

    fn read(&mut self, address: &str, until: Option<u64>) -> Result<(), Broken> {
        let attach = Attach {
            address,
            carrier: self.carrier,
            channel: &self.channel,
            from: Some(self.cursor.as_deref().unwrap_or("all")),
            said: Said::Since,
            via: if fastrand::bool() { Via::Shard } else { Via::Edge },
        };
        let mut reader = attach.open()?;
        reader.set_patience(Duration::from_secs(30));
        if self.cursor.is_none() {
            self.cursor = Some(reader.cursor.clone()).filter(|_| self.carrier != Carrier::Poll);
        }
        loop {
            match reader.next() {
                Item::Open(_) => {}
                Item::Message(told) => {
                    let text = std::str::from_utf8(&told.data).unwrap();
                    self.cursor = told.cursor;
                    let place = self.cursor.as_deref().map(Place::of_cursor);
                    let offset = place.expect("every publication has a cursor").offset;
                    let before = self.given.insert(offset, Message::parse(text));
                    assert!(before.is_none(), "{offset} of {} came twice", self.channel);
                    if until.is_some_and(|until| offset >= until) {
                        return Ok(());
                    }
                }
                Item::Gap(gap) => panic!("{}: {gap:?}", self.channel),
                Item::Ended(_) => return Ok(()),
            }
        }
    }
}
