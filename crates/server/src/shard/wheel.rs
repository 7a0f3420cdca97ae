//! The timer wheel of a shard: deadlines of connections, cheap to set and cheap to let pass.
//!
//! Two levels of slots. A deadline within the span of the first stands in the slot of its tick;
//! a later one stands in the second level and comes down when its turn is near. Deadlines are not
//! taken back: whoever is due looks at its connection and finds that the moment has moved, which
//! costs less than unlinking, since nearly all deadlines of a live connection move.

use fanfare_core::shard::ConnectionId;
use fanfare_core::time::Millis;

/// Length of a tick, in milliseconds: deadlines are late by less than this, and never early.
pub(crate) const TICK_MILLIS: Millis = 64;

const NEAR_SLOTS: u32 = 256;
const NEAR_WORDS: usize = NEAR_SLOTS as usize / 64;
const FAR_SLOTS: u32 = 64;

/// A moment counted in ticks since the wheel began; 64 ms each, enough for eight years.
pub(crate) type Tick = u32;

/// Deadlines by tick.
#[derive(Debug)]
pub(crate) struct Wheel {
    began: Millis,
    /// The last tick that has passed.
    passed: Tick,
    near: Vec<Vec<Entry>>,
    far: Vec<Vec<Entry>>,
    /// A bit for each near slot that holds anything, so that the next one is found at once.
    near_used: [u64; NEAR_WORDS],
    far_count: usize,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    connection: ConnectionId,
    at: Tick,
}

impl Wheel {
    /// An empty wheel that begins at `now`.
    pub(crate) fn new(now: Millis) -> Self {
        Self {
            began: now,
            passed: 0,
            near: (0..NEAR_SLOTS).map(|_| Vec::new()).collect(),
            far: (0..FAR_SLOTS).map(|_| Vec::new()).collect(),
            near_used: [0; NEAR_WORDS],
            far_count: 0,
        }
    }

    /// The first tick that begins at `at` or later.
    pub(crate) fn tick_of(&self, at: Millis) -> Tick {
        let ticks = at.saturating_sub(self.began).div_ceil(TICK_MILLIS);
        Tick::try_from(ticks).unwrap_or(Tick::MAX)
    }

    /// The last tick that has passed.
    pub(crate) fn passed(&self) -> Tick {
        self.passed
    }

    /// Makes the connection due at tick `at`, or at the next one if that has passed. Gives back
    /// the tick that it is.
    pub(crate) fn arm(&mut self, connection: ConnectionId, at: Tick) -> Tick {
        let at = at.max(self.passed.saturating_add(1));
        self.place(Entry { connection, at });
        at
    }

    /// Moves on to `now` and appends whoever became due, in the order of their ticks.
    pub(crate) fn advance(&mut self, now: Millis, due: &mut impl Extend<(ConnectionId, Tick)>) {
        let until = now.saturating_sub(self.began) / TICK_MILLIS;
        let until = Tick::try_from(until).unwrap_or(Tick::MAX);
        while self.passed < until {
            if self.is_empty() {
                self.passed = until;
                return;
            }
            self.passed += 1;
            if self.passed.is_multiple_of(NEAR_SLOTS) {
                self.bring_near();
            }
            self.expire(due);
        }
    }

    /// A moment up to which nothing becomes due; none when nothing is set at all. Never later than
    /// the first deadline, and in time to bring far ones near.
    pub(crate) fn next(&self) -> Option<Millis> {
        if self.is_empty() {
            return None;
        }
        // Slots before this one belong to the next turn, which is looked at when it begins.
        let from = self.passed % NEAR_SLOTS + 1;
        let turn = self.passed - self.passed % NEAR_SLOTS;
        let tick = turn + self.next_used(from).unwrap_or(NEAR_SLOTS);
        Some(self.began + Millis::from(tick) * TICK_MILLIS)
    }

    fn place(&mut self, entry: Entry) {
        // Entries placed while a turn begins may be due in the very tick that is passing.
        if entry.at - self.passed < NEAR_SLOTS {
            let slot = (entry.at % NEAR_SLOTS) as usize;
            self.near[slot].push(entry);
            self.near_used[slot / 64] |= 1 << (slot % 64);
            return;
        }
        // What lies beyond the second level waits in its last slot and is placed again from there.
        let turns = (entry.at / NEAR_SLOTS - self.passed / NEAR_SLOTS).min(FAR_SLOTS - 1);
        let slot = ((self.passed / NEAR_SLOTS + turns) % FAR_SLOTS) as usize;
        self.far[slot].push(entry);
        self.far_count += 1;
    }

    fn is_empty(&self) -> bool {
        self.far_count == 0 && self.near_used == [0; NEAR_WORDS]
    }

    /// The first near slot from `from` on that holds anything.
    fn next_used(&self, from: u32) -> Option<u32> {
        (0_u32..).zip(&self.near_used).find_map(|(word, used)| {
            let skipped = from.saturating_sub(word * 64);
            let rest = if skipped >= 64 { 0 } else { used >> skipped << skipped };
            (rest != 0).then(|| word * 64 + rest.trailing_zeros())
        })
    }

    fn bring_near(&mut self) {
        let slot = (self.passed / NEAR_SLOTS % FAR_SLOTS) as usize;
        // Taken whole, so that a crowd that came at once does not leave its room behind.
        let entries = std::mem::take(&mut self.far[slot]);
        self.far_count -= entries.len();
        for entry in entries {
            self.place(entry);
        }
    }

    fn expire(&mut self, due: &mut impl Extend<(ConnectionId, Tick)>) {
        let slot = (self.passed % NEAR_SLOTS) as usize;
        let entries = std::mem::take(&mut self.near[slot]);
        self.near_used[slot / 64] &= !(1 << (slot % 64));
        due.extend(entries.iter().map(|entry| (entry.connection, entry.at)));
    }
}

#[cfg(test)]
mod tests;
