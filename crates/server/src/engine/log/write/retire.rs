//! Old segments go. What has to be known of them later is written again first: heads and keys always,
//! publications if they live and there is room for them.
//!
//! Segments go in their order, the oldest first, so that a record which says that something is over
//! never goes before what it is about.

use std::io;
use std::sync::Arc;

use fanfare_core::name::ChannelName;
use fanfare_core::time::{Millis, UnixMillis};

use super::plan::{Chore, CopyChore};
use super::{Fatal, Writer};
use crate::engine::log::figures::count;
use crate::engine::log::files::{Access, File, passing};
use crate::engine::log::format::key;
use crate::engine::log::format::publication::PublicationBody;
use crate::engine::log::format::record::{Found, HEADER, Kind, Record, Seal};
use crate::engine::log::format::segment::{BEGIN, TRAILER, Trailer};
use crate::engine::log::format::size;
use crate::engine::log::index::{Index, SegmentState, Slot};
use crate::engine::log::outcome::{Damage, Report, SetAside, Wrong};

/// A segment that is about to go.
#[derive(Debug)]
pub(super) struct Retiring {
    slot: Slot,
    number: u64,
    seal: Seal,
    keys_until: UnixMillis,
    mode: Mode,
    stage: Stage,
    file: Option<File>,
    /// How far it was read.
    position: u64,
    /// Where its records end.
    end: u64,
    /// The channels that it names, by their numbers, as far as it was read.
    names: Vec<ChannelName>,
    /// All channels that it holds something of.
    channels: Vec<ChannelName>,
    /// Publications that were lost to readers.
    lost: u64,
    /// Bytes of its file.
    length: u64,
    /// Bytes that were written again because it goes.
    rewritten: u64,
    damage: Option<Damage>,
}

/// What happens to publications that live in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// They are copied, no faster than may be.
    Copy,
    /// They go.
    Drop,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is read for what has to be written again.
    Read,
    /// Channels from this place on may need a record of where they stand.
    Heads(usize),
    /// Everything is written; the next batch says that it is not needed.
    Closing,
}

impl Retiring {
    /// It has to go now. Says whether anything is still to be done for that.
    pub(super) fn force(&mut self) -> bool {
        self.mode = Mode::Drop;
        self.stage != Stage::Closing
    }

    fn damaged(&mut self, file: std::path::PathBuf, what: Wrong) {
        let position = self.position;
        self.damage.get_or_insert(Damage { file, position, what });
        self.stage = Stage::Heads(0);
        self.mode = Mode::Drop;
    }
}

impl Writer {
    /// Goes on with the segment that is about to go, or looks whether one should.
    pub(super) fn tend(&mut self, now: Millis) {
        if self.retiring.is_none() && now >= self.choose_at {
            self.choose_at = now.saturating_add(CHOOSE_EVERY);
            self.choose();
        }
        self.earn(now);
        if !self.chores.is_empty() {
            return;
        }
        let Some(mut retiring) = self.retiring.take() else { return };
        match retiring.stage {
            Stage::Read if retiring.mode == Mode::Copy && self.tokens == 0 => {}
            Stage::Read => self.read_on(&mut retiring),
            Stage::Heads(place) => self.heads(&mut retiring, place),
            Stage::Closing => {}
        }
        self.retiring = Some(retiring);
    }

    /// Whether the next batch is the one after which the segment is not needed.
    pub(super) fn closes(&self) -> bool {
        let closing = |retiring: &Retiring| retiring.stage == Stage::Closing;
        let room = self.active.room(0).is_some();
        room && self.chores.is_empty() && self.retiring.as_ref().is_some_and(closing)
    }

    /// Counts what a batch has written again, and what is new.
    pub(super) fn account(&mut self, again: usize, fresh: usize) {
        if let Some(retiring) = &mut self.retiring {
            retiring.rewritten = retiring.rewritten.saturating_add(again as u64);
        }
        self.debt = self.debt.saturating_sub(fresh as u64);
    }

