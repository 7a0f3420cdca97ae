//! What a stream says when it opens, for each protocol to write in its own words.

use fanfare_core::cursor::Cursor;
use fanfare_core::publication::SessionId;
use fanfare_core::settings::SlowReader;
use fanfare_core::shard::Opened;

use crate::native::{cursor, json, session};

/// The opening of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Open<'a> {
    /// The identity of the stream.
    pub session: SessionId,
    /// Where each channel stands, in the order of the request.
    pub channels: &'a [Opened],
    /// The reader's whole cursor.
    pub cursor: &'a Cursor,
    /// Where it starts, in the words of its reader; told in the comment of SSE alone.
    pub from: &'a str,
    /// What happens to it if it is too slow.
    pub policy: SlowReader,
}

/// Appends the members that every opening has: `"session":…,"channels":[…],"policy":…`.
pub(crate) fn append_members(out: &mut Vec<u8>, open: &Open<'_>) {
    out.extend_from_slice(b"\"session\":\"");
    session::append_session(out, open.session);
    out.extend_from_slice(b"\",\"channels\":[");
    for (place, opened) in open.channels.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"channel\":");
        json::append_string(out, opened.channel.as_str());
        out.extend_from_slice(b",\"cursor\":\"");
        match opened.entry {
            Some(entry) => cursor::append_entry(out, entry),
            None => out.extend_from_slice(cursor::MARK),
        }
        out.extend_from_slice(b"\"}");
    }
    out.extend_from_slice(b"],\"policy\":\"");
    out.extend_from_slice(policy_word(open.policy).as_bytes());
    out.push(b'"');
}

fn policy_word(policy: SlowReader) -> &'static str {
    match policy {
        SlowReader::Recover => "recover",
        SlowReader::Disconnect => "disconnect",
    }
}
