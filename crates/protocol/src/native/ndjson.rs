//! NDJSON: everything of a stream but its publications, one line each.

use std::time::Duration;

use fanfare_core::cursor::Cursor;
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;

use crate::native::envelope;
use crate::native::opening::{self, Open};

/// What is sent when nothing else is.
pub const KEEPALIVE: &[u8] = b"{\"type\":\"keepalive\"}\n";

/// Appends the opening line.
pub fn append_open(out: &mut Vec<u8>, open: &Open<'_>) {
    append_open_object(out, open);
    out.push(b'\n');
}

/// Appends a gap; `cursor` is the reader's after it.
pub fn append_gap(out: &mut Vec<u8>, gap: &Gap, cursor: &Cursor) {
    envelope::append_gap(out, gap);
    envelope::append_cursor_tail(out, cursor);
    out.push(b'\n');
}

/// Appends the end of a channel; `cursor` is the reader's after it.
pub fn append_end(out: &mut Vec<u8>, channel: &ChannelName, cursor: &Cursor) {
    envelope::append_end(out, channel);
    envelope::append_cursor_tail(out, cursor);
    out.push(b'\n');
}

/// Appends that the reader's credentials expire, and in how long.
pub fn append_expiring(out: &mut Vec<u8>, left: Duration) {
    append_expiring_object(out, left);
    out.push(b'\n');
}

/// Appends the same as one object, as `fanfare.v1` has it too.
pub(crate) fn append_expiring_object(out: &mut Vec<u8>, left: Duration) {
    out.extend_from_slice(b"{\"type\":\"expiring\",");
    envelope::append_expires_in(out, left);
    out.push(b'}');
}

/// Appends the opening as one object, as `fanfare.v1` has it too.
pub(crate) fn append_open_object(out: &mut Vec<u8>, open: &Open<'_>) {
    out.extend_from_slice(b"{\"type\":\"open\",");
    opening::append_members(out, open);
    envelope::append_cursor_tail(out, open.cursor);
}
