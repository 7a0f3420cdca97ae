//! What goes into the next batch: each command is held against the channel's tip, and takes its place
//! if the segment has room for it.

use std::collections::{HashSet, VecDeque};

use fanfare_core::code::Code;
use fanfare_core::name::ChannelName;
use fanfare_core::position::{Offset, Position};
use fanfare_core::publication::End;
use fanfare_core::settings::ShardId;
use fanfare_core::shard::{Append, Completion, EngineCommand};
use fanfare_core::time::UnixMillis;

use super::active::Active;
use super::item::{AppendItem, CopyItem, Item, measure};
use crate::engine::log::format::body::{HeadBody, JumpBody, RemovalBody};
use crate::engine::log::format::record::HEADER;
use crate::engine::log::index::{ChannelId, Index, Slot, Tip};
use crate::engine::log::options::Durability;

/// The next batch.
#[derive(Debug)]
pub(super) struct Plan {
    pub items: Vec<Item>,
    /// Bytes of the records.
    pub length: usize,
    /// Bytes of those that are there for the log's own sake.
    pub chores: usize,
    /// Whether somebody is only answered when it is synced.
    pub sync: bool,
    /// Whether somebody is answered before it is synced.
    pub loose: bool,
    /// The mark once it is stored.
    pub mark: Offset,
    /// What is refused, told together with the batch.
    pub refused: Vec<(ShardId, Completion)>,
    /// Names that the segment had before.
    pub names_before: usize,
    /// Channels that go with this batch: whatever comes for them later waits for the next one.
    leaving: HashSet<ChannelId>,
}

/// Something that the log wants to have stored for its own sake.
#[derive(Debug)]
pub(in super::super) enum Chore {
    /// Where a channel stands.
    Head(ChannelName),
    /// A key that is still remembered.
    Key { channel: ChannelName, body: Vec<u8>, until: UnixMillis },
    /// A publication that lives in an old segment.
    Copy(Box<CopyChore>),
    /// A channel begins anew, because a part of the log that held it is damaged.
    Anew(ChannelName, Position),
    /// Offsets go on far above the heads.
    Jump(JumpBody),
}

/// A publication that is to be copied.
#[derive(Debug)]
pub(in super::super) struct CopyChore {
    pub channel: ChannelName,
    pub flags: u8,
    pub body: Vec<u8>,
    pub position: Position,
    pub from: Slot,
    pub keys_until: UnixMillis,
}

/// Why the plan ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// There is nothing more.
    Nothing,
    /// The batch is large enough, or what comes next has to wait for it.
    Enough,
    /// What comes next does not fit into the segment.
    NoRoom,
}

/// What happens to what does not fit into the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overflow {
    /// It waits: a new segment is made first.
    Waits,
    /// It is refused: there is no room for a new one.
    Refused,
}

/// Plans a batch.
pub(super) struct Planner<'a> {
    pub index: &'a mut Index,
    pub active: &'a mut Active,
    pub plan: Plan,
    pub overflow: Overflow,
    /// The wall's time.
    pub now: UnixMillis,
    /// Bytes of the segment that appends leave to what keeps the log going.
    pub reserve: u64,
}

/// What came of one command.
enum Taken {
    Yes,
    No(Stop),
}

impl Plan {
    pub(super) fn new(active: &Active, mark: Offset) -> Self {
        Self {
            items: Vec::new(),
            length: 0,
            chores: 0,
            sync: false,
            loose: false,
            mark,
            refused: Vec::new(),
            names_before: active.names.len(),
            leaving: HashSet::new(),
        }
    }

    /// Whether it holds nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty() && self.refused.is_empty()
    }

    /// Refuses an append.
    pub(super) fn refuse(&mut self, shard: ShardId, append: &Append, code: Code) {
        let (channel, append) = (append.channel.clone(), append.append);
        self.refused.push((shard, Completion::Failed { channel, append, code }));
    }

    fn push(&mut self, item: Item, bytes: usize) {
        self.items.push(item);
        self.length = self.length.saturating_add(bytes);
    }
}

