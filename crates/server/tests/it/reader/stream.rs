//! Server-Sent Events and NDJSON out of a chunked body.

use super::Carrier;
use super::body::{Body, Framing};
use super::incoming::Incoming;
use super::item::{Ending, Item, Message, read};
use super::place::Place;

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    body: Body,
    carrier: Carrier,
}

#[derive(Debug, Default)]
struct Block {
    event: Option<String>,
    data: Option<Vec<u8>>,
    id: Option<String>,
}

impl Stream {
    pub(super) fn new(incoming: Incoming, carrier: Carrier) -> Self {
        Self { body: Body::new(incoming, Framing::Chunked), carrier }
    }

    pub(super) fn incoming(&mut self) -> &mut Incoming {
        self.body.incoming()
    }

    pub(super) fn next(&mut self) -> Item {
        loop {
            let item = match self.carrier {
                Carrier::Sse => self.block().map(Block::item),
                _ => self.body.line().map(|line| read(&line)),
            };
            match item {
                Ok(Some(item)) => return item,
                Ok(None) => {}
                Err(ending) => return Item::Ended(ending),
            }
        }
    }

    fn block(&mut self) -> Result<Block, Ending> {
        let mut block = Block::default();
        loop {
            let line = self.body.line()?;
            if let Some(data) = line.strip_prefix(b"data: ") {
                match &mut block.data {
                    Some(lines) => {
                        lines.push(b'\n');
                        lines.extend_from_slice(data);
                    }
                    none => *none = Some(data.to_vec()),
                }
                continue;
            }
            let line = String::from_utf8(line).unwrap();
            if line.is_empty() {
                return Ok(block);
            } else if let Some(event) = line.strip_prefix("event: ") {
                block.event = Some(event.to_owned());
            } else if let Some(id) = line.strip_prefix("id: ") {
                block.id = Some(id.to_owned());
            } else {
                assert!(line.starts_with(": ") || line.starts_with("retry: "), "{line}");
            }
        }
    }
}

impl Block {
    fn item(self) -> Option<Item> {
        let data = self.data.expect("no block is without data");
        match self.event.as_deref() {
            Some("fanfare.open") => Some(Item::Open(self.id.unwrap())),
            Some("fanfare.gap") => {
                let mut gap: super::Gap = serde_json::from_slice(&data).unwrap();
                gap.cursor = self.id.unwrap();
                Some(Item::Gap(gap))
            }
            Some(other) if other.starts_with("fanfare.") => None,
            _ => {
                let offset = self.id.as_deref().map(|id| Place::of_cursor(id).offset);
                Some(Item::Message(Message { offset, prev: None, cursor: self.id, data }))
            }
        }
    }
}
