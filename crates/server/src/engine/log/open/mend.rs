//! What is done about a torn tail and about damage.

use std::io;

use fanfare_core::position::{Epoch, Offset};

use super::examine::ActiveEnd;
use crate::engine::log::files::{Access, Files};
use crate::engine::log::format::segment::{Footer, SegmentHeader};
use crate::engine::log::outcome::SetAside;
use crate::engine::log::shared::Paths;

use super::scan::Damaged;

/// Where damaged segments are put.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Mender<'a> {
    pub files: &'a Files,
    pub paths: &'a Paths,
    pub now: u64,
}

impl Mender<'_> {
    /// Overwrites what stands behind the last whole batch with zeros. Says how many bytes those are.
    pub(in super::super) fn cut(&self, end: &ActiveEnd) -> io::Result<u64> {
        let Some(torn) = end.torn else { return Ok(0) };
        let file = self.files.open(&self.paths.segment(end.header.number), Access::Write)?;
        let zeros = vec![0; 1 << 16];
        let mut position = end.position;
        while position < torn {
            let step = torn.saturating_sub(position).min(zeros.len() as u64);
            let step = usize::try_from(step).unwrap_or(0);
            file.write_at(zeros.get(..step).unwrap_or_default(), position)?;
            position = position.saturating_add(step as u64);
        }
        file.sync()?;
        Ok(torn.saturating_sub(end.position))
    }

    /// Moves a segment to where damaged ones are kept, and puts an empty one in its place, so that it is
    /// not missed. Whoever calls this has made sure that what it held begins anew. Says how long the
    /// empty one is.
    pub(in super::super) fn replace(
        &self,
        damaged: Damaged,
        header: SegmentHeader,
        mark: Offset,
    ) -> io::Result<(SetAside, u64)> {
        let Damaged { number, damage, .. } = damaged;
        let (path, aside) = (self.paths.segment(number), self.paths.aside(number, self.now));
        if self.files.length(&path)?.is_none() {
            // There was no room for all, and it was the oldest.
            return Ok((SetAside { file: None, damage }, 0));
        }
        self.files.make_directory(&self.paths.quarantine())?;
        self.files.double(&path, &aside)?;
        self.files.sync_directory(&self.paths.quarantine())?;
        let fresh = self.paths.fresh(number);
        let file = self.files.open(&fresh, Access::Create)?;
        let mut bytes = header.to_bytes();
        let footer = Footer { mark, set_aside: true, channels: Vec::new() };
        bytes.extend(footer.to_bytes(&header, header.first));
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_le_bytes());
        file.write_at(&bytes, 0)?;
        file.sync()?;
        self.files.rename(&fresh, &path)?;
        self.files.sync_directory(&self.paths.segments())?;
        Ok((SetAside { file: Some(aside), damage }, bytes.len() as u64))
    }

    /// Moves every segment to where damaged ones are kept.
    pub(in super::super) fn set_all_aside(&self, numbers: &[u64]) -> io::Result<()> {
        self.files.make_directory(&self.paths.quarantine())?;
        for number in numbers {
            let aside = self.paths.aside(*number, self.now);
            self.files.rename(&self.paths.segment(*number), &aside)?;
        }
        self.files.sync_directory(&self.paths.quarantine())?;
        self.files.sync_directory(&self.paths.segments())
    }

    /// Bytes of what was set aside, now or earlier.
    pub(in super::super) fn bytes_aside(&self) -> u64 {
        let directory = self.paths.quarantine();
        let names = self.files.names(&directory).unwrap_or_default();
        let lengths =
            names.iter().filter_map(|name| self.files.length(&directory.join(name)).ok()?);
        lengths.fold(0, u64::saturating_add)
    }
}

/// A fresh generation.
pub(in super::super) fn draw(random: fn() -> u64) -> Epoch {
    Epoch::from_bits(random())
}
