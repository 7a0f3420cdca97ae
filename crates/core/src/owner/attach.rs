//! Readers: where they start, what they get at once, what comes in pages, and one-off questions.

use std::sync::Arc;

use crate::code::Code;
use crate::cursor::CursorEntry;
use crate::frame::Format;
use crate::gap::{Gap, GapReason};
use crate::history::{Kept as _, Located};
use crate::name::ChannelName;
use crate::owner::channel::Channel;
use crate::owner::{Newcomer, Outlet, Owner};
use crate::position::{Offset, Position};
use crate::publication::Publication;
use crate::settings::{Depth, Retention, ShardId};
use crate::shard::{
    Attachment, Coverage, EngineCommand, HistoryPage, HistoryQuery, Message, NoPage, Resolved,
    Served,
};
use crate::start::Start;
use crate::time::Now;

/// A reader that waits for a page of the engine's.
#[derive(Debug)]
pub(super) struct PageReader {
    shard: ShardId,
    ticket: u64,
    format: Format,
    channel: ChannelName,
    /// What the reader has seen.
    from: Position,
    /// What is read after: beyond `from` lies only what has expired.
    after: Position,
    /// The position that the reader had, if it had one.
    claimed: Option<Position>,
    gap: Option<Gap>,
}

/// A reader that attaches.
#[derive(Debug)]
pub(crate) struct Attaching {
    pub(crate) shard: ShardId,
    pub(crate) ticket: u64,
    pub(crate) start: Start,
    pub(crate) format: Format,
}

impl Owner {
    /// Attaches a reader of a shard, or gives it the page that it has to read first.
    pub(crate) fn attach(&mut self, name: &ChannelName, reader: &Attaching, out: &mut Outlet<'_>) {
        let Attaching { shard, ticket, start, format } = *reader;
        let settings = Arc::clone(&self.settings);
        let channel = match self.channel(name, Newcomer::Reader, out) {
            Ok(channel) => channel,
            Err(code) => {
                return out.post(shard, Message::Attached { ticket, outcome: Err(code) });
            }
        };
        channel.touched = out.now.millis;
        channel.age(out);
        let Located { from, gap, over } = channel.locate(start);
        if settings.depth == Depth::Engine
            && let Some(from) = channel.below_ring(start, gap.as_ref())
        {
            let channel = name.clone();
            let gap = gap.filter(|gap| gap.from != Some(from));
            let gap = gap.map(|gap| Gap { to: from, ..gap });
            let claimed = start.position();
            let after = from;
            let reader = PageReader { shard, ticket, format, channel, from, after, claimed, gap };
            return self.read(reader, out);
        }
        let mut attachment = channel.attachment(from, gap, &settings.feed, settings.page_bytes);
        if over {
            attachment.coverage = Coverage::Over;
        }
        if attachment.coverage == Coverage::Live {
            channel.interest(shard, format);
        }
        let outcome = Ok(Box::new(attachment));
        out.post(shard, Message::Attached { ticket, outcome });
    }

    /// A shard has no reader of the channel any more.
    pub(crate) fn detach(&mut self, name: &ChannelName, shard: ShardId, now: Now) {
        let Some(channel) = self.channels.get_mut(name) else {
            return;
        };
        channel.disinterest(shard);
        channel.touched = now.millis;
    }

    /// Says where a start lies, without attaching.
    pub(super) fn resolve(
        &mut self,
        name: &ChannelName,
        start: Start,
        out: &mut Outlet<'_>,
    ) -> Resolved {
        let located = self.read_only(name, out, |channel| channel.locate(start));
        let knows_end =
            located.over || matches!(start, Start::AfterEnd(_)) && located.gap.is_some();
        let entry = |position| CursorEntry { hash: name.hash48(), position, ended: knows_end };
        let claimed = located.gap.as_ref().map(|gap| gap.from);
        let entry = claimed.unwrap_or(Some(located.from)).map(entry);
        Resolved { entry, over: located.over, gap: located.gap }
    }

    /// Reads a part of the history once.
    pub(super) fn history(
        &mut self,
        name: &ChannelName,
        query: &HistoryQuery,
        out: &mut Outlet<'_>,
    ) -> HistoryPage {
        self.read_only(name, out, |channel| channel.history(query))
    }

