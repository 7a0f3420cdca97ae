//! How readers come to their place in a feed, and how they leave.
//!
//! A reader attaches from a position: (a) this shard's own feed may cover it; (b) the owner's ring
//! may, and then history travels the same way as live publications, so that neither a gap nor a
//! duplicate can arise at the seam; (c) older publications come a page at a time, each followed by
//! another attach. A reader that fell behind takes the same way again.

use std::collections::VecDeque;

use crate::code::Code;
use crate::conflation::newest_of_each;
use crate::cursor::{Cursor, CursorEntry};
use crate::feed::{Entry, FeedId, FeedMark};
use crate::frame::Format;
use crate::gap::{Gap, GapReason};
use crate::name::ChannelName;
use crate::namespace::Presence;
use crate::position::Position;
use crate::presence::Notices;
use crate::rate::Wanted;
use crate::settings::SlowReader;
use crate::shard::interest::{Interest, history_entry};
use crate::shard::reader::{Away, AwayState, Flow, OpeningState, Reader, Slot};
use crate::shard::{
    Attachment, ConnectionId, Coverage, Disconnect, Effect, Message, Opened, Opening, Served, Shard,
};
use crate::start::{Start, Subscription};

/// An attach that the owner has not answered.
#[derive(Debug)]
pub(super) struct Ticket {
    connection: ConnectionId,
    slot: u16,
    channel: ChannelName,
    wanted: Wanted,
    pub(super) start: Start,
    purpose: Purpose,
    /// Bytes that are kept for it in the budget of pages.
    promised: usize,
}

/// What a reader attaches for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// It is one of the channels of its opening.
    Opening(usize),
    /// It was added to a stream that stands.
    Subscribe(u64),
    /// It goes on from where it was.
    Resume,
}

/// Where a reader that attaches came to stand.
struct Stand {
    from: Position,
    head: Position,
    gap: Option<Gap>,
    over: bool,
}

impl Shard {
    /// A connection begins to read.
    pub(super) fn open(
        &mut self,
        connection: ConnectionId,
        mut opening: Opening,
        effects: &mut Vec<Effect>,
    ) {
        let reader = Reader::new(connection, &mut opening);
        if let Some(left_behind) = self.readers.insert(connection.index, reader) {
            debug_assert!(false, "the place was in use: {left_behind:?}");
        }
        if opening.subscriptions.is_empty() {
            return self.finish_opening(connection, effects);
        }
        if opening.subscriptions.len() > self.settings.subscriptions_max {
            return self.refuse_opening(connection, Code::ChannelsTooMany, effects);
        }
        if opening.subscriptions.iter().any(|subscription| self.asks_in_vain(subscription)) {
            return self.refuse_opening(connection, Code::PresenceOff, effects);
        }
        for (at, subscription) in opening.subscriptions.into_iter().enumerate() {
            self.attach(connection, subscription, Purpose::Opening(at), effects);
        }
    }

    /// A connection that reads adds a channel.
    pub(super) fn subscribe(
        &mut self,
        connection: ConnectionId,
        request: u64,
        subscription: Subscription,
        effects: &mut Vec<Effect>,
    ) {
        let most = self.settings.subscriptions_max;
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        let full = reader.slots.used() >= most;
        let refused = if self.slot_of(connection, &subscription.channel).is_some() {
            Some(Code::AlreadySubscribed)
        } else if self.asks_in_vain(&subscription) {
            Some(Code::PresenceOff)
        } else {
            full.then_some(Code::ChannelsTooMany)
        };
        if let Some(code) = refused {
            effects.push(Effect::Refused { connection, request: Some(request), code });
            return;
        }
        if let (Notices::On, Some(reader)) = (subscription.notices, self.reader_mut(connection)) {
            reader.know_itself();
        }
        self.attach(connection, subscription, Purpose::Subscribe(request), effects);
    }

