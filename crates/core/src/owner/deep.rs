//! What only the engine can answer: starts, pages and parts of the history before the ring.
//!
//! Each question has a number and a deadline, after which it is asked again under the same number,
//! so that an answer that was only late is as good.

use std::sync::Arc;

use crate::cursor::CursorEntry;
use crate::frame::Format;
use crate::gap::{Gap, GapReason};
use crate::history::Kept as _;
use crate::name::ChannelName;
use crate::owner::channel::Channel;
use crate::owner::{Attaching, Outlet, Owner};
use crate::position::{Offset, Position};
use crate::publication::Publication;
use crate::rate::Wanted;
use crate::settings::ShardId;
use crate::shard::{
    Answer, Attachment, Coverage, DeepStart, EngineCommand, HistoryPage, HistoryQuery, Message,
    NoPage, Origin, Resolved, Served,
};
use crate::start::Start;

/// A question that the engine has not answered.
#[derive(Debug)]
pub(super) enum Question {
    /// A page for a reader that attaches before the ring.
    Page(PageReader),
    /// Where a start lies.
    Start { asker: Asker, channel: ChannelName, start: DeepStart },
    /// A part of the history.
    History { origin: Origin, channel: ChannelName, query: HistoryQuery },
}

/// Who wants to know where a start lies.
#[derive(Debug)]
pub(super) enum Asker {
    /// A reader, to attach there.
    Attach(Attaching),
    /// Somebody who only asks.
    Resolve(Origin),
}

/// A reader that waits for a page of the engine's.
#[derive(Debug)]
pub(super) struct PageReader {
    pub(super) shard: ShardId,
    pub(super) ticket: u64,
    pub(super) format: Format,
    pub(super) wanted: Wanted,
    pub(super) channel: ChannelName,
    /// What the reader has seen.
    pub(super) from: Position,
    /// What is read after: beyond `from` lies only what has expired.
    pub(super) after: Position,
    /// The position that the reader had, if it had one.
    pub(super) claimed: Option<Position>,
    pub(super) gap: Option<Gap>,
}

impl Owner {
    /// Asks the engine what the ring cannot answer.
    pub(super) fn ask_engine(&mut self, question: Question, out: &mut Outlet<'_>) {
        let question = match question {
            Question::Page(reader) if self.pages_asked >= PAGES_AT_ONCE => {
                return self.pages_waiting.push_back(reader);
            }
            Question::Page(_) => {
                self.pages_asked += 1;
                question
            }
            other => other,
        };
        let read = self.next_number();
        self.ask_engine_as(read, question, out);
    }

    fn ask_engine_as(&mut self, read: u64, question: Question, out: &mut Outlet<'_>) {
        let head = |channel: &ChannelName| self.head_position(channel);
        let command = match &question {
            Question::Page(reader) => {
                let (channel, after) = (reader.channel.clone(), reader.after);
                EngineCommand::Read { read, channel, after, bytes: self.settings.page_bytes }
            }
            Question::Start { channel, start, .. } => {
                let (start, head) = (*start, head(channel));
                EngineCommand::Locate { read, channel: channel.clone(), start, head }
            }
            Question::History { channel, query, .. } => {
                let (query, head) = (*query, head(channel));
                EngineCommand::History { read, channel: channel.clone(), query, head }
            }
        };
        self.read_deadlines.push_back((self.deadline(out.now), read));
        self.reads.insert(read, question);
        out.engine(command);
    }

    /// Where the engine has found a start: the reader goes on from there.
    pub(super) fn located(
        &mut self,
        read: u64,
        after: Result<Position, NoPage>,
        out: &mut Outlet<'_>,
    ) {
        let Some(Question::Start { asker, channel, .. }) = self.reads.remove(&read) else {
            return;
        };
        // The engine may have trimmed for a publication that is not committed yet.
        let head = self.head_position(&channel);
        let after = after.map(|after| {
            if after.epoch == head.epoch { after.at(after.offset.min(head.offset)) } else { after }
        });
        match (asker, after) {
            (Asker::Attach(reader), Ok(position)) => {
                let reader = Attaching { start: Start::After(position), ..reader };
                self.attach_from(&channel, &reader, None, out);
            }
            // There is another history by now, of which the ring knows more.
            (Asker::Attach(reader), Err(_)) => self.attach(&channel, &reader, out),
            (Asker::Resolve(origin), after) => {
                let position = after.unwrap_or(head);
                let entry = CursorEntry { hash: channel.hash48(), position, ended: false };
                let resolved = Resolved { entry: Some(entry), gap: None, over: false };
                out.answer(origin, &channel, Answer::Resolved(resolved));
            }
        }
    }

