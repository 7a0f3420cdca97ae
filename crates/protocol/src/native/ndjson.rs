//! NDJSON: everything of a stream but its publications, one line each.

use fanfare_core::cursor::Cursor;
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;

use crate::native::opening::Open;

/// What is sent when nothing else is.
pub const KEEPALIVE: &[u8] = b"{\"type\":\"keepalive\"}\n";

/// Appends the opening line.
pub fn append_open(out: &mut Vec<u8>, open: &Open<'_>) {
    let _ = (out, open);
}

/// Appends a gap; `cursor` is the reader's after it.
pub fn append_gap(out: &mut Vec<u8>, gap: &Gap, cursor: &Cursor) {
    let _ = (out, gap, cursor);
}

/// Appends the end of a channel; `cursor` is the reader's after it.
pub fn append_end(out: &mut Vec<u8>, channel: &ChannelName, cursor: &Cursor) {
    let _ = (out, channel, cursor);
}
