//! Storing a batch: one write, one sync if somebody needs it, then the answers.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::Arc;
use std::time::Instant;

use fanfare_core::code::Code;
use fanfare_core::publication::End;
use fanfare_core::settings::ShardId;
use fanfare_core::shard::Completion;
use fanfare_core::time::Millis;

use super::item::{AppendItem, Item};
use super::plan::{Chore, CopyChore, Plan};
use super::{Fatal, Writer};
use crate::engine::log::figures::count;
use crate::engine::log::files::no_room;
use crate::engine::log::format::batch::Commit;
use crate::engine::log::format::length32;
use crate::engine::log::index::{ChannelId, Index, Placed, Slot, Stored};
use crate::engine::log::options::Durability;
use crate::engine::log::outcome::Report;

/// How far a batch has come, in the order in which that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It is laid out.
    Planned,
    /// The operating system has it.
    Written,
    /// The disk has it.
    Synced,
}

impl Writer {
    /// Stores a plan and answers for it.
    pub(super) fn store(&mut self, plan: Plan, now: Millis) -> Result<(), Fatal> {
        let closing = self.closes();
        let records = plan.items.iter().filter(|item| item.is_record()).count();
        let shared = Arc::clone(&self.shared);
        if records == 0 && plan.mark == self.mark && !closing {
            self.apply(&plan, &[]);
            for stage in [Stage::Planned, Stage::Written, Stage::Synced] {
                answer(self, &plan, stage);
            }
            self.tell_rest(plan);
            return Ok(());
        }
        self.remove_checkpoint()?;
        // That anybody may be told before the disk has it has to be on the disk first, or a crash would
        // not be known to have lost something that was seen.
        let first_loose = plan.loose && !self.loose;
        let loose = self.loose || plan.loose;
        let places = self.encode(&plan, loose, closing);
        if !first_loose {
            answer(self, &plan, Stage::Planned);
        }
        let records = (places.len() as u64).saturating_add(1);
        let batch = std::mem::take(&mut self.buffer);
        let written = self.active.write(&batch, records);
        self.buffer = batch;
        match written {
            Err(error) if no_room(&error) => {
                self.unwrite(plan, first_loose, now, error);
                return Ok(());
            }
            written => written.map_err(Fatal::from)?,
        }
        count(&shared.cells.batches, 1);
        count(&shared.cells.bytes_written, self.buffer.len() as u64);
        self.loose = loose;
        self.mark = plan.mark;
        self.account(plan.chores, plan.length.saturating_sub(plan.chores));
        self.apply(&plan, &places);
        if !first_loose {
            answer(self, &plan, Stage::Written);
        }
        if plan.sync || first_loose || closing {
            self.sync()?;
        } else {
            self.dirty_since.get_or_insert(now);
        }
        if first_loose {
            answer(self, &plan, Stage::Planned);
            answer(self, &plan, Stage::Written);
        }
        self.settle_ends(&plan);
        answer(self, &plan, Stage::Synced);
        self.tell_rest(plan);
        if closing {
            self.finish_retiring()?;
        }
        Ok(())
    }

    /// Syncs what was written.
    pub(super) fn sync(&mut self) -> Result<(), Fatal> {
        let begun = Instant::now();
        self.active.sync()?;
        self.shared.cells.synced(begun.elapsed());
        self.synced = self.active.sequence.saturating_sub(1);
        self.dirty_since = None;
        Ok(())
    }

    /// Lays the batch out in the buffer; says where each record stands in the segment.
    fn encode(&mut self, plan: &Plan, loose: bool, closing: bool) -> Vec<u32> {
        let Self { active, buffer, .. } = self;
        buffer.clear();
        buffer.reserve(plan.length.saturating_add(Commit::LENGTH));
        let (seal, first) = (active.seal_of_records(), active.sequence);
        let mut places = Vec::with_capacity(plan.items.len());
        let mut sequence = first;
        for item in plan.items.iter().filter(|item| item.is_record()) {
            let at = active.position.saturating_add(buffer.len() as u64);
            places.push(u32::try_from(at).unwrap_or(u32::MAX));
            item.put(buffer, seal, sequence);
            sequence = sequence.saturating_add(1);
        }
        let commit = Commit {
            first,
            count: length32(places.len()),
            names: length32(active.names.len()),
            synced: self.synced,
            mark: plan.mark,
            checksum: crc32c::crc32c(buffer),
            earlier: self.earlier(closing),
            loose,
        };
        commit.append(&mut self.buffer, seal, sequence);
        places
    }

    /// How many segments before the active one are still needed.
    fn earlier(&self, closing: bool) -> u32 {
        let earlier = self.active.header.number.saturating_sub(self.oldest);
        u32::try_from(earlier.saturating_sub(closing.into())).unwrap_or(u32::MAX)
    }

