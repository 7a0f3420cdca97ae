//! Batches: records count only if the commit behind them is intact.

use fanfare_core::position::Offset;

use super::record::{self, Found, HEADER, Heading, Kind, NO_CHANNEL, Record, Seal};
use super::{Fields, length32, size};

/// Flag of a commit: since the start, publications may have been seen before they were synced.
pub(in super::super) const LOOSE: u8 = 0x01;

/// The end of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Commit {
    /// The sequence number of the batch's first record; the commit's own if there is no other.
    pub first: u64,
    /// Records in the batch without this one.
    pub count: u32,
    /// Channels named so far in this segment.
    pub names: u32,
    /// The highest sequence number that was known to be synced when the batch was written.
    pub synced: u64,
    /// The mark.
    pub mark: Offset,
    /// Checksum of all bytes of the batch before the commit.
    pub checksum: u32,
    /// Segments before this one that are still needed.
    pub earlier: u32,
    /// Whether publications may have been seen before they were synced, since the start.
    pub loose: bool,
}

impl Commit {
    /// Bytes of its record.
    pub(in super::super) const LENGTH: usize = HEADER + 40;

    /// Appends it to a batch, behind the records.
    pub(in super::super) fn append(&self, out: &mut Vec<u8>, seal: Seal, sequence: u64) {
        let flags = if self.loose { LOOSE } else { 0 };
        let heading = Heading { sequence, kind: Kind::Commit, flags, channel: NO_CHANNEL };
        record::append(out, seal, heading, |out| {
            out.extend_from_slice(&self.first.to_le_bytes());
            out.extend_from_slice(&self.count.to_le_bytes());
            out.extend_from_slice(&self.names.to_le_bytes());
            out.extend_from_slice(&self.synced.to_le_bytes());
            out.extend_from_slice(&self.mark.to_le_bytes());
            out.extend_from_slice(&self.checksum.to_le_bytes());
            out.extend_from_slice(&self.earlier.to_le_bytes());
        });
    }

    /// Reads a commit's body.
    pub(in super::super) fn of(record: &Record<'_>) -> Option<Self> {
        let mut fields = Fields(record.body);
        let (first, count, names) = (fields.u64()?, fields.u32()?, fields.u32()?);
        let (synced, mark) = (fields.u64()?, fields.u64()?);
        let (checksum, earlier) = (fields.u32()?, fields.u32()?);
        let loose = record.flags & LOOSE != 0;
        let commit = Self { first, count, names, synced, mark, checksum, earlier, loose };
        (record.kind == Kind::Commit && fields.is_empty()).then_some(commit)
    }
}

/// A whole batch.
#[derive(Debug)]
pub(in super::super) struct Batch<'a> {
    pub records: Vec<Record<'a>>,
    pub commit: Commit,
    /// The commit's sequence number.
    pub sequence: u64,
    /// Where the batch ends.
    pub end: usize,
}

/// What comes next in a segment.
#[derive(Debug)]
pub(in super::super) enum Next<'a> {
    /// A batch.
    Batch(Batch<'a>),
    /// The segment's footer.
    Footer(Record<'a>),
    /// Nothing is written from here on.
    Nothing,
    /// What stands here is no whole batch; the record that is to blame stands there.
    Broken(usize),
}

/// Reads a segment batch by batch.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Batches<'a> {
    bytes: &'a [u8],
    seal: Seal,
    /// Where the next batch begins.
    pub position: usize,
    /// The sequence number of the next record.
    pub sequence: u64,
    /// Channels named so far.
    names: u32,
}

impl<'a> Batches<'a> {
    /// The batches of a segment's bytes from `position` on.
    pub(in super::super) fn new(
        bytes: &'a [u8],
        seal: Seal,
        position: usize,
        sequence: u64,
    ) -> Self {
        Self { bytes, seal, position, sequence, names: 0 }
    }

    /// The next batch.
    pub(in super::super) fn next(&mut self) -> Next<'a> {
        let begin = self.position;
        let (mut position, mut sequence, mut names) = (begin, self.sequence, self.names);
        let mut records = Vec::new();
        loop {
            let record = match Record::at(self.bytes, position, self.seal) {
                Found::Nothing if records.is_empty() => return Next::Nothing,
                Found::Nothing | Found::Broken => return Next::Broken(position),
                Found::Record(record) if record.sequence != sequence => {
                    return Next::Broken(position);
                }
                Found::Record(record) => record,
            };
            position = record.end();
            let Some(next) = sequence.checked_add(1) else { return Next::Broken(record.position) };
            match record.kind {
                Kind::Footer if records.is_empty() => return Next::Footer(record),
                Kind::Footer => return Next::Broken(record.position),
                Kind::Commit => {
                    let Some(commit) = self.commit(&record, &records, names) else {
                        return Next::Broken(record.position);
                    };
                    (self.position, self.sequence, self.names) = (position, next, names);
                    return Next::Batch(Batch { records, commit, sequence, end: position });
                }
                Kind::Channel if record.channel != names => {
                    return Next::Broken(record.position);
                }
                Kind::Channel => names = names.saturating_add(1),
                _ => {}
            }
            sequence = next;
            records.push(record);
        }
    }

    /// The commit in a record, if it fits what stands before it.
    fn commit(&self, record: &Record<'_>, records: &[Record<'_>], names: u32) -> Option<Commit> {
        let commit = Commit::of(record)?;
        let before = self.bytes.get(self.position..record.position)?;
        let fits = commit.first == self.sequence
            && commit.count == length32(records.len())
            && commit.names == names
            && commit.checksum == crc32c::crc32c(before);
        fits.then_some(commit)
    }
}

/// Finds intact commits and names of channels behind a place from which on nothing can be trusted.
/// Other records are not looked for: their length would have to be believed.
pub(in super::super) fn search(
    bytes: &[u8],
    from: usize,
    seal: Seal,
) -> impl Iterator<Item = Record<'_>> {
    let mut position = from;
    std::iter::from_fn(move || {
        loop {
            // Most places are told apart by the byte that would say what the record is.
            let kinds = bytes.get(position.saturating_add(KIND_AT)..)?;
            let promising = |kind: &u8| *kind == Kind::Commit as u8 || *kind == Kind::Channel as u8;
            let at = position.saturating_add(kinds.iter().position(promising)?);
            position = at.saturating_add(1);
            if !plausible(bytes, at) {
                continue;
            }
            if let Found::Record(record) = Record::at(bytes, at, seal) {
                position = record.end();
                return Some(record);
            }
        }
    })
}

/// Whether a commit or a channel's name may begin here.
fn plausible(bytes: &[u8], at: usize) -> bool {
    let Some(header) = at.checked_add(HEADER).and_then(|end| bytes.get(at..end)) else {
        return false;
    };
    let mut fields = Fields(header);
    let length = fields.u32().map_or(usize::MAX, size);
    let kind = header.get(KIND_AT).copied().unwrap_or_default();
    let commit = kind == Kind::Commit as u8 && length == Commit::LENGTH.saturating_sub(HEADER);
    let name = kind == Kind::Channel as u8 && (1..=255).contains(&length);
    commit || name
}

/// Where in a header stands what the record is.
const KIND_AT: usize = 16;