    /// Whether something is to be done soon.
    pub(super) fn is_retiring(&self) -> bool {
        self.retiring.is_some()
    }

    /// Looks whether the oldest segment should go.
    fn choose(&mut self) {
        let (used, options) = (self.used(), &self.shared.options);
        let bound = used.saturating_add(options.segment_bytes.saturating_mul(2));
        let at_bound = bound > options.bytes_max;
        let crowded = used.saturating_mul(2) > options.bytes_max;
        let now = options.clock.unix();
        let index = self.shared.index();
        let Some((_, oldest)) = index.segments.oldest().filter(|(_, oldest)| oldest.sealed) else {
            return;
        };
        let heads = |homes: u64| homes.saturating_mul(HEAD_BYTES);
        let lives = oldest.live_bytes.saturating_add(heads(oldest.homes));
        let live_bytes = index.segments.live_bytes;
        let all_live = live_bytes.saturating_add(heads(index.len() as u64));
        let mostly_dead = lives.saturating_mul(10) < oldest.length.saturating_mul(3);
        // Copying is worth it if what is dead elsewhere comes nearer to its end by it.
        let worth = crowded && all_live.saturating_mul(10) < used.saturating_mul(7);
        let keys_live = oldest.keys_until > now;
        drop(index);
        if at_bound {
            self.retire_oldest(Mode::Drop);
        } else if (mostly_dead || worth) && !keys_live && (self.debt == 0 || lives == 0) {
            self.retire_oldest(Mode::Copy);
        }
    }

    /// Begins to let the oldest segment go, if it is sealed. Says whether it does.
    pub(super) fn retire_oldest(&mut self, mode: Mode) -> bool {
        let shared = Arc::clone(&self.shared);
        let index = shared.index();
        let Some((slot, oldest)) = index.segments.oldest().filter(|(_, oldest)| oldest.sealed)
        else {
            return false;
        };
        let (oldest, now) = (oldest.clone(), shared.options.clock.unix());
        drop(index);
        let mut retiring = Retiring {
            slot,
            number: oldest.number,
            seal: oldest.seal(),
            keys_until: oldest.keys_until,
            mode,
            stage: Stage::Read,
            file: None,
            position: BEGIN as u64,
            end: 0,
            names: Vec::new(),
            channels: Vec::new(),
            lost: 0,
            length: oldest.length,
            rewritten: 0,
            damage: None,
        };
        let path = shared.paths.segment(oldest.number);
        match self.open_retiring(&mut retiring, &oldest) {
            Ok(true) => {}
            Ok(false) => retiring.damaged(path, Wrong::Footer),
            // Nothing is wrong with it; it is tried again.
            Err(error) if passing(&error) => return false,
            Err(_) => retiring.damaged(path, Wrong::Missing),
        }
        if retiring.damage.is_some() {
            // Which channels it held cannot be read any more: all of them are looked at.
            let index = shared.index();
            retiring.channels = index.iter().map(|channel| channel.name.clone()).collect();
        }
        let lives = mode == Mode::Copy && oldest.live > 0;
        if !lives && oldest.keys_until <= now {
            retiring.stage = Stage::Heads(0);
        }
        self.retiring = Some(retiring);
        true
    }

    /// Opens the segment and reads its footer; says whether that is intact.
    fn open_retiring(&self, retiring: &mut Retiring, oldest: &SegmentState) -> io::Result<bool> {
        let path = self.shared.paths.segment(oldest.number);
        let file = self.shared.files.open(&path, Access::Read)?;
        let length = file.length()?;
        let mut last = [0; TRAILER];
        file.read_at(&mut last, length.saturating_sub(TRAILER as u64))?;
        let Some(trailer) = Trailer::of(&last) else { return Ok(false) };
        let Some(begin) = length.checked_sub(trailer.tail()) else { return Ok(false) };
        let mut tail = vec![0; size(trailer.tail())];
        file.read_at(&mut tail, begin)?;
        let Some((_, footer)) = trailer.footer(&tail, oldest.number) else { return Ok(false) };
        retiring.channels = footer.channels.into_iter().map(|channel| channel.name).collect();
        retiring.end = begin;
        file.will_need(retiring.position, CHUNK_BYTES);
        retiring.file = Some(file);
        Ok(true)
    }

