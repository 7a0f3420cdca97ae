//! A feed: one channel's publications on one shard, encoded for one wire format, read by cursors.
//!
//! A reader is a number: the next entry that it has not had. What a slow reader has before it is
//! the range between its number and the head, and costs nothing but the entries themselves, which
//! all readers share.

use std::collections::{VecDeque, vec_deque};
use std::iter::Take;
use std::sync::Arc;

use crate::conflation::Conflation;
use crate::cursor::{Cursor, CursorEntry};
use crate::frame::{Format, Frame};
use crate::gap::Gap;
use crate::name::ChannelName;
use crate::position::{Offset, Position};
use crate::presence::{News, Notices};
use crate::publication::{Publication, SessionId};
use crate::rate::Wanted;
use crate::settings::Retention;
use crate::shard::Extra;

/// One entry of a feed.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The encoded bytes; empty for what is told each reader by itself.
    pub frame: Frame,
    /// The reader's entry after it; none if it has no place in the channel (`ttl=0`).
    pub after: Option<CursorEntry>,
    /// When it was published, in Unix milliseconds, for the histogram of publish to write.
    pub time: u64,
    /// The session that does not get it.
    pub exclude: Option<SessionId>,
    pub(crate) body: EntryBody,
}

/// What an entry stands for.
#[derive(Debug, Clone)]
pub(crate) enum EntryBody {
    /// A publication, kept to be encoded anew at a seam.
    Publication(Arc<Publication>),
    /// News of the channel's members, for those who asked.
    News(Arc<News>),
    /// Something that each reader is told by itself.
    Mark(Box<FeedMark>),
}

/// What a feed holds beside publications. Each reader that comes to it is told by itself.
#[derive(Debug, Clone)]
pub(crate) enum FeedMark {
    /// The channel was removed.
    Removed(Gap),
    /// The channel ended.
    Ended,
}

/// The frames that one connection has not had yet, oldest first.
#[derive(Debug)]
pub struct Run<'a> {
    pub(crate) entries: Take<vec_deque::Iter<'a, Entry>>,
    pub(crate) cursor: Option<&'a Cursor>,
}

/// A feed's number on its shard.
pub(crate) type FeedId = u32;

/// The number of an entry. Counting begins in the middle, so that history can be put before.
pub(crate) type Sequence = u64;

/// One connection that reads a feed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FeedReader {
    /// The connection's place in the slab.
    pub(crate) connection: u32,
    /// Which of the connection's channels this is.
    pub(crate) slot: u16,
    /// The next entry that it has not had.
    pub(crate) next: Sequence,
    /// The end of the feed when it came: what was live only before that was not meant for it.
    pub(crate) since: Sequence,
    /// Whether it is told who comes and goes.
    pub(crate) notices: Notices,
}

/// As whom a connection reads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Eyes<'a> {
    pub(crate) session: SessionId,
    /// Where the member stands that it is, known of all who are told of others. Looked at for news
    /// alone, because it is memory that a publication has no need of.
    pub(crate) extra: Option<&'a Extra>,
}

impl FeedReader {
    /// Whether the reader does not get an entry.
    pub(crate) fn passes(&self, entry: &Entry, sequence: Sequence, eyes: Eyes<'_>) -> bool {
        entry.exclude == Some(eyes.session)
            || entry.after.is_none() && sequence < self.since
            || matches!(&entry.body, EntryBody::News(news) if self.passes_news(news, eyes))
    }