    /// Brings a batch that was written into the index.
    fn apply(&mut self, plan: &Plan, places: &[u32]) {
        let now = self.shared.options.clock.unix();
        let shared = Arc::clone(&self.shared);
        let mut index = shared.index();
        let mut places = places.iter().copied();
        index.mark = self.mark;
        for item in &plan.items {
            let at = if item.is_record() { places.next().unwrap_or(0) } else { 0 };
            self.apply_item(&mut index, item, at, now);
            if let Some((local, epoch, offset)) = item.noted() {
                self.active.note(local, epoch, offset);
            }
        }
    }

    fn apply_item(&self, index: &mut Index, item: &Item, at: u32, now: u64) {
        let slot = self.active.slot;
        match item {
            Item::Append(item) => {
                count(&self.shared.cells.appends, 1);
                if let Some(key) = &item.append.key {
                    index.segments.keep_key(slot, key.expires_at);
                }
                store_append(index, item, slot, at, now);
                let ends = item.append.end == End::Close;
                if let Some((channel, _)) = index.parts(item.id).filter(|_| ends) {
                    channel.ending = item.durability == Durability::Sync;
                }
            }
            Item::Removal { id, begin, .. } => index.remove(*id, *begin, slot),
            Item::Forgotten { id, .. } => index.forget(*id),
            Item::Head { id, body, .. } => index.place_head(*id, body, slot),
            Item::Key { until, .. } => index.segments.keep_key(slot, *until),
            Item::Copy(copy) => {
                let (offset, to) = (copy.position.offset, (slot, at));
                index.segments.keep_key(slot, copy.keys_until);
                if let Some((channel, segments)) = index.parts(copy.id) {
                    channel.relocate(offset, copy.from, to, segments);
                }
                count(&self.shared.cells.bytes_copied, copy.body.len() as u64);
            }
            Item::Jump(jump) => index.jumps = index.jumps.wrapping_add(jump.jumps),
            Item::Name { .. } | Item::Mark { .. } | Item::Resync { .. } => {}
        }
    }

    /// What was synced may be told: channels whose end it was have ended.
    fn settle_ends(&self, plan: &Plan) {
        let ends = plan.items.iter().filter_map(|item| match item {
            Item::Append(item) if item.append.end == End::Close => Some(item.id),
            _ => None,
        });
        for id in ends {
            if let Some((channel, _)) = self.shared.index().parts(id) {
                channel.ending = false;
            }
        }
    }

    /// Says what is left to say of a plan: what was refused, and who has to look for himself.
    fn tell_rest(&self, plan: Plan) {
        let failed = plan.refused.iter();
        let failed = failed.filter(|(_, told)| matches!(told, Completion::Failed { .. })).count();
        count(&self.shared.cells.appends_failed, failed as u64);
        let mut letters = Letters::default();
        plan.refused.into_iter().for_each(|(shard, completion)| letters.add(shard, completion));
        letters.send(self);
    }

    /// There was no room for a batch after all: nothing of it is stored. It can be on file systems
    /// that promise room and do not keep it.
    fn unwrite(&mut self, mut plan: Plan, first_loose: bool, now: Millis, error: io::Error) {
        self.fill_up(now, error);
        self.active.unname(plan.names_before);
        let shared = Arc::clone(&self.shared);
        let mut index = shared.index();
        let mut chores = Vec::new();
        for item in std::mem::take(&mut plan.items) {
            self.unwrite_item(&mut index, item, first_loose, &mut plan, &mut chores);
        }
        drop(index);
        chores.into_iter().rev().for_each(|chore| self.chores.push_front(chore));
        self.tell_rest(plan);
    }