    /// A connection that reads drops a channel.
    pub(super) fn unsubscribe(
        &mut self,
        connection: ConnectionId,
        request: u64,
        channel: ChannelName,
        effects: &mut Vec<Effect>,
    ) {
        let Some(slot) = self.slot_of(connection, &channel) else {
            let code = Code::NotSubscribed;
            effects.push(Effect::Refused { connection, request: Some(request), code });
            return;
        };
        let unanswered = self.attach_request(connection, slot);
        self.compose_cursor(connection);
        self.leave(connection, slot, effects);
        if let Some(request) = unanswered {
            let code = Code::NotSubscribed;
            effects.push(Effect::Refused { connection, request: Some(request), code });
        }
        effects.push(Effect::Unsubscribed { connection, request, channel });
    }

    /// The request that a slot's channel was asked for with, while the owner has not answered it.
    fn attach_request(&mut self, connection: ConnectionId, slot: u16) -> Option<u64> {
        let reader = self.reader_mut(connection)?;
        let Slot::Away(away) = reader.slots.get_mut(slot)? else { return None };
        let AwayState::Attaching { ticket } = away.state else { return None };
        match self.tickets.get(&ticket)?.purpose {
            Purpose::Subscribe(request) => Some(request),
            Purpose::Opening(_) | Purpose::Resume => None,
        }
    }

    /// A connection is gone.
    pub(super) fn close(&mut self, connection: ConnectionId, effects: &mut Vec<Effect>) {
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        // What one of its channels gives back is not for another one.
        reader.flow = Flow::Gone;
        for slot in 0..reader.slots.as_slice().len() {
            self.leave(connection, u16::try_from(slot).unwrap_or(u16::MAX), effects);
        }
        self.readers.remove(connection.index);
    }

    /// Puts a channel into a slot of its reader and finds its place.
    fn attach(
        &mut self,
        connection: ConnectionId,
        subscription: Subscription,
        purpose: Purpose,
        effects: &mut Vec<Effect>,
    ) {
        let Subscription { channel, start, notices } = subscription;
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        let state = AwayState::Attaching { ticket: 0 };
        let slot = reader.slots.insert(Away { channel: channel.clone(), state, notices });
        self.figures.readers += 1;
        // Looked up once, since most channels need neither.
        let rules = self.settings.namespaces.of(&channel);
        let (occupancy, presence) = (rules.wishes.occupancy, rules.presence);
        if occupancy {
            self.count_reader(&channel, effects);
        }
        if presence != Presence::Off {
            self.post_join(connection, &channel, effects);
        }
        let wanted = self.wanted(connection, &channel);
        let promised = 0;
        let ticket = Ticket { connection, slot, channel, wanted, start, purpose, promised };
        self.attach_slot(ticket, effects);
    }

    /// Has a reader that fell behind go on from `position`.
    pub(super) fn resume(
        &mut self,
        connection: ConnectionId,
        slot: u16,
        position: Position,
        effects: &mut Vec<Effect>,
    ) {
        self.resume_promised(connection, slot, (position, 0), effects);
    }

    /// Has a reader go on from `position`; so many bytes of the budget of pages are kept for what it
    /// may be given.
    pub(super) fn resume_promised(
        &mut self,
        connection: ConnectionId,
        slot: u16,
        (position, promised): (Position, usize),
        effects: &mut Vec<Effect>,
    ) {
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        let Some(Slot::Away(away)) = reader.slots.get_mut(slot) else {
            return;
        };
        let channel = away.channel.clone();
        let wanted = self.wanted(connection, &channel);
        let (start, purpose) = (Start::After(position), Purpose::Resume);
        let ticket = Ticket { connection, slot, channel, wanted, start, purpose, promised };
        self.attach_slot(ticket, effects);
    }

