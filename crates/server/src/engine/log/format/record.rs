//! The frame around everything that stands in a segment.

use super::{Fields, length32, size};

/// Bytes before a record's body.
pub(in super::super) const HEADER: usize = 24;

/// What a record names as its channel when it has none.
pub(in super::super) const NO_CHANNEL: u32 = u32::MAX;

/// What a record is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(in super::super) enum Kind {
    /// Names a channel of this segment.
    Channel = 1,
    /// A publication.
    Publication = 2,
    /// An end without a last publication.
    End = 3,
    /// A channel begins anew.
    Removal = 4,
    /// Every channel goes on far above its head, because of an unclean stop.
    Jump = 5,
    /// A channel has no state any more.
    Forgotten = 6,
    /// Where a channel stands.
    Head = 7,
    /// An idempotency key.
    Key = 8,
    /// The end of a batch.
    Commit = 15,
    /// The end of a segment.
    Footer = 16,
}

/// What the checksums of one segment begin with: bytes of another file, and what a publisher wrote into
/// a payload, do not look like records of this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Seal(u32);

/// A record that is intact.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Record<'a> {
    /// Where its header stands in what was parsed.
    pub position: usize,
    pub sequence: u64,
    pub kind: Kind,
    pub flags: u8,
    pub channel: u32,
    pub body: &'a [u8],
}

/// What stands at a place.
#[derive(Debug, Clone, Copy)]
pub(in super::super) enum Found<'a> {
    /// A record.
    Record(Record<'a>),
    /// Nothing was written here.
    Nothing,
    /// Something that is no record, or a part of one.
    Broken,
}

/// A record that is about to be appended.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Heading {
    pub sequence: u64,
    pub kind: Kind,
    pub flags: u8,
    pub channel: u32,
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Channel,
            2 => Self::Publication,
            3 => Self::End,
            4 => Self::Removal,
            5 => Self::Jump,
            6 => Self::Forgotten,
            7 => Self::Head,
            8 => Self::Key,
            15 => Self::Commit,
            16 => Self::Footer,
            _ => return None,
        })
    }
}

impl Seal {
    /// The seal of the segment with this number and salt.
    pub(in super::super) fn new(number: u64, salt: u32) -> Self {
        let crc = crc32c::crc32c(&number.to_le_bytes());
        Self(crc32c::crc32c_append(crc, &salt.to_le_bytes()))
    }

    fn checksum(self, length: &[u8], rest: &[u8], body: &[u8]) -> u32 {
        let crc = crc32c::crc32c_append(self.0, length);
        crc32c::crc32c_append(crc32c::crc32c_append(crc, rest), body)
    }
}

impl<'a> Record<'a> {
    /// Where the next record stands.
    pub(in super::super) fn end(&self) -> usize {
        self.position.saturating_add(HEADER).saturating_add(self.body.len())
    }

    /// What stands at `position`.
    pub(in super::super) fn at(bytes: &'a [u8], position: usize, seal: Seal) -> Found<'a> {
        let rest = bytes.get(position..).unwrap_or_default();
        let Some((header, behind)) = rest.split_at_checked(HEADER) else {
            let nothing = rest.iter().all(|byte| *byte == 0);
            return if nothing { Found::Nothing } else { Found::Broken };
        };
        if header.iter().all(|byte| *byte == 0) {
            return Found::Nothing;
        }
        match Self::parse(header, behind, position, seal) {
            Some(record) => Found::Record(record),
            None => Found::Broken,
        }
    }

    fn parse(header: &[u8], behind: &'a [u8], position: usize, seal: Seal) -> Option<Self> {
        let mut fields = Fields(header);
        let length = fields.u32()?;
        let checksum = fields.u32()?;
        let checked = fields.0;
        let sequence = fields.u64()?;
        let kind = Kind::of(fields.u8()?)?;
        let flags = fields.u8()?;
        let zero = fields.u16()?;
        let channel = fields.u32()?;
        let body = behind.get(..size(length))?;
        let intact = zero == 0 && seal.checksum(&length.to_le_bytes(), checked, body) == checksum;
        intact.then_some(Self { position, sequence, kind, flags, channel, body })
    }

    /// The length of the body that stands behind a header, which may be anything.
    pub(in super::super) fn body_length(header: &[u8]) -> Option<usize> {
        Fields(header).u32().map(size)
    }
}

/// Appends a record whose body is written by `body`.
pub(in super::super) fn append(
    out: &mut Vec<u8>,
    seal: Seal,
    heading: Heading,
    body: impl FnOnce(&mut Vec<u8>),
) {
    let Heading { sequence, kind, flags, channel } = heading;
    let begin = out.len();
    out.extend_from_slice(&[0; 8]);
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&[kind as u8, flags, 0, 0]);
    out.extend_from_slice(&channel.to_le_bytes());
    body(out);
    let written = out.get_mut(begin..).unwrap_or_default();
    let Some((header, body)) = written.split_at_mut_checked(HEADER) else { return };
    let Some((front, checked)) = header.split_at_mut_checked(8) else { return };
    let length = length32(body.len()).to_le_bytes();
    let checksum = seal.checksum(&length, checked, body).to_le_bytes();
    front.iter_mut().zip(length.into_iter().chain(checksum)).for_each(|(to, from)| *to = from);
}
