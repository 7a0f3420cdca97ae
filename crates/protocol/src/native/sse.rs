//! Server-Sent Events (the HTML standard, §9.2).
//!
//! What the public functions append is a part of the body; [`super::chunk::append_part`] frames
//! it. The publications of a stream come from [`super::encode`], which uses the lines written here.

use std::time::Duration;

use fanfare_core::cursor::Cursor;
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;
use fanfare_core::publication::{Content, Data};

use crate::native::opening::{self, Open};
use crate::native::problem::Problem;
use crate::native::reading::{HeartbeatForm, OpeningEvent};
use crate::native::{cursor, envelope, json, media, scan};

/// Appends the beginning of a stream: `retry:`, a comment, the opening event.
pub fn append_open(out: &mut Vec<u8>, open: &Open<'_>, retry: Duration, opening: OpeningEvent) {
    append_retry(out, retry);
    append_listening(out, open);
    if opening == OpeningEvent::Told {
        out.extend_from_slice(b"event: fanfare.open\ndata: {");
        opening::append_members(out, open);
        out.extend_from_slice(b"}\n");
        append_id(out, open.cursor);
    }
}

/// Appends a gap; `cursor` is the reader's after it.
pub fn append_gap(out: &mut Vec<u8>, gap: &Gap, cursor: &Cursor) {
    append_gap_block(out, gap);
    append_id(out, cursor);
}

/// Appends the end of a channel; `cursor` is the reader's after it.
pub fn append_end(out: &mut Vec<u8>, channel: &ChannelName, cursor: &Cursor) {
    append_end_block(out, channel);
    append_id(out, cursor);
}

/// Appends that the reader's credentials expire, and in how long.
pub fn append_expiring(out: &mut Vec<u8>, left: Duration) {
    out.extend_from_slice(b"event: fanfare.expiring\ndata: {");
    envelope::append_expires_in(out, left);
    out.extend_from_slice(b"}\n\n");
}

/// What is sent when nothing else is. The comment has one newline: an empty line behind it would
/// be a block without data, for which a widespread client calls its handler.
#[must_use]
pub fn heartbeat(form: HeartbeatForm) -> &'static [u8] {
    match form {
        HeartbeatForm::Comment => b": hb\n",
        HeartbeatForm::Event => b"event: fanfare.heartbeat\ndata: {}\n\n",
    }
}

/// Appends the last line before a stream is aborted: when to come back.
pub fn append_retry(out: &mut Vec<u8>, retry: Duration) {
    out.extend_from_slice(b"retry: ");
    json::append_number(out, u64::try_from(retry.as_millis()).unwrap_or(u64::MAX));
    out.push(b'\n');
}

/// Appends the body that refuses an EventSource without making it give up: a comment that says
/// why and when to come back. Status 200, then the body is aborted.
pub fn append_refusal(out: &mut Vec<u8>, problem: &Problem, retry: Duration) {
    out.extend_from_slice(b": ");
    out.extend_from_slice(problem.code().name().as_bytes());
    out.extend_from_slice(b": ");
    // A detail may quote what the client sent, so a line break in it must not begin a field.
    out.extend(
        problem.detail().bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }),
    );
    out.push(b'\n');
    append_retry(out, retry);
}

/// Appends `event:`. The name has no controls.
pub(crate) fn append_event(out: &mut Vec<u8>, event: &str) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(event.as_bytes());
    out.push(b'\n');
}

/// Appends the `data:` lines of a payload; an empty one is one empty line.
pub(crate) fn append_data(out: &mut Vec<u8>, content: &Content) {
    match &content.data {
        Data::Text(bytes) | Data::Json(bytes) => append_data_lines(out, bytes),
        Data::Binary(bytes) => {
            out.extend_from_slice(DATA);
            out.extend_from_slice(b"data:");
            let named = content.detail.as_ref().and_then(|detail| detail.content_type.as_deref());
            media::append_data_url_type(out, named);
            out.extend_from_slice(b";base64,");
            envelope::append_base64(out, bytes);
            out.push(b'\n');
        }
    }
}

/// Appends the lines of a gap up to its id.
pub(crate) fn append_gap_block(out: &mut Vec<u8>, gap: &Gap) {
    out.extend_from_slice(b"event: fanfare.gap\ndata: {");
    envelope::append_gap_members(out, gap);
    out.extend_from_slice(b"}\n");
}

/// Appends the lines of an end up to its id.
pub(crate) fn append_end_block(out: &mut Vec<u8>, channel: &ChannelName) {
    out.extend_from_slice(b"event: fanfare.end\ndata: {\"channel\":");
    json::append_string(out, channel.as_str());
    out.extend_from_slice(b"}\n");
}

/// Appends the id, which is the last line of its block: a widespread client takes it as soon as it
/// has read the line, and would lose the publication if the connection were cut behind it.
fn append_id(out: &mut Vec<u8>, cursor: &Cursor) {
    out.extend_from_slice(ID);
    cursor::append_cursor(out, cursor);
    out.extend_from_slice(BLOCK_END);
}

/// Splits at LF, CR and CRLF, which all become LF for the reader.
fn append_data_lines(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut rest = bytes;
    loop {
        out.extend_from_slice(DATA);
        let Some(at) = scan::position(rest, |byte| (byte == b'\r') | (byte == b'\n')) else {
            out.extend_from_slice(rest);
            out.push(b'\n');
            return;
        };
        let (line, tail) = rest.split_at(at);
        out.extend_from_slice(line);
        out.push(b'\n');
        rest = tail.strip_prefix(b"\r\n").or_else(|| tail.get(1..)).unwrap_or_default();
    }
}

/// A comment for people, whose words are no contract.
fn append_listening(out: &mut Vec<u8>, open: &Open<'_>) {
    out.extend_from_slice(b": listening to ");
    for (place, opened) in open.channels.iter().enumerate() {
        if place > 0 {
            out.extend_from_slice(b", ");
        }
        out.extend_from_slice(opened.channel.as_str().as_bytes());
    }
    out.extend_from_slice(b", from ");
    out.extend_from_slice(open.from.as_bytes());
    out.push(b'\n');
}

/// What stands before an id.
pub(crate) const ID: &[u8] = b"id: ";

/// What stands behind an id: the end of its line and of its block.
pub(crate) const BLOCK_END: &[u8] = b"\n\n";

/// What stands before each line of data. The space is always there, because a reader takes one
/// away, and a payload's own first space has to stay.
pub(crate) const DATA: &[u8] = b"data: ";