    fn attach_slot(&mut self, ticket: Ticket, effects: &mut Vec<Effect>) {
        let number = self.next_ticket + 1;
        let Some(reader) = self.reader_mut(ticket.connection) else {
            return;
        };
        let format = reader.format;
        if let Some(Slot::Away(away)) = reader.slots.get_mut(ticket.slot) {
            away.state = AwayState::Attaching { ticket: number };
        }
        // A join has no answer. Without one to the attach behind it, what a connection may put into
        // another shard's mailbox would have no bound.
        let answered = ticket.purpose == Purpose::Resume || !self.joins_elsewhere(&ticket.channel);
        let located = if answered { self.locate_here(&ticket, format) } else { None };
        if let Some((position, head)) = located {
            self.place(&ticket, format, position);
            let stand = Stand { from: position, head, gap: None, over: false };
            return self.stand(ticket, stand, effects);
        }
        self.next_ticket = number;
        let interest = self.interests.entry(ticket.channel.clone()).or_insert_with(Interest::new);
        interest.attaching += 1;
        let (shard, channel) = (self.settings.shard, ticket.channel.clone());
        let (start, wanted) = (ticket.start, ticket.wanted);
        self.pages_promised += ticket.promised;
        self.tickets.insert(number, ticket);
        self.post_to_owner(
            Message::Attach { shard, ticket: number, channel, start, format, wanted },
            effects,
        );
    }

    /// The position to read from and the head, if this shard can tell without its owner. A claimed
    /// position ahead of the head may only mean that this shard has not heard of it yet.
    fn locate_here(&self, ticket: &Ticket, format: Format) -> Option<(Position, Position)> {
        let interest = self.interests.get(&ticket.channel)?;
        let head = interest.head.filter(|_| !interest.ended)?;
        if interest.feeds.is_empty() {
            return None;
        }
        let position = match ticket.start {
            Start::Now => head,
            Start::After(position) if position == head => head,
            Start::After(position) if position.epoch == head.epoch => position,
            _ => return None,
        };
        let feed = interest.feeds.get(format, ticket.wanted);
        let covered = match feed.and_then(|id| self.feeds.get(id)) {
            Some(feed) => {
                position == head
                    || feed.locate(position).is_some_and(|_| position.offset < head.offset)
            }
            None => position == head,
        };
        covered.then_some((position, head))
    }

    /// The owner's answer to an attach.
    pub(super) fn attached(
        &mut self,
        number: u64,
        outcome: Result<Box<Attachment>, Code>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(ticket) = self.tickets.remove(&number) else {
            return;
        };
        self.pages_promised -= ticket.promised;
        if let Some(interest) = self.interests.get_mut(&ticket.channel) {
            interest.attaching -= 1;
            if let Ok(attachment) = &outcome
                && attachment.coverage == Coverage::Live
            {
                interest.head = Some(attachment.to);
                interest.ended = false;
                interest.members = attachment.members;
            }
        }
        let waits = self.reader_mut(ticket.connection).is_some_and(|reader| {
            if reader.flow == Flow::Gone {
                return false;
            }
            let slot = reader.slots.get_mut(ticket.slot);
            matches!(slot, Some(Slot::Away(away))
                if matches!(away.state, AwayState::Attaching { ticket } if ticket == number))
        });
        let channel = ticket.channel.clone();
        match outcome {
            _ if !waits => {}
            Ok(attachment) => self.take_attachment(ticket, *attachment, effects),
            Err(code) => self.refuse_attach(&ticket, code, effects),
        }
        self.release_if_unread(&channel, effects);
        self.admit_page(effects);
    }

    fn take_attachment(
        &mut self,
        ticket: Ticket,
        attachment: Attachment,
        effects: &mut Vec<Effect>,
    ) {
        let Attachment { channel, from, gap, mut history, to, ended, coverage, .. } = attachment;
        let (connection, slot) = (ticket.connection, ticket.slot);
        let Some(format) = self.reader_mut(connection).map(|reader| reader.format) else {
            return;
        };
        match coverage {
            Coverage::Live => {
                self.cover(&ticket, format, from, &history);
                self.place(&ticket, format, from);
            }
            Coverage::Page => {
                if ticket.wanted != Wanted::Every {
                    keep_newest(&mut history);
                }
                let weight: usize = history.iter().map(|one| one.publication.weight()).sum();
                let more = weight >= self.settings.page_bytes / 2 && !ended;
                let entries = history.iter().map(|served| {
                    history_entry(&served.publication, served.prev, format, &self.settings)
                });
                let mut entries: VecDeque<Entry> = entries.collect();
                if ended {
                    let hash = channel.hash48();
                    let entry = CursorEntry { hash, position: to, ended: true };
                    entries.push_back(Entry::mark(FeedMark::Ended, entry));
                }
                self.give_page(connection, slot, entries, (from, to, more));
            }
            Coverage::Over => self.leave(connection, slot, effects),
        }
        let over = coverage == Coverage::Over;
        self.stand(ticket, Stand { from, head: to, gap, over }, effects);
    }

