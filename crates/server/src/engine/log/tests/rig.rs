//! A log on a disk in memory, whose turns the test takes, and a small owner in front of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Offset, Position};
use fanfare_core::publication::{Content, Data, End, Publication};
use fanfare_core::settings::Retention;
use fanfare_core::shard::{
    Append, AppendKey, Completion, EngineCommand, HistoryQuery, NoPage, Restored, RestoredKey,
};

use crate::engine::log::disk::SimDisk;
use crate::engine::log::files::Files;
use crate::engine::log::open::{self, Ready};
use crate::engine::log::read;
use crate::engine::log::write::Next;
use crate::engine::log::{
    ChannelRules, Clock, Durability, Log, LogOptions, OnCorruption, OpenError, Opened, Outlets,
    Report,
};

/// What a test wants of its log.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub segment_bytes: u64,
    pub bytes_max: u64,
    pub copy_bytes_per_second: u64,
    pub on_corruption: OnCorruption,
    pub retention: Retention,
    /// Milliseconds on the wall.
    pub clock: Arc<AtomicU64>,
}

/// A log that a test drives.
pub(super) struct Rig {
    pub ready: Option<Ready>,
    pub disk: SimDisk,
    pub owner: BTreeMap<ChannelName, Seat>,
    /// The keys that were found when it was opened: channel, key and offset.
    pub keys: BTreeSet<(ChannelName, Box<str>, Offset)>,
    pub generation: Epoch,
    pub mark: Offset,
    answers: Arc<Mutex<Vec<Told>>>,
    reports: Arc<Mutex<Vec<Report>>>,
    clock: Arc<AtomicU64>,
    number: u64,
    pub now: u64,
}

/// An answer, and how much had been done to the disk before it.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub acts: usize,
    pub completion: Completion,
}

/// A channel as its owner knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seat {
    pub epoch: Epoch,
    pub head: Offset,
    pub next: Offset,
    pub ended: bool,
}

impl Default for Setup {
    fn default() -> Self {
        let age = Duration::from_secs(86_400);
        Self {
            segment_bytes: 16 << 10,
            bytes_max: 1 << 30,
            copy_bytes_per_second: 1 << 30,
            on_corruption: OnCorruption::Quarantine,
            retention: Retention { count: 1_000, bytes: 1 << 30, age },
            clock: Arc::new(AtomicU64::new(1_000_000)),
        }
    }
}

impl Setup {
    pub(super) fn options(&self) -> LogOptions {
        let retention = self.retention;
        LogOptions {
            segment_bytes: self.segment_bytes,
            bytes_max: self.bytes_max,
            copy_bytes_per_second: self.copy_bytes_per_second,
            on_corruption: self.on_corruption,
            readers: 1,
            rules: Arc::new(move |name| Arc::new(rules(name, retention))),
            clock: Clock::Set(Arc::clone(&self.clock)),
            random: || fastrand::u64(..),
        }
    }

    pub(super) fn try_open(&self, disk: &SimDisk) -> Result<(Rig, Opened), OpenError> {
        let files = Files::Simulated(disk.clone());
        let (ready, opened) = open::open(self.options(), directory(), files)?;
        let answers: Arc<Mutex<Vec<_>>> = Arc::default();
        let reports: Arc<Mutex<Vec<_>>> = Arc::default();
        let (told, news) = (Arc::clone(&answers), Arc::clone(&reports));
        let watched = disk.clone();
        ready.shared.connect(Outlets {
            deliver: Box::new(move |_, completions| {
                let acts = watched.acts();
                let tell = |completion| Told { acts, completion };
                told.lock().unwrap().extend(completions.into_iter().map(tell));
            }),
            report: Box::new(move |report| news.lock().unwrap().push(report)),
        });
        let mut rig = Rig {
            ready: Some(ready),
            disk: disk.clone(),
            owner: BTreeMap::new(),
            keys: BTreeSet::new(),
            generation: opened.generation,
            mark: opened.mark,
            answers,
            reports,
            clock: Arc::clone(&self.clock),
            number: 0,
            now: 0,
        };
        for Restored { name, start, head, skipped, ended, keys, .. } in rig.restored() {
            let key = |key: RestoredKey| (name.clone(), key.key.key, key.position.offset);
            rig.keys.extend(keys.into_iter().map(key));
            let (epoch, next) = (start.epoch, skipped + 1);
            rig.owner.insert(name, Seat { epoch, head, next, ended });
        }
        Ok((rig, opened))
    }

    pub(super) fn open(&self, disk: &SimDisk) -> (Rig, Opened) {
        self.try_open(disk).unwrap()
    }

    /// Time passes.
    pub(super) fn wait(&self, millis: u64) {
        self.clock.fetch_add(millis, Ordering::Relaxed);
    }
}

/// How often a test does something: as often as the environment says, or a number that is quickly done.
pub(super) fn often(variable: &str, otherwise: usize) -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "how long a test runs is no setting of the server"
    )]
    let wanted = std::env::var(variable).ok();
    wanted.and_then(|wanted| wanted.parse().ok()).unwrap_or(otherwise)
}

