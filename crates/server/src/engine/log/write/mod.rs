//! The writer: one thread that stores what all shards want stored.
//!
//! - `plan`, `item`: what goes into the next batch, and how it becomes bytes
//! - `store`: one write, one sync, the answers
//! - `active`, `roll`: the segment that is written to, and the next one
//! - `retire`: old segments go
//! - `stop`: the checkpoint
//!
//! Everything of it is done in turns; a turn stores at most one batch. Tests take the turns
//! themselves.

mod active;
mod item;
mod plan;
mod retire;
mod roll;
mod stop;
mod store;

pub(super) use active::{Active, FoundActive};
pub(super) use plan::Chore;
pub(super) use roll::{begin_segment, salt};

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_core::position::Offset;
use fanfare_core::settings::ShardId;
use fanfare_core::shard::EngineCommand;
use fanfare_core::time::Millis;

use super::outcome::Report;
use super::shared::Shared;
use plan::{Overflow, Plan, Planner, Stop};
use retire::Retiring;
use roll::Rolled;

/// The writer's state.
#[derive(Debug)]
pub(super) struct Writer {
    shared: Arc<Shared>,
    active: Active,
    commands: VecDeque<(ShardId, EngineCommand)>,
    chores: VecDeque<Chore>,
    buffer: Vec<u8>,
    /// The mark as it is stored.
    mark: Offset,
    /// The last sequence number that is known to be synced.
    synced: u64,
    /// Since when something is written that is not.
    dirty_since: Option<Millis>,
    /// Whether somebody may have been told of something before it was synced.
    loose: bool,
    /// Until when no new segment is tried for.
    full_until: Option<Millis>,
    /// The number of the oldest segment that is needed.
    oldest: u64,
    retiring: Option<Retiring>,
    choose_at: Millis,
    /// Bytes that have to be published before an old segment goes that is not mostly dead.
    debt: u64,
    /// Bytes that may be read of old segments at once.
    tokens: u64,
    earned_at: Millis,
    sweep_at: Millis,
    /// Whether a checkpoint stands in the directory, which is wrong as soon as something is written.
    checkpoint: bool,
    dead: bool,
}

/// What the writer goes on from.
#[derive(Debug)]
pub(super) struct Beginning {
    pub active: Active,
    pub mark: Offset,
    pub oldest: u64,
    pub checkpoint: bool,
    pub chores: VecDeque<Chore>,
}

/// Writing or syncing has failed, and nobody knows what the disk holds.
#[derive(Debug)]
pub(super) struct Fatal(io::Error);

/// Whether the next turn should come at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// There is more to do.
    AtOnce,
    /// There is, but not before a moment has passed.
    Soon,
    /// There is not.
    Whenever,
}

impl From<io::Error> for Fatal {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}

impl From<Fatal> for io::Error {
    fn from(Fatal(error): Fatal) -> Self {
        error
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, beginning: Beginning) -> Self {
        let Beginning { active, mark, oldest, checkpoint, chores } = beginning;
        let synced = active.sequence.saturating_sub(1);
        Self {
            shared,
            active,
            commands: VecDeque::new(),
            chores,
            buffer: Vec::new(),
            mark,
            synced,
            dirty_since: None,
            loose: false,
            full_until: None,
            oldest,
            retiring: None,
            choose_at: 0,
            debt: 0,
            tokens: 0,
            earned_at: 0,
            sweep_at: SWEEP_EVERY,
            checkpoint,
            dead: false,
        }
    }

    /// Works until the queue is closed and empty. Says whether everything is stored and can be
    /// stopped in good order.
    pub(super) fn run(&mut self) -> bool {
        let begun = Instant::now();
        let mut next = Next::AtOnce;
        loop {
            let within = match next {
                Next::AtOnce => Duration::ZERO,
                Next::Soon => Duration::from_millis(10),
                Next::Whenever if self.dirty_since.is_some() => Duration::from_millis(100),
                Next::Whenever => Duration::from_millis(500),
            };
            let shared = Arc::clone(&self.shared);
            let open = shared.commands.take_all(&mut self.commands, within);
            let now = Millis::try_from(begun.elapsed().as_millis()).unwrap_or(Millis::MAX);
            next = self.turn(now);
            if self.dead || (!open && self.commands.is_empty()) {
                return !self.dead;
            }
        }
    }

