//! Reading everything: the index as the records of all segments make it.

use std::collections::{BTreeMap, HashMap};
use std::io;

use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Position};
use fanfare_core::publication::{Publisher, Stored as StoredOrNot};
use fanfare_core::shard::RestoredKey;
use fanfare_core::time::UnixMillis;

use super::examine::{ActiveEnd, Condition, Expected, Held, examine, first_of, needs};
use crate::engine::log::files::{Access, Files};
use crate::engine::log::format::batch::Batch;
use crate::engine::log::format::body::{EndBody, HeadBody, JumpBody, KeyBody, RemovalBody};
use crate::engine::log::format::key;
use crate::engine::log::format::publication::{COPIED, ENDS, PublicationBody};
use crate::engine::log::format::record::{Kind, Record};
use crate::engine::log::format::segment::{BEGIN, Beginning, FooterChannel, SegmentHeader};
use crate::engine::log::format::size;
use crate::engine::log::index::{ChannelId, Index, Placed, SegmentState, Slot, Stored};
use crate::engine::log::outcome::{Damage, OpenError, Wrong};
use crate::engine::log::shared::Paths;

/// Keys that are still remembered, by channel.
pub(in super::super) type Keys = HashMap<ChannelName, BTreeMap<(Publisher, Box<str>), RestoredKey>>;

/// What all segments together say.
#[derive(Debug)]
pub(in super::super) struct Scan {
    pub index: Index,
    pub keys: Keys,
    /// The unsealed segment at the end, if there is one that can be gone on with.
    pub active: Option<(ActiveEnd, Slot, Vec<FooterChannel>)>,
    /// The sequence number that follows all others.
    pub sequence: u64,
    /// The number of the newest segment, 0 if there is none.
    pub newest: u64,
    /// The number of the oldest segment that is needed.
    pub oldest: u64,
    /// Segments that are not needed any more and whose files are still there.
    pub obsolete: Vec<u64>,
    pub damaged: Vec<Damaged>,
    /// The latest time of any publication so far: what was let go at which time is found out again.
    clock: UnixMillis,
    /// Whether what was seen may not have been synced, according to the last commit.
    pub loose: bool,
}

/// A damaged segment.
#[derive(Debug)]
pub(in super::super) struct Damaged {
    pub number: u64,
    pub damage: Damage,
    pub held: Held,
}

/// Applies the records of one segment.
#[derive(Debug)]
struct Application<'a> {
    index: &'a mut Index,
    keys: &'a mut Keys,
    slot: Slot,
    now: UnixMillis,
    clock: &'a mut UnixMillis,
    /// The channels of the segment by their numbers, and what its footer says, or will say, of them.
    names: Vec<(FooterChannel, Option<ChannelId>)>,
    loose: Option<bool>,
}

/// What is known of a log before its segments are read.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Known {
    pub generation: Option<Epoch>,
    /// The number of the newest segment, if a stop has written it down.
    pub newest: Option<u64>,
}

/// Reads all segments into an empty index.
pub(in super::super) fn scan(
    files: &Files,
    paths: &Paths,
    index: Index,
    known: Known,
    now: UnixMillis,
) -> Result<Scan, OpenError> {
    let Known { generation, newest } = known;
    let numbers = numbers(files, paths).map_err(at(paths))?;
    let oldest = oldest_needed(files, paths, &numbers, generation)?;
    let (obsolete, needed): (Vec<u64>, Vec<u64>) =
        numbers.into_iter().partition(|number| *number < oldest);
    let mut scan = Scan {
        index,
        keys: Keys::new(),
        active: None,
        sequence: 1,
        newest: needed.last().copied().max(newest).unwrap_or(0),
        oldest,
        obsolete,
        damaged: Vec::new(),
        clock: 0,
        loose: false,
    };
    let mut first = None;
    for number in scan.oldest..=scan.newest {
        if needed.binary_search(&number).is_err() {
            scan.missing(paths, number);
            first = None;
            continue;
        }
        let bytes = files
            .read(&paths.segment(number))
            .map_err(|error| OpenError::Io { file: paths.segment(number), error })?;
        let newest = number == scan.newest;
        let behind = if newest { None } else { begins(files, paths, number.saturating_add(1)) };
        let expected = Expected { number, newest, first, generation, behind };
        first = scan.segment(paths, &bytes, &expected, now)?;
        if let Some(first) = first {
            scan.sequence = first;
        }
    }
    scan.index.sweep(usize::MAX, now);
    scan.index.settle_tips();
    Ok(scan)
}

impl Scan {
    fn missing(&mut self, paths: &Paths, number: u64) {
        let damage = Damage { file: paths.segment(number), position: 0, what: Wrong::Missing };
        self.damaged.push(Damaged { number, damage, held: Held::default() });
    }

