//! The answer to a poll: `?wait=` and `?poll=`.

use bytes::Bytes;
use fanfare_core::cursor::Cursor;
use fanfare_core::gap::Gap;

use crate::native::{cursor, envelope};

/// Publications that one poll answers with, at most.
pub const POLL_PUBLICATIONS_MAX: usize = 1_000;

/// Bytes of publications that one poll answers with, at most, but one publication always.
pub const POLL_BYTES_MAX: usize = 1 << 20;

/// What a poll answers with.
#[derive(Debug, Clone, Copy)]
pub struct PollAnswer<'a> {
    /// The reader's cursor after everything in here, which is the header's too.
    pub cursor: &'a Cursor,
    /// The publications: bodies of [`fanfare_core::frame::Format::Ndjson`] frames with the
    /// reader's own tail, one line each.
    pub publications: &'a [Bytes],
    /// The gaps.
    pub gaps: &'a [Gap],
    /// Whether anything can follow.
    pub end: PollEnd,
}

/// Whether anything can follow a poll's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PollEnd {
    /// It can.
    #[default]
    Open,
    /// Every channel has ended and nothing is left.
    Ended,
}

/// The body of the answer.
#[must_use]
pub fn answer(answer: &PollAnswer<'_>) -> Vec<u8> {
    let bytes: usize = answer.publications.iter().map(Bytes::len).sum();
    let mut out = Vec::with_capacity(bytes + 256);
    out.extend_from_slice(b"{\"cursor\":\"");
    cursor::append_cursor(&mut out, answer.cursor);
    out.extend_from_slice(b"\",\"publications\":[");
    for (place, line) in answer.publications.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
    }
    out.extend_from_slice(b"],\"gaps\":");
    append_gaps(&mut out, answer.gaps);
    out.extend_from_slice(match answer.end {
        PollEnd::Open => b",\"end\":false}",
        PollEnd::Ended => b",\"end\":true}",
    });
    out
}

/// Appends gaps as an array of objects.
pub(crate) fn append_gaps<'a>(out: &mut Vec<u8>, gaps: impl IntoIterator<Item = &'a Gap>) {
    out.push(b'[');
    for (place, gap) in gaps.into_iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.push(b'{');
        envelope::append_gap_members(out, gap);
        out.push(b'}');
    }
    out.push(b']');
}