    /// Reads the next part of the segment and takes what has to be written again.
    fn read_on(&mut self, retiring: &mut Retiring) {
        let shared = Arc::clone(&self.shared);
        let path = shared.paths.segment(retiring.number);
        let now = shared.options.clock.unix();
        let only_keys = retiring.mode == Mode::Drop;
        if retiring.position >= retiring.end || (only_keys && retiring.keys_until <= now) {
            retiring.stage = Stage::Heads(0);
            return;
        }
        let Some(bytes) = retiring.file.as_ref().and_then(|file| read_chunk(file, retiring)) else {
            return retiring.damaged(path, Wrong::Missing);
        };
        let mut position = 0;
        let index = shared.index();
        while let Found::Record(record) = Record::at(&bytes, position, retiring.seal) {
            position = record.end();
            self.chores.extend(chore(retiring, &record, &index, now));
        }
        drop(index);
        self.tokens = self.tokens.saturating_sub(position as u64);
        retiring.position = retiring.position.saturating_add(position as u64);
        if position == 0 {
            retiring.damaged(path, Wrong::Record);
        }
    }

    /// Lets go of what still lives in the segment, for the next so many channels, and has written
    /// where they stand if that could not be told from what is left of them.
    fn heads(&mut self, retiring: &mut Retiring, place: usize) {
        let shared = Arc::clone(&self.shared);
        let mut index = shared.index();
        let lives = index.segments.get(retiring.slot).is_some_and(|segment| segment.live > 0);
        let channels = retiring.channels.get(place..).unwrap_or_default();
        let channels = channels.get(..HEADS_AT_ONCE).unwrap_or(channels);
        for name in channels {
            let Some(id) = index.id(name) else { continue };
            let Some((channel, segments)) = index.parts(id) else { continue };
            if lives && let Some(highest) = channel.highest_in(retiring.slot) {
                let before = channel.count();
                channel.remove_up_to(highest, segments);
                let gone = before.saturating_sub(channel.count()) as u64;
                retiring.lost = retiring.lost.saturating_add(gone);
            }
            if channel.home() == Some(retiring.slot) || (channel.irregular && channel.written()) {
                self.chores.push_back(Chore::Head(name.clone()));
            }
        }
        let place = place.saturating_add(channels.len());
        let more = place < retiring.channels.len();
        retiring.stage = if more { Stage::Heads(place) } else { Stage::Closing };
    }

    /// The segment is not needed any more: its file goes.
    pub(super) fn finish_retiring(&mut self) -> Result<(), Fatal> {
        let Some(retiring) = self.retiring.take() else { return Ok(()) };
        let shared = Arc::clone(&self.shared);
        shared.index().segments.remove_oldest();
        self.oldest = retiring.number.saturating_add(1);
        // Where little was won, as much has to be published before it is done again: otherwise a log
        // that is full of what lives would be written again for ever.
        let spent = retiring.rewritten.saturating_mul(2).saturating_sub(retiring.length);
        self.debt = self.debt.saturating_add(spent);
        self.choose_at = 0;
        count(&shared.cells.segments_removed, 1);
        let path = shared.paths.segment(retiring.number);
        let removed = match retiring.damage {
            None => shared.files.remove(&path),
            Some(damage) => self.set_aside(retiring.number, damage),
        };
        if let Err(error) = removed {
            shared.report(Report::Unremoved { file: path, error });
        }
        shared.files.sync_directory(&shared.paths.segments())?;
        if retiring.lost > 0 {
            count(&shared.cells.publications_forced, retiring.lost);
            let (segment, publications) = (retiring.number, retiring.lost);
            shared.report(Report::Forced { segment, publications });
        }
        Ok(())
    }