/// The durability of a channel stands in its name.
pub(super) fn rules(name: &ChannelName, retention: Retention) -> ChannelRules {
    let durability = match name.as_str().split_once(':') {
        Some(("os", _)) => Durability::Os,
        Some(("none", _)) => Durability::None,
        _ => Durability::Sync,
    };
    ChannelRules { durability, retention }
}

pub(super) fn directory() -> &'static Path {
    Path::new("/log")
}

pub(super) fn name(text: &str) -> ChannelName {
    ChannelName::new(text).unwrap()
}

pub(super) fn text(payload: &str) -> Content {
    Content::plain(Data::Text(Bytes::copy_from_slice(payload.as_bytes())))
}

pub(super) fn payload(publication: &Publication) -> String {
    String::from_utf8(publication.content.data.bytes().to_vec()).unwrap()
}

/// A payload as it can be looked at: its beginning and its length.
pub(super) fn short(payload: &str) -> String {
    format!("{}… {}", payload.get(..8).unwrap_or(payload), payload.len())
}

/// The file of a segment.
pub(super) fn segment(number: u64) -> PathBuf {
    directory().join(format!("segments/{number:016x}.log"))
}

impl Rig {
    fn ready(&mut self) -> &mut Ready {
        self.ready.as_mut().unwrap()
    }

    /// Every channel as a start finds it. Keys are given out once.
    pub(super) fn restored(&mut self) -> Vec<Restored> {
        let Ready { shared, writer, keys } = self.ready.take().unwrap();
        let mut log = Log { shared, writer, keys };
        let mut restored = log.restored(|_| true);
        let Log { shared, writer, keys } = log;
        self.ready = Some(Ready { shared, writer, keys });
        restored.sort_by(|a, b| a.name.cmp(&b.name));
        restored
    }

    /// Hands over a command.
    pub(super) fn send(&mut self, command: EngineCommand) {
        match command {
            EngineCommand::Read { .. }
            | EngineCommand::Locate { .. }
            | EngineCommand::History { .. } => {
                self.ready().shared.jobs.put(read::Job { shard: 0, command });
            }
            command => self.ready().writer.take(0, command),
        }
    }

    /// Takes turns until there is nothing to do at once.
    pub(super) fn run(&mut self) -> Next {
        let now = self.now;
        let ready = self.ready();
        for _ in 0..100_000 {
            let next = ready.writer.turn(now);
            while let Some(job) = ready.shared.jobs.try_take() {
                read::answer(&ready.shared, job);
            }
            if next != Next::AtOnce {
                return next;
            }
        }
        panic!("the log never comes to rest");
    }

    /// Takes turns while time passes, until the log is at rest.
    pub(super) fn rest(&mut self) {
        for _ in 0..10_000 {
            self.now += 100;
            if self.run() == Next::Whenever {
                return;
            }
        }
        panic!("the log never comes to rest");
    }

    /// What was answered since this was asked last.
    pub(super) fn answers(&self) -> Vec<Completion> {
        self.told().into_iter().map(|told| told.completion).collect()
    }

    /// The same, with what had been done to the disk before each answer.
    pub(super) fn told(&self) -> Vec<Told> {
        std::mem::take(&mut *self.answers.lock().unwrap())
    }

    /// What an operator was told since this was asked last.
    pub(super) fn reports(&self) -> Vec<Report> {
        std::mem::take(&mut *self.reports.lock().unwrap())
    }