    /// Reads one segment; says with which sequence number the next one has to begin, if that is known.
    fn segment(
        &mut self,
        paths: &Paths,
        bytes: &[u8],
        expected: &Expected,
        now: UnixMillis,
    ) -> Result<Option<u64>, OpenError> {
        let number = expected.number;
        let salt = match SegmentHeader::of(bytes) {
            Beginning::Intact(header) => header.salt,
            Beginning::Newer(_) | Beginning::Broken { .. } => 0,
        };
        let state = SegmentState::new(number, salt, bytes.len() as u64, true);
        let file = paths.segment(number);
        let Some(slot) = self.index.segments.add(state) else {
            let error = io::Error::other("there are too many segments");
            return Err(OpenError::Io { file, error });
        };
        let (index, keys) = (&mut self.index, &mut self.keys);
        let (clock, names, loose) = (&mut self.clock, Vec::new(), None);
        let mut application = Application { index, keys, slot, now, clock, names, loose };
        let condition = examine(bytes, expected, &mut |batch| application.batch(batch));
        let Application { names, loose, .. } = application;
        self.loose = loose.unwrap_or(self.loose);
        Ok(match condition {
            Condition::Sealed { footer, sequence } => {
                self.index.mark = self.index.mark.max(footer.mark);
                Some(sequence)
            }
            Condition::SetAside => None,
            Condition::Active(end) => {
                let sequence = end.sequence;
                self.index.mark = self.index.mark.max(end.header.mark);
                self.name_channels(number, &names);
                let names = names.into_iter().map(|(channel, _)| channel).collect();
                self.active = Some((end, slot, names));
                Some(sequence)
            }
            Condition::Damaged { position, what, held } => {
                self.index.mark = self.index.mark.max(held.mark.unwrap_or(0));
                let damage = Damage { file, position, what };
                self.damaged.push(Damaged { number, damage, held });
                // What comes behind it has higher numbers than all that may stand in it.
                self.sequence = self.sequence.saturating_add(bytes.len() as u64);
                None
            }
            Condition::Newer(version) => return Err(OpenError::Newer { file, version }),
        })
    }

    /// Notes which channels the active segment has named.
    fn name_channels(&mut self, number: u64, names: &[(FooterChannel, Option<ChannelId>)]) {
        for (local, (channel, _)) in (0..).zip(names) {
            let id = self.index.id(&channel.name);
            if let Some((channel, _)) = id.and_then(|id| self.index.parts(id)) {
                channel.named = Some((number, local));
            }
        }
    }
}

impl Application<'_> {
    fn batch(&mut self, batch: &Batch<'_>) -> Option<()> {
        for record in &batch.records {
            self.record(record)?;
        }
        self.index.mark = self.index.mark.max(batch.commit.mark);
        self.loose = Some(batch.commit.loose);
        Some(())
    }

    /// Applies a record; none if it makes no sense.
    fn record(&mut self, record: &Record<'_>) -> Option<()> {
        match record.kind {
            Kind::Channel => {
                let name = std::str::from_utf8(record.body).ok()?;
                let name = ChannelName::new(name).ok()?;
                let id = self.index.id(&name);
                self.names.push((FooterChannel { name, epoch: 0, highest: 0 }, id));
            }
            Kind::Publication => self.publication(record)?,
            Kind::End => {
                let body = EndBody::of(record.body, record.flags)?;
                let id = self.channel(record, body.head)?;
                self.index.end(id, body.head, body.time, self.slot);
            }
            Kind::Removal => {
                let body = RemovalBody::of(record.body)?;
                let begin = Position::new(body.mark, body.epoch);
                let id = self.channel(record, begin)?;
                self.index.remove(id, begin, self.slot);
            }
            Kind::Forgotten => {
                let (channel, id) = self.names.get_mut(size(record.channel))?;
                *id = None;
                self.keys.remove(&channel.name);
                if let Some(id) = self.index.id(&channel.name) {
                    self.index.forget(id);
                }
            }
            Kind::Head => {
                let body = HeadBody::of(record.body)?;
                let begin = Position::new(body.floor, body.epoch);
                let id = self.channel(record, begin)?;
                self.index.place_head(id, &body, self.slot);
                self.note(record, Position::new(body.head, body.epoch));
            }
            Kind::Key => {
                KeyBody::of(record.body)?;
            }
            Kind::Jump => {
                let body = JumpBody::of(record.body)?;
                self.index.jumps = self.index.jumps.wrapping_add(body.jumps);
            }
            Kind::Commit | Kind::Footer => return None,
        }
        self.key(record)
    }

    /// Remembers the record's key, if it has one.
    fn key(&mut self, record: &Record<'_>) -> Option<()> {
        if let Some(key) = key::of(record) {
            let (channel, _) = self.names.get(size(record.channel))?;
            self.index.segments.keep_key(self.slot, key.key.expires_at);
            remember(self.keys, &channel.name, &key, self.now);
        }
        Some(())
    }

    fn publication(&mut self, record: &Record<'_>) -> Option<()> {
        let body = PublicationBody::of(record.body, record.flags)?;
        let id = self.channel(record, Position::new(body.prev, body.epoch))?;
        let placed = Placed {
            offset: body.offset,
            slot: self.slot,
            at: u32::try_from(record.position).ok()?,
            weight: u32::try_from(body.weight()).unwrap_or(u32::MAX),
            time: body.time,
        };
        let stored = Stored {
            epoch: body.epoch,
            prev: body.prev,
            placed,
            expires_at: body.expires_at,
            ends: record.flags & ENDS != 0,
        };
        *self.clock = body.time.max(*self.clock).min(self.now);
        if record.flags & COPIED == 0 {
            self.index.store(id, &stored, *self.clock);
        } else {
            self.index.place_copy(id, &stored, *self.clock);
        }
        self.note(record, body.position());
        Some(())
    }

    /// The record's channel; one that was not known begins at a position.
    fn channel(&mut self, record: &Record<'_>, begin: Position) -> Option<ChannelId> {
        let (channel, id) = self.names.get_mut(size(record.channel))?;
        if let Some(id) = id {
            return Some(*id);
        }
        let ensured = self.index.ensure(&channel.name, begin);
        *id = Some(ensured);
        Some(ensured)
    }

    fn note(&mut self, record: &Record<'_>, position: Position) {
        if let Some((channel, _)) = self.names.get_mut(size(record.channel)) {
            channel.epoch = position.epoch.bits();
            channel.highest = channel.highest.max(position.offset);
        }
    }
}

