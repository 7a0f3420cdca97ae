//! Looking at one segment: what of it is intact, and if it is not, what it held.

use std::collections::BTreeMap;

use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Offset};

use crate::engine::log::format::batch::{Batch, Batches, Commit, Next, search};
use crate::engine::log::format::record::{Found, Kind, Record, Seal};
use crate::engine::log::format::segment::{
    BEGIN, Beginning, Footer, FooterChannel, SegmentHeader, TRAILER, Trailer,
};
use crate::engine::log::format::size;
use crate::engine::log::outcome::Wrong;

/// What is known of a segment before it is looked at.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Expected {
    pub number: u64,
    /// Whether it is the newest one, which alone may be unsealed.
    pub newest: bool,
    /// The sequence number of its first record, if that is known.
    pub first: Option<u64>,
    /// The store's generation, if that is known.
    pub generation: Option<Epoch>,
    /// The first sequence number of the segment behind it, if that can be read.
    pub behind: Option<u64>,
}

/// What was found.
#[derive(Debug)]
pub(in super::super) enum Condition {
    /// It is sealed and intact.
    Sealed { footer: Footer, sequence: u64 },
    /// It stands in the place of a segment that was set aside.
    SetAside,
    /// It can be written to.
    Active(ActiveEnd),
    /// It is not as it was written.
    Damaged { position: u64, what: Wrong, held: Held },
    /// It was made by a newer version.
    Newer(u32),
}

/// Where an unsealed segment ends.
#[derive(Debug)]
pub(in super::super) struct ActiveEnd {
    pub header: SegmentHeader,
    /// Where the next batch begins.
    pub position: u64,
    pub sequence: u64,
    pub checksum: u32,
    /// What stands behind it that is not whole, up to here; none if nothing does.
    pub torn: Option<u64>,
}

/// What a damaged segment held, as far as it can still be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Held {
    /// Every channel; none if there may have been others.
    pub channels: Option<Vec<FooterChannel>>,
    /// The mark at its end; none if it may have been higher.
    pub mark: Option<Offset>,
}

/// What is intact by itself in a damaged segment.
#[derive(Debug, Default)]
struct Salvage {
    names: BTreeMap<u32, ChannelName>,
    /// The last commit, and its sequence number.
    last: Option<(Commit, u64)>,
}

