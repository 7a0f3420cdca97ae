//! Where a reader stands, and how it says so when it comes back.

use serde::Deserialize;

/// One channel's own entry of a cursor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Entry {
    /// The channel.
    pub(crate) channel: String,
    /// Its entry, opaque.
    pub(crate) cursor: String,
}

/// Where a reader stands on all its channels. Some transports tell the whole cursor with each
/// message, others the entry of the message's own channel; entries are joined by concatenation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    whole: String,
    own: Vec<Entry>,
}

impl Position {
    /// Takes a cursor of all channels, which replaces everything before it.
    pub(crate) fn set_whole(&mut self, cursor: &str) {
        cursor.clone_into(&mut self.whole);
        self.own.clear();
    }

    /// Takes the entries of all channels, which replace everything before them; none change
    /// nothing.
    pub(crate) fn set_entries(&mut self, entries: Vec<Entry>) {
        if !entries.is_empty() {
            self.whole.clear();
            self.own = entries;
        }
    }

    /// Takes one channel's entry. It is told after the whole cursor, and so it wins.
    pub(crate) fn set_own(&mut self, channel: &str, cursor: &str) {
        match self.own.iter_mut().find(|entry| entry.channel == channel) {
            Some(entry) => cursor.clone_into(&mut entry.cursor),
            None => self.own.push(Entry { channel: channel.to_owned(), cursor: cursor.to_owned() }),
        }
    }

    /// The cursor to come back with; `None` if nothing was told yet.
    pub(crate) fn cursor(&self) -> Option<String> {
        let own: String = self.own.iter().map(|entry| entry.cursor.as_str()).collect();
        let cursor = format!("{}{own}", self.whole);
        (!cursor.is_empty()).then_some(cursor)
    }
}