    /// The engine's part of the history.
    pub(super) fn history_read(
        &mut self,
        read: u64,
        page: Result<Box<HistoryPage>, NoPage>,
        out: &mut Outlet<'_>,
    ) {
        let Some(Question::History { origin, channel, query }) = self.reads.remove(&read) else {
            return;
        };
        match page {
            Ok(page) => out.answer(origin, &channel, Answer::History(page)),
            Err(_) => self.history(origin, &channel, query, out),
        }
    }

    fn head_position(&self, channel: &ChannelName) -> Position {
        self.channels.get(channel).map_or_else(|| self.blank(), Channel::position)
    }

    /// The engine's page, or the offset before the oldest publication that it holds.
    pub(super) fn page(
        &mut self,
        read: u64,
        page: Result<Vec<Arc<Publication>>, NoPage>,
        out: &mut Outlet<'_>,
    ) {
        let Some(Question::Page(reader)) = self.reads.remove(&read) else {
            return;
        };
        self.pages_asked -= 1;
        if let Some(next) = self.pages_waiting.pop_front() {
            self.ask_engine(Question::Page(next), out);
        }
        match page {
            Ok(publications) => self.page_read(reader, publications, out),
            Err(NoPage::OtherHistory) => {
                let PageReader { shard, ticket, channel, from, gap, .. } = reader;
                let (history, ended, coverage) = (Vec::new(), false, Coverage::Page);
                let to = from;
                let members = 0;
                let again =
                    Attachment { channel, from, gap, history, to, ended, coverage, members };
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
                let reader = PageReader { from: to, after: to, gap, ..reader };
                self.ask_engine(Question::Page(reader), out);
            }
        }
    }

    /// The committed head of the history that a page is read from.
    fn head_of(&self, reader: &PageReader) -> Option<Offset> {
        let channel = self.channels.get(&reader.channel)?;
        (channel.epoch == reader.after.epoch).then_some(channel.head)
    }

    /// Asks the engine again what it never answered.
    pub(super) fn read_again(&mut self, out: &mut Outlet<'_>) {
        let now = out.now.millis;
        while let Some((_, read)) = self.read_deadlines.pop_front_if(|(at, _)| *at <= now) {
            // Under the same number, so that an answer that was only late is good as well.
            if let Some(question) = self.reads.remove(&read) {
                self.ask_engine_as(read, question, out);
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
                let PageReader { from, gap, wanted, .. } = reader;
                let mut attachment = channel.attachment((from, gap), wanted, &settings);
                attachment.members = self.rooms.count(&channel.name);
                if attachment.coverage == Coverage::Live {
                    channel.interest(reader.shard, reader.format, wanted);
                }
                attachment
            }
            Some(_) if history.is_empty() => {
                let reader = PageReader { after, ..reader };
                return self.ask_engine(Question::Page(reader), out);
            }
            _ => {
                let PageReader { channel, from, gap, .. } = reader;
                let (ended, coverage) = (false, Coverage::Page);
                let members = 0;
                Attachment { channel, from, gap, history, to, ended, coverage, members }
            }
        };
        let outcome = Ok(Box::new(attachment));
        out.post(reader.shard, Message::Attached { ticket: reader.ticket, outcome });
    }
}

impl Channel {
    /// A start that may lie before the ring, where more may be kept than it holds.
    pub(super) fn deep_start(&self, start: Start) -> Option<DeepStart> {
        if self.ring.floor() <= self.start {
            return None;
        }
        match start {
            Start::All => Some(DeepStart::All),
            Start::Last(count) => {
                let here = u32::try_from(self.ring.len()).is_ok_and(|here| here >= count);
                (!here).then_some(DeepStart::Last(count))
            }
            Start::Since(time) => {
                (self.ring.place_since(time) == 0).then_some(DeepStart::Since(time))
            }
            _ => None,
        }
    }

    /// Whether the ring holds everything that a question can be about.
    pub(super) fn ring_answers(&self, query: &HistoryQuery) -> bool {
        match query.since {
            _ if self.ring.floor() <= self.start => true,
            Start::Now => true,
            Start::After(position) | Start::AfterEnd(position) => {
                position.epoch == self.epoch && position.offset >= self.ring.floor()
            }
            Start::Unreadable => false,
            start => self.deep_start(start).is_none(),
        }
    }

    /// Where the engine has to be asked from, for a start before the ring: it may hold more.
    pub(super) fn below_ring(&self, start: Start, gap: Option<&Gap>) -> Option<Position> {
        let begin = self.position().at(self.start);
        let from = match (start, gap) {
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
}

/// Pages that are asked for at once: as many as keep the engine busy. What it has read and nobody
/// has taken yet is bounded by that.
const PAGES_AT_ONCE: usize = 32;
