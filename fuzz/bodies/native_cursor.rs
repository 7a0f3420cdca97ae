//! What the fuzz target `native_cursor` does with one input; the tests run it too.
//!
//! The input is the text of a cursor, a position or a `since`. What can be read is written and
//! read again as the same.

use fanfare_protocol::native::cursor::{
    entry_text, parse_cursor, parse_epoch, parse_position, position_text,
};
use fanfare_protocol::native::starts::{Since, parse_since};

/// What came of one input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Cursor,
    Start,
    Unreadable,
}

/// Panics if a decoder breaks a promise.
pub(crate) fn run(data: &[u8]) -> Seen {
    let Ok(text) = std::str::from_utf8(data) else {
        return Seen::Unreadable;
    };
    if let Some(position) = parse_position(text) {
        assert_eq!(parse_position(&position_text(position)), Some(position));
    }
    if let Some(epoch) = parse_epoch(text) {
        assert_ne!(epoch.bits(), 0);
    }
    if let Ok(cursor) = parse_cursor(text) {
        assert!(text.starts_with('~'));
        let again: String = cursor.entries.iter().map(|entry| entry_text(*entry)).collect();
        assert!(again.len() <= text.len(), "an entry has one text");
        if !again.is_empty() {
            assert_eq!(parse_cursor(&again).map(|read| read.entries), Ok(cursor.entries));
        }
    }
    match parse_since(text, 1_700_000_000_000) {
        Ok(Since::Cursor(cursor)) => {
            assert_eq!(parse_cursor(text), Ok(cursor));
            Seen::Cursor
        }
        Ok(_) => Seen::Start,
        Err(problem) => {
            assert_eq!(problem.status(), 400);
            Seen::Unreadable
        }
    }
}