    /// Makes sure that the feed reaches back to `from`; `history` is what the owner knows after it.
    fn cover(&mut self, ticket: &Ticket, format: Format, from: Position, history: &[Served]) {
        let Some(id) = self.feed_of(&ticket.channel, (format, ticket.wanted)) else {
            return;
        };
        let Some(feed) = self.feeds.get_mut(id) else {
            return;
        };
        if feed.locate(from).is_some() {
            return;
        }
        let bytes = feed.bytes() as u64;
        if let Some(newest) = &mut feed.conflation {
            newest.extend_back(from, history, |served| {
                history_entry(&served.publication, served.prev, format, &self.settings)
            });
            self.figures.feed_bytes = self.figures.feed_bytes + newest.bytes() as u64 - bytes;
            return;
        }
        let begun = feed.before();
        let missing = history.iter().filter(|served| served.publication.offset() <= begun.offset);
        let entries: Vec<Entry> = missing
            .map(|served| history_entry(&served.publication, served.prev, format, &self.settings))
            .collect();
        let seam = entries.last().and_then(|entry| entry.after);
        let seam = seam.map_or(from, |entry| entry.position);
        if seam.offset < begun.offset {
            // What stood between has expired: the frame after it must not name it as before.
            if let Some((frame, publication)) = feed.oldest_mut() {
                let anew = (self.settings.encode)(publication, seam.offset, format);
                let weights = (frame.weight(), anew.weight());
                *frame = anew;
                feed.reweigh(weights);
            }
        }
        feed.extend_back(from, entries);
        self.figures.feed_bytes = self.figures.feed_bytes + feed.bytes() as u64 - bytes;
    }

    /// Puts a reader into its feed, after `position`.
    fn place(&mut self, ticket: &Ticket, format: Format, position: Position) {
        let (connection, slot) = (ticket.connection, ticket.slot);
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        let notices = match reader.slots.get_mut(slot) {
            Some(Slot::Away(away)) => away.notices,
            _ => Notices::Off,
        };
        let Some(id) = self.feed_of(&ticket.channel, (format, ticket.wanted)) else {
            return;
        };
        let Some(feed) = self.feeds.get_mut(id) else {
            return;
        };
        let place = feed.add((connection.index, slot), notices, position);
        self.settle_in(connection, slot, id, place);
    }

    fn settle_in(&mut self, connection: ConnectionId, slot: u16, feed: FeedId, place: u32) {
        if let Some(reader) = self.reader_mut(connection)
            && let Some(slot) = reader.slots.get_mut(slot)
        {
            *slot = Slot::Live { feed, place };
        }
        self.make_ready(connection);
    }

