//! A feed: one channel's publications on one shard, encoded for one wire format, read by cursors.

use std::collections::vec_deque;
use std::iter::Take;

use crate::cursor::{Cursor, CursorEntry};
use crate::frame::Frame;
use crate::publication::SessionId;

/// One entry of a feed.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The encoded bytes.
    pub frame: Frame,
    /// The reader's entry after it; none if it has no place in the channel (`ttl=0`).
    pub after: Option<CursorEntry>,
    /// When it was published, in Unix milliseconds, for the histogram of publish to write.
    pub time: u64,
    /// The session that does not get it.
    pub exclude: Option<SessionId>,
}

/// The frames that one connection has not had yet, oldest first.
#[derive(Debug)]
pub struct Run<'a> {
    pub(crate) entries: Take<vec_deque::Iter<'a, Entry>>,
    pub(crate) cursor: Option<&'a Cursor>,
}

impl<'a> Run<'a> {
    /// The entries of the run.
    pub fn entries(&self) -> impl Iterator<Item = &'a Entry> + use<'a> {
        self.entries.clone()
    }

    /// The cursor of a reader that needs tails of its own: set each entry's `after` in a copy of
    /// it, and write the copy instead of the frame's tail. None for everyone else.
    #[must_use]
    pub fn cursor(&self) -> Option<&'a Cursor> {
        self.cursor
    }
}
