//! The checkpoint: written when everything is stored, removed before anything more is.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use super::{Fatal, Writer};
use crate::engine::log::files::{Access, File};
use crate::engine::log::format::checkpoint::{
    CheckpointChannel, CheckpointHeader, CheckpointPublication, CheckpointSegment,
    CheckpointWriter, counted,
};
use crate::engine::log::index::{ChannelState, Index, Slot};

impl Writer {
    /// Syncs what is not synced yet and writes the checkpoint, so that the next start need not read
    /// the segments and offsets go on where they are.
    pub(in super::super) fn stop(&mut self) -> io::Result<()> {
        if self.dirty_since.is_some() {
            self.sync()?;
        }
        if self.checkpoint {
            return Ok(());
        }
        // The estimate that segments leave room for is as long as it will be.
        if self.used() > self.shared.options.bytes_max {
            return Err(io::Error::other("the bound of the log leaves no room for a checkpoint"));
        }
        let shared = Arc::clone(&self.shared);
        let path = shared.paths.checkpoint();
        let beside = path.with_extension("new");
        let file = shared.files.open(&beside, Access::Create)?;
        self.write_checkpoint(&shared.index(), &file)?;
        shared.files.rename(&beside, &path)?;
        shared.files.sync_directory(shared.paths.root())
    }

    fn write_checkpoint(&self, index: &Index, file: &File) -> io::Result<()> {
        let written = |channel: &&ChannelState| channel.written();
        let mut writer = CheckpointWriter::new(file);
        writer.header(&CheckpointHeader {
            generation: index.generation,
            mark: index.mark,
            last: self.active.sequence.saturating_sub(1),
            jumps: index.jumps,
            segments: counted(index.segments.len()),
            channels: counted(index.iter().filter(written).count()),
        })?;
        let mut places: HashMap<Slot, u16> = HashMap::new();
        for (place, (slot, segment)) in index.segments.iter().enumerate() {
            places.insert(slot, u16::try_from(place).unwrap_or(u16::MAX));
            let length = if segment.sealed { segment.length } else { self.active.position };
            let (number, salt, sealed) = (segment.number, segment.salt, segment.sealed);
            let keys_until = segment.keys_until;
            writer.segment(&CheckpointSegment { number, salt, length, sealed, keys_until })?;
        }
        let place = |slot: Option<Slot>| {
            slot.and_then(|slot| places.get(&slot)).copied().unwrap_or(u16::MAX)
        };
        for channel in index.iter().filter(written) {
            writer.channel(&CheckpointChannel {
                name: channel.name.clone(),
                head: index.head_of(channel),
                irregular: channel.irregular,
                home: place(channel.home()),
                publications: counted(channel.count()),
            })?;
            for placed in (0..channel.count()).filter_map(|place| channel.placed(place)) {
                writer.publication(&CheckpointPublication {
                    offset: placed.offset,
                    segment: place(Some(placed.slot)),
                    at: placed.at,
                    weight: placed.weight,
                    time: placed.time,
                    expires: channel.expires_at(placed.offset).unwrap_or(0),
                })?;
            }
        }
        writer.finish()
    }

    /// Removes the checkpoint: it is about to be wrong.
    pub(super) fn remove_checkpoint(&mut self) -> Result<(), Fatal> {
        if std::mem::take(&mut self.checkpoint) {
            let shared = Arc::clone(&self.shared);
            shared.files.remove(&shared.paths.checkpoint())?;
            shared.files.sync_directory(shared.paths.root())?;
        }
        Ok(())
    }
}
