//! Server-Sent Events (the HTML standard, §9.2): everything of a stream but its publications.
//!
//! What is appended here is a part of the body; [`super::chunk::append_part`] frames it.

use std::time::Duration;

use fanfare_core::cursor::Cursor;
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;

use crate::native::opening::Open;
use crate::native::problem::Problem;
use crate::native::reading::{HeartbeatForm, OpeningEvent};

/// Appends the beginning of a stream: `retry:`, a comment for each channel, the opening event.
pub fn append_open(out: &mut Vec<u8>, open: &Open<'_>, retry: Duration, opening: OpeningEvent) {
    let _ = (out, open, retry, opening);
}

/// Appends a gap; `cursor` is the reader's after it.
pub fn append_gap(out: &mut Vec<u8>, gap: &Gap, cursor: &Cursor) {
    let _ = (out, gap, cursor);
}

/// Appends the end of a channel; `cursor` is the reader's after it.
pub fn append_end(out: &mut Vec<u8>, channel: &ChannelName, cursor: &Cursor) {
    let _ = (out, channel, cursor);
}

/// What is sent when nothing else is.
#[must_use]
pub fn heartbeat(form: HeartbeatForm) -> &'static [u8] {
    match form {
        HeartbeatForm::Comment => b": hb\n",
        HeartbeatForm::Event => b"event: fanfare.heartbeat\ndata: {}\n\n",
    }
}

/// Appends the last line before a stream is aborted: when to come back.
pub fn append_retry(out: &mut Vec<u8>, retry: Duration) {
    let _ = (out, retry);
}

/// Appends the body that refuses an EventSource without making it give up: a comment that says
/// why and when to come back. Status 200, then the body is aborted.
pub fn append_refusal(out: &mut Vec<u8>, problem: &Problem, retry: Duration) {
    let _ = (out, problem, retry);
}