    /// Tells a reader where it stands, in the way that fits what it attached for.
    fn stand(&mut self, ticket: Ticket, stand: Stand, effects: &mut Vec<Effect>) {
        let Ticket { connection, slot, mut channel, wanted, start, purpose, .. } = ticket;
        // Whoever keeps the name shares it with the others who read the channel here.
        if let Some((shared, _)) = self.interests.get_key_value(&channel) {
            channel = shared.clone();
        }
        let Stand { from, head, gap, over } = stand;
        let hash = channel.hash48();
        let claimed = match (&gap, start) {
            (None, _) => Some(CursorEntry { hash, position: from, ended: over }),
            (Some(_), Start::After(position)) => Some(CursorEntry { hash, position, ended: false }),
            (Some(_), Start::AfterEnd(position)) => {
                Some(CursorEntry { hash, position, ended: true })
            }
            (Some(_), _) => None,
        };
        let gap_follows = gap.is_some();
        let policy = match (wanted, self.settings.namespaces.of(&channel).slow_reader) {
            (Wanted::Newest(_), _) => SlowReader::Latest,
            (Wanted::Every, SlowReader::Latest) => SlowReader::Recover,
            (Wanted::Every, policy) => policy,
        };
        let opened = Opened { channel, entry: claimed, head, gap_follows, over, policy };
        match purpose {
            Purpose::Opening(at) => {
                let Some(state) = self.opening_of(connection) else {
                    return;
                };
                state.gaps.extend(gap);
                state.left -= 1;
                if let Some(place) = state.channels.get_mut(at) {
                    *place = Some(opened);
                }
                if state.left == 0 {
                    self.finish_opening(connection, effects);
                }
            }
            Purpose::Subscribe(request) => {
                self.compose_cursor(connection);
                let entry = CursorEntry { hash, position: from, ended: over };
                self.enter_first(connection, entry);
                effects.push(Effect::Subscribed { connection, request, opened });
                if let Some(gap) = gap {
                    self.tell_gap(connection, gap, effects);
                }
            }
            Purpose::Resume => {
                if let Some(gap) = gap {
                    let reason = match gap.reason {
                        GapReason::Epoch => GapReason::Removed,
                        GapReason::Trimmed => GapReason::Slow,
                        other => other,
                    };
                    let gap = Gap { reason, ..gap };
                    // Nothing is told before the opening, not even what happened to a channel that
                    // answered while others had not.
                    match self.opening_of(connection) {
                        Some(state) => state.gaps.push(gap),
                        None => self.tell_gap(connection, gap, effects),
                    }
                }
                self.tell_members(connection, slot, effects);
            }
        }
        self.make_ready(connection);
    }

    fn opening_of(&mut self, connection: ConnectionId) -> Option<&mut OpeningState> {
        self.reader_mut(connection)?.extra.as_mut()?.opening.as_deref_mut()
    }

    /// All channels of an opening have answered: the stream begins.
    fn finish_opening(&mut self, connection: ConnectionId, effects: &mut Vec<Effect>) {
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        let Some(extra) = reader.extra.as_mut() else {
            return;
        };
        let Some(state) = extra.opening.take() else {
            return;
        };
        let channels: Vec<Opened> = state.channels.into_iter().flatten().collect();
        let mut told = Cursor::new();
        for opened in &channels {
            match opened.entry {
                Some(entry) => told.set(entry),
                None => told.mark(),
            }
        }
        told.carry(&state.carried);
        // What is over has no slot to say later where its reader stands.
        let alone = channels.len() < 2 && channels.iter().all(|opened| !opened.over);
        let composes = !alone || !state.carried.is_empty();
        extra.cursor = (composes && reader.format.composes()).then(|| told.clone());
        reader.shed();
        let max_rate = reader.pace.max_rate();
        if reader.flow == Flow::Opening {
            reader.flow = Flow::Open;
        }
        effects.push(Effect::Opened { connection, channels, cursor: told, max_rate });
        let mut unreadable = state.gaps.iter().filter(|gap| gap.from.is_none()).count();
        for gap in state.gaps {
            let own = self.reader_mut(connection).and_then(Reader::cursor_mut);
            if let (Some(cursor), None) = (own, gap.from) {
                // Until the last of them has an entry again, the mark stands for those without.
                unreadable -= 1;
                if unreadable == 0 && !state.carried.marked() {
                    cursor.unmark();
                }
                let hash = gap.channel.hash48();
                let entry = CursorEntry { hash, position: gap.to, ended: false };
                self.enter_first(connection, entry);
            }
            self.tell_gap(connection, gap, effects);
        }
        self.make_ready(connection);
    }

