//! What a stream says when it opens, for each protocol to write in its own words.

use fanfare_core::cursor::Cursor;
use fanfare_core::settings::SlowReader;
use fanfare_core::shard::Opened;

use crate::native::session::Session;
use crate::native::{cursor, json};

/// The opening of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Open<'a> {
    /// The stream.
    pub session: Session,
    /// Where each channel stands, in the order of the request.
    pub channels: &'a [Opened],
    /// The reader's whole cursor.
    pub cursor: &'a Cursor,
    /// Where it starts, in the words of its reader; told in the comment of SSE alone.
    pub from: &'a str,
}

/// Appends the members that every opening has: `"session":…,"channels":[…],"policy":…`.
pub(crate) fn append_members(out: &mut Vec<u8>, open: &Open<'_>) {
    out.extend_from_slice(b"\"session\":\"");
    open.session.append(out);
    out.extend_from_slice(b"\",\"channels\":[");
    // A reader of nothing yet is told what holds for most.
    let policy = open.channels.first().map_or_else(SlowReader::default, |first| first.policy);
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
        out.push(b'"');
        if opened.policy != policy {
            append_policy(out, opened.policy);
        }
        out.push(b'}');
    }
    out.push(b']');
    append_policy(out, policy);
}

/// Appends what happens to a reader that is too slow.
fn append_policy(out: &mut Vec<u8>, policy: SlowReader) {
    let word: &[u8] = match policy {
        SlowReader::Recover => b"recover",
        SlowReader::Latest => b"latest",
        SlowReader::Disconnect => b"disconnect",
    };
    out.extend_from_slice(b",\"policy\":\"");
    out.extend_from_slice(word);
    out.push(b'"');
}
