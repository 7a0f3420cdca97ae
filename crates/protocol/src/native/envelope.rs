//! The envelope: a publication, a gap or an end as one JSON object.
//!
//! The members stand in one order, the cursor last, so that all readers share the bytes in front
//! of it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::gap::Gap;
use fanfare_core::name::ChannelName;
use fanfare_core::position::Offset;
use fanfare_core::publication::{Data, Publication};

use crate::native::{cursor, json};

/// Appends a publication's envelope up to the cursor: neither that nor the closing brace.
pub(crate) fn append_message(out: &mut Vec<u8>, publication: &Publication, prev: Offset) {
    out.extend_from_slice(b"{\"type\":\"message\",\"channel\":");
    json::append_string(out, publication.channel.as_str());
    if let Some(position) = publication.position {
        out.extend_from_slice(b",\"offset\":");
        json::append_number(out, position.offset);
        out.extend_from_slice(b",\"prev\":");
        json::append_number(out, prev);
        out.extend_from_slice(b",\"epoch\":\"");
        cursor::append_epoch(out, position.epoch);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"time\":");
    json::append_number(out, publication.time);
    append_detail(out, publication);
    out.extend_from_slice(b",\"data\":");
    match &publication.content.data {
        Data::Json(bytes) => json::append_on_one_line(out, bytes),
        Data::Text(bytes) => {
            out.push(b'"');
            json::append_escaped(out, bytes);
            out.push(b'"');
        }
        Data::Binary(bytes) => {
            out.push(b'"');
            append_base64(out, bytes);
            out.extend_from_slice(b"\",\"encoding\":\"base64\"");
        }
    }
}

/// Appends a whole envelope with the channel's own entry as its cursor.
pub(crate) fn append_whole(out: &mut Vec<u8>, publication: &Publication, prev: Offset) {
    append_message(out, publication, prev);
    append_own_tail(
        out,
        publication.position.map(|position| CursorEntry {
            hash: publication.channel.hash48(),
            position,
            ended: false,
        }),
    );
}

/// Appends what follows [`append_message`], with a channel's own entry if there is one.
pub(crate) fn append_own_tail(out: &mut Vec<u8>, entry: Option<CursorEntry>) {
    if let Some(entry) = entry {
        out.extend_from_slice(CURSOR_OPEN);
        cursor::append_entry(out, entry);
        out.push(b'"');
    }
    out.push(b'}');
}

/// Appends how long credentials are still good, in whole seconds, as a member.
pub(crate) fn append_expires_in(out: &mut Vec<u8>, left: Duration) {
    out.extend_from_slice(b"\"expires_in\":");
    json::append_number(out, left.as_secs());
}

/// Appends what closes an object whose last member is a reader's cursor.
pub(crate) fn append_cursor_tail(out: &mut Vec<u8>, cursor: &Cursor) {
    out.extend_from_slice(CURSOR_OPEN);
    cursor::append_cursor(out, cursor);
    out.extend_from_slice(CURSOR_CLOSE);
}

/// Appends the members of a gap: `"channel":…,"from":…,"to":…,"reason":…`.
pub(crate) fn append_gap_members(out: &mut Vec<u8>, gap: &Gap) {
    out.extend_from_slice(b"\"channel\":");
    json::append_string(out, gap.channel.as_str());
    out.extend_from_slice(b",\"from\":");
    match gap.from {
        Some(from) => {
            out.push(b'"');
            cursor::append_position(out, from);
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"to\":\"");
    cursor::append_position(out, gap.to);
    out.extend_from_slice(b"\",\"reason\":\"");
    out.extend_from_slice(gap.reason.as_str().as_bytes());
    out.push(b'"');
}

/// Appends `{"type":"gap",…` up to the cursor.
pub(crate) fn append_gap(out: &mut Vec<u8>, gap: &Gap) {
    out.extend_from_slice(b"{\"type\":\"gap\",");
    append_gap_members(out, gap);
}

/// Appends `{"type":"end",…` up to the cursor.
pub(crate) fn append_end(out: &mut Vec<u8>, channel: &ChannelName) {
    out.extend_from_slice(b"{\"type\":\"end\",\"channel\":");
    json::append_string(out, channel.as_str());
}

/// The channel's own entry after a gap.
pub(crate) fn entry_after(gap: &Gap) -> CursorEntry {
    CursorEntry { hash: gap.channel.hash48(), position: gap.to, ended: false }
}

/// Appends standard base64 with padding.
pub(crate) fn append_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    let length = bytes.len().div_ceil(3) * 4;
    out.resize(start + length, b'=');
    let written = out.get_mut(start..).and_then(|room| STANDARD.encode_slice(bytes, room).ok());
    debug_assert_eq!(written, Some(length), "the room is exactly what base64 takes");
}

fn append_detail(out: &mut Vec<u8>, publication: &Publication) {
    let Some(detail) = &publication.content.detail else {
        return;
    };
    if let Some(event) = &detail.event {
        out.extend_from_slice(b",\"event\":");
        json::append_string(out, event);
    }
    for (place, tag) in detail.tags.iter().enumerate() {
        out.extend_from_slice(if place == 0 { b",\"tags\":[" } else { b"," });
        json::append_string(out, tag);
    }
    if !detail.tags.is_empty() {
        out.push(b']');
    }
    if let Some(conflate) = &detail.conflate {
        out.extend_from_slice(b",\"conflate\":");
        json::append_string(out, conflate);
    }
    if let Some(content_type) = &detail.content_type {
        out.extend_from_slice(b",\"content_type\":");
        json::append_string(out, content_type);
    }
}

/// What stands before the cursor of an object.
pub(crate) const CURSOR_OPEN: &[u8] = b",\"cursor\":\"";

/// What stands behind the cursor of an object.
pub(crate) const CURSOR_CLOSE: &[u8] = b"\"}";
