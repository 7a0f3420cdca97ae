//! What a stream says when it opens, for each protocol to write in its own words.

use fanfare_core::cursor::Cursor;
use fanfare_core::rate::Rate;
use fanfare_core::settings::SlowReader;
use fanfare_core::shard::Opened;

use crate::native::session::Session;
use crate::native::{cursor, envelope, json};

/// The opening of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Open<'a> {
    /// The stream.
    pub session: Session,
    /// Where each channel stands, in the order of the request.
    pub channels: &'a [Opened],
    /// The reader's whole cursor.
    pub cursor: &'a Cursor,
    /// How often it is given what is newest, if it asked for that.
    pub max_rate: Option<Rate>,
    /// Where it starts, in the words of its reader; told in the comment of SSE alone.
    pub from: &'a str,
}

/// Appends the members that every opening has: `"session":…,"channels":[…],"policy":…`, and
/// `"max_rate":…` for a reader that asked for one.
pub(crate) fn append_members(out: &mut Vec<u8>, open: &Open<'_>) {
    out.extend_from_slice(b"\"session\":\"");
    open.session.append(out);
    out.extend_from_slice(b"\",\"channels\":[");
    // A reader of nothing yet is told what holds for most.
    let policy = match (open.channels.first(), open.max_rate) {
        (Some(first), _) => first.policy,
        (None, Some(_)) => SlowReader::Latest,
        (None, None) => SlowReader::default(),
    };
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
    if let Some(rate) = open.max_rate {
        out.extend_from_slice(b",\"max_rate\":");
        json::append_number(out, rate.per_second().into());
    }
}

/// Appends the members that say where a channel stands that was added to a stream, and the end of
/// their object: `"channel":…,"cursor":…}`. What will be skipped of it is no gap, and is declared
/// here, because the opening could not.
pub(crate) fn append_added(out: &mut Vec<u8>, opened: &Opened) {
    out.extend_from_slice(b"\"channel\":");
    json::append_string(out, opened.channel.as_str());
    if opened.policy == SlowReader::Latest {
        append_policy(out, opened.policy);
    }
    out.extend_from_slice(envelope::CURSOR_OPEN);
    match opened.entry {
        Some(entry) => cursor::append_entry(out, entry),
        None => out.extend_from_slice(cursor::MARK),
    }
    out.extend_from_slice(envelope::CURSOR_CLOSE);
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
