//! Reads `text/event-stream` as the HTML standard says (section 9.2.6, "Interpreting an event
//! stream"), and Fanfare's events in it.

use std::collections::VecDeque;
use std::mem;
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::failure::Failure;
use super::frame::{self, Frame, Gap};
use super::http::lost;
use super::presence::News;

/// The longest line: a payload of 32 MiB in which every byte is escaped.
pub(super) const LINE_BYTES_MAX: usize = 256 << 20;

/// An event stream that is being read.
#[derive(Debug)]
pub(crate) struct SseReader {
    body: Incoming,
    parser: Parser,
    frames: VecDeque<Frame>,
}

impl SseReader {
    /// Reads a body.
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, parser: Parser::default(), frames: VecDeque::new() }
    }

    /// The next frame; `None` when the body ends.
    ///
    /// # Errors
    ///
    /// The connection breaks, or what comes is not the protocol.
    pub(crate) async fn next(&mut self) -> Result<Option<Frame>, Failure> {
        loop {
            if let Some(frame) = self.frames.pop_front() {
                return Ok(Some(frame));
            }
            let Some(chunk) = self.body.frame().await else {
                return Ok(None);
            };
            let chunk = chunk.map_err(|error| lost(&error))?;
            let Some(bytes) = chunk.data_ref() else {
                continue;
            };
            for item in self.parser.feed(bytes)? {
                read_item(item, &mut self.frames)?;
            }
        }
    }
}

/// What an event stream is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Item {
    /// A block with data.
    Event {
        /// `message` if the block named none.
        name: String,
        /// The data lines, joined by LF.
        data: String,
        /// The last id seen, in this block or before.
        id: String,
    },
    /// The time to wait before coming back.
    Retry(Duration),
    /// A comment, which is a sign of life.
    Comment,
}

/// The state between chunks.
#[derive(Debug, Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    after_cr: bool,
    after_first_line: bool,
    name: String,
    data: Option<String>,
    id: String,
    last_id: String,
}

impl Parser {
    /// Takes the next bytes, cut anywhere, and gives what became complete.
    ///
    /// # Errors
    ///
    /// [`Failure::Garbled`] for a line or an event longer than [`LINE_BYTES_MAX`].
    pub(crate) fn feed(&mut self, mut bytes: &[u8]) -> Result<Vec<Item>, Failure> {
        let mut items = Vec::new();
        if self.after_cr && !bytes.is_empty() {
            self.after_cr = false;
            bytes = bytes.strip_prefix(b"\n").unwrap_or(bytes);
        }
        while let Some(end) = bytes.iter().position(|byte| matches!(byte, b'\r' | b'\n')) {
            let (start, rest) = bytes.split_at(end);
            self.line.extend_from_slice(start);
            self.after_cr = rest == b"\r";
            bytes = rest.strip_prefix(b"\r\n").or_else(|| rest.get(1..)).unwrap_or_default();
            let line = mem::take(&mut self.line);
            self.line(&line, &mut items);
        }
        self.line.extend_from_slice(bytes);
        let held = self.line.len() + self.data.as_ref().map_or(0, String::len);
        if held > LINE_BYTES_MAX {
            return Err(Failure::Garbled("an event of more than 256 MiB".to_owned()));
        }
        Ok(items)
    }

    fn line(&mut self, line: &[u8], items: &mut Vec<Item>) {
        let line = if mem::replace(&mut self.after_first_line, true) {
            line
        } else {
            line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line)
        };
        let line = String::from_utf8_lossy(line);
        if line.is_empty() {
            self.dispatch(items);
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" => items.push(Item::Comment),
            "event" => value.clone_into(&mut self.name),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            "id" if !value.contains('\0') => value.clone_into(&mut self.id),
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                if let Ok(millis) = value.parse() {
                    items.push(Item::Retry(Duration::from_millis(millis)));
                }
            }
            // The standard says that unknown fields are ignored.
            _ => {}
        }
    }

    fn dispatch(&mut self, items: &mut Vec<Item>) {
        self.last_id.clone_from(&self.id);
        let name = mem::take(&mut self.name);
        if let Some(data) = self.data.take() {
            let name = if name.is_empty() { "message".to_owned() } else { name };
            items.push(Item::Event { name, data, id: self.last_id.clone() });
        }
    }
}

fn read_item(item: Item, frames: &mut VecDeque<Frame>) -> Result<(), Failure> {
    let (name, data, id) = match item {
        Item::Event { name, data, id } => (name, data, id),
        Item::Retry(wait) => {
            frames.push_back(Frame::Retry(wait));
            return Ok(());
        }
        Item::Comment => {
            frames.push_back(Frame::Alive);
            return Ok(());
        }
    };
    match name.as_str() {
        "message" => {
            frames.push_back(Frame::Message(Box::new(frame::read("a message", &data)?)));
        }
        "fanfare.open" => {
            frames.push_back(Frame::Open(frame::read("the opening", &data)?));
        }
        "fanfare.gap" => frames.push_back(Frame::Gap(frame::read::<Gap>("a gap", &data)?)),
        "fanfare.end" => {
            let end = frame::read::<frame::End>("an end", &data)?;
            frames.push_back(Frame::End(end.channel));
        }
        other => {
            let kind = other.strip_prefix("fanfare.").unwrap_or_default();
            frames.push_back(News::read(kind, &data)?.map_or(Frame::Alive, Frame::News));
        }
    }
    if !id.is_empty() {
        frames.push_back(Frame::Cursor(id));
    }
    Ok(())
}

#[cfg(test)]
#[path = "sse_test.rs"]
mod tests;
