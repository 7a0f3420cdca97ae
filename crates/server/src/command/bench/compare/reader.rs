//! What comes over one connection, taken apart: when the subscription stands, which publications
//! came and when, and where one may come back to. Knows no socket; reads no clock but the bench's.

use std::collections::VecDeque;

use anyhow::{Context, Result, bail};

use super::kind::Kind;
use crate::command::bench::connect::Clock;
use crate::command::bench::framing::{Body, Head, PONG, Piece, put_frame};
use crate::command::bench::mark::{Mark, Scanner};
use crate::command::client::frame::Frame;
use crate::command::client::message::Message;
use crate::command::client::ndjson::{CursorScope, read_line};
use crate::command::client::poll::Answer;
use crate::command::client::sse::{Item, Parser};

/// One thing that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Event {
    /// The subscription stands: nothing that is published from now on is missed.
    Stands,
    Publication(Came),
    /// The server says that publications are gone.
    Gap,
    /// A ping; these bytes are to be sent.
    Reply(Vec<u8>),
    /// A poll has its answer, and the next one is to be asked.
    Answered,
    /// The server has ended it.
    End,
}

/// A publication that came, in nanoseconds of the bench's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Came {
    pub(super) mark: Mark,
    /// When the first byte of what carries it was read.
    pub(super) first: u64,
    /// When it was whole and taken apart.
    pub(super) whole: u64,
}

/// The state of one connection.
#[derive(Debug)]
pub(super) struct Reader {
    kind: Kind,
    payload_bytes: usize,
    clock: Clock,
    place: Place,
    /// The line, message or answer that is coming.
    unit: Vec<u8>,
    /// When its first byte was read.
    began: Option<u64>,
    events: Parser,
    stands: bool,
    cursor: String,
}

#[derive(Debug)]
enum Place {
    Head(Vec<u8>),
    Body(Body),
}

impl Reader {
    /// Of a connection that asks for what comes behind this cursor; an empty one is now.
    pub(super) fn new(kind: Kind, cursor: String, payload_bytes: usize, clock: Clock) -> Self {
        Self {
            kind,
            payload_bytes,
            clock,
            place: Place::Head(Vec::new()),
            unit: Vec::new(),
            began: None,
            events: Parser::default(),
            stands: false,
            cursor,
        }
    }

    /// Where one may come back to: everything up to here has been given out.
    pub(super) fn cursor(&self) -> &str {
        &self.cursor
    }

    /// Takes what was read at `now`.
    ///
    /// # Errors
    /// If it is a refusal, or what nobody understands.
    pub(super) fn feed(&mut self, mut bytes: &[u8], now: u64) -> Result<Vec<Event>> {
        let mut events = Vec::new();
        loop {
            match &mut self.place {
                Place::Head(had) => {
                    if bytes.is_empty() {
                        return Ok(events);
                    }
                    self.began.get_or_insert(now);
                    let Some((head, taken)) = Head::take(had, bytes)? else {
                        return Ok(events);
                    };
                    bytes = bytes.get(taken..).unwrap_or_default();
                    self.greet(&head, bytes)?;
                }
                Place::Body(body) => {
                    let Some(piece) = body.next(&mut bytes)? else {
                        return Ok(events);
                    };
                    self.take(piece, now, &mut events)?;
                }
            }
        }
    }

    /// The head of an answer.
    fn greet(&mut self, head: &Head, behind: &[u8]) -> Result<()> {
        let wanted = if self.kind == Kind::WebSocket { 101 } else { 200 };
        if head.status != wanted {
            let why: String = String::from_utf8_lossy(behind).chars().take(300).collect();
            bail!("a subscription was refused with {}: {why}", head.status);
        }
        if self.kind != Kind::Poll {
            // A poll's answer is told by its head before it is whole.
            let cursor = head.header(CURSOR).context("an answer without a cursor")?;
            cursor.clone_into(&mut self.cursor);
            self.began = None;
        }
        self.place = Place::Body(head.body());
        Ok(())
    }

