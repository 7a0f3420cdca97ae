//! Taking the index from the checkpoint, if everything is as it says.

use fanfare_core::name::ChannelName;
use fanfare_core::position::Position;
use fanfare_core::time::UnixMillis;

use super::examine::{ActiveEnd, Condition, Expected, examine};
use super::scan::{Keys, keys_of, numbers};
use crate::engine::log::files::{Access, Files};
use crate::engine::log::format::checkpoint::{
    CheckpointHeader, CheckpointReader, CheckpointSegment,
};
use crate::engine::log::format::record::Kind;
use crate::engine::log::format::segment::FooterChannel;
use crate::engine::log::format::store::Store;
use crate::engine::log::index::{Index, Placed, SegmentState, Slot};
use crate::engine::log::options::RulesOf;
use crate::engine::log::shared::Paths;

/// What the checkpoint says, and what had to be read beside it.
#[derive(Debug)]
pub(in super::super) struct Loaded {
    pub index: Index,
    pub keys: Keys,
    pub active: (ActiveEnd, Slot, Vec<FooterChannel>),
    pub oldest: u64,
    /// Segments that are not needed any more and whose files are still there.
    pub obsolete: Vec<u64>,
}

/// What a checkpoint is held against.
#[derive(Debug)]
pub(in super::super) struct Loader<'a> {
    pub files: &'a Files,
    pub paths: &'a Paths,
    pub store: Store,
    pub now: UnixMillis,
}

impl Loader<'_> {
    /// Loads the checkpoint. None if there is none, or if anything is not as it says: then everything
    /// is read instead.
    pub(in super::super) fn load(&self, rules: RulesOf) -> Option<Loaded> {
        let file = self.files.open(&self.paths.checkpoint(), Access::Read).ok()?;
        let mut reader = CheckpointReader::new(&file).ok()?;
        let header = reader.header()?;
        let segments: Vec<CheckpointSegment> =
            (0..header.segments).map(|_| reader.segment()).collect::<Option<_>>()?;
        let obsolete = self.obsolete(&segments)?;
        let mut index = Index::new(header.generation, header.mark, rules);
        index.jumps = header.jumps;
        let slots = self.segments(&segments, &mut index)?;
        for _ in 0..header.channels {
            channel(&mut reader, &mut index, &slots, self.now)?;
        }
        if !reader.finish() || header.generation != self.store.generation {
            return None;
        }
        let active = self.active(segments.last()?, &header, *slots.last()?, &mut index)?;
        let mut keys = Keys::new();
        for segment in segments.iter().filter(|segment| segment.keys_until > self.now) {
            let bytes = self.files.read(&self.paths.segment(segment.number)).ok()?;
            keys_of(&bytes, &self.expected(segment), &mut keys, self.now)?;
        }
        index.settle_tips();
        let oldest = segments.first()?.number;
        Some(Loaded { index, keys, active, oldest, obsolete })
    }

    /// The number of the newest segment as the checkpoint says it, if that is intact and of this store: no
    /// older one is written to behind it.
    pub(in super::super) fn newest(&self) -> Option<u64> {
        let path = self.paths.checkpoint();
        let bytes = self.files.read(&path).ok()?;
        let (checked, checksum) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(checked) != u32::from_le_bytes(*checksum) {
            return None;
        }
        let file = self.files.open(&path, Access::Read).ok()?;
        let mut reader = CheckpointReader::new(&file).ok()?;
        let header = reader.header()?;
        let segments = (0..header.segments).map(|_| reader.segment());
        let newest = segments.last()??.number;
        (header.generation == self.store.generation).then_some(newest)
    }

    /// Files that the checkpoint does not know, if they are only older than what it knows.
    fn obsolete(&self, segments: &[CheckpointSegment]) -> Option<Vec<u64>> {
        let mut found = numbers(self.files, self.paths).ok()?;
        let first = segments.first()?.number;
        let known = found.split_off(found.partition_point(|number| *number < first));
        let same = known.iter().eq(segments.iter().map(|segment| &segment.number));
        same.then_some(found)
    }

    /// Enters the segments into the index, if their files have the right lengths.
    fn segments(&self, segments: &[CheckpointSegment], index: &mut Index) -> Option<Vec<Slot>> {
        let mut slots = Vec::with_capacity(segments.len());
        for segment in segments {
            let length = self.files.length(&self.paths.segment(segment.number)).ok()??;
            let right = !segment.sealed || length == segment.length;
            let (number, salt) = (segment.number, segment.salt);
            let mut state = SegmentState::new(number, salt, length, segment.sealed);
            state.keys_until = segment.keys_until;
            slots.push(index.segments.add(state).filter(|_| right)?);
        }
        Some(slots)
    }

    /// Reads the active segment, which has to end where the checkpoint says.
    fn active(
        &self,
        segment: &CheckpointSegment,
        header: &CheckpointHeader,
        slot: Slot,
        index: &mut Index,
    ) -> Option<(ActiveEnd, Slot, Vec<FooterChannel>)> {
        let bytes = self.files.read(&self.paths.segment(segment.number)).ok()?;
        let mut names: Vec<FooterChannel> = Vec::new();
        let condition = examine(&bytes, &self.expected(segment), &mut |batch| {
            for record in batch.records.iter().filter(|record| record.kind == Kind::Channel) {
                let name = std::str::from_utf8(record.body).ok()?;
                let name = ChannelName::new(name).ok()?;
                names.push(FooterChannel { name, epoch: 0, highest: 0 });
            }
            Some(())
        });
        let Condition::Active(end) = condition else { return None };
        let last = end.sequence.checked_sub(1)?;
        let same = end.torn.is_none() && end.position == segment.length && last == header.last;
        for (local, channel) in (0..).zip(&mut names) {
            let id = index.id(&channel.name);
            if let Some((state, _)) = id.and_then(|id| index.parts(id)) {
                state.named = Some((segment.number, local));
                channel.epoch = state.stored.epoch.bits();
                channel.highest = state.stored.head;
            }
        }
        same.then_some((end, slot, names))
    }

    fn expected(&self, segment: &CheckpointSegment) -> Expected {
        Expected {
            number: segment.number,
            newest: !segment.sealed,
            first: None,
            generation: Some(self.store.generation),
            behind: None,
        }
    }
}

/// Takes one channel from the checkpoint.
fn channel(
    reader: &mut CheckpointReader<'_>,
    index: &mut Index,
    slots: &[Slot],
    now: UnixMillis,
) -> Option<()> {
    let found = reader.channel()?;
    let slot = |place: u16| slots.get(usize::from(place)).copied();
    let id = index.ensure(&found.name, Position::new(found.head.floor, found.head.epoch));
    index.place_head(id, &found.head, slot(found.home)?);
    for _ in 0..found.publications {
        let publication = reader.publication()?;
        let placed = Placed {
            offset: publication.offset,
            slot: slot(publication.segment)?,
            at: publication.at,
            weight: publication.weight,
            time: publication.time,
        };
        let expires_at = Some(publication.expires).filter(|at| *at != 0);
        let (channel, segments) = index.parts(id)?;
        channel.push(&placed, expires_at, segments);
    }
    let (channel, segments) = index.parts(id)?;
    channel.irregular = found.irregular;
    channel.retain(now, segments);
    Some(())
}
