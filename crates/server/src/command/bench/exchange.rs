//! What is said on a connection that stores one publication after the other, and how its answers
//! are told apart: HTTP, or lines as a description says. Knows bytes only.

use anyhow::{Result, bail};

use super::description::{Store, Way};
use super::framing::{Body, Head, Piece};
use super::member::contains;

/// One who reads the answers of a connection, one to each publication.
#[derive(Debug)]
pub(super) enum Exchange<'a> {
    /// An answer of HTTP to each request.
    Http { way: &'a Way, had: Vec<u8>, answer: Option<Answer> },
    /// Lines.
    Lines { store: &'a Store, line: Vec<u8>, left: usize },
}

/// The answer of HTTP that is being read.
#[derive(Debug)]
pub(super) struct Answer {
    status: u16,
    body: Body,
    said: Vec<u8>,
}

/// What came of some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Answers that have become whole.
    pub(super) answers: usize,
    /// What has to be said at once.
    pub(super) reply: Vec<u8>,
}

impl<'a> Exchange<'a> {
    /// An exchange in HTTP.
    pub(super) fn http(way: &'a Way) -> Self {
        Self::Http { way, had: Vec::new(), answer: None }
    }

    /// An exchange in lines.
    pub(super) fn lines(store: &'a Store) -> Self {
        Self::Lines { store, line: Vec::new(), left: 0 }
    }

    /// Takes what came.
    ///
    /// # Errors
    /// If it means no, or nobody understands it.
    pub(super) fn take(&mut self, mut came: &[u8]) -> Result<Heard> {
        let mut heard = Heard::default();
        match self {
            Self::Http { way, had, answer } => {
                while !came.is_empty() {
                    heard.answers += usize::from(take_http(way, had, answer, &mut came)?);
                }
            }
            Self::Lines { store, line, left } => {
                while let Some(end) = came.iter().position(|byte| *byte == b'\n') {
                    let (first, rest) = came.split_at(end + 1);
                    line.extend_from_slice(first);
                    came = rest;
                    heard.answers += usize::from(take_line(store, line, left, &mut heard.reply)?);
                    line.clear();
                }
                line.extend_from_slice(came);
            }
        }
        Ok(heard)
    }
}

/// Takes bytes up to the end of an answer; says whether there is one.
fn take_http(
    way: &Way,
    had: &mut Vec<u8>,
    answer: &mut Option<Answer>,
    came: &mut &[u8],
) -> Result<bool> {
    let reading = match answer {
        Some(reading) => reading,
        None => {
            let Some((head, taken)) = Head::take(had, came)? else {
                *came = &[];
                return Ok(false);
            };
            *came = came.get(taken..).unwrap_or_default();
            if head.closes {
                bail!("the server ends a publisher's connection");
            }
            answer.insert(Answer { status: head.status, body: head.body(), said: Vec::new() })
        }
    };
    while let Some(piece) = reading.body.next(came)? {
        if let Piece::Data(data) = piece {
            reading.said.extend_from_slice(data);
        }
    }
    if matches!(reading.body, Body::Length(0)) {
        reading.body = Body::Ended;
    }
    if reading.body != Body::Ended {
        return Ok(false);
    }
    let refused = way.refused.as_deref().map(str::as_bytes);
    let refused = refused.is_some_and(|text| contains(&reading.said, text));
    if refused || !way.accepted.contains(&reading.status) {
        let why: String = String::from_utf8_lossy(&reading.said).chars().take(300).collect();
        bail!("a publication was refused with {}: {why}", reading.status);
    }
    *answer = None;
    Ok(true)
}

/// Takes a line; says whether an answer ends with it.
fn take_line(store: &Store, line: &[u8], left: &mut usize, reply: &mut Vec<u8>) -> Result<bool> {
    if store.refused.iter().any(|begin| line.starts_with(begin.as_bytes())) {
        bail!("a publication was refused: {}", String::from_utf8_lossy(line).trim_end());
    }
    if *left == 0 {
        if let Some((ask, answer)) = &store.heartbeat
            && line.trim_ascii_end() == ask.as_bytes()
        {
            reply.extend_from_slice(answer.as_bytes());
            reply.extend_from_slice(b"\r\n");
        }
        if !line.starts_with(store.answer.as_bytes()) {
            return Ok(false);
        }
        *left = store.lines;
    }
    *left -= 1;
    Ok(*left == 0)
}

#[cfg(test)]
#[path = "exchange_test.rs"]
mod tests;
