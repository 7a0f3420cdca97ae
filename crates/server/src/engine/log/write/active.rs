//! The active segment: the one that is written to.

use std::io;

use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Offset};

use crate::engine::log::files::{Access, File, Files, no_room};
use crate::engine::log::format::batch::Commit;
use crate::engine::log::format::record::{HEADER, Seal};
use crate::engine::log::format::segment::{BEGIN, Footer, FooterChannel, SEALING, SegmentHeader};
use crate::engine::log::index::Slot;
use crate::engine::log::shared::Paths;

/// The segment that is written to.
#[derive(Debug)]
pub(in super::super) struct Active {
    file: File,
    pub header: SegmentHeader,
    pub slot: Slot,
    /// Where the next batch begins.
    pub position: u64,
    /// Bytes that are allocated.
    pub capacity: u64,
    /// The sequence number of the next record.
    pub sequence: u64,
    /// Checksum of everything before `position`.
    checksum: u32,
    /// What the footer will say of the channels named so far, by their number.
    pub names: Vec<FooterChannel>,
    /// Bytes of that in the footer.
    footer: usize,
}

/// A segment that is allocated and begun, but not yet under its name.
#[derive(Debug)]
pub(in super::super) struct Fresh {
    file: File,
    header: SegmentHeader,
    capacity: u64,
}

/// What is known of an active segment that was found.
#[derive(Debug)]
pub(in super::super) struct FoundActive {
    pub header: SegmentHeader,
    pub slot: Slot,
    pub position: u64,
    pub sequence: u64,
    pub checksum: u32,
    pub names: Vec<FooterChannel>,
}

impl Fresh {
    /// Allocates a segment and writes its beginning. Nothing is left of it if that fails.
    pub(in super::super) fn make(
        files: &Files,
        paths: &Paths,
        header: SegmentHeader,
        capacity: u64,
    ) -> io::Result<Self> {
        let path = paths.fresh(header.number);
        let made = || {
            let file = files.open(&path, Access::Create)?;
            file.allocate(capacity)?;
            file.write_at(&header.to_bytes(), 0)?;
            file.sync()?;
            Ok(Self { file, header, capacity })
        };
        made().inspect_err(|_| {
            // What is left is removed by the next start at the latest.
            let _left = files.remove(&path);
        })
    }

    /// Gives the segment its name. From here on it is a part of the log.
    pub(in super::super) fn enter(
        self,
        files: &Files,
        paths: &Paths,
        slot: impl FnOnce(&SegmentHeader) -> io::Result<Slot>,
    ) -> io::Result<Active> {
        let Self { file, header, capacity } = self;
        files.rename(&paths.fresh(header.number), &paths.segment(header.number))?;
        files.sync_directory(&paths.segments())?;
        let slot = slot(&header)?;
        Ok(Active {
            file,
            header,
            slot,
            position: BEGIN as u64,
            capacity,
            sequence: header.first,
            checksum: crc32c::crc32c(&header.to_bytes()),
            names: Vec::new(),
            footer: 0,
        })
    }
}

impl Active {
    /// Goes on with a segment that was found. It is allocated again, since it may have been cut; if
    /// there is no room for that, it is as large as it is.
    pub(in super::super) fn go_on(
        files: &Files,
        paths: &Paths,
        found: FoundActive,
        capacity: u64,
    ) -> io::Result<Self> {
        let FoundActive { header, slot, position, sequence, checksum, names } = found;
        let file = files.open(&paths.segment(header.number), Access::Write)?;
        match file.allocate(capacity) {
            Err(error) if !no_room(&error) => return Err(error),
            _ => file.sync()?,
        }
        let capacity = file.length()?;
        let footer = names.iter().map(|channel| Footer::channel_length(&channel.name)).sum();
        Ok(Self { file, header, slot, position, capacity, sequence, checksum, names, footer })
    }

    /// What its checksums begin with.
    pub(in super::super) fn seal_of_records(&self) -> Seal {
        self.header.seal()
    }

    /// Bytes that records and names may still take, the commit behind them not counted, if so much is
    /// held back; none if not even a commit fits.
    pub(in super::super) fn room(&self, reserve: u64) -> Option<usize> {
        let taken = SEALING.saturating_add(self.footer).saturating_add(Commit::LENGTH) as u64;
        let left = self.capacity.checked_sub(self.position)?.checked_sub(taken)?;
        usize::try_from(left.saturating_sub(reserve)).ok()
    }

    /// The same of a segment that nothing stands in yet.
    pub(in super::super) fn room_of_new(capacity: u64, reserve: u64) -> usize {
        let taken = BEGIN.saturating_add(SEALING).saturating_add(Commit::LENGTH) as u64;
        let left = capacity.saturating_sub(taken).saturating_sub(reserve);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Bytes that naming a channel takes, here and in the footer.
    pub(in super::super) fn naming(name: &ChannelName) -> usize {
        HEADER.saturating_add(name.as_str().len()).saturating_add(Footer::channel_length(name))
    }

    /// Names a channel: gives it its number in this segment.
    pub(in super::super) fn name(&mut self, name: &ChannelName) -> u32 {
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.footer = self.footer.saturating_add(Footer::channel_length(name));
        self.names.push(FooterChannel { name: name.clone(), epoch: 0, highest: 0 });
        number
    }

    /// Takes back all names but the first so many, because their records were not written.
    pub(in super::super) fn unname(&mut self, keep: usize) {
        for gone in self.names.drain(keep.min(self.names.len())..) {
            self.footer = self.footer.saturating_sub(Footer::channel_length(&gone.name));
        }
    }

    /// Notes what the footer has to say of a channel.
    pub(in super::super) fn note(&mut self, number: u32, epoch: Epoch, offset: Offset) {
        let place = usize::try_from(number).unwrap_or(usize::MAX);
        if let Some(channel) = self.names.get_mut(place) {
            channel.epoch = epoch.bits();
            channel.highest = channel.highest.max(offset);
        }
    }

    /// Writes a batch that holds so many records, the commit among them.
    pub(in super::super) fn write(&mut self, batch: &[u8], records: u64) -> io::Result<()> {
        self.file.write_at(batch, self.position)?;
        self.checksum = crc32c::crc32c_append(self.checksum, batch);
        self.position = self.position.saturating_add(batch.len() as u64);
        self.sequence = self.sequence.saturating_add(records);
        Ok(())
    }

    /// Syncs what was written.
    pub(in super::super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Writes the footer behind the last batch. Says how long the file is with it.
    pub(in super::super) fn close(&self, mark: Offset) -> io::Result<u64> {
        let footer = Footer { mark, set_aside: false, channels: self.names.clone() };
        let mut end = footer.to_bytes(&self.header, self.sequence);
        let checksum = crc32c::crc32c_append(self.checksum, &end);
        end.extend_from_slice(&checksum.to_le_bytes());
        self.file.write_at(&end, self.position)?;
        Ok(self.position.saturating_add(end.len() as u64))
    }

    /// Seals the segment, whose footer is written: cuts it to its length and syncs it.
    pub(in super::super) fn seal(&mut self, length: u64) -> io::Result<()> {
        self.file.set_length(length)?;
        self.file.sync()?;
        self.sequence = self.sequence.saturating_add(1);
        Ok(())
    }
}