    fn unwrite_item(
        &self,
        index: &mut Index,
        item: Item,
        first_loose: bool,
        plan: &mut Plan,
        chores: &mut Vec<Chore>,
    ) {
        let name_of = |index: &Index, id| index.channel(id).map(|channel| channel.name.clone());
        match item {
            Item::Name { id, .. } => {
                if let Some((channel, _)) = index.parts(id) {
                    channel.named = None;
                }
            }
            Item::Append(item) => {
                let told = item.durability == Durability::None && !first_loose;
                if let Some((channel, segments)) = index.parts(item.id) {
                    if told {
                        // It was seen, and is lost: whoever reads on across it is told a gap.
                        channel.remove_up_to(item.head().offset, segments);
                        channel.stored = channel.tip;
                    }
                    channel.tip = channel.stored;
                }
                if !told {
                    plan.refuse(item.shard, &item.append, Code::StorageFull);
                }
            }
            Item::Removal { id, shard, begin, .. } => {
                let Some((channel, _)) = index.parts(id) else { return };
                channel.tip = channel.stored;
                let (channel, epoch) = (channel.name.clone(), begin.epoch);
                let Some(shard) = shard else {
                    return chores.push(Chore::Anew(channel, begin));
                };
                let outcome = Err(Code::StorageFull);
                plan.refused.push((shard, Completion::Removed { channel, epoch, outcome }));
            }
            Item::Forgotten { id, .. } => index.forget(id),
            Item::Head { id, .. } => chores.extend(name_of(index, id).map(Chore::Head)),
            Item::Key { channel, body, until, .. } => {
                chores.push(Chore::Key { channel, body, until });
            }
            Item::Copy(copy) => chores.extend(name_of(index, copy.id).map(|channel| {
                let (flags, body, position) = (copy.flags, copy.body, copy.position);
                let (from, keys_until) = (copy.from, copy.keys_until);
                Chore::Copy(Box::new(CopyChore {
                    channel,
                    flags,
                    body,
                    position,
                    from,
                    keys_until,
                }))
            })),
            Item::Jump(jump) => chores.push(Chore::Jump(jump)),
            // Nothing was said; the owner asks again.
            Item::Resync { .. } | Item::Mark { .. } => {}
        }
    }
}

/// Brings an append into the index.
fn store_append(index: &mut Index, item: &AppendItem, slot: Slot, at: u32, now: u64) {
    let Some(publication) = item.publication() else {
        return index.end(item.id, item.head(), item.time, slot);
    };
    let head = item.head();
    let weight = u32::try_from(publication.weight()).unwrap_or(u32::MAX);
    let placed = Placed { offset: head.offset, slot, at, weight, time: publication.time };
    let ends = item.append.end == End::Close;
    let (epoch, prev, expires_at) = (head.epoch, publication.prev, publication.expires_at);
    index.store(item.id, &Stored { epoch, prev, placed, expires_at, ends }, now);
}

/// Answers those whose turn it is: once for each channel, for its last append.
fn answer(writer: &Writer, plan: &Plan, stage: Stage) {
    let mut letters = Letters::default();
    let mut told: HashSet<ChannelId> = HashSet::new();
    for item in plan.items.iter().rev() {
        let completion = match item {
            Item::Append(item) if stage_of(item.durability) == stage && told.insert(item.id) => {
                let (channel, append) = (item.append.channel.clone(), item.append.append);
                (item.shard, Completion::Committed { channel, append })
            }
            Item::Removal { id, shard: Some(shard), begin, .. } if stage == Stage::Synced => {
                // What was appended before it has an answer of its own.
                told.remove(id);
                let index = writer.shared.index();
                let Some(channel) = index.channel(*id).map(|channel| channel.name.clone()) else {
                    continue;
                };
                let (epoch, outcome) = (begin.epoch, Ok(()));
                (*shard, Completion::Removed { channel, epoch, outcome })
            }
            Item::Resync { shard, completion } if stage == Stage::Synced => {
                (*shard, (**completion).clone())
            }
            Item::Mark { shard, channel, mark } if stage == Stage::Synced => {
                (*shard, Completion::MarkRaised { channel: channel.clone(), mark: *mark })
            }
            _ => continue,
        };
        letters.add(completion.0, completion.1);
    }
    letters.reverse();
    letters.send(writer);
}

fn stage_of(durability: Durability) -> Stage {
    match durability {
        Durability::None => Stage::Planned,
        Durability::Os => Stage::Written,
        Durability::Sync => Stage::Synced,
    }
}

/// Completions by the shard that they are for.
#[derive(Debug, Default)]
struct Letters(BTreeMap<ShardId, Vec<Completion>>);

impl Letters {
    fn add(&mut self, shard: ShardId, completion: Completion) {
        self.0.entry(shard).or_default().push(completion);
    }

    fn reverse(&mut self) {
        self.0.values_mut().for_each(|completions| completions.reverse());
    }

    fn send(self, writer: &Writer) {
        for (shard, completions) in self.0 {
            writer.shared.deliver(shard, completions);
        }
    }
}

impl Writer {
    /// There is no room: appends are refused for a while.
    pub(super) fn fill_up(&mut self, now: Millis, error: io::Error) {
        let cells = &self.shared.cells;
        if cells.full.swap(1, std::sync::atomic::Ordering::Relaxed) == 0 {
            self.shared.report(Report::Full(error));
        }
        self.full_until = Some(now.saturating_add(RETRY_AFTER));
    }
}

/// How long a full disk is left alone.
const RETRY_AFTER: Millis = 1_000;