    fn set_aside(&self, number: u64, damage: Damage) -> io::Result<()> {
        let shared = &self.shared;
        let (files, paths) = (&shared.files, &shared.paths);
        let path = paths.segment(number);
        let to = paths.aside(number, shared.options.clock.unix());
        let length = files.length(&path)?;
        let file = length.map(|_| to.clone());
        if let Some(length) = length {
            files.make_directory(&paths.quarantine())?;
            files.rename(&path, &to)?;
            files.sync_directory(&paths.quarantine())?;
            count(&shared.cells.bytes_beside, length);
        }
        shared.report(Report::SetAside(SetAside { file, damage }));
        Ok(())
    }

    /// Copying may go on as far as time has passed.
    fn earn(&mut self, now: Millis) {
        let rate = self.shared.options.copy_bytes_per_second;
        let passed = now.saturating_sub(self.earned_at);
        let more = rate.saturating_mul(passed) / 1_000;
        if more > 0 || passed > 1_000 {
            self.earned_at = now;
            self.tokens = self.tokens.saturating_add(more).min(rate);
        }
    }
}

/// What a record of the segment leaves to be written again.
fn chore(
    retiring: &mut Retiring,
    record: &Record<'_>,
    index: &Index,
    now: UnixMillis,
) -> Option<Chore> {
    if record.kind == Kind::Channel {
        let name = std::str::from_utf8(record.body).ok()?;
        retiring.names.push(ChannelName::new(name).ok()?);
        return None;
    }
    let name = retiring.names.get(size(record.channel))?;
    let key = key::of(record).filter(|key| key.key.expires_at > now);
    if retiring.mode == Mode::Copy && record.kind == Kind::Publication {
        let publication = PublicationBody::of(record.body, record.flags)?;
        let position = publication.position();
        let channel = index.find(name).filter(|channel| channel.stored.epoch == position.epoch);
        let there = channel.and_then(|channel| channel.at_offset(position.offset));
        if there.is_some_and(|there| there.slot == retiring.slot) {
            let keys_until = key.map_or(0, |key| key.key.expires_at);
            let (flags, body) = publication.copied(record.flags, now);
            let (channel, from) = (name.clone(), retiring.slot);
            let copy = CopyChore { channel, flags, body, position, from, keys_until };
            return Some(Chore::Copy(Box::new(copy)));
        }
    }
    let (key, _known) = (key?, index.id(name)?);
    let mut body = Vec::with_capacity(key.length());
    key.put(&mut body);
    Some(Chore::Key { channel: name.clone(), body, until: key.key.expires_at })
}

/// The next part of the segment, in which at least one record is whole.
fn read_chunk(file: &File, retiring: &Retiring) -> Option<Vec<u8>> {
    let position = retiring.position;
    let left = retiring.end.saturating_sub(position);
    let read = |length: u64| {
        let mut bytes = vec![0; size(length)];
        let read = file.read_at(&mut bytes, position).ok()?;
        bytes.truncate(read);
        Some(bytes)
    };
    let mut bytes = read(left.min(CHUNK_BYTES))?;
    let first = Record::body_length(&bytes).unwrap_or(0).saturating_add(HEADER);
    if first > bytes.len() && first as u64 <= left {
        bytes = read(first as u64)?;
    }
    file.will_need(position.saturating_add(bytes.len() as u64), CHUNK_BYTES);
    Some(bytes)
}

/// How often it is looked whether a segment should go.
const CHOOSE_EVERY: Millis = 100;

/// Bytes of a segment that are read at once.
const CHUNK_BYTES: u64 = 256 << 10;

/// Channels that are looked at at once.
const HEADS_AT_ONCE: usize = 1_024;

/// What a record of where a channel stands takes, its name included, on average.
const HEAD_BYTES: u64 = 128;
