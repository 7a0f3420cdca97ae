//! The index as of a clean stop, written and read piece by piece: it can be large.

use std::io;

use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Offset};
use fanfare_core::time::UnixMillis;

use super::body::{self, HeadBody};
use super::{Fields, VERSION, length32, put_short_text, size};
use crate::engine::log::files::File;

/// What stands at the beginning of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct CheckpointHeader {
    pub generation: Epoch,
    pub mark: Offset,
    /// The last sequence number.
    pub last: u64,
    /// How often the log had been left uncleanly.
    pub jumps: u32,
    pub segments: u32,
    pub channels: u32,
}

/// A segment as a checkpoint knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct CheckpointSegment {
    pub number: u64,
    pub salt: u32,
    /// Bytes of a sealed segment; where the next batch of the active one begins.
    pub length: u64,
    pub sealed: bool,
    pub keys_until: UnixMillis,
}

/// A channel as a checkpoint knows it. Its publications follow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct CheckpointChannel {
    pub name: ChannelName,
    pub head: HeadBody,
    pub irregular: bool,
    /// Which of the segments its newest state stands in.
    pub home: u16,
    pub publications: u32,
}

/// A publication as a checkpoint knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct CheckpointPublication {
    pub offset: Offset,
    /// Which of the segments it stands in.
    pub segment: u16,
    pub at: u32,
    pub weight: u32,
    pub time: UnixMillis,
    /// When it expires, 0 for never.
    pub expires: UnixMillis,
}

/// Writes a checkpoint.
#[derive(Debug)]
pub(in super::super) struct CheckpointWriter<'a> {
    file: &'a File,
    buffer: Vec<u8>,
    position: u64,
    checksum: u32,
}

/// Reads a checkpoint.
#[derive(Debug)]
pub(in super::super) struct CheckpointReader<'a> {
    file: &'a File,
    buffer: Vec<u8>,
    /// How much of the buffer was taken.
    taken: usize,
    position: u64,
    end: u64,
    checksum: u32,
}

impl<'a> CheckpointWriter<'a> {
    pub(in super::super) fn new(file: &'a File) -> Self {
        Self { file, buffer: Vec::new(), position: 0, checksum: 0 }
    }

    pub(in super::super) fn header(&mut self, header: &CheckpointHeader) -> io::Result<()> {
        self.buffer.extend_from_slice(MAGIC);
        self.buffer.extend_from_slice(&VERSION.to_le_bytes());
        self.buffer.extend_from_slice(&[0; 4]);
        self.numbers(&[header.generation.bits(), header.mark, header.last]);
        for count in [header.jumps, header.segments, header.channels] {
            self.buffer.extend_from_slice(&count.to_le_bytes());
        }
        self.flush(FLUSHED)
    }

    pub(in super::super) fn segment(&mut self, segment: &CheckpointSegment) -> io::Result<()> {
        self.numbers(&[segment.number, segment.length, segment.keys_until]);
        self.buffer.extend_from_slice(&segment.salt.to_le_bytes());
        self.buffer.push(segment.sealed.into());
        self.flush(FLUSHED)
    }

    pub(in super::super) fn channel(&mut self, channel: &CheckpointChannel) -> io::Result<()> {
        put_short_text(&mut self.buffer, channel.name.as_str());
        channel.head.put(&mut self.buffer);
        self.buffer.push(channel.irregular.into());
        self.buffer.extend_from_slice(&channel.home.to_le_bytes());
        self.buffer.extend_from_slice(&channel.publications.to_le_bytes());
        self.flush(FLUSHED)
    }

    pub(in super::super) fn publication(
        &mut self,
        publication: &CheckpointPublication,
    ) -> io::Result<()> {
        self.numbers(&[publication.offset, publication.time, publication.expires]);
        self.buffer.extend_from_slice(&publication.segment.to_le_bytes());
        self.buffer.extend_from_slice(&publication.at.to_le_bytes());
        self.buffer.extend_from_slice(&publication.weight.to_le_bytes());
        self.flush(FLUSHED)
    }

    /// Ends the checkpoint and syncs it.
    pub(in super::super) fn finish(mut self) -> io::Result<()> {
        self.flush(0)?;
        self.file.write_at(&self.checksum.to_le_bytes(), self.position)?;
        self.file.sync()
    }

    fn numbers(&mut self, numbers: &[u64]) {
        numbers.iter().for_each(|number| self.buffer.extend_from_slice(&number.to_le_bytes()));
    }

