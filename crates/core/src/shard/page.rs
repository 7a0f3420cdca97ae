//! Pages: history that comes to one reader at a time, because it lies before what a feed holds.
//!
//! Pages share a budget. What a reader takes is given back at once; a reader that takes nothing for
//! a while gives up its page, so that no number of stalled readers keeps others from theirs.

use std::collections::VecDeque;

use crate::cursor::Cursor;
use crate::feed::{Entry, EntryBody, RUN_MAX, Run};
use crate::position::Position;
use crate::shard::flush::Hit;
use crate::shard::reader::{Away, AwayState, Flow, Page, Reader, Slot};
use crate::shard::{ConnectionId, Effect, Room, Shard, Sink};
use crate::time::Millis;

/// A reader that waits for room in the budget of pages.
#[derive(Debug)]
pub(super) struct PageWaiter {
    connection: ConnectionId,
    slot: u16,
    /// What its page took when there was no room for it.
    bytes: usize,
}

/// A reader that was given a page; it may have read it since, or have another one.
#[derive(Debug)]
pub(super) struct PageHolder {
    connection: ConnectionId,
    slot: u16,
    number: u64,
}

/// How long a reader may hold a page without taking anything while others wait for theirs.
const STALLED_AFTER: Millis = 2_000;

/// Bytes of a page that count as one more send in the budget of a flush.
const BYTES_OF_A_SEND: usize = 2 * 1_024;

impl Shard {
    /// Gives a reader its page, or has it wait for room in the budget.
    pub(super) fn give_page(
        &mut self,
        connection: ConnectionId,
        slot: u16,
        entries: VecDeque<Entry>,
        (from, to, more): (Position, Position, bool),
    ) {
        let charged: usize = entries.iter().map(|entry| entry.frame.weight()).sum();
        let behind = if more { charged } else { 0 };
        let fits = self.page_fits(charged);
        let moved = self.now.millis;
        self.next_page += 1;
        let number = self.next_page;
        let Some(reader) = self.reader_mut(connection) else { return };
        let Some(Slot::Away(away)) = reader.slots.get_mut(slot) else { return };
        if fits {
            let seen = from;
            away.state =
                AwayState::Page(Page { entries, charged, behind, seen, to, moved, number });
            self.figures.page_bytes += charged as u64;
            self.page_holders.push_back(PageHolder { connection, slot, number });
            // Two looks for each page given, so that the list stays as short as what it lists.
            self.look_at_holders(2, None);
        } else {
            away.state = AwayState::AwaitingPage(from);
            self.page_queue.push_back(PageWaiter { connection, slot, bytes: charged });
        }
    }

    /// Whether a page fits the budget beside what is promised; one larger than all of it does when
    /// it has it alone.
    fn page_fits(&self, bytes: usize) -> bool {
        let used = usize::try_from(self.figures.page_bytes).unwrap_or(usize::MAX);
        let used = used.saturating_add(self.pages_promised);
        used == 0 || used.saturating_add(bytes) <= self.settings.pages_bytes_max
    }

    /// Gives back what a page was charged, and lets those go on who wait for room.
    pub(super) fn return_page(&mut self, charged: usize, effects: &mut Vec<Effect>) {
        self.figures.page_bytes -= charged as u64;
        self.admit_page(effects);
    }

    /// Lets readers ask for their pages, in the order in which they were refused, as far as what
    /// they were refused for fits now.
    pub(super) fn admit_page(&mut self, effects: &mut Vec<Effect>) {
        while let Some(waiter) = self.page_queue.front() {
            if !self.page_fits(waiter.bytes) {
                return;
            }
            let PageWaiter { connection, slot, bytes } = *waiter;
            self.page_queue.pop_front();
            let Some(reader) = self.reader_mut(connection) else { continue };
            if reader.flow == Flow::Gone {
                continue;
            }
            let Some(Slot::Away(away)) = reader.slots.get_mut(slot) else { continue };
            if let AwayState::AwaitingPage(position) = away.state {
                self.resume_promised(connection, slot, (position, bytes), effects);
            }
        }
    }

    /// Has a reader that has read its page go on. Where another one follows, it is asked for when
    /// there is room for it: it would be read, and encoded, in vain.
    fn read_on(
        &mut self,
        connection: ConnectionId,
        slot: u16,
        (position, bytes): (Position, usize),
        effects: &mut Vec<Effect>,
    ) {
        if bytes == 0 || self.page_fits(bytes) {
            return self.resume_promised(connection, slot, (position, bytes), effects);
        }
        let Some(reader) = self.reader_mut(connection) else { return };
        let Some(Slot::Away(away)) = reader.slots.get_mut(slot) else { return };
        away.state = AwayState::AwaitingPage(position);
        self.page_queue.push_back(PageWaiter { connection, slot, bytes });
    }

    /// When stalled pages have to be looked for.
    pub(super) fn pages_at(&self) -> Option<Millis> {
        (!self.page_queue.is_empty()).then_some(self.now.millis + STALLED_AFTER / 2)
    }