    /// Looks at a channel, or at what it would be if it had state, without giving it any.
    fn read_only<T>(
        &mut self,
        name: &ChannelName,
        out: &mut Outlet<'_>,
        look: impl FnOnce(&Channel) -> T,
    ) -> T {
        let blank = self.blank();
        if let Some(channel) = self.channels.get_mut(name) {
            channel.age(out);
            return look(channel);
        }
        let rules = self.settings.namespaces.of(name);
        look(&Channel::new(name.clone(), rules, blank, out.now.millis))
    }

    /// Asks the engine for a page that the ring no longer holds.
    fn read(&mut self, reader: PageReader, out: &mut Outlet<'_>) {
        let read = self.next_number();
        self.ask_engine(read, &reader, out);
        self.reads.insert(read, reader);
    }

    fn ask_engine(&mut self, read: u64, reader: &PageReader, out: &mut Outlet<'_>) {
        let (channel, after) = (reader.channel.clone(), reader.after);
        let bytes = self.settings.page_bytes;
        self.read_deadlines.push_back((self.deadline(out.now), read));
        out.engine(EngineCommand::Read { read, channel, after, bytes });
    }

    /// The engine's page, or the offset before the oldest publication that it holds.
    pub(super) fn page(
        &mut self,
        read: u64,
        page: Result<Vec<Arc<Publication>>, NoPage>,
        out: &mut Outlet<'_>,
    ) {
        let Some(reader) = self.reads.remove(&read) else {
            return;
        };
        match page {
            Ok(publications) => self.page_read(reader, publications, out),
            Err(NoPage::OtherHistory) => {
                let PageReader { shard, ticket, channel, from, gap, .. } = reader;
                let (history, ended, coverage) = (Vec::new(), false, Coverage::Page);
                let to = from;
                let again = Attachment { channel, from, gap, history, to, ended, coverage };
                out.post(shard, Message::Attached { ticket, outcome: Ok(Box::new(again)) });
            }
            Err(NoPage::Trimmed(floor)) => {
                let head = self.head_of(&reader);
                // The engine may have trimmed for a publication that is not committed yet.
                let floor = head.map_or(floor, |head| floor.min(head));
                if floor <= reader.after.offset {
                    return self.page_read(reader, Vec::new(), out);
                }
                let to = reader.from.at(floor);
                let trimmed = reader.claimed.map(|claimed| {
                    let (channel, reason) = (reader.channel.clone(), GapReason::Trimmed);
                    Gap { channel, from: Some(claimed), to, reason }
                });
                let gap = reader.gap.map(|gap| Gap { to, ..gap }).or(trimmed);
                self.read(PageReader { from: to, after: to, gap, ..reader }, out);
            }
        }
    }

    /// The committed head of the history that a page is read from.
    fn head_of(&self, reader: &PageReader) -> Option<Offset> {
        let channel = self.channels.get(&reader.channel)?;
        (channel.epoch == reader.after.epoch).then_some(channel.head)
    }

    /// Asks the engine again for pages that it never gave.
    pub(super) fn read_again(&mut self, out: &mut Outlet<'_>) {
        let now = out.now.millis;
        while let Some((_, read)) = self.read_deadlines.pop_front_if(|(at, _)| *at <= now) {
            // Under the same number, so that an answer that was only late is good as well.
            if let Some(reader) = self.reads.remove(&read) {
                self.ask_engine(read, &reader, out);
                self.reads.insert(read, reader);
            }
        }
    }