    /// Tells a reader a gap, or ends it where its format has no words for one.
    pub(super) fn tell_gap(
        &mut self,
        connection: ConnectionId,
        gap: Gap,
        effects: &mut Vec<Effect>,
    ) {
        let reason = GapReason::ALL.iter().position(|reason| *reason == gap.reason);
        if let Some(count) = reason.and_then(|at| self.figures.gaps.get_mut(at)) {
            *count += 1;
        }
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        if !reader.format.tells_gaps() {
            return self.disconnect(connection, Disconnect::Gap(gap), effects);
        }
        let entry = CursorEntry { hash: gap.channel.hash48(), position: gap.to, ended: false };
        let cursor = self.set_cursor(connection, entry);
        effects.push(Effect::Gap { connection, gap, cursor });
    }

    /// Moves a reader's cursor on, if it has one; gives back the cursor to tell.
    pub(super) fn set_cursor(&mut self, connection: ConnectionId, entry: CursorEntry) -> Cursor {
        let own = self.reader_mut(connection).and_then(Reader::cursor_mut);
        if let Some(cursor) = own {
            cursor.set(entry);
            return cursor.clone();
        }
        let mut cursor = Cursor::new();
        cursor.set(entry);
        cursor
    }

    fn refuse_attach(&mut self, ticket: &Ticket, code: Code, effects: &mut Vec<Effect>) {
        let connection = ticket.connection;
        self.leave(connection, ticket.slot, effects);
        match ticket.purpose {
            Purpose::Opening(_) => self.refuse_opening(connection, code, effects),
            Purpose::Subscribe(request) => {
                effects.push(Effect::Refused { connection, request: Some(request), code });
            }
            // The reader is told what it lost when it comes back.
            Purpose::Resume => self.disconnect(connection, Disconnect::Slow, effects),
        }
    }

    fn refuse_opening(&mut self, connection: ConnectionId, code: Code, effects: &mut Vec<Effect>) {
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        if reader.flow != Flow::Gone {
            reader.flow = Flow::Gone;
            effects.push(Effect::Refused { connection, request: None, code });
        }
    }

    /// Takes a channel out of its reader.
    pub(super) fn leave(&mut self, connection: ConnectionId, slot: u16, effects: &mut Vec<Effect>) {
        let Some(reader) = self.reader_mut(connection) else {
            return;
        };
        let Some(slot) = reader.slots.get_mut(slot) else {
            return;
        };
        let left = std::mem::replace(slot, Slot::Free);
        self.figures.readers -= u64::from(!matches!(left, Slot::Free));
        let channel = match left {
            Slot::Free => return,
            Slot::Live { feed: id, place } => {
                let Some(feed) = self.feeds.get_mut(id) else {
                    return;
                };
                let channel = feed.channel.clone();
                let moved = feed.remove(place);
                self.replace(moved);
                self.close_feed_if_unread(id, effects);
                channel
            }
            Slot::Away(away) => {
                #[cfg(test)]
                if matches!(away.state, AwayState::Attaching { .. })
                    && crate::simulation::makes(crate::simulation::Mistake::Ghost)
                {
                    return;
                }
                if let AwayState::Page(page) = away.state {
                    self.return_page(page.charged, effects);
                }
                away.channel
            }
        };
        self.post_leave(connection, &channel, effects);
        self.discount_reader(&channel, effects);
    }

    /// The slot of a reader that holds a channel.
    fn slot_of(&self, connection: ConnectionId, channel: &ChannelName) -> Option<u16> {
        let reader = self.readers.get(connection.index)?;
        if reader.generation != connection.generation {
            return None;
        }
        let holds = |slot: &Slot| match slot {
            Slot::Free => false,
            Slot::Live { feed, .. } => {
                self.feeds.get(*feed).is_some_and(|feed| feed.channel == *channel)
            }
            Slot::Away(away) => away.channel == *channel,
        };
        let at = reader.slots.as_slice().iter().position(holds)?;
        u16::try_from(at).ok()
    }
}

/// Leaves of each key the newest.
fn keep_newest(history: &mut Vec<Served>) {
    let newest = newest_of_each(history.iter().map(|served| &*served.publication));
    let mut newest = newest.into_iter();
    history.retain(|_| newest.next().unwrap_or(true));
}
