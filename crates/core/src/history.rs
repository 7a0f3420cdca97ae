//! Where starts lie in what is kept of a channel, and which part of it a question is answered with.
//!
//! Rings and engines keep publications in different ways and answer the same questions: here is the
//! one answer, over anything that is [`Kept`].

use std::ops::Range;

use crate::cursor::CursorEntry;
use crate::gap::{Gap, GapReason};
use crate::name::ChannelName;
use crate::position::{Offset, Position};
use crate::shard::{HistoryPage, HistoryQuery, Order, Served, Until};
use crate::start::Start;
use crate::time::UnixMillis;

/// The publications that are kept of one channel, oldest first, each known by its place.
pub trait Kept {
    /// How many there are.
    fn count(&self) -> usize;

    /// The offset up to which retention removed publications.
    fn floor(&self) -> Offset;

    /// The offset of the publication at `place`.
    fn offset(&self, place: usize) -> Option<Offset>;

    /// What the publication at `place` costs, as retention counts it.
    fn weight(&self, place: usize) -> usize;

    /// The place of the first publication after `offset`; the count if there is none.
    fn place_after(&self, offset: Offset) -> usize;

    /// The place of the first publication of `time` or later; the count if there is none.
    fn place_since(&self, time: UnixMillis) -> usize;

    /// The offset before the publication at `place`, as it is served: the kept one before it, or
    /// the floor. At the end it is the newest one's.
    fn offset_before(&self, place: usize) -> Offset {
        place.checked_sub(1).and_then(|before| self.offset(before)).unwrap_or_else(|| self.floor())
    }
}

/// One channel as far as readers may know of it.
#[derive(Debug)]
pub struct Extent<'a, K> {
    /// The channel.
    pub channel: &'a ChannelName,
    /// The committed head.
    pub head: Position,
    /// Whether the channel has ended at the head.
    pub ended: bool,
    /// What is kept, nothing of it beyond the head.
    pub kept: &'a K,
}

/// Where a start lies in a channel.
#[derive(Debug)]
pub struct Located {
    /// The position that the reader has seen everything up to, the gap included.
    pub from: Position,
    /// What it has to be told first.
    pub gap: Option<Gap>,
    /// Whether the reader knows that the channel has ended.
    pub over: bool,
}

/// The part of what is kept that answers a [`HistoryQuery`].
#[derive(Debug)]
pub struct Selection {
    /// The places of its publications.
    pub places: Range<usize>,
    order: Order,
    cursor: CursorEntry,
    next: Option<Position>,
    gap: Option<Gap>,
    ended: bool,
}

impl<K: Kept> Extent<'_, K> {
    /// The position before the oldest publication that is kept; the head if none is.
    #[must_use]
    pub fn floor(&self) -> Position {
        if self.kept.count() == 0 { self.head } else { self.head.at(self.kept.floor()) }
    }

    /// Finds where a start lies, and whether a gap comes before it.
    #[must_use]
    pub fn locate(&self, start: Start) -> Located {
        let at = |offset| Located { from: self.head.at(offset), gap: None, over: false };
        let before = |place| at(self.kept.offset_before(place));
        match start {
            Start::Now => at(self.head.offset),
            Start::All => before(0),
            Start::Last(count) => {
                let count = usize::try_from(count).unwrap_or(usize::MAX);
                before(self.kept.count().saturating_sub(count))
            }
            Start::Since(time) => before(self.kept.place_since(time)),
            Start::After(position) => self.locate_position(position),
            Start::AfterEnd(position) => {
                let over = self.ended && position == self.head;
                Located { over, ..self.locate_position(position) }
            }
            Start::Unreadable => self.gap(None, GapReason::Unreadable),
        }
    }

    /// Chooses what answers a question about the history.
    #[must_use]
    pub fn select(&self, query: &HistoryQuery) -> Selection {
        let Located { from, gap, .. } = self.locate(query.since);
        let first = self.kept.place_after(from.offset);
        let (last, lost) = self.end_of(query.until);
        let wanted = first..last.max(first);
        let places = self.within(&wanted, query);
        let more = places != wanted;
        // Without any publication between them, the place's own end stands for the newest.
        let newest = |end: usize| {
            let newest = end.checked_sub(1).filter(|_| !places.is_empty());
            newest.and_then(|newest| self.kept.offset(newest))
        };
        let seen = newest(places.end).unwrap_or(from.offset);
        let (next, seen) = match query.order {
            Order::Ascending => {
                (seen, if query.until.is_none() && !more { self.head.offset } else { seen })
            }
            Order::Descending => {
                let whole = query.until.is_none() || places.is_empty();
                let seen = if whole { seen.max(from.offset) } else { seen };
                (self.kept.offset_before(places.start), seen)
            }
        };
        let position = self.head.at(seen);
        let hash = self.channel.hash48();
        Selection {
            places,
            order: query.order,
            cursor: CursorEntry { hash, position, ended: false },
            next: more.then(|| self.head.at(next)),
            gap: gap.or(lost),
            ended: self.ended && !more && query.until.is_none(),
        }
    }

    /// Where the wanted publications end. Nothing is kept of what led up to a place in another
    /// history: that is a gap.
    fn end_of(&self, until: Option<Until>) -> (usize, Option<Gap>) {
        match until {
            None => (self.kept.count(), None),
            Some(Until::Position(until)) if until.epoch != self.head.epoch => {
                (0, self.gap(Some(until), GapReason::Epoch).gap)
            }
            Some(Until::Position(until)) => (self.kept.place_after(until.offset), None),
            Some(Until::Time(until)) => (self.kept.place_since(until.saturating_add(1)), None),
        }
    }

    /// As much of the wanted places as a page may have, from the end that comes first.
    fn within(&self, wanted: &Range<usize>, query: &HistoryQuery) -> Range<usize> {
        let mut left = query.bytes;
        let mut places = wanted.clone();
        let mut taken = 0;
        while taken < query.limit {
            let place = match query.order {
                Order::Ascending => places.next(),
                Order::Descending => places.next_back(),
            };
            let Some(place) = place else { break };
            let weight = self.kept.weight(place);
            if weight > left && taken > 0 {
                break;
            }
            left = left.saturating_sub(weight);
            taken += 1;
        }
        match query.order {
            Order::Ascending => wanted.start..wanted.start + taken,
            Order::Descending => wanted.end - taken..wanted.end,
        }
    }

    fn locate_position(&self, position: Position) -> Located {
        let reason = if position.epoch != self.head.epoch {
            GapReason::Epoch
        } else if position.offset > self.head.offset {
            GapReason::Future
        } else if position.offset < self.kept.floor() {
            GapReason::Trimmed
        } else {
            return Located { from: position, gap: None, over: false };
        };
        self.gap(Some(position), reason)
    }

    fn gap(&self, from: Option<Position>, reason: GapReason) -> Located {
        let to = self.floor();
        let gap = Gap { channel: self.channel.clone(), from, to, reason };
        Located { from: to, gap: Some(gap), over: false }
    }
}

impl Selection {
    /// The page, made of the publications at the selection's places, oldest first.
    #[must_use]
    pub fn page(self, mut publications: Vec<Served>) -> HistoryPage {
        if self.order == Order::Descending {
            publications.reverse();
        }
        let Self { cursor, next, gap, ended, .. } = self;
        HistoryPage { publications, cursor, next, gap, ended }
    }
}