    /// Writes what was gathered if it is more than so much.
    fn flush(&mut self, above: usize) -> io::Result<()> {
        if self.buffer.len() > above {
            self.file.write_at(&self.buffer, self.position)?;
            self.checksum = crc32c::crc32c_append(self.checksum, &self.buffer);
            self.position = self.position.saturating_add(self.buffer.len() as u64);
            self.buffer.clear();
        }
        Ok(())
    }
}

impl<'a> CheckpointReader<'a> {
    pub(in super::super) fn new(file: &'a File) -> io::Result<Self> {
        let end = file.length()?.saturating_sub(4);
        Ok(Self { file, buffer: Vec::new(), taken: 0, position: 0, end, checksum: 0 })
    }

    pub(in super::super) fn header(&mut self) -> Option<CheckpointHeader> {
        let mut fields = self.fields(52)?;
        let magic = fields.bytes(8)? == MAGIC;
        let version = fields.u32()? == VERSION;
        fields.bytes(4)?;
        let generation = body::epoch(&mut fields)?;
        let (mark, last) = (fields.u64()?, fields.u64()?);
        let (jumps, segments, channels) = (fields.u32()?, fields.u32()?, fields.u32()?);
        let header = CheckpointHeader { generation, mark, last, jumps, segments, channels };
        (magic && version).then_some(header)
    }

    pub(in super::super) fn segment(&mut self) -> Option<CheckpointSegment> {
        let mut fields = self.fields(29)?;
        let (number, length, keys_until) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (salt, sealed) = (fields.u32()?, fields.u8()? != 0);
        Some(CheckpointSegment { number, salt, length, sealed, keys_until })
    }

    pub(in super::super) fn channel(&mut self) -> Option<CheckpointChannel> {
        let length = self.fields(1)?.u8()?;
        let name = ChannelName::new(self.fields(length.into())?.text(length.into())?).ok()?;
        let mut fields = self.fields(HeadBody::LENGTH.saturating_add(7))?;
        let head = HeadBody::of(fields.bytes(HeadBody::LENGTH)?)?;
        let irregular = fields.u8()? != 0;
        let (home, publications) = (fields.u16()?, fields.u32()?);
        Some(CheckpointChannel { name, head, irregular, home, publications })
    }

    pub(in super::super) fn publication(&mut self) -> Option<CheckpointPublication> {
        let mut fields = self.fields(34)?;
        let (offset, time, expires) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (segment, at, weight) = (fields.u16()?, fields.u32()?, fields.u32()?);
        Some(CheckpointPublication { offset, segment, at, weight, time, expires })
    }

    /// Whether all of it was read, and was as it had been written.
    pub(in super::super) fn finish(self) -> bool {
        let mut checksum = [0; 4];
        let read = self.file.read_at(&mut checksum, self.end);
        let all = self.position == self.end && self.taken == self.buffer.len();
        all && read.is_ok_and(|read| read == 4) && u32::from_le_bytes(checksum) == self.checksum
    }

    /// The next so many bytes.
    fn fields(&mut self, count: usize) -> Option<Fields<'_>> {
        if self.buffer.len().saturating_sub(self.taken) < count {
            self.buffer.drain(..self.taken);
            self.taken = 0;
            let kept = self.buffer.len();
            let left = size(self.end.saturating_sub(self.position));
            let more = left.min(FLUSHED.max(count));
            self.buffer.resize(kept.saturating_add(more), 0);
            let fresh = self.buffer.get_mut(kept..)?;
            let read = self.file.read_at(fresh, self.position).ok()?;
            if read < more {
                return None;
            }
            self.checksum = crc32c::crc32c_append(self.checksum, fresh);
            self.position = self.position.saturating_add(more as u64);
        }
        let end = self.taken.saturating_add(count);
        let taken = self.buffer.get(self.taken..end)?;
        self.taken = end;
        Some(Fields(taken))
    }
}

/// Bytes of a checkpoint of so many segments, channels and publications; the names of the channels are
/// so long together.
pub(in super::super) fn length(
    segments: usize,
    channels: usize,
    names: u64,
    publications: u64,
) -> u64 {
    let fixed = (segments as u64).saturating_mul(29).saturating_add(56);
    let channels = (channels as u64).saturating_mul(1 + 45 + 7);
    let publications = publications.saturating_mul(34);
    fixed.saturating_add(channels).saturating_add(names).saturating_add(publications)
}

/// The number of something as a checkpoint counts it.
pub(in super::super) fn counted(count: usize) -> u32 {
    length32(count)
}

const MAGIC: &[u8; 8] = b"FANFCKP\n";

/// Bytes that are gathered before they are written, and read at once.
const FLUSHED: usize = 1 << 20;