/// Reads only the keys of a segment. None if it is not intact.
pub(in super::super) fn keys_of(
    bytes: &[u8],
    expected: &Expected,
    keys: &mut Keys,
    now: UnixMillis,
) -> Option<()> {
    let mut names = Vec::new();
    let condition = examine(bytes, expected, &mut |batch| {
        for record in &batch.records {
            if record.kind == Kind::Channel {
                let name = std::str::from_utf8(record.body).ok()?;
                names.push(ChannelName::new(name).ok()?);
            } else if record.kind == Kind::Forgotten {
                keys.remove(names.get(size(record.channel))?);
            } else if let Some(key) = key::of(record) {
                remember(keys, names.get(size(record.channel))?, &key, now);
            }
        }
        Some(())
    });
    match condition {
        Condition::Sealed { .. } | Condition::SetAside | Condition::Active(_) => Some(()),
        Condition::Damaged { .. } | Condition::Newer(_) => None,
    }
}

/// Remembers a key, if its time has not come.
fn remember(keys: &mut Keys, channel: &ChannelName, key: &KeyBody<'_>, now: UnixMillis) {
    if key.key.expires_at > now {
        let KeyBody { position, stored, .. } = *key;
        let key = key.key.to_key();
        let id = (key.publisher.clone(), key.key.clone());
        let keys = keys.entry(channel.clone()).or_default();
        let stored = if stored { StoredOrNot::Yes } else { StoredOrNot::No };
        keys.insert(id, RestoredKey { key, position, stored });
    }
}

/// The numbers of all segments there are, rising.
pub(in super::super) fn numbers(files: &Files, paths: &Paths) -> io::Result<Vec<u64>> {
    let names = files.names(&paths.segments())?;
    let mut numbers: Vec<u64> = names.iter().filter_map(|name| Paths::number(name)).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The oldest segment that is still needed, as the newest commit says.
fn oldest_needed(
    files: &Files,
    paths: &Paths,
    numbers: &[u64],
    generation: Option<Epoch>,
) -> Result<u64, OpenError> {
    let newest = numbers.last().copied();
    for number in numbers.iter().rev().copied() {
        let file = paths.segment(number);
        let bytes = files.read(&file).map_err(|error| OpenError::Io { file, error })?;
        let newest = Some(number) == newest;
        let expected = Expected { number, newest, first: None, generation, behind: None };
        if let Some(oldest) = needs(&bytes, &expected) {
            return Ok(oldest);
        }
    }
    Ok(numbers.first().copied().unwrap_or(1))
}

/// The sequence number that a segment begins with, if there is such a segment.
fn begins(files: &Files, paths: &Paths, number: u64) -> Option<u64> {
    let file = files.open(&paths.segment(number), Access::Read).ok()?;
    let mut bytes = vec![0; BEGIN];
    file.read_at(&mut bytes, 0).ok()?;
    first_of(&bytes)
}

/// Turns what the system said of the directory into why the log is not opened.
pub(in super::super) fn at(paths: &Paths) -> impl Fn(io::Error) -> OpenError + use<> {
    let file = paths.root().to_owned();
    move |error| OpenError::Io { file: file.clone(), error }
}