    /// What becomes of a client itself its connections need not be told; the end of an earlier one
    /// may be told behind the beginning of the next.
    fn passes_news(&self, news: &News, eyes: Eyes<'_>) -> bool {
        let own = || eyes.extra.and_then(Extra::member);
        self.notices == Notices::Off || own().is_some_and(|own| news.subject() == Some(own))
    }
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) channel: ChannelName,
    pub(crate) format: Format,
    entries: VecDeque<Entry>,
    bytes: usize,
    /// The number of the first entry.
    first: Sequence,
    /// Every reader gets the entries from this number on, whoever it is.
    common: Sequence,
    /// The position before the first entry: all that is retained after it stands in the feed.
    before: Position,
    pub(crate) readers: Vec<FeedReader>,
    /// Readers that are told who comes and goes.
    listeners: u32,
    pub(crate) pass: Pass,
    /// What a conflating feed keeps, in place of `entries`.
    pub(crate) conflation: Option<Box<Conflation>>,
}

/// How far the visit of all readers has come.
#[derive(Debug, Default)]
pub(crate) struct Pass {
    /// Whether there is, or may be, a reader with something before it.
    pub(crate) dirty: bool,
    /// Readers visited so far.
    pub(crate) visited: usize,
    /// The end of the feed when the pass began.
    pub(crate) until: Sequence,
    /// The least entry that a visited reader still needs.
    pub(crate) needed: Sequence,
}

/// The number that a feed's first entry has.
pub(crate) const FIRST: Sequence = 1 << 62;

/// Readers that one visit of a feed looks at for each send it may make.
const LOOKS_PER_SEND: usize = 16;

/// Entries offered at once; a sink takes what it has room for.
pub(crate) const RUN_MAX: usize = 64;

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

impl Entry {
    /// A mark, after which a reader stands at `after`.
    pub(crate) fn mark(mark: FeedMark, after: CursorEntry) -> Self {
        let body = EntryBody::Mark(Box::new(mark));
        Self { frame: Frame::default(), after: Some(after), time: 0, exclude: None, body }
    }

    /// The mark, if the entry is one.
    pub(crate) fn as_mark(&self) -> Option<&FeedMark> {
        match &self.body {
            EntryBody::Mark(mark) => Some(mark),
            EntryBody::Publication(_) | EntryBody::News(_) => None,
        }
    }

    /// The publication, if the entry is one.
    pub(crate) fn publication(&self) -> Option<&Arc<Publication>> {
        match &self.body {
            EntryBody::Publication(publication) => Some(publication),
            EntryBody::Mark(_) | EntryBody::News(_) => None,
        }
    }

    /// Whether every reader gets it, and as the bytes that it is.
    fn is_common(&self) -> bool {
        let publication = matches!(self.body, EntryBody::Publication(_));
        publication && self.exclude.is_none() && self.after.is_some()
    }

    fn weight(&self) -> usize {
        self.frame.weight() + size_of::<Self>()
    }
}

impl Feed {
    /// An empty feed that begins after `position`.
    pub(crate) fn new(
        channel: ChannelName,
        (format, wanted): (Format, Wanted),
        position: Position,
    ) -> Self {
        let conflation = match wanted {
            Wanted::Every => None,
            Wanted::Newest(rate) => Some(Box::new(Conflation::new(position, rate))),
        };
        Self {
            channel,
            format,
            entries: VecDeque::new(),
            bytes: 0,
            first: FIRST,
            common: FIRST,
            before: position,
            readers: Vec::new(),
            listeners: 0,
            pass: Pass::default(),
            conflation,
        }
    }

    /// The number that the next entry will have.
    pub(crate) fn end(&self) -> Sequence {
        self.first + self.entries.len() as u64
    }

    /// The number of the oldest entry.
    pub(crate) fn first(&self) -> Sequence {
        self.first
    }

    /// Bytes that the entries cost.
    pub(crate) fn bytes(&self) -> usize {
        self.conflation.as_ref().map_or(self.bytes, |newest| newest.bytes())
    }

    /// The offset that the next publication's `prev` must not exceed: the last one served here.
    pub(crate) fn last_offset(&self) -> Offset {
        self.position_before(self.end()).offset
    }