/// Looks at a segment. `visit` is given every intact batch in order, up to the first damage.
pub(in super::super) fn examine(
    bytes: &[u8],
    expected: &Expected,
    visit: &mut dyn FnMut(&Batch<'_>) -> Option<()>,
) -> Condition {
    let trailer = Trailer::of(bytes);
    let header = match SegmentHeader::of(bytes) {
        Beginning::Newer(version) => return Condition::Newer(version),
        Beginning::Intact(header) => header,
        Beginning::Broken { salt } => {
            let salt = trailer.map_or(salt, |trailer| trailer.salt);
            return damaged(bytes, expected, Seal::new(expected.number, salt), 0, Wrong::Header);
        }
    };
    let seal = header.seal();
    let foreign = header.number != expected.number
        || expected.generation.is_some_and(|generation| generation != header.generation)
        || expected.first.is_some_and(|first| first != header.first);
    let footer = trailer.and_then(|trailer| trailer.footer(bytes, expected.number));
    let set_aside = footer.as_ref().is_some_and(|(_, footer)| footer.set_aside);
    if set_aside && header.number == expected.number && checked(bytes) {
        return Condition::SetAside;
    }
    if foreign {
        return damaged(bytes, expected, seal, 0, Wrong::Foreign);
    }
    let mut batches = Batches::new(bytes, seal, BEGIN, header.first);
    loop {
        let begin = batches.position;
        match batches.next() {
            Next::Batch(batch) => {
                if visit(&batch).is_none() {
                    return damaged(bytes, expected, seal, begin, Wrong::Record);
                }
            }
            Next::Footer(record) => {
                let right = footer.filter(|(at, _)| *at == record.position);
                let what = if right.is_some() { Wrong::Checksum } else { Wrong::Footer };
                let intact = right.filter(|_| checked(bytes));
                let sequence = record.sequence.saturating_add(1);
                match intact {
                    Some((_, footer)) => return Condition::Sealed { footer, sequence },
                    // It may have been about to be sealed.
                    None if expected.newest => break,
                    None => return damaged(bytes, expected, seal, record.position, what),
                }
            }
            // What is sealed has been synced before anything came behind it.
            Next::Broken(at) if !expected.newest => {
                return damaged(bytes, expected, seal, at, Wrong::Record);
            }
            Next::Nothing if !expected.newest => {
                return damaged(bytes, expected, seal, begin, Wrong::Batch);
            }
            Next::Nothing | Next::Broken(_) => break,
        }
    }
    let begin = batches.position;
    let rest = bytes.get(begin..).unwrap_or_default();
    let torn = rest.iter().rposition(|byte| *byte != 0);
    let torn = torn.map(|last| begin.saturating_add(last).saturating_add(1) as u64);
    let synced = |record: Record<'_>| Commit::of(&record).map_or(0, |commit| commit.synced);
    if torn.is_some() && search(bytes, begin, seal).map(synced).any(|at| at >= batches.sequence) {
        return damaged(bytes, expected, seal, begin, Wrong::Batch);
    }
    let checksum = crc32c::crc32c(bytes.get(..begin).unwrap_or_default());
    let (position, sequence) = (begin as u64, batches.sequence);
    Condition::Active(ActiveEnd { header, position, sequence, checksum, torn })
}

/// Whether the checksum at the end of a sealed segment is right.
fn checked(bytes: &[u8]) -> bool {
    let end = bytes.len().saturating_sub(4);
    let checksum = Trailer::of(bytes).map(|trailer| trailer.checksum);
    checksum == Some(crc32c::crc32c(bytes.get(..end).unwrap_or_default()))
}

/// A segment that is damaged at a place: everything that can still be told of what it held.
fn damaged(
    bytes: &[u8],
    expected: &Expected,
    seal: Seal,
    position: usize,
    what: Wrong,
) -> Condition {
    let held = footer_of(bytes, expected, seal).map_or_else(
        || searched(bytes, expected, seal),
        |footer| Held { channels: Some(footer.channels), mark: Some(footer.mark) },
    );
    Condition::Damaged { position: position as u64, what, held }
}

/// The footer of a damaged segment, if it is intact by itself.
fn footer_of(bytes: &[u8], expected: &Expected, seal: Seal) -> Option<Footer> {
    if let Some((_, footer)) = Trailer::of(bytes)?.footer(bytes, expected.number) {
        return Some(footer);
    }
    // The trailer may say the wrong place: the right one is found if everything before it is intact.
    let Found::Record(first) = Record::at(bytes, BEGIN, seal) else { return None };
    let mut batches = Batches::new(bytes, seal, BEGIN, first.sequence);
    loop {
        match batches.next() {
            Next::Batch(_) => {}
            Next::Footer(record) => {
                let end = record.end().saturating_add(TRAILER);
                return Footer::of(record.body).filter(|_| end == bytes.len());
            }
            Next::Nothing | Next::Broken(_) => return None,
        }
    }
}

/// What the names and commits say that are intact by themselves.
fn searched(bytes: &[u8], expected: &Expected, seal: Seal) -> Held {
    let mut salvage = Salvage::default();
    for record in search(bytes, BEGIN, seal) {
        if record.kind == Kind::Channel {
            salvage.name(&record);
        } else if let Some(commit) = Commit::of(&record) {
            salvage.last = Some((commit, record.sequence));
        }
    }
    let Some((commit, sequence)) = salvage.last else { return Held::default() };
    // Behind the last commit comes the footer and then the next segment, unless something is missing.
    let whole = match expected.behind {
        Some(behind) => sequence.saturating_add(2) == behind,
        None => expected.newest,
    };
    let all = (0..commit.names).all(|number| salvage.names.contains_key(&number));
    let channels = (whole && all).then(|| {
        let channel = |name| FooterChannel { name, epoch: 0, highest: 0 };
        salvage.names.into_values().map(channel).collect()
    });
    Held { channels, mark: whole.then_some(commit.mark) }
}

impl Salvage {
    fn name(&mut self, record: &Record<'_>) {
        let name = std::str::from_utf8(record.body).ok().filter(|_| record.kind == Kind::Channel);
        if let Some(name) = name.and_then(|name| ChannelName::new(name).ok()) {
            self.names.insert(record.channel, name);
        }
    }
}

/// The oldest segment that the newest commit of this one still needs; none if it has no commit.
pub(in super::super) fn needs(bytes: &[u8], expected: &Expected) -> Option<u64> {
    let mut earlier = None;
    let condition = examine(bytes, expected, &mut |batch| {
        earlier = Some(batch.commit.earlier);
        Some(())
    });
    if matches!(condition, Condition::Damaged { .. }) {
        // It never comes to need more than before.
        let trailer = Trailer::of(bytes).map(|trailer| trailer.salt);
        let salt = match SegmentHeader::of(bytes) {
            Beginning::Intact(header) => header.salt,
            Beginning::Broken { salt } => trailer.unwrap_or(salt),
            Beginning::Newer(_) => return None,
        };
        let records = search(bytes, BEGIN, Seal::new(expected.number, salt));
        let commits = records.filter_map(|record| Commit::of(&record));
        earlier = commits.map(|commit| commit.earlier).chain(earlier).min();
    }
    earlier.map(|earlier| expected.number.saturating_sub(earlier.into()))
}

/// The sequence number that a segment says it begins with.
pub(in super::super) fn first_of(bytes: &[u8]) -> Option<u64> {
    match SegmentHeader::of(bytes.get(..size(BEGIN))?) {
        Beginning::Intact(header) => Some(header.first),
        _ => None,
    }
}
