//! How a segment begins, and how it is sealed.

use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Offset};
use fanfare_core::time::UnixMillis;

use super::record::{self, Found, HEADER, Heading, Kind, NO_CHANNEL, Record, Seal};
use super::{Fields, VERSION, body, length32, put_short_text, size};

/// Bytes before the first record.
pub(in super::super) const BEGIN: usize = 64;

/// Bytes behind the footer.
pub(in super::super) const TRAILER: usize = 20;

/// The beginning of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct SegmentHeader {
    pub number: u64,
    /// The sequence number of its first record.
    pub first: u64,
    pub generation: Epoch,
    pub mark: Offset,
    pub time: UnixMillis,
    pub salt: u32,
}

/// What can be read of the beginning of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Beginning {
    /// All of it.
    Intact(SegmentHeader),
    /// It was made by this newer version.
    Newer(u32),
    /// It is not as it was written; where the salt stands, this does.
    Broken { salt: u32 },
}

/// The end of a sealed segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Footer {
    pub mark: Offset,
    /// Whether it stands in the place of a damaged segment, and holds nothing.
    pub set_aside: bool,
    pub channels: Vec<FooterChannel>,
}

/// A channel that a sealed segment holds something of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct FooterChannel {
    pub name: ChannelName,
    /// The last epoch that the segment knows it in.
    pub epoch: u64,
    /// The highest offset that the segment has of it.
    pub highest: Offset,
}

impl SegmentHeader {
    pub(in super::super) fn seal(&self) -> Seal {
        Seal::new(self.number, self.salt)
    }

    pub(in super::super) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BEGIN);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&[0; 4]);
        let numbers = [self.number, self.first, self.generation.bits(), self.mark, self.time];
        numbers.iter().for_each(|number| bytes.extend_from_slice(&number.to_le_bytes()));
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the beginning of a segment.
    pub(in super::super) fn of(bytes: &[u8]) -> Beginning {
        let intact = || {
            let head = bytes.get(..BEGIN)?;
            let (checked, checksum) = head.split_last_chunk::<4>()?;
            let mut fields = Fields(checked);
            let magic = fields.bytes(8)? == MAGIC;
            let version = fields.u32()?;
            let sound = magic && crc32c::crc32c(checked) == u32::from_le_bytes(*checksum);
            fields.bytes(4)?;
            let (number, first) = (fields.u64()?, fields.u64()?);
            let generation = body::epoch(&mut fields);
            let (mark, time, salt) = (fields.u64()?, fields.u64()?, fields.u32()?);
            match (sound, version, generation) {
                (true, VERSION, Some(generation)) => {
                    let header = Self { number, first, generation, mark, time, salt };
                    Some(Beginning::Intact(header))
                }
                (true, newer, _) if newer != VERSION => Some(Beginning::Newer(newer)),
                _ => Some(Beginning::Broken { salt }),
            }
        };
        intact().unwrap_or(Beginning::Broken { salt: 0 })
    }
}

impl Footer {
    /// Bytes of a footer's body without channels.
    pub(in super::super) const FIXED: usize = 13;

    /// Bytes of a channel in a footer.
    pub(in super::super) fn channel_length(name: &ChannelName) -> usize {
        name.as_str().len().saturating_add(17)
    }

    /// The footer's record, and the trailer behind it but for its last four bytes.
    pub(in super::super) fn to_bytes(&self, header: &SegmentHeader, sequence: u64) -> Vec<u8> {
        let mut out = Vec::new();
        let heading = Heading { sequence, kind: Kind::Footer, flags: 0, channel: NO_CHANNEL };
        record::append(&mut out, header.seal(), heading, |out| {
            out.extend_from_slice(&self.mark.to_le_bytes());
            out.push(self.set_aside.into());
            out.extend_from_slice(&length32(self.channels.len()).to_le_bytes());
            for channel in &self.channels {
                put_short_text(out, channel.name.as_str());
                out.extend_from_slice(&channel.epoch.to_le_bytes());
                out.extend_from_slice(&channel.highest.to_le_bytes());
            }
        });
        let length = length32(out.len());
        out.extend_from_slice(&header.salt.to_le_bytes());
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(SEALED);
        out
    }

    /// Reads a footer's body.
    pub(in super::super) fn of(body: &[u8]) -> Option<Self> {
        let mut fields = Fields(body);
        let mark = fields.u64()?;
        let set_aside = fields.u8()? != 0;
        let count = fields.u32()?;
        let mut channels = Vec::new();
        for _ in 0..count {
            let name = ChannelName::new(fields.short_text()?).ok()?;
            let (epoch, highest) = (fields.u64()?, fields.u64()?);
            channels.push(FooterChannel { name, epoch, highest });
        }
        fields.is_empty().then_some(Self { mark, set_aside, channels })
    }
}

/// The last bytes of a sealed segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Trailer {
    pub salt: u32,
    /// Bytes of the footer's record.
    pub footer: usize,
    /// The checksum of everything before it.
    pub checksum: u32,
}

impl Trailer {
    /// Reads the trailer at the end of a file, if it has one. Whether the checksum is right is
    /// another question.
    pub(in super::super) fn of(bytes: &[u8]) -> Option<Self> {
        let (_, trailer) = bytes.split_last_chunk::<TRAILER>()?;
        let mut fields = Fields(trailer);
        let (salt, footer) = (fields.u32()?, size(fields.u32()?));
        let sealed = fields.bytes(8)? == SEALED;
        let checksum = fields.u32()?;
        sealed.then_some(Self { salt, footer, checksum })
    }

    /// The footer before the trailer of the segment `number`, and where its record stands, if it is
    /// intact. `bytes` may be the last part of the file only.
    pub(in super::super) fn footer(&self, bytes: &[u8], number: u64) -> Option<(usize, Footer)> {
        let end = bytes.len().checked_sub(TRAILER)?;
        let begin = end.checked_sub(self.footer)?;
        let seal = Seal::new(number, self.salt);
        let Found::Record(record) = Record::at(bytes.get(..end)?, begin, seal) else {
            return None;
        };
        let whole = record.kind == Kind::Footer && record.end() == end;
        whole.then(|| Footer::of(record.body)).flatten().map(|footer| (begin, footer))
    }

    /// Bytes from the end of the file that hold the footer and the trailer.
    pub(in super::super) fn tail(&self) -> u64 {
        (self.footer as u64).saturating_add(TRAILER as u64)
    }
}

/// Bytes that sealing takes beside the channels.
pub(in super::super) const SEALING: usize = HEADER + Footer::FIXED + TRAILER;

const MAGIC: &[u8; 8] = b"FANFSEG\n";
const SEALED: &[u8; 8] = b"FANFEND\n";