    fn take(&mut self, piece: Piece<'_>, now: u64, events: &mut Vec<Event>) -> Result<()> {
        match piece {
            Piece::Data(data) if matches!(self.kind, Kind::Sse | Kind::Ndjson) => {
                for line in data.split_inclusive(|byte| *byte == b'\n') {
                    self.gather(line, now)?;
                    if line.ends_with(b"\n") {
                        self.line(events)?;
                    }
                }
            }
            Piece::Data(data) => self.gather(data, now)?,
            Piece::MessageEnd if self.unit.is_empty() => {}
            Piece::MessageEnd => {
                let text = std::mem::take(&mut self.unit);
                self.typed(&text, events)?;
                self.began = None;
            }
            Piece::Ping(payload) => {
                let mut frame = Vec::new();
                put_frame(&mut frame, PONG, &payload);
                events.push(Event::Reply(frame));
            }
            Piece::End if self.kind == Kind::Poll => {
                self.answer(events)?;
                self.place = Place::Head(Vec::new());
                self.began = None;
            }
            Piece::Close(_) | Piece::End => events.push(Event::End),
        }
        Ok(())
    }

    fn gather(&mut self, data: &[u8], now: u64) -> Result<()> {
        self.began.get_or_insert(now);
        self.unit.extend_from_slice(data);
        if self.unit.len() > UNIT_BYTES_MAX {
            bail!("a message of more than {UNIT_BYTES_MAX} bytes");
        }
        Ok(())
    }

    /// A line of a stream is whole.
    fn line(&mut self, events: &mut Vec<Event>) -> Result<()> {
        let line = std::mem::take(&mut self.unit);
        if self.kind == Kind::Ndjson {
            self.typed(&line, events)?;
            self.began = None;
            return Ok(());
        }
        let items = self.events.feed(&line)?;
        let ends = !items.is_empty() || line == b"\n";
        for item in items {
            self.event(item, events)?;
        }
        if ends {
            self.began = None;
        }
        Ok(())
    }

    /// Something of an event stream.
    fn event(&mut self, item: Item, events: &mut Vec<Event>) -> Result<()> {
        let Item::Event { name, data, id } = item else {
            return Ok(());
        };
        match name.as_str() {
            "message" => self.publication(data.as_bytes(), events)?,
            "fanfare.open" => self.stand(events),
            "fanfare.gap" => events.push(Event::Gap),
            _ => {}
        }
        if !id.is_empty() {
            self.cursor = id;
        }
        Ok(())
    }

    /// A line of NDJSON, or a message of `fanfare.v1`, which is the same.
    fn typed(&mut self, text: &[u8], events: &mut Vec<Event>) -> Result<()> {
        let text = str::from_utf8(text).context("a line that is no UTF-8")?;
        if text.trim().is_empty() {
            return Ok(());
        }
        let mut frames = VecDeque::new();
        read_line(text, CursorScope::Whole, &mut frames)?;
        for frame in frames {
            match frame {
                Frame::Open(_) => self.stand(events),
                Frame::Message(message) => self.message(&message, events)?,
                Frame::Gap(_) => events.push(Event::Gap),
                Frame::Cursor(cursor) => self.cursor = cursor,
                _ => {}
            }
        }
        Ok(())
    }

    /// The answer to a poll is whole.
    fn answer(&mut self, events: &mut Vec<Event>) -> Result<()> {
        let answer = Answer::read(&std::mem::take(&mut self.unit).into())?;
        self.stand(events);
        events.extend(answer.gaps.iter().map(|_| Event::Gap));
        for message in answer.messages()? {
            self.message(&message, events)?;
        }
        self.cursor = answer.cursor.context("a poll without a cursor")?;
        events.push(Event::Answered);
        Ok(())
    }

    fn message(&self, message: &Message, events: &mut Vec<Event>) -> Result<()> {
        self.publication(message.payload()?.as_bytes(), events)
    }

    fn publication(&self, mut payload: &[u8], events: &mut Vec<Event>) -> Result<()> {
        let length = payload.len();
        // A server that was named may have publications of others.
        let Some(mark) = Scanner::default().next(&mut payload, length) else {
            return Ok(());
        };
        if length != self.payload_bytes {
            bail!("a payload of {length} bytes, and {} were published", self.payload_bytes);
        }
        let whole = self.clock.nanos();
        let first = self.began.unwrap_or(whole);
        events.push(Event::Publication(Came { mark, first, whole }));
        Ok(())
    }

    fn stand(&mut self, events: &mut Vec<Event>) {
        if !self.stands {
            self.stands = true;
            events.push(Event::Stands);
        }
    }
}

/// The header that says where a stream begins.
const CURSOR: &str = "Fanfare-Cursor";

/// Two answers of the most that a poll gives at a time, in base64.
const UNIT_BYTES_MAX: usize = 16 << 20;

#[cfg(test)]
#[path = "reader_test.rs"]
mod tests;
