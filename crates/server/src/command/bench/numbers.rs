//! Which number a channel's next publication has.

use std::collections::HashMap;

use super::connect::Clock;
use super::mark::Mark;

/// The numbers that have been given.
#[derive(Debug)]
pub(super) struct Numbers {
    next: HashMap<u32, u32>,
    clock: Clock,
}

impl Numbers {
    /// None has been given.
    pub(super) fn new(clock: Clock) -> Self {
        Self { next: HashMap::new(), clock }
    }

    /// The next publication of a channel, which is to be sent now.
    pub(super) fn next(&mut self, channel: u32) -> Mark {
        self.next_at(channel, self.clock.nanos())
    }

    /// The next publication of a channel, which is to be sent then.
    pub(super) fn next_at(&mut self, channel: u32, nanos: u64) -> Mark {
        let next = self.next.entry(channel).or_default();
        let mark = Mark { channel, number: *next, nanos };
        *next += 1;
        mark
    }

    /// The next ones, to be sent now.
    pub(super) fn several(&mut self, channel: u32, count: u32) -> Vec<Mark> {
        (0..count).map(|_| self.next(channel)).collect()
    }
}