    pub(super) fn unix(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    pub(super) fn next_number(&mut self) -> u64 {
        self.number += 1;
        self.number
    }

    pub(super) fn seat(&mut self, channel: &ChannelName) -> Seat {
        let (epoch, head) = (self.generation, self.mark);
        let blank = Seat { epoch, head, next: head + 1, ended: false };
        *self.owner.entry(channel.clone()).or_insert(blank)
    }

    /// An append that follows what the owner knows. The owner assumes that it is made.
    pub(super) fn append(&mut self, channel: &str, content: Option<Content>) -> Append {
        let channel = name(channel);
        let seat = self.seat(&channel);
        let (after, time) = (Position::new(seat.head, seat.epoch), self.unix());
        let end = if content.is_some() { End::Open } else { End::Close };
        let publication = content.map(|content| {
            let position = Some(Position::new(seat.next, seat.epoch));
            let (channel, prev, expires_at) = (channel.clone(), seat.head, None);
            Arc::new(Publication { channel, position, prev, time, expires_at, content })
        });
        if let Some(seat) = self.owner.get_mut(&channel) {
            seat.ended = end == End::Close;
            if publication.is_some() {
                (seat.head, seat.next) = (seat.next, seat.next + 1);
            }
        }
        Append { append: self.next_number(), channel, publication, end, after, key: None }
    }

    /// Publishes and waits for the answer.
    pub(super) fn publish(&mut self, channel: &str, content: &str) -> Result<Offset, Code> {
        let append = self.append(channel, Some(text(content)));
        self.settle(append)
    }

    /// Has an append made and waits for the answer.
    pub(super) fn settle(&mut self, append: Append) -> Result<Offset, Code> {
        let (number, channel, after) = (append.append, append.channel.clone(), append.after);
        let offset = append.publication.as_ref().map_or(after.offset, |made| made.offset());
        self.send(EngineCommand::Append(append));
        self.run();
        for answer in self.answers() {
            match answer {
                Completion::Committed { append, .. } if append == number => return Ok(offset),
                Completion::Failed { append, code, .. } if append == number => {
                    let seat = self.owner.get_mut(&channel).unwrap();
                    seat.ended = false;
                    if offset != after.offset {
                        (seat.head, seat.next) = (after.offset, offset);
                    }
                    return Err(code);
                }
                _ => {}
            }
        }
        panic!("no answer to {number}");
    }

    /// Removes a channel.
    pub(super) fn remove(&mut self, channel: &str, epoch: u64) -> Result<(), Code> {
        let (channel, epoch) = (name(channel), Epoch::from_bits(epoch));
        let mark = self.mark.max(self.seat(&channel).head);
        self.send(EngineCommand::Remove { channel: channel.clone(), epoch, mark });
        self.run();
        for answer in self.answers() {
            if let Completion::Removed { outcome, .. } = answer {
                if outcome.is_ok() {
                    let seat = Seat { epoch, head: mark, next: mark + 1, ended: false };
                    self.owner.insert(channel.clone(), seat);
                    self.mark = mark;
                }
                return outcome;
            }
        }
        panic!("no answer");
    }

    /// Forgets a channel. Says whether the mark was stored.
    pub(super) fn forget(&mut self, channel: &str) -> bool {
        let channel = name(channel);
        let mark = self.mark.max(self.seat(&channel).next - 1);
        self.send(EngineCommand::RaiseMark { channel: channel.clone(), mark });
        self.run();
        let raised = |answer: &Completion| matches!(answer, Completion::MarkRaised { .. });
        if !self.answers().iter().any(raised) {
            return false;
        }
        self.mark = mark;
        self.owner.remove(&channel);
        self.send(EngineCommand::Forget(channel));
        self.run();
        true
    }

    /// Reads one page.
    pub(super) fn page(
        &mut self,
        channel: &str,
        after: Position,
        bytes: usize,
    ) -> Result<Vec<Arc<Publication>>, NoPage> {
        let read = self.next_number();
        self.send(EngineCommand::Read { read, channel: name(channel), after, bytes });
        self.run();
        for answer in self.answers() {
            if let Completion::Page { read: answered, page, .. } = answer
                && answered == read
            {
                return page;
            }
        }
        panic!("no answer");
    }

    /// Reads everything that is kept after an offset, page by page, as (offset, payload). A gap moves
    /// the reader on; the last floor that it was told comes with it.
    pub(super) fn read_all(&mut self, channel: &str) -> (Offset, Vec<(Offset, String)>) {
        let epoch = self.seat(&name(channel)).epoch;
        let (mut after, mut floor, mut all) = (0, 0, Vec::new());
        loop {
            match self.page(channel, Position::new(after, epoch), 4_096) {
                Ok(page) if page.is_empty() => return (floor, all),
                Ok(page) => {
                    all.extend(page.iter().map(|each| (each.offset(), payload(each))));
                    after = page.last().unwrap().offset();
                }
                Err(NoPage::Trimmed(to)) => {
                    assert!(to > after, "a gap that leads nowhere");
                    (after, floor) = (to, to);
                }
                Err(NoPage::OtherHistory) => return (floor, all),
            }
        }
    }

    /// Asks for a part of the history.
    pub(super) fn history(
        &mut self,
        channel: &str,
        query: HistoryQuery,
    ) -> Result<Box<fanfare_core::shard::HistoryPage>, NoPage> {
        let channel = name(channel);
        let seat = self.seat(&channel);
        let (read, head) = (self.next_number(), Position::new(seat.head, seat.epoch));
        self.send(EngineCommand::History { read, channel, query, head });
        self.run();
        match self.answers().pop() {
            Some(Completion::History { page, .. }) => page,
            other => panic!("{other:?}"),
        }
    }

    /// Stops in good order and gives the disk back.
    pub(super) fn stop(mut self) -> SimDisk {
        self.run();
        self.ready().writer.stop().unwrap();
        self.disk.copy()
    }

    /// Is gone at once; what the operating system had stays.
    pub(super) fn kill(self) -> SimDisk {
        self.disk.copy()
    }
}

/// A key as an owner hands it over.
pub(super) fn key(text: &str, expires_at: u64) -> Option<Box<AppendKey>> {
    let publisher = Some(Arc::from("somebody"));
    Some(Box::new(AppendKey { publisher, key: text.into(), digest: [7; 16], expires_at }))
}
