//! Gathers what one long-poll is answered with.
//!
//! First come the pages that the channels' owners had already, then what a subscriber of the edge
//! gets while the client waits. Pure: items go in, the answer's parts come out.

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::gap::Gap;
use fanfare_core::shard::{Disconnect, HistoryPage};

use crate::edge::resolve::compose;
use crate::pipe::PipeItem;

/// Publications that a poll answers at most; the rest is had by its cursor.
pub(crate) const POLL_PUBLICATIONS_MAX: usize = 1_000;

/// Bytes of publications that a poll answers at most; one publication is always given.
pub(crate) const POLL_BYTES_MAX: usize = 1024 * 1024;

/// What was gathered so far.
#[derive(Debug)]
pub(crate) struct Collector {
    /// Envelopes, in order, without line ends.
    pub publications: Vec<Bytes>,
    /// Gaps, in order.
    pub gaps: Vec<Gap>,
    /// Where the client goes on.
    pub cursor: Cursor,
    entries: Vec<Option<CursorEntry>>,
    carried: Cursor,
    ended: Vec<bool>,
    bytes: usize,
    truncated: bool,
}

/// Whether the client is to wait on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// There is room for more.
    More,
    /// It is to be answered with what there is.
    Answer,
    /// It could not be attached.
    Refuse(Code),
}

/// What is left of a poll's bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    /// Publications.
    pub publications: usize,
    /// Bytes.
    pub bytes: usize,
}

impl Collector {
    /// Nothing yet, for channels that are read from these entries; `carried` holds those of others.
    pub(crate) fn new(entries: Vec<Option<CursorEntry>>, carried: Cursor) -> Self {
        Self {
            publications: Vec::new(),
            gaps: Vec::new(),
            cursor: compose(&entries, &carried),
            ended: vec![false; entries.len()],
            entries,
            carried,
            bytes: 0,
            truncated: false,
        }
    }

    /// What may still be gathered; none when the poll is full.
    pub(crate) fn room(&self) -> Option<Room> {
        let publications = POLL_PUBLICATIONS_MAX.saturating_sub(self.publications.len());
        let bytes = POLL_BYTES_MAX.saturating_sub(self.bytes);
        (publications > 0 && bytes > 0).then_some(Room { publications, bytes })
    }

    /// Whether there is anything that a client waits for.
    pub(crate) fn is_empty(&self) -> bool {
        self.publications.is_empty() && self.gaps.is_empty()
    }

    /// Whether every channel has ended and nothing is left to be had.
    pub(crate) fn ended(&self) -> bool {
        self.ended.iter().all(|ended| *ended) && !self.truncated
    }

    /// The channel at this place of the request has been read up to `entry`.
    pub(crate) fn reach(&mut self, place: usize, entry: CursorEntry) {
        if let Some(known) = self.entries.get_mut(place) {
            *known = Some(entry);
        }
        self.cursor = compose(&self.entries, &self.carried);
    }

    /// The channels, by place, that have not ended.
    pub(crate) fn is_open(&self, place: usize) -> bool {
        self.ended.get(place).is_some_and(|ended| !ended)
    }

    /// Makes the cursor the one to answer with. Only the answer that says `end` says so of its channels too: of
    /// one among several a poll has no words for it, and a stream that comes later has.
    pub(crate) fn conclude(&mut self) {
        if self.ended() {
            for entry in self.entries.iter_mut().flatten() {
                entry.ended = true;
            }
            self.cursor = compose(&self.entries, &self.carried);
        }
    }

    fn end(&mut self, place: usize) {
        if let Some(ended) = self.ended.get_mut(place) {
            *ended = true;
        }
    }

    fn move_to(&mut self, entry: CursorEntry) {
        let mut known = self.entries.iter_mut().flatten();
        if let Some(known) = known.find(|known| known.hash == entry.hash) {
            *known = entry;
        }
        self.cursor.set(entry);
    }

    /// Takes what is said of the channel at this place beside the publications of its page, which
    /// come before, by [`Collector::reach`] and [`Collector::push`].
    pub(crate) fn page(&mut self, place: usize, page: &HistoryPage) {
        if let Some(gap) = &page.gap {
            self.gaps.push(gap.clone());
        }
        if page.next.is_some() {
            self.truncated = true;
        } else if page.ended {
            self.end(place);
        }
        self.reach(place, page.cursor);
    }

    /// A channel for which there was no room: it is read by the next poll.
    pub(crate) fn skipped(&mut self) {
        self.truncated = true;
    }

    /// Adds an envelope.
    pub(crate) fn push(&mut self, envelope: Bytes) {
        self.bytes += envelope.len();
        self.publications.push(envelope);
    }

    /// Takes what the shard says while the client waits; `None` says that the shard has dropped
    /// the subscriber.
    pub(crate) fn take(&mut self, item: Option<PipeItem>) -> Step {
        match item {
            // A poll asks for no notices, so that none come.
            Some(PipeItem::Opened { .. } | PipeItem::Notice(_)) => Step::More,
            Some(PipeItem::Refused(code)) => Step::Refuse(code),
            Some(PipeItem::Frame { body, after, .. }) => {
                let end = body.len() - usize::from(body.ends_with(b"\n"));
                self.push(body.slice(..end));
                if let Some(entry) = after {
                    self.move_to(entry);
                }
                match self.room() {
                    Some(_) => Step::More,
                    None => Step::Answer,
                }
            }
            Some(PipeItem::Gap { gap, cursor }) => {
                self.gaps.push(gap);
                for entry in cursor.entries() {
                    self.move_to(*entry);
                }
                self.cursor = cursor;
                Step::More
            }
            Some(PipeItem::End { entry, .. }) => {
                let hash = entry.hash;
                let is_it = |known: &Option<CursorEntry>| known.is_some_and(|it| it.hash == hash);
                if let Some(place) = self.entries.iter().position(is_it) {
                    self.end(place);
                }
                if self.ended() { Step::Answer } else { Step::More }
            }
            // A reader that is told to go comes back with the cursor of what it has, and is told
            // then what it missed.
            Some(PipeItem::Finished | PipeItem::Drain)
            | Some(PipeItem::Disconnect(Disconnect::Slow | Disconnect::Gap(_)))
            | None => Step::Answer,
        }
    }
}