impl Planner<'_> {
    /// Takes chores, up to a bound, so that appends have their turn.
    pub(super) fn take_chores(&mut self, chores: &mut VecDeque<Chore>) -> Stop {
        while let Some(chore) = chores.pop_front() {
            if self.plan.length > CHORE_BYTES_MAX {
                chores.push_front(chore);
                return Stop::Enough;
            }
            if let (Taken::No(stop), Some(chore)) = self.chore(chore) {
                chores.push_front(chore);
                return stop;
            }
        }
        Stop::Nothing
    }

    /// Takes commands.
    pub(super) fn take_commands(
        &mut self,
        commands: &mut VecDeque<(ShardId, EngineCommand)>,
    ) -> Stop {
        while let Some((shard, command)) = commands.pop_front() {
            let taken = match &command {
                EngineCommand::Append(append) => self.append(shard, append),
                EngineCommand::Remove { channel, epoch, mark } => {
                    self.remove(shard, channel, Position::new(*mark, *epoch))
                }
                EngineCommand::RaiseMark { channel, mark } => {
                    self.raise_mark(shard, channel, *mark)
                }
                EngineCommand::Forget(channel) => self.forget(channel),
                EngineCommand::Resync { resync, channel, after } => {
                    self.resync(shard, *resync, channel, *after)
                }
                // Those who only read do not come here.
                EngineCommand::Read { .. }
                | EngineCommand::Locate { .. }
                | EngineCommand::History { .. } => Taken::Yes,
            };
            if let Taken::No(stop) = taken {
                commands.push_front((shard, command));
                return stop;
            }
        }
        Stop::Nothing
    }

    fn append(&mut self, shard: ShardId, append: &Append) -> Taken {
        let id = self.index.ensure(&append.channel, append.after);
        if self.plan.leaving.contains(&id) {
            return Taken::No(Stop::Enough);
        }
        let Some((channel, _)) = self.index.parts(id) else { return Taken::Yes };
        let (tip, durability) = (channel.tip, channel.rules.durability);
        if tip.position() != append.after || tip.ended || !well_formed(append) {
            self.plan.refuse(shard, append, Code::NotApplied);
            return Taken::Yes;
        }
        let Some((flags, length)) = measure(append).filter(|(_, length)| self.could_fit(*length))
        else {
            self.plan.refuse(shard, append, Code::PayloadTooLarge);
            return Taken::Yes;
        };
        let local = match self.place(id, length, self.reserve) {
            Ok(local) => local,
            Err(Stop::NoRoom) if self.overflow == Overflow::Refused => {
                self.plan.refuse(shard, append, Code::StorageFull);
                return Taken::Yes;
            }
            Err(stop) => return Taken::No(stop),
        };
        let time = append.publication.as_ref().map_or(self.now, |publication| publication.time);
        let append = append.clone();
        let item = AppendItem { id, local, shard, append, flags, time, durability };
        let head = item.head();
        if let Some((channel, _)) = self.index.parts(id) {
            channel.tip.head = head.offset;
            channel.tip.ended = item.append.end == End::Close;
        }
        match durability {
            Durability::Sync => self.plan.sync = true,
            Durability::Os | Durability::None => self.plan.loose = true,
        }
        self.plan.push(Item::Append(Box::new(item)), length);
        Taken::Yes
    }

    fn remove(&mut self, shard: ShardId, name: &ChannelName, begin: Position) -> Taken {
        let blank = Position::new(self.index.mark, self.index.generation);
        let id = self.index.ensure(name, blank);
        if self.plan.leaving.contains(&id) {
            return Taken::No(Stop::Enough);
        }
        match self.removal(id, begin) {
            Ok(local) => {
                self.plan.sync = true;
                let length = HEADER.saturating_add(RemovalBody::LENGTH);
                self.plan.push(Item::Removal { id, local, shard: Some(shard), begin }, length);
            }
            Err(Stop::NoRoom) if self.overflow == Overflow::Refused => {
                let (channel, epoch) = (name.clone(), begin.epoch);
                let outcome = Err(Code::StorageFull);
                self.plan.refused.push((shard, Completion::Removed { channel, epoch, outcome }));
            }
            Err(stop) => return Taken::No(stop),
        }
        Taken::Yes
    }

    /// Has a channel begin anew, and says its number.
    fn removal(&mut self, id: ChannelId, begin: Position) -> Result<u32, Stop> {
        let local = self.place(id, HEADER.saturating_add(RemovalBody::LENGTH), 0)?;
        let Position { epoch, offset: head } = begin;
        if let Some((channel, _)) = self.index.parts(id) {
            channel.tip = Tip { epoch, head, ended: false };
        }
        self.plan.mark = self.plan.mark.max(head);
        Ok(local)
    }

    fn raise_mark(&mut self, shard: ShardId, channel: &ChannelName, mark: Offset) -> Taken {
        if mark > self.plan.mark {
            if self.active.room(0).is_none_or(|room| room < self.plan.length) {
                let refused = self.overflow == Overflow::Refused;
                // It is not answered; the owner tries again.
                return if refused { Taken::Yes } else { Taken::No(Stop::NoRoom) };
            }
            self.plan.mark = mark;
        }
        self.plan.sync = true;
        self.plan.items.push(Item::Mark { shard, channel: channel.clone(), mark });
        Taken::Yes
    }

    /// Everything that the owner handed over before has had its turn: what is in this batch is stored
    /// when this is answered, and what was refused never will be.
    fn resync(
        &mut self,
        shard: ShardId,
        resync: u64,
        channel: &ChannelName,
        after: Position,
    ) -> Taken {
        let tip = self.index.find(channel).map(|channel| channel.tip);
        let tip = tip.filter(|tip| tip.epoch == after.epoch);
        let head = tip.map_or(after.offset, |tip| tip.head.max(after.offset));
        let (channel, ended) = (channel.clone(), tip.is_some_and(|tip| tip.ended));
        let completion = Box::new(Completion::Resynced { resync, channel, head, ended });
        self.plan.sync = true;
        self.plan.items.push(Item::Resync { shard, completion });
        Taken::Yes
    }

    fn forget(&mut self, name: &ChannelName) -> Taken {
        let Some(id) = self.index.id(name) else { return Taken::Yes };
        let Some(channel) = self.index.channel(id) else { return Taken::Yes };
        if self.plan.leaving.contains(&id) {
            return Taken::Yes;
        }
        if channel.tip != channel.stored {
            return Taken::No(Stop::Enough);
        }
        let local = if channel.written() {
            match self.place(id, HEADER, 0) {
                Ok(local) => Some(local),
                // Then it is found again after a restart, and forgotten again.
                Err(Stop::NoRoom) if self.overflow == Overflow::Refused => None,
                Err(stop) => return Taken::No(stop),
            }
        } else {
            None
        };
        let length = if local.is_some() { HEADER } else { 0 };
        self.plan.leaving.insert(id);
        self.plan.push(Item::Forgotten { id, local }, length);
        Taken::Yes
    }

    /// Takes a chore, or gives it back.
    fn chore(&mut self, chore: Chore) -> (Taken, Option<Chore>) {
        let taken = match &chore {
            Chore::Head(name) => self.head(name),
            Chore::Key { channel, body, until } => self.key(channel, body, *until),
            Chore::Copy(copy) => self.copy(copy),
            Chore::Anew(name, begin) => self.anew(name, *begin),
            Chore::Jump(jump) => self.jump(*jump),
        };
        match taken {
            Ok(()) => (Taken::Yes, None),
            Err(stop) => (Taken::No(stop), Some(chore)),
        }
    }

    fn head(&mut self, name: &ChannelName) -> Result<(), Stop> {
        let Some(id) = self.index.id(name) else { return Ok(()) };
        let Some(channel) = self.index.channel(id).filter(|channel| channel.written()) else {
            return Ok(());
        };
        let body = self.index.head_of(channel);
        let length = HEADER.saturating_add(HeadBody::LENGTH);
        let local = self.place(id, length, 0)?;
        self.plan.push(Item::Head { id, local, body }, length);
        Ok(())
    }

    fn key(&mut self, name: &ChannelName, body: &[u8], until: UnixMillis) -> Result<(), Stop> {
        let Some(id) = self.index.id(name) else { return Ok(()) };
        let length = HEADER.saturating_add(body.len());
        let local = self.place(id, length, 0)?;
        let (channel, body) = (name.clone(), body.to_vec());
        self.plan.push(Item::Key { local, channel, body, until }, length);
        Ok(())
    }

    fn copy(&mut self, copy: &CopyChore) -> Result<(), Stop> {
        let CopyChore { position, from, .. } = *copy;
        let Some(id) = self.index.id(&copy.channel) else { return Ok(()) };
        let lives = self.index.channel(id).is_some_and(|channel| {
            let there = channel.at_offset(position.offset);
            channel.stored.epoch == position.epoch && there.is_some_and(|there| there.slot == from)
        });
        if !lives {
            return Ok(());
        }
        let length = HEADER.saturating_add(copy.body.len());
        let local = self.place(id, length, 0)?;
        let (flags, body, keys_until) = (copy.flags, copy.body.clone(), copy.keys_until);
        let item = CopyItem { id, local, flags, body, position, from, keys_until };
        self.plan.push(Item::Copy(Box::new(item)), length);
        Ok(())
    }

    fn anew(&mut self, name: &ChannelName, begin: Position) -> Result<(), Stop> {
        let id = self.index.ensure(name, begin);
        let local = self.removal(id, begin)?;
        self.plan.sync = true;
        let length = HEADER.saturating_add(RemovalBody::LENGTH);
        self.plan.push(Item::Removal { id, local, shard: None, begin }, length);
        Ok(())
    }

    fn jump(&mut self, jump: JumpBody) -> Result<(), Stop> {
        let length = HEADER.saturating_add(JumpBody::LENGTH);
        if self.active.room(0).is_none_or(|room| room < self.plan.length.saturating_add(length)) {
            return Err(Stop::NoRoom);
        }
        self.plan.sync = true;
        self.plan.push(Item::Jump(jump), length);
        Ok(())
    }

    /// Finds room for a record of a channel, names the channel if this segment does not know it, and
    /// says its number.
    fn place(&mut self, id: ChannelId, length: usize, reserve: u64) -> Result<u32, Stop> {
        let Some((channel, _)) = self.index.parts(id) else { return Err(Stop::Enough) };
        let segment = self.active.header.number;
        let known = channel.named.filter(|(named_in, _)| *named_in == segment);
        let naming = if known.is_some() { 0 } else { Active::naming(&channel.name) };
        let wanted = self.plan.length.saturating_add(length).saturating_add(naming);
        if self.active.room(reserve).is_none_or(|room| room < wanted) {
            return Err(Stop::NoRoom);
        }
        if wanted > BATCH_BYTES_MAX && !self.plan.items.is_empty() {
            return Err(Stop::Enough);
        }
        if let Some((_, local)) = known {
            return Ok(local);
        }
        let local = self.active.name(&channel.name);
        channel.named = Some((segment, local));
        let name = channel.name.clone();
        let length = HEADER.saturating_add(name.as_str().len());
        self.plan.push(Item::Name { id, local, name }, length);
        Ok(local)
    }

    /// Whether a record of this length fits into an empty segment, whatever its channel is called.
    fn could_fit(&self, length: usize) -> bool {
        let room = Active::room_of_new(self.active.capacity, self.reserve);
        length.saturating_add(NAMING_MAX) <= room
    }
}

/// Whether an append is such that its channel can go on from it.
fn well_formed(append: &Append) -> bool {
    let Some(publication) = &append.publication else { return append.end == End::Close };
    publication.position.is_some_and(|position| {
        position.epoch == append.after.epoch
            && position.offset > append.after.offset
            && publication.prev == append.after.offset
    })
}

/// Bytes of one batch, unless one record has more.
const BATCH_BYTES_MAX: usize = 4 << 20;

/// Bytes of one batch that chores take.
const CHORE_BYTES_MAX: usize = 1 << 20;

/// Bytes that naming a channel takes at most.
const NAMING_MAX: usize = 2 * 255 + HEADER + 17;