    /// Takes commands as if they had come through the queue.
    #[cfg(test)]
    pub(super) fn take(&mut self, shard: ShardId, command: EngineCommand) {
        self.commands.push_back((shard, command));
    }

    /// Stores one batch of what waits, and does what the time has come for.
    pub(super) fn turn(&mut self, now: Millis) -> Next {
        if self.dead {
            self.commands.clear();
            return Next::Whenever;
        }
        match self.try_turn(now) {
            Ok(next) => next,
            Err(Fatal(error)) => {
                self.dead = true;
                self.commands.clear();
                self.shared.report(Report::Fatal(error));
                Next::Whenever
            }
        }
    }

    /// Stores everything that the log itself wants stored before anybody is served.
    pub(super) fn settle_chores(&mut self) -> io::Result<()> {
        while !self.chores.is_empty() {
            let before = self.active.sequence;
            self.try_turn(0)?;
            if self.active.sequence == before && self.full_until.is_some() {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        Ok(())
    }

    /// Where the next batch begins.
    #[cfg(test)]
    pub(super) fn position(&self) -> usize {
        usize::try_from(self.active.position).unwrap()
    }

    /// Whether writing or syncing has failed.
    #[cfg(test)]
    pub(super) fn is_dead(&self) -> bool {
        self.dead
    }

    fn try_turn(&mut self, now: Millis) -> Result<Next, Fatal> {
        self.tend(now);
        let refusing = self.full_until.is_some_and(|until| now < until);
        let overflow = if refusing { Overflow::Refused } else { Overflow::Waits };
        let (mut plan, mut stop) = self.plan(overflow);
        if plan.is_empty() && stop == Stop::NoRoom && !self.closes() {
            match self.roll(now)? {
                Rolled::Later => return Ok(Next::AtOnce),
                Rolled::Yes => (plan, stop) = self.plan(Overflow::Waits),
                Rolled::Full => (plan, stop) = self.plan(Overflow::Refused),
            }
        }
        let idle = plan.is_empty();
        if !idle || plan.mark > self.mark || self.closes() {
            self.store(plan, now)?;
        }
        if self.dirty_since.is_some_and(|since| now.saturating_sub(since) >= SYNC_WITHIN) {
            self.sync()?;
        }
        self.sweep(now);
        let chores = stop != Stop::Nothing || !self.chores.is_empty();
        // Chores may find no room for a long time; commands are stored or refused.
        Ok(if !self.commands.is_empty() || (chores && !idle) {
            Next::AtOnce
        } else if chores || self.is_retiring() {
            Next::Soon
        } else {
            Next::Whenever
        })
    }

    fn plan(&mut self, overflow: Overflow) -> (Plan, Stop) {
        let shared = Arc::clone(&self.shared);
        let mut index = shared.index();
        let plan = Plan::new(&self.active, self.mark);
        let reserve = self.active.capacity / RESERVE;
        let (index, active) = (&mut *index, &mut self.active);
        let now = shared.options.clock.unix();
        let mut planner = Planner { index, active, plan, overflow, now, reserve };
        let chores = planner.take_chores(&mut self.chores);
        planner.plan.chores = planner.plan.length;
        // What chores find no room for, appends do not find either.
        let stop = match chores {
            Stop::NoRoom if overflow == Overflow::Waits => Stop::NoRoom,
            _ => planner.take_commands(&mut self.commands),
        };
        (planner.plan, if stop == Stop::Nothing { chores } else { stop })
    }

    /// Lets go of what has become too old in channels that nobody writes to.
    fn sweep(&mut self, now: Millis) {
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now.saturating_add(SWEEP_EVERY);
        let unix = self.shared.options.clock.unix();
        let mut left = self.shared.index().len().div_ceil(SWEEPS);
        while left > 0 {
            let some = left.min(SWEPT_AT_ONCE);
            self.shared.index().sweep(some, unix);
            left = left.saturating_sub(some);
        }
    }
}

/// How long what need not be synced may stay so.
const SYNC_WITHIN: Millis = 1_000;

/// How often a share of the channels is looked at.
const SWEEP_EVERY: Millis = 1_000;

/// In how many shares all channels are looked at.
const SWEEPS: usize = 10;

/// Channels that are looked at while the lock is held.
const SWEPT_AT_ONCE: usize = 4_096;

/// The share of a segment that appends leave to heads, keys, marks and removals.
const RESERVE: u64 = 16;
