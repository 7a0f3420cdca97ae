//! An engine that delays, fails, does not know, and loses its answers.
//!
//! It keeps the contract of engines: an append is stored only if every append before it was; after
//! a resync was answered, no earlier append is stored any more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::random::Random;
use crate::code::Code;
use crate::history::Extent;
use crate::name::ChannelName;
use crate::position::{Epoch, Offset, Position};
use crate::publication::{End, Publication, Stored};
use crate::ring::Ring;
use crate::settings::{Depth, Retention};
use crate::shard::{
    Append, Completion, DeepStart, EngineCommand, HistoryPage, HistoryQuery, NoPage, Restored,
    RestoredKey,
};
use crate::start::Start;
use crate::time::UnixMillis;

/// How often things go wrong, in percent.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Faults {
    pub(super) fail: usize,
    pub(super) unknown: usize,
    pub(super) lose: usize,
}

/// One shard's engine.
#[derive(Debug)]
pub(super) struct SimEngine {
    queue: VecDeque<EngineCommand>,
    answers: VecDeque<Completion>,
    logs: BTreeMap<ChannelName, Log>,
    pub(super) mark: Offset,
    depth: Depth,
    deep: usize,
    /// What was stored since the checkers last looked.
    pub(super) fresh: Vec<Arc<Publication>>,
}

/// What the engine holds of one channel.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) epoch: Epoch,
    pub(super) head: Offset,
    floor: Offset,
    ended: bool,
    publications: VecDeque<Arc<Publication>>,
    newest: UnixMillis,
    keys: Vec<RestoredKey>,
    start: Offset,
    /// The append that was not stored: none after it is, until the owner knows.
    broken: Option<u64>,
}

impl SimEngine {
    pub(super) fn new(depth: Depth, deep: usize) -> Self {
        Self {
            queue: VecDeque::new(),
            answers: VecDeque::new(),
            logs: BTreeMap::new(),
            mark: 0,
            depth,
            deep,
            fresh: Vec::new(),
        }
    }

    pub(super) fn put(&mut self, command: EngineCommand) {
        self.queue.push_back(command);
    }

    /// The head of a channel as stored.
    pub(super) fn head(&self, channel: &ChannelName) -> Option<Position> {
        self.logs.get(channel).map(|log| Position::new(log.head, log.epoch))
    }

    /// The process ends: what was not stored never will be, and nobody is answered.
    pub(super) fn crash(&mut self) {
        self.queue.clear();
        self.answers.clear();
        for log in self.logs.values_mut() {
            log.broken = None;
        }
    }

    /// What a new process finds, with offsets that go on so far above what is stored.
    pub(super) fn restored(&self, skips: Offset) -> Vec<Restored> {
        let restored = self.logs.iter().map(|(name, log)| Restored {
            name: name.clone(),
            start: Position::new(log.start, log.epoch),
            head: log.head,
            skipped: log.head + skips,
            ended: log.ended,
            newest: log.newest,
            keys: log.keys.clone(),
        });
        restored.collect()
    }

    pub(super) fn idle(&self) -> bool {
        self.queue.is_empty() && self.answers.is_empty()
    }

    /// The next answer on its way back.
    pub(super) fn answer(&mut self) -> Option<Completion> {
        let answer = self.answers.pop_front()?;
        if let Completion::Failed { channel, append, .. } = &answer
            && let Some(log) = self.logs.get_mut(channel)
            && log.broken == Some(*append)
        {
            log.broken = None;
            // What was appended before the owner heard of the failure must not be stored after it.
            self.queue.retain(|command| {
                !matches!(command, EngineCommand::Append(append) if append.channel == *channel)
            });
        }
        Some(answer)
    }

    /// Works off one command.
    pub(super) fn step(&mut self, random: &mut Random, faults: Faults) {
        let Some(command) = self.queue.pop_front() else { return };
        let lost = random.percent(faults.lose);
        let answer = match command {
            EngineCommand::Append(append) => self.append(append, random, faults),
            EngineCommand::Resync { resync, channel, after } => {
                let log = self.log(&channel, after.epoch, after.offset);
                log.broken = None;
                let ended = log.ended;
                let same = log.epoch == after.epoch;
                let head = if same { log.head.max(after.offset) } else { after.offset };
                Some(Completion::Resynced { resync, channel, head, ended })
            }
            EngineCommand::Remove { channel, epoch, mark } => {
                self.mark = self.mark.max(mark);
                let log = self.log(&channel, epoch, mark);
                if log.epoch != epoch {
                    // Keys outlive the history that they belong to.
                    let keys = std::mem::take(&mut log.keys);
                    *log = Log { keys, ..Log::new(epoch, mark) };
                }
                Some(Completion::Removed { channel, epoch, outcome: Ok(()) })
            }
            EngineCommand::RaiseMark { channel, mark } => {
                self.mark = self.mark.max(mark);
                Some(Completion::MarkRaised { channel, mark })
            }
            EngineCommand::Forget(channel) => {
                self.logs.remove(&channel);
                None
            }
            EngineCommand::Read { read, channel, after, bytes } => {
                let page = self.read(&channel, after, bytes);
                Some(Completion::Page { read, channel, page })
            }
            EngineCommand::Locate { read, channel, start, head } => {
                let after = self.kept(&channel, head).map(|log| log.locate(&channel, start, head));
                Some(Completion::Located { read, channel, after })
            }
            EngineCommand::History { read, channel, query, head } => {
                let page = self.kept(&channel, head).map(|log| log.history(&channel, &query, head));
                Some(Completion::History { read, channel, page })
            }
        };
        if !lost {
            self.answers.extend(answer);
        }
    }