    /// The position of a reader whose next entry is `sequence`.
    pub(crate) fn position_before(&self, sequence: Sequence) -> Position {
        if let Some(newest) = &self.conflation {
            return newest.position_before(sequence);
        }
        let count = self.place(sequence);
        let placed = self.entries.iter().take(count).rev().find_map(|entry| entry.after);
        placed.map_or(self.before, |entry| entry.position)
    }

    /// Appends the newest entry.
    pub(crate) fn push(&mut self, entry: Entry) {
        self.bytes += entry.weight();
        if !entry.is_common() {
            self.common = self.end() + 1;
        }
        self.entries.push_back(entry);
    }

    /// How many of the oldest entries exceed `bounds`. The newest entry always fits.
    pub(crate) fn excess(&self, bounds: &Retention) -> usize {
        let (mut count, mut bytes) = (self.entries.len(), self.bytes);
        let mut excess = 0;
        while count > 1 && (count > bounds.count || bytes > bounds.bytes) {
            count -= 1;
            bytes -= self.entries.get(excess).map_or(0, Entry::weight);
            excess += 1;
        }
        excess
    }

    /// Lets go of the oldest entries; nobody may need them any more.
    pub(crate) fn trim(&mut self, count: usize) {
        for _ in 0..count {
            let Some(entry) = self.entries.pop_front() else {
                return;
            };
            self.bytes -= entry.weight();
            self.first += 1;
            if let Some(after) = entry.after {
                self.before = after.position;
            }
        }
    }

    /// The entry with this number, if it is still there.
    pub(crate) fn entry(&self, sequence: Sequence) -> Option<&Entry> {
        self.entries.get(usize::try_from(sequence.checked_sub(self.first)?).ok()?)
    }