    /// Gives a reader its page; where all of it has expired, what comes after it.
    fn page_read(
        &mut self,
        reader: PageReader,
        mut publications: Vec<Arc<Publication>>,
        out: &mut Outlet<'_>,
    ) {
        // What the engine holds beyond the committed head nobody may see yet.
        let head = self.head_of(&reader);
        publications.retain(|stored| head.is_none_or(|head| stored.offset() <= head));
        let settings = Arc::clone(&self.settings);
        let after = publications.last().map_or(reader.after, |last| reader.after.at(last.offset()));
        let moved = after != reader.after;
        let mut to = reader.from;
        let history: Vec<Served> = publications
            .into_iter()
            .filter(|publication| !publication.expired(out.now.unix))
            .map(|publication| {
                let prev = to.offset;
                to = to.at(publication.offset());
                Served { publication, prev }
            })
            .collect();
        let channel = self.channels.get_mut(&reader.channel);
        let current = channel.filter(|channel| channel.epoch == after.epoch);
        let attachment = match current {
            Some(channel)
                if history.is_empty() && (!moved || after.offset >= channel.ring.floor()) =>
            {
                let PageReader { from, gap, .. } = reader;
                let attachment = channel.attachment(from, gap, &settings.feed, settings.page_bytes);
                if attachment.coverage == Coverage::Live {
                    channel.interest(reader.shard, reader.format);
                }
                attachment
            }
            Some(_) if history.is_empty() => {
                return self.read(PageReader { after, ..reader }, out);
            }
            _ => {
                let PageReader { channel, from, gap, .. } = reader;
                let (ended, coverage) = (false, Coverage::Page);
                Attachment { channel, from, gap, history, to, ended, coverage }
            }
        };
        let outcome = Ok(Box::new(attachment));
        out.post(reader.shard, Message::Attached { ticket: reader.ticket, outcome });
    }
}

impl Channel {
    /// Lets go of what has grown too old.
    pub(super) fn age(&mut self, out: &mut Outlet<'_>) {
        let before = self.ring.bytes() as u64;
        self.ring.age(out.now.unix, &self.rules.history);
        out.figures.ring_bytes += self.ring.bytes() as u64;
        out.figures.ring_bytes -= before;
    }

    /// Where the engine has to be asked from, for a start before the ring: it may hold more.
    fn below_ring(&self, start: Start, gap: Option<&Gap>) -> Option<Position> {
        let begin = self.position().at(self.start);
        let from = match (start, gap) {
            (Start::All, _) => begin,
            (Start::After(at) | Start::AfterEnd(at), Some(gap))
                if gap.reason == GapReason::Trimmed && at.offset >= self.start =>
            {
                at
            }
            (_, Some(_)) => begin,
            (_, None) => return None,
        };
        (from.offset < self.ring.floor()).then_some(from)
    }

    /// Everything after `from` if it fits a feed, else one page of it.
    fn attachment(
        &self,
        from: Position,
        gap: Option<Gap>,
        feed: &Retention,
        page_bytes: usize,
    ) -> Attachment {
        let first = self.ring.place_after(from.offset);
        let (mut history, mut bytes) = (Vec::new(), 0);
        // What is read of an ended channel is encoded for one reader alone, so it goes by pages.
        // The other half of a feed is for what comes before the reader is first visited.
        let bytes_max = if self.ended { page_bytes } else { feed.bytes / 2 };
        let count_max = feed.count / 2;
        let mut page_end = None;
        for place in first..self.ring.len() {
            let Some(mut served) = self.ring.served(place) else {
                break;
            };
            if place == first {
                // What lies between the reader and the ring has expired: it saw less than the floor.
                served.prev = served.prev.min(from.offset);
            }
            bytes += served.publication.weight();
            if bytes > page_bytes && page_end.is_none() && !history.is_empty() {
                page_end = Some(history.len());
            }
            history.push(served);
            if bytes > bytes_max || history.len() > count_max {
                break;
            }
        }
        let whole = history.len() <= count_max && bytes <= bytes_max || history.len() == 1;
        let whole = whole && first + history.len() == self.ring.len();
        if !whole {
            history.truncate(page_end.unwrap_or(history.len()));
        }
        let last = history.last().map(|served| served.publication.offset());
        let to = if whole { self.position() } else { from.at(last.unwrap_or(from.offset)) };
        // Nothing live follows an end, so that its readers need no feed: they get it in pages.
        let ended = self.ended && whole;
        let coverage = if whole && !self.ended { Coverage::Live } else { Coverage::Page };
        Attachment { channel: self.name.clone(), from, gap, history, to, ended, coverage }
    }

    fn history(&self, query: &HistoryQuery) -> HistoryPage {
        let selection = self.extent().select(query);
        let places = selection.places.clone();
        selection.page(places.filter_map(|place| self.ring.served(place)).collect())
    }
}

impl From<Code> for crate::shard::Refusal {
    fn from(code: Code) -> Self {
        Self { code, head: None }
    }
}