    fn append(
        &mut self,
        append: Append,
        random: &mut Random,
        faults: Faults,
    ) -> Option<Completion> {
        let Append { append: number, channel, publication, end, after, key } = append;
        let deep = self.deep;
        let log = self.log(&channel, after.epoch, after.offset);
        let wanted =
            log.broken.is_none() && after == Position::new(log.head, log.epoch) && !log.ended;
        let fails = random.percent(faults.fail);
        let doubtful = random.percent(faults.unknown);
        if !wanted || fails || doubtful && random.percent(50) {
            log.broken.get_or_insert(number);
            let completion = if doubtful {
                Completion::Unknown { channel, append: number }
            } else {
                Completion::Failed { channel, append: number, code: Code::NotApplied }
            };
            return Some(completion);
        }
        log.ended = end == End::Close;
        if let Some(key) = key {
            let stored = if publication.is_some() { Stored::Yes } else { Stored::No };
            let head = publication.as_ref().map_or(log.head, |publication| publication.offset());
            let position = Position::new(head, log.epoch);
            log.keys.push(RestoredKey { key: *key, position, stored });
        }
        if let Some(publication) = publication {
            log.head = publication.offset();
            log.publications.push_back(Arc::clone(&publication));
            while log.publications.len() > deep {
                let gone = log.publications.pop_front().map_or(0, |oldest| oldest.offset());
                log.floor = gone;
            }
            log.newest = publication.time;
            self.fresh.push(publication);
        }
        Some(if doubtful {
            Completion::Unknown { channel, append: number }
        } else {
            Completion::Committed { channel, append: number }
        })
    }

    fn read(
        &self,
        channel: &ChannelName,
        after: Position,
        bytes: usize,
    ) -> Result<Vec<Arc<Publication>>, NoPage> {
        assert_eq!(self.depth, Depth::Engine, "a ring without depth asked for a page");
        let log = self.kept(channel, after)?;
        if after.offset < log.floor {
            return Err(NoPage::Trimmed(log.floor));
        }
        let mut left = bytes;
        let mut page = Vec::new();
        for publication in &log.publications {
            if publication.offset() <= after.offset {
                continue;
            }
            if !page.is_empty() && publication.weight() > left {
                break;
            }
            left = left.saturating_sub(publication.weight());
            page.push(Arc::clone(publication));
        }
        Ok(page)
    }

    /// A channel's log, if it is of the history that somebody reads.
    fn kept(&self, channel: &ChannelName, reads: Position) -> Result<&Log, NoPage> {
        let log = self.logs.get(channel).filter(|log| log.epoch == reads.epoch);
        log.ok_or(NoPage::OtherHistory)
    }

    /// A channel's log; one that the owner forgot and made again goes on where the owner says.
    fn log(&mut self, channel: &ChannelName, epoch: Epoch, begin: Offset) -> &mut Log {
        self.logs.entry(channel.clone()).or_insert_with(|| Log::new(epoch, begin))
    }
}

impl Log {
    fn new(epoch: Epoch, begin: Offset) -> Self {
        Self {
            epoch,
            head: begin,
            floor: begin,
            ended: false,
            publications: VecDeque::new(),
            newest: 0,
            keys: Vec::new(),
            start: begin,
            broken: None,
        }
    }

    /// The same as a ring that holds it all.
    fn ring(&self, head: Position) -> Ring {
        let everything = Retention { count: usize::MAX, bytes: usize::MAX, age: Duration::MAX };
        let mut ring = Ring::new(self.floor);
        for publication in self.publications.iter().filter(|kept| kept.offset() <= head.offset) {
            ring.push(Arc::clone(publication), 0, &everything);
        }
        ring
    }

    fn locate(&self, channel: &ChannelName, start: DeepStart, head: Position) -> Position {
        let start = match start {
            DeepStart::All => Start::All,
            DeepStart::Last(count) => Start::Last(count),
            DeepStart::Since(time) => Start::Since(time),
        };
        let (ended, kept) = (self.ended, &self.ring(head));
        Extent { channel, head, ended, kept }.locate(start).from
    }

    fn history(
        &self,
        channel: &ChannelName,
        query: &HistoryQuery,
        head: Position,
    ) -> Box<HistoryPage> {
        let (ended, kept) = (self.ended, &self.ring(head));
        let selection = Extent { channel, head, ended, kept }.select(query);
        let places = selection.places.clone();
        Box::new(selection.page(places.filter_map(|place| kept.served(place)).collect()))
    }
}
