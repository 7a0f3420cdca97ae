//! What a reader's own cursor holds beside the channels that it reads.
//!
//! A reader of one channel needs no cursor: the frames that it shares with all others say where it
//! stands. It is given one when a channel comes to the first or the only one goes. From then on an
//! entry stays in it, so that a channel that was dropped can be added again without loss.

use crate::cursor::{Cursor, CursorEntry};
use crate::name::ChannelHash;
use crate::shard::reader::{AwayState, Reader, Slot};
use crate::shard::{ConnectionId, Shard};
use crate::start::{Start, Subscription};

impl Shard {
    /// Where a reader starts that adds a channel and does not say from where.
    pub(super) fn carried_start(
        &mut self,
        connection: ConnectionId,
        subscription: &Subscription,
    ) -> Start {
        let hash = subscription.channel.hash48();
        let twin = self.hashes_read(connection).contains(&hash);
        let Some(cursor) = self.reader_mut(connection).and_then(Reader::cursor_mut) else {
            return subscription.start;
        };
        match cursor.entry(hash) {
            // Another channel whose name has the same hash has moved it.
            Some(_) if twin => Start::Unreadable,
            Some(entry) => Start::of_entry(entry),
            None if cursor.marked() => Start::Unreadable,
            None => subscription.start,
        }
    }

    /// Gives a reader a cursor of its own, with what it reads at present, if it has none.
    pub(super) fn compose_cursor(&mut self, connection: ConnectionId) {
        let Some(reader) = self.reader_mut(connection) else { return };
        if !reader.format.composes() || reader.cursor_mut().is_some() {
            return;
        }
        let slots = reader.slots.as_slice().len();
        let mut cursor = Cursor::new();
        for slot in 0..slots {
            let slot = u16::try_from(slot).unwrap_or(u16::MAX);
            if let Some(entry) = self.slot_entry(connection, slot) {
                cursor.set(entry);
            }
        }
        if let Some(reader) = self.reader_mut(connection) {
            reader.extra.get_or_insert_default().cursor = Some(cursor);
        }
    }

    /// Puts the entry of a channel that was added before all others of its reader's cursor. If
    /// that is full, one goes that is only carried.
    pub(super) fn enter_first(&mut self, connection: ConnectionId, entry: CursorEntry) {
        let read = self.hashes_read(connection);
        if let Some(cursor) = self.reader_mut(connection).and_then(Reader::cursor_mut) {
            cursor.set_first(entry, |other| read.contains(&other));
        }
    }

    /// Where a reader stands in the channel of a slot.
    fn slot_entry(&mut self, connection: ConnectionId, slot: u16) -> Option<CursorEntry> {
        let reader = self.readers.get_mut(connection.index)?;
        let (channel, position) = match reader.slots.get_mut(slot)? {
            Slot::Free => return None,
            Slot::Live { feed, place } => {
                let feed = self.feeds.get(*feed)?;
                let next = feed.readers.get(*place as usize)?.next;
                (&feed.channel, feed.position_before(next))
            }
            Slot::Away(away) => {
                let position = match &away.state {
                    AwayState::Lagging(position) | AwayState::AwaitingPage(position) => *position,
                    AwayState::Page(page) => page.seen,
                    AwayState::Attaching { ticket } => {
                        let start = self.tickets.get(ticket)?.start;
                        let ended = matches!(start, Start::AfterEnd(_));
                        let (hash, position) = (away.channel.hash48(), start.position()?);
                        return Some(CursorEntry { hash, position, ended });
                    }
                };
                (&away.channel, position)
            }
        };
        Some(CursorEntry { hash: channel.hash48(), position, ended: false })
    }

    /// The channels that a reader reads, by the hashes of their names.
    fn hashes_read(&self, connection: ConnectionId) -> Vec<ChannelHash> {
        let Some(reader) = self.readers.get(connection.index) else { return Vec::new() };
        let hash = |slot: &Slot| match slot {
            Slot::Free => None,
            Slot::Live { feed, .. } => self.feeds.get(*feed).map(|feed| feed.channel.hash48()),
            Slot::Away(away) => Some(away.channel.hash48()),
        };
        reader.slots.as_slice().iter().filter_map(hash).collect()
    }
}