    /// `count` entries from `sequence` on.
    pub(crate) fn entries(
        &self,
        sequence: Sequence,
        count: usize,
    ) -> Take<vec_deque::Iter<'_, Entry>> {
        let place = self.place(sequence);
        let end = (place + count).min(self.entries.len());
        self.entries.range(place..end).take(count)
    }

    /// How many entries from `sequence` on go to a reader in one run, at most [`RUN_MAX`], if every
    /// reader gets them; else none, and who it is has to be looked at.
    pub(crate) fn common_length(&self, sequence: Sequence) -> usize {
        if sequence < self.common {
            return 0;
        }
        (self.entries.len() - self.place(sequence)).min(RUN_MAX)
    }

    /// How many entries a reader gets in one run, at most [`RUN_MAX`]: up to a mark or to one that
    /// it does not get.
    pub(crate) fn run_length(&self, reader: &FeedReader, eyes: Eyes<'_>) -> usize {
        let entries = self.entries.range(self.place(reader.next)..).take(RUN_MAX);
        let given = |(entry, sequence): &(&Entry, Sequence)| {
            entry.as_mark().is_none() && !reader.passes(entry, *sequence, eyes)
        };
        entries.zip(reader.next..).take_while(given).count()
    }

    /// The number of the first entry after `position`, if the feed reaches back that far.
    pub(crate) fn locate(&self, position: Position) -> Option<Sequence> {
        if let Some(newest) = &self.conflation {
            return newest.locate(position);
        }
        let mut known = self.before;
        let mut place = None;
        for (index, entry) in self.entries.iter().enumerate() {
            let Some(after) = entry.after else { continue };
            if covers(known, position) && !covers(after.position, position) {
                place = Some(index);
                break;
            }
            known = after.position;
        }
        let place = place.or_else(|| covers(known, position).then_some(self.entries.len()))?;
        Some(self.first + place as u64)
    }

    /// Puts history before the first entry, so that the feed begins after `from`. `entries` are the
    /// publications after `from` up to where the feed began.
    pub(crate) fn extend_back(&mut self, from: Position, entries: Vec<Entry>) {
        for entry in entries.into_iter().rev() {
            self.bytes += entry.weight();
            if !entry.is_common() {
                self.common = self.common.max(self.first);
            }
            self.entries.push_front(entry);
            self.first -= 1;
        }
        self.before = from;
    }

    /// Whether anybody here is told who comes and goes.
    pub(crate) fn has_listeners(&self) -> bool {
        self.listeners > 0
    }

    /// The position before the first entry.
    pub(crate) fn before(&self) -> Position {
        self.before
    }

    /// The first publication with a place that the feed holds, to be encoded anew at a seam.
    pub(crate) fn oldest_mut(&mut self) -> Option<(&mut Frame, &Arc<Publication>)> {
        let oldest = self.entries.iter_mut().find(|entry| entry.after.is_some())?;
        match &oldest.body {
            EntryBody::Publication(publication) => Some((&mut oldest.frame, publication)),
            EntryBody::Mark(_) | EntryBody::News(_) => None,
        }
    }

    /// Notes that an entry weighs something else than before.
    pub(crate) fn reweigh(&mut self, (before, now): (usize, usize)) {
        self.bytes = self.bytes + now - before;
    }

    /// Visits readers with `deliver`, from where the last visit stopped, until all have been or it
    /// has made `most` sends; gives its sends. `end` is the number that the next entry will have.
    pub(crate) fn visit(
        &mut self,
        (end, most): (Sequence, usize),
        mut deliver: impl FnMut(&mut Self, usize) -> usize,
    ) -> usize {
        if self.pass.visited == 0 {
            self.pass.until = end;
            self.pass.needed = end;
        }
        let (mut sends, mut looks) = (0, 0);
        while self.pass.visited < self.readers.len()
            && sends < most
            && looks < most * LOOKS_PER_SEND
        {
            let place = self.pass.visited;
            sends += deliver(self, place);
            looks += 1;
            let next = self.readers.get(place).map_or(end, |reader| reader.next);
            self.pass.needed = self.pass.needed.min(next);
            self.pass.visited += 1;
        }
        sends
    }

    /// Adds a reader that goes on after `position`; gives back its place.
    pub(crate) fn add(
        &mut self,
        (connection, slot): (u32, u16),
        notices: Notices,
        position: Position,
    ) -> u32 {
        let since = self.conflation.as_ref().map_or_else(|| self.end(), |newest| newest.end());
        let next = self.locate(position).unwrap_or(since);
        self.listeners += u32::from(notices == Notices::On);
        self.readers.push(FeedReader { connection, slot, next, since, notices });
        u32::try_from(self.readers.len() - 1).unwrap_or(u32::MAX)
    }

    /// Removes the reader at `place`. Up to two others move into holes; they and their new places
    /// are given back, so that their connections find them.
    pub(crate) fn remove(&mut self, place: u32) -> [Option<(FeedReader, u32)>; 2] {
        let mut hole = place as usize;
        if hole >= self.readers.len() {
            return [None, None];
        }
        let last = self.readers.len() - 1;
        let mut moved = [None, None];
        // Whoever fills the hole must be on the same side of the visit, or would be left out of it.
        if hole < self.pass.visited {
            self.pass.visited -= 1;
            let boundary = self.pass.visited;
            if hole != boundary {
                self.readers.swap(hole, boundary);
                moved[0] = self.readers.get(hole).map(|reader| (*reader, place));
                hole = boundary;
            }
        }
        self.readers.swap(hole, last);
        let left = self.readers.pop();
        self.listeners -= u32::from(left.is_some_and(|left| left.notices == Notices::On));
        if hole != last {
            let place = u32::try_from(hole).unwrap_or(u32::MAX);
            moved[1] = self.readers.get(hole).map(|reader| (*reader, place));
        }
        moved
    }

    fn place(&self, sequence: Sequence) -> usize {
        let place = usize::try_from(sequence.saturating_sub(self.first)).unwrap_or(usize::MAX);
        place.min(self.entries.len())
    }
}

/// Whether everything up to `known` is also behind a reader at `position`.
fn covers(known: Position, position: Position) -> bool {
    known.epoch == position.epoch && known.offset <= position.offset
}
