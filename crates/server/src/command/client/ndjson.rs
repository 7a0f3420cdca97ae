//! Reads NDJSON, and the typed lines that NDJSON and `fanfare.v1` share.

use std::collections::VecDeque;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde::Deserialize;

use super::failure::Failure;
use super::frame::{self, End, Frame, Gap, Open};
use super::http::lost;
use super::message::Message;
use super::position::Entry;
use super::presence::News;
use super::sse::LINE_BYTES_MAX;

/// A stream of lines that is being read.
#[derive(Debug)]
pub(crate) struct NdjsonReader {
    body: Incoming,
    line: Vec<u8>,
    frames: VecDeque<Frame>,
}

impl NdjsonReader {
    /// Reads a body.
    pub(crate) fn new(body: Incoming) -> Self {
        Self { body, line: Vec::new(), frames: VecDeque::new() }
    }

    /// The next frame; `None` when the body ends. A line that the end cuts off is no line.
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
            if let Some(bytes) = chunk.data_ref() {
                self.feed(bytes)?;
            }
        }
    }

    fn feed(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() > LINE_BYTES_MAX {
                return Err(Failure::Garbled("a line of more than 256 MiB".to_owned()));
            }
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.line);
                let text = str::from_utf8(&line)
                    .map_err(|error| Failure::Garbled(format!("a line: {error}")))?;
                if !text.trim().is_empty() {
                    read_line(text, CursorScope::Whole, &mut self.frames)?;
                }
            }
        }
        Ok(())
    }
}

/// What the `cursor` of a message covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CursorScope {
    /// All channels of the reader.
    Whole,
    /// The message's own channel.
    Own,
}

/// Reads one typed line into frames.
///
/// # Errors
///
/// [`Failure::Garbled`] for what is not the protocol, [`Failure::Refused`] for an `error` line.
pub(crate) fn read_line(
    line: &str,
    scope: CursorScope,
    frames: &mut VecDeque<Frame>,
) -> Result<(), Failure> {
    let (channel, cursor) = match frame::kind(line)?.as_str() {
        "message" => {
            let message: Message = frame::read("a message", line)?;
            let place = (message.channel.clone(), message.cursor.clone());
            frames.push_back(Frame::Message(Box::new(message)));
            place
        }
        "open" => {
            let open: Open = frame::read("the opening", line)?;
            let cursor = open.cursor.clone().filter(|_| open.channels.is_empty());
            frames.push_back(Frame::Open(open));
            frames.extend(cursor.map(Frame::Cursor));
            return Ok(());
        }
        "gap" => {
            let gap: Gap = frame::read("a gap", line)?;
            let place = (gap.channel.clone(), gap.cursor.clone());
            frames.push_back(Frame::Gap(gap));
            place
        }
        "end" => {
            let end: End = frame::read("an end", line)?;
            if end.code.is_some() {
                frames.push_back(Frame::Lost(end.channel, refusal(line)?));
                return Ok(());
            }
            frames.push_back(Frame::End(end.channel.clone()));
            (end.channel, end.cursor)
        }
        "error" => return Err(refusal(line)?),
        // `keepalive`, `ok`, and what later versions add.
        other => {
            frames.push_back(News::read(other, line)?.map_or(Frame::Alive, Frame::News));
            return Ok(());
        }
    };
    frames.extend(cursor.map(|cursor| match scope {
        CursorScope::Whole => Frame::Cursor(cursor),
        CursorScope::Own => Frame::Own(Entry { channel, cursor }),
    }));
    Ok(())
}

fn refusal(line: &str) -> Result<Failure, Failure> {
    #[derive(Deserialize)]
    struct Told {
        code: String,
        detail: Option<String>,
        hint: Option<String>,
    }
    let told: Told = frame::read("an error", line)?;
    let mut what = format!("the server refused ({})", told.code);
    for part in [told.detail, told.hint].into_iter().flatten() {
        what.push_str("\n  ");
        what.push_str(&part);
    }
    Ok(Failure::Refused { status: None, what, retry_after: None })
}
