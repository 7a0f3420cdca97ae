//! Reading publications from segments: neighbours together, each checked before it is given out.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fanfare_core::name::ChannelName;
use fanfare_core::position::Epoch;
use fanfare_core::publication::Publication;

use crate::engine::log::files::{Access, File, passing};
use crate::engine::log::format::publication::PublicationBody;
use crate::engine::log::format::record::{Found, HEADER, Kind, Record, Seal};
use crate::engine::log::format::size;
use crate::engine::log::index::{ChannelState, Index, Placed};
use crate::engine::log::outcome::{Damage, Wrong};
use crate::engine::log::shared::Shared;

/// Where a publication stands, as far as a reader needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub placed: Placed,
    epoch: Epoch,
    number: u64,
    seal: Seal,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Fetched {
    /// Everything before what could not be read.
    pub publications: Vec<Arc<Publication>>,
    pub failed: Option<Failed>,
}

/// What could not be read.
#[derive(Debug)]
pub(super) struct Failed {
    pub place: Place,
    /// Whether its segment is not there: then it may stand elsewhere.
    pub gone: bool,
    pub damage: Damage,
}

/// A part of a segment in memory.
#[derive(Debug)]
struct Span {
    begin: u64,
    bytes: Vec<u8>,
}

impl Place {
    /// Where the publication at a place of a channel stands.
    pub(super) fn of(index: &Index, channel: &ChannelState, place: usize) -> Option<Self> {
        let placed = channel.placed(place)?;
        let segment = index.segments.get(placed.slot)?;
        let (epoch, number, seal) = (channel.stored.epoch, segment.number, segment.seal());
        Some(Self { placed, epoch, number, seal })
    }

    fn begin(&self) -> u64 {
        self.placed.at.into()
    }

    /// Where its record ends at the latest.
    fn end(&self) -> u64 {
        self.begin().saturating_add(self.placed.weight.into()).saturating_add(BEYOND_WEIGHT)
    }
}

/// Reads publications in the order in which they are asked for, up to the first that cannot be read.
pub(super) fn fetch(shared: &Shared, channel: &ChannelName, places: &[Place]) -> Fetched {
    let mut publications = Vec::with_capacity(places.len());
    let mut open: Option<(u64, File)> = None;
    let mut span = Span { begin: 0, bytes: Vec::new() };
    for (number, place) in places.iter().enumerate() {
        if !matches!(&open, Some((open, _)) if *open == place.number) {
            let path = shared.paths.segment(place.number);
            open = match open_when_possible(shared, &path) {
                Ok(file) => Some((place.number, file)),
                Err(error) => {
                    let gone = error.kind() == io::ErrorKind::NotFound;
                    let failed = failed(shared, place, gone, Wrong::Missing);
                    return Fetched { publications, failed: Some(failed) };
                }
            };
            span.bytes.clear();
        }
        let Some((_, file)) = &open else { break };
        let rest = places.get(number..).unwrap_or_default();
        match publication(file, &mut span, channel, rest, place) {
            Some(publication) => publications.push(Arc::new(publication)),
            None => {
                let failed = failed(shared, place, false, Wrong::Record);
                return Fetched { publications, failed: Some(failed) };
            }
        }
    }
    Fetched { publications, failed: None }
}

/// Opens a segment. Where there is no file descriptor for it, one is waited for: nothing is lost that could
/// be told as a gap.
fn open_when_possible(shared: &Shared, path: &Path) -> io::Result<File> {
    loop {
        match shared.files.open(path, Access::Read) {
            Err(error) if passing(&error) => std::thread::sleep(RETRY_AFTER),
            opened => return opened,
        }
    }
}

/// Reads one publication, with its neighbours if it is not among those that were read; none if it is
/// not as it was written.
fn publication(
    file: &File,
    span: &mut Span,
    channel: &ChannelName,
    rest: &[Place],
    place: &Place,
) -> Option<Publication> {
    if !span.holds(place.begin(), HEADER) {
        span.read(file, place.begin(), neighbours(rest))?;
    }
    let header = span.at(place.begin(), HEADER)?;
    let length = Record::body_length(header)?.checked_add(HEADER)?;
    if !span.holds(place.begin(), length) {
        span.read(file, place.begin(), place.begin().checked_add(length as u64)?)?;
    }
    let position = size(place.begin().checked_sub(span.begin)?);
    let Found::Record(record) = Record::at(&span.bytes, position, place.seal) else { return None };
    let body = PublicationBody::of(record.body, record.flags)?;
    let right = record.kind == Kind::Publication
        && body.epoch == place.epoch
        && body.offset == place.placed.offset;
    right.then(|| body.publication(channel.clone()))
}

/// Where the last of those ends that stand so near to each other that reading them at once is cheaper.
fn neighbours(rest: &[Place]) -> u64 {
    let Some(first) = rest.first() else { return 0 };
    let mut end = first.end();
    for place in rest {
        let near = place.number == first.number
            && place.begin() >= first.begin()
            && place.begin() <= end.saturating_add(GAP)
            && place.end() <= first.begin().saturating_add(SPAN);
        if !near {
            break;
        }
        end = end.max(place.end());
    }
    end
}

fn failed(shared: &Shared, place: &Place, gone: bool, what: Wrong) -> Failed {
    let file = shared.paths.segment(place.number);
    let damage = Damage { file, position: place.begin(), what };
    Failed { place: *place, gone, damage }
}

impl Span {
    fn holds(&self, begin: u64, length: usize) -> bool {
        self.at(begin, length).is_some()
    }

    fn at(&self, begin: u64, length: usize) -> Option<&[u8]> {
        let begin = size(begin.checked_sub(self.begin)?);
        self.bytes.get(begin..begin.checked_add(length)?)
    }

    fn read(&mut self, file: &File, begin: u64, end: u64) -> Option<()> {
        // A damaged record may claim any length; a segment is never longer than this.
        let length = end.checked_sub(begin).filter(|length| *length <= RECORD_BYTES_MAX)?;
        self.begin = begin;
        self.bytes.clear();
        self.bytes.resize(size(length), 0);
        let read = file.read_at(&mut self.bytes, begin).ok()?;
        self.bytes.truncate(read);
        Some(())
    }
}

/// What a record can have beyond its publication's weight: the frame, the key and lengths, less what
/// the weight counts for every publication. Longer ones are read again.
const BEYOND_WEIGHT: u64 = 512;

/// Bytes between two publications that are read along.
const GAP: u64 = 8 << 10;

/// Bytes that are read at once.
const SPAN: u64 = 256 << 10;

/// How long is waited for a file descriptor before it is looked again.
const RETRY_AFTER: Duration = Duration::from_millis(20);

/// Bytes of one record.
const RECORD_BYTES_MAX: u64 = 64 << 20;
