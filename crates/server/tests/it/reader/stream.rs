//! Server-Sent Events and NDJSON out of a chunked body.

use super::Carrier;
use super::incoming::{Broken, Incoming};
use super::item::{Ending, Item, Message, read};
use super::place::Place;

/// A stream.
#[derive(Debug)]
pub(super) struct Stream {
    body: Body,
    carrier: Carrier,
}

/// A chunked body as lines.
#[derive(Debug)]
struct Body {
    incoming: Incoming,
    plain: Vec<u8>,
    at: usize,
}

#[derive(Debug, Default)]
struct Block {
    event: Option<String>,
    data: Option<Vec<u8>>,
    id: Option<String>,
}

impl Stream {
    pub(super) fn new(incoming: Incoming, carrier: Carrier) -> Self {
        Self { body: Body { incoming, plain: Vec::new(), at: 0 }, carrier }
    }

    pub(super) fn incoming(&mut self) -> &mut Incoming {
        &mut self.body.incoming
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

impl Body {
    fn line(&mut self) -> Result<Vec<u8>, Ending> {
        let mut searched = self.at;
        loop {
            if let Some(found) = self.plain[searched..].iter().position(|byte| *byte == b'\n') {
                let end = searched + found;
                let line = self.plain[self.at..end].to_vec();
                self.at = end + 1;
                return Ok(line);
            }
            let waiting = self.plain.len() - self.at;
            self.plain.drain(..self.at);
            self.at = 0;
            searched = waiting;
            match self.chunk() {
                Ok(chunk) if chunk.is_empty() => return Err(Ending::Whole),
                Ok(chunk) => self.plain.extend_from_slice(&chunk),
                Err(Broken) => return Err(Ending::Cut),
            }
        }
    }

    fn chunk(&mut self) -> Result<Vec<u8>, Broken> {
        let size = String::from_utf8(self.incoming.line()?).unwrap();
        let size = usize::from_str_radix(&size, 16).unwrap_or_else(|_| panic!("chunk {size:?}"));
        let chunk = self.incoming.take(size)?;
        assert_eq!(self.incoming.take(2)?, b"\r\n");
        Ok(chunk)
    }
}
