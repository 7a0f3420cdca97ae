//! Cursors: the positions of all channels of one connection.
//!
//! How a cursor is written stands in the protocol crate; here it is a list of entries.

use crate::name::ChannelHash;
use crate::position::Position;

/// Entries that a cursor holds at most; what is dropped leaves the mark.
pub const CURSOR_ENTRIES_MAX: usize = 64;

/// One channel's place in a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorEntry {
    /// The channel, by the hash of its name.
    pub hash: ChannelHash,
    /// What has been seen of it.
    pub position: Position,
    /// Whether its end has been seen too.
    pub ended: bool,
}

/// The positions of all channels of one connection: those asked for first, then those carried.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    entries: Vec<CursorEntry>,
    marked: bool,
}

impl Cursor {
    /// A cursor without entries and without the mark.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The entries, those asked for first.
    #[must_use]
    pub fn entries(&self) -> &[CursorEntry] {
        &self.entries
    }

    /// Whether entries were dropped or could not be read, so that a channel without one has a gap.
    #[must_use]
    pub fn marked(&self) -> bool {
        self.marked
    }

    /// The entry of a channel.
    #[must_use]
    pub fn entry(&self, hash: ChannelHash) -> Option<CursorEntry> {
        self.entries.iter().find(|entry| entry.hash == hash).copied()
    }

    /// Puts the mark: something of this cursor is missing.
    pub fn mark(&mut self) {
        self.marked = true;
    }

    /// Takes the mark away, once every channel that was asked for has an entry again.
    pub fn unmark(&mut self) {
        self.marked = false;
    }

    /// Sets a channel's entry in its place, or adds it behind the others. Over
    /// [`CURSOR_ENTRIES_MAX`] the new entry is dropped and leaves the mark.
    pub fn set(&mut self, entry: CursorEntry) {
        if let Some(known) = self.entries.iter_mut().find(|known| known.hash == entry.hash) {
            *known = entry;
        } else if self.entries.len() < CURSOR_ENTRIES_MAX {
            self.entries.push(entry);
        } else {
            self.marked = true;
        }
    }

    /// Adds a channel's entry before all others, as one that was asked for. Over
    /// [`CURSOR_ENTRIES_MAX`] the last entry that is not `needed` falls out and leaves the mark.
    pub fn set_first(&mut self, entry: CursorEntry, needed: impl Fn(ChannelHash) -> bool) {
        self.remove(entry.hash);
        if self.entries.len() >= CURSOR_ENTRIES_MAX {
            let spare = self.entries.iter().rposition(|other| !needed(other.hash));
            self.entries.remove(spare.unwrap_or(self.entries.len() - 1));
            self.marked = true;
        }
        self.entries.insert(0, entry);
    }

    /// Adds what was carried behind what was asked for.
    pub fn carry(&mut self, carried: &Self) {
        for entry in &carried.entries {
            if self.entry(entry.hash).is_none() {
                self.set(*entry);
            }
        }
        self.marked |= carried.marked;
    }

    /// Takes a channel's entry out.
    pub fn remove(&mut self, hash: ChannelHash) -> Option<CursorEntry> {
        let at = self.entries.iter().position(|entry| entry.hash == hash)?;
        Some(self.entries.remove(at))
    }

    /// Whether there is nothing in it, not even the mark.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty() && !self.marked
    }
}
