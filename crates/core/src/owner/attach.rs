//! Readers: where they start, what they get at once, what comes in pages, and one-off questions.

use std::sync::Arc;

use crate::code::Code;
use crate::conflation::newest_of_each;
use crate::cursor::CursorEntry;
use crate::frame::Format;
use crate::gap::Gap;
use crate::history::{Kept as _, Located};
use crate::name::ChannelName;
use crate::owner::channel::Channel;
use crate::owner::deep::{Asker, PageReader, Question};
use crate::owner::{Newcomer, Outlet, Owner};
use crate::position::Position;
use crate::rate::Wanted;
use crate::settings::{Depth, Retention, ShardId, ShardSettings};
use crate::shard::{
    Answer, Attachment, Coverage, HistoryPage, HistoryQuery, Message, Origin, Resolved,
};
use crate::start::Start;
use crate::time::Now;

/// A reader that attaches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attaching {
    pub(crate) shard: ShardId,
    pub(crate) ticket: u64,
    pub(crate) start: Start,
    pub(crate) format: Format,
    pub(crate) wanted: Wanted,
}

impl Owner {
    /// Attaches a reader of a shard, or gives it the page that it has to read first.
    pub(crate) fn attach(&mut self, name: &ChannelName, reader: &Attaching, out: &mut Outlet<'_>) {
        self.attach_from(name, reader, reader.start.position(), out);
    }

    /// The same for a reader that had this position; only one that had one can have missed
    /// something.
    pub(super) fn attach_from(
        &mut self,
        name: &ChannelName,
        reader: &Attaching,
        claimed: Option<Position>,
        out: &mut Outlet<'_>,
    ) {
        let Attaching { shard, ticket, start, format, wanted } = *reader;
        let settings = Arc::clone(&self.settings);
        let members = self.rooms.count(name);
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
            && let Some(start) = channel.deep_start(start)
        {
            let (asker, channel) = (Asker::Attach(*reader), name.clone());
            return self.ask_engine(Question::Start { asker, channel, start }, out);
        }
        if settings.depth == Depth::Engine
            && let Some(from) = channel.below_ring(start, gap.as_ref())
        {
            let channel = name.clone();
            let gap = gap.filter(|gap| gap.from != Some(from));
            let gap = gap.map(|gap| Gap { to: from, ..gap });
            let after = from;
            let reader =
                PageReader { shard, ticket, format, wanted, channel, from, after, claimed, gap };
            return self.ask_engine(Question::Page(reader), out);
        }
        let mut attachment = channel.attachment((from, gap), wanted, &settings);
        attachment.members = members;
        if over {
            attachment.coverage = Coverage::Over;
        }
        if attachment.coverage == Coverage::Live {
            channel.interest(shard, format, wanted);
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
        origin: Origin,
        name: &ChannelName,
        start: Start,
        out: &mut Outlet<'_>,
    ) {
        let deep = self.settings.depth == Depth::Engine;
        let (located, deep) = self.read_only(name, out, |channel| {
            (channel.locate(start), channel.deep_start(start).filter(|_| deep))
        });
        if let Some(start) = deep {
            let (asker, channel) = (Asker::Resolve(origin), name.clone());
            return self.ask_engine(Question::Start { asker, channel, start }, out);
        }
        let knows_end =
            located.over || matches!(start, Start::AfterEnd(_)) && located.gap.is_some();
        let entry = |position| CursorEntry { hash: name.hash48(), position, ended: knows_end };
        let claimed = located.gap.as_ref().map(|gap| gap.from);
        let entry = claimed.unwrap_or(Some(located.from)).map(entry);
        let resolved = Resolved { entry, over: located.over, gap: located.gap };
        out.answer(origin, name, Answer::Resolved(resolved));
    }

    /// Reads a part of the history once.
    pub(super) fn history(
        &mut self,
        origin: Origin,
        name: &ChannelName,
        query: HistoryQuery,
        out: &mut Outlet<'_>,
    ) {
        let deep = self.settings.depth == Depth::Engine;
        let page = self.read_only(name, out, |channel| {
            (!deep || channel.ring_answers(&query)).then(|| channel.history(&query))
        });
        match page {
            Some(page) => out.answer(origin, name, Answer::History(Box::new(page))),
            None => {
                let channel = name.clone();
                self.ask_engine(Question::History { origin, channel, query }, out);
            }
        }
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
}

impl Channel {
    /// Lets go of what has grown too old.
    pub(super) fn age(&mut self, out: &mut Outlet<'_>) {
        let before = self.ring.bytes() as u64;
        self.ring.age(out.now.unix, &self.rules.history);
        out.figures.ring_bytes += self.ring.bytes() as u64;
        out.figures.ring_bytes -= before;
    }

    /// Everything after `from` that is wanted if it fits a feed, else one page of it. Members are not
    /// counted here.
    pub(super) fn attachment(
        &self,
        (from, gap): (Position, Option<Gap>),
        wanted: Wanted,
        settings: &ShardSettings,
    ) -> Attachment {
        let ShardSettings { feed, page_bytes, .. } = settings;
        let page_bytes = *page_bytes;
        let first = self.ring.place_after(from.offset);
        let (until, superseded) = self.superseded_after(first, wanted, feed);
        let (mut history, mut bytes) = (Vec::new(), 0);
        // What is read of an ended channel is encoded for one reader alone, so it goes by pages.
        // The other half of a feed is for what comes before the reader is first visited.
        let bytes_max = if self.ended { page_bytes } else { feed.bytes / 2 };
        let count_max = feed.count / 2;
        let (mut page_end, mut seen) = (None, first);
        for place in first..until {
            seen = place + 1;
            if superseded.get(place - first).copied().unwrap_or(false) {
                continue;
            }
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
        let whole = whole && seen == self.ring.len();
        if !whole {
            history.truncate(page_end.unwrap_or(history.len()));
        }
        let last = history.last().map(|served| served.publication.offset());
        let to = if whole { self.position() } else { from.at(last.unwrap_or(from.offset)) };
        // Nothing live follows an end, so that its readers need no feed: they get it in pages.
        let ended = self.ended && whole;
        let coverage = if whole && !self.ended { Coverage::Live } else { Coverage::Page };
        let (channel, members) = (self.name.clone(), 0);
        Attachment { channel, from, gap, history, to, ended, coverage, members }
    }

    /// Up to which place a reader is given history at once, and which places from `first` on it
    /// passes over. One that wants only what is newest passes over what is superseded within as many
    /// publications as a feed holds, so that a long history costs no more at once than any other.
    fn superseded_after(
        &self,
        first: usize,
        wanted: Wanted,
        feed: &Retention,
    ) -> (usize, Vec<bool>) {
        let until = self.ring.len();
        if wanted == Wanted::Every {
            return (until, Vec::new());
        }
        let until = until.min(first.saturating_add(feed.count));
        let newest = newest_of_each(self.ring.publications(first..until));
        (until, newest.into_iter().map(|newest| !newest).collect())
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