    /// Takes back the pages of readers that take nothing while others wait. They go on from where
    /// they are when they have drained.
    pub(super) fn reclaim_pages(&mut self, effects: &mut Vec<Effect>) {
        let stalled_since = self.now.millis.checked_sub(STALLED_AFTER);
        let stalled_since = stalled_since.filter(|_| !self.page_queue.is_empty());
        for connection in self.look_at_holders(self.page_holders.len(), stalled_since) {
            self.make_ready(connection);
        }
        self.admit_page(effects);
    }

    /// Forgets holders that have read their page. Takes the pages of those that have taken nothing
    /// since the given moment, and gives back whose they were.
    fn look_at_holders(
        &mut self,
        looks: usize,
        stalled_since: Option<Millis>,
    ) -> Vec<ConnectionId> {
        let mut taken = Vec::new();
        for _ in 0..looks {
            let Some(holder) = self.page_holders.pop_front() else { return taken };
            let PageHolder { connection, slot, number } = holder;
            let Some(reader) = self.reader_mut(connection) else { continue };
            let Some(Slot::Away(away)) = reader.slots.get_mut(slot) else { continue };
            let AwayState::Page(page) = &mut away.state else { continue };
            if page.number != number {
                continue;
            }
            if stalled_since.is_some_and(|since| page.moved <= since) {
                let charged = page.charged as u64;
                away.state = AwayState::Lagging(page.seen);
                self.figures.page_bytes -= charged;
                taken.push(connection);
            } else {
                self.page_holders.push_back(holder);
            }
        }
        taken
    }

    /// Delivers a page to its reader; at its end the reader attaches again.
    pub(super) fn deliver_page(
        &mut self,
        connection: ConnectionId,
        slot: u16,
        sink: &mut impl Sink,
        hits: &mut Vec<Hit>,
        effects: &mut Vec<Effect>,
    ) -> usize {
        let Some(reader) = self.readers.get_mut(connection.index) else { return 0 };
        let Reader { slots, extra, flow, session, .. } = reader;
        let Some(Slot::Away(away)) = slots.get_mut(slot) else { return 0 };
        let Away { state: AwayState::Page(page), .. } = &mut **away else { return 0 };
        let (mut sends, mut returned) = (0, 0);
        while *flow == Flow::Open && !page.entries.is_empty() {
            if page.entries.front().is_some_and(|next| next.exclude == Some(*session)) {
                returned += page.pass_over(extra.as_mut().and_then(|extra| extra.cursor.as_mut()));
                continue;
            }
            let given = |entry: &&Entry| {
                entry.as_mark().is_none() && entry.exclude.is_none_or(|own| own != *session)
            };
            let count = page.entries.iter().take(RUN_MAX).take_while(given).count();
            if count == 0 {
                hits.extend(page.take_mark(connection, slot));
                *flow = flow.held();
                self.held.push(connection);
                continue;
            }
            let cursor = extra.as_ref().and_then(|extra| extra.cursor.as_ref());
            let run = Run { entries: page.entries.range(..count).take(count), cursor };
            let delivery = sink.deliver(connection, run);
            let taken = delivery.taken.min(count);
            sends += 1;
            self.figures.deliveries += taken as u64;
            let (mut last, mut bytes) = (0, 0);
            for entry in page.entries.drain(..taken) {
                last = entry.frame.weight();
                bytes += last;
                let Some(after) = entry.after else { continue };
                page.seen = after.position;
                if let Some(cursor) = extra.as_mut().and_then(|extra| extra.cursor.as_mut()) {
                    cursor.set(after);
                }
            }
            returned += bytes;
            // A long write keeps everyone else waiting as long as many short ones.
            sends += bytes / BYTES_OF_A_SEND;
            if taken > 0 {
                page.moved = self.now.millis;
            }
            if delivery.room == Room::Full || taken == 0 {
                *flow = Flow::Full;
                // The sink still holds the rest of it, and this reader alone.
                returned -= last;
            }
        }
        returned = returned.min(page.charged);
        page.charged -= returned;
        // What a full sink took last is not gone yet: the next page is pulled when it has drained.
        if page.entries.is_empty() && *flow != Flow::Full {
            let next = (page.to, page.behind);
            returned += std::mem::take(&mut page.charged);
            // After an end there is nothing to attach to; the hit takes the slot away.
            let goes_on = *flow != Flow::Held;
            self.return_page(returned, effects);
            if goes_on {
                self.read_on(connection, slot, next, effects);
            }
            return sends;
        }
        self.return_page(returned, effects);
        sends
    }
}

impl Page {
    /// Passes over the next entry, which its reader does not get; says what that gives back.
    fn pass_over(&mut self, cursor: Option<&mut Cursor>) -> usize {
        let Some(entry) = self.entries.pop_front() else { return 0 };
        if let Some(after) = entry.after {
            self.seen = after.position;
            if let Some(cursor) = cursor {
                cursor.set(after);
            }
        }
        entry.frame.weight()
    }

    /// Takes the mark that the page has come to.
    fn take_mark(&mut self, connection: ConnectionId, slot: u16) -> Option<Hit> {
        let entry = self.entries.pop_front()?;
        let EntryBody::Mark(mark) = entry.body else { return None };
        Some(Hit { connection, slot, mark: *mark, after: entry.after? })
    }
}
