//! The books: what every connection has had of every channel, and so what was lost, came twice or
//! out of order. Knows numbers only.

use std::collections::HashMap;

use serde::Serialize;

/// What became of publications, over all connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    /// Deliveries that were due.
    pub(super) expected: u64,
    /// Of these, those that came, each counted once.
    pub(super) delivered: u64,
    /// Of these, those that did not come.
    pub(super) lost: u64,
    /// Deliveries that had come before.
    pub(super) doubled: u64,
    /// Deliveries that came after a later one.
    pub(super) reordered: u64,
    /// Deliveries to a connection that had not asked for that channel, or of numbers that nobody
    /// published.
    pub(super) stray: u64,
    /// Connections that the server ended.
    pub(super) disconnected: u64,
}

/// What was seen, by connection and channel. A place is a connection's view of one channel.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The number that is due next at each place.
    due: Vec<u32>,
    /// Numbers that were passed over, by place: almost always none at all.
    missing: HashMap<usize, Vec<u32>>,
    tally: Tally,
}

/// Stands for a place that takes whatever number comes first.
const ANY: u32 = u32::MAX;

/// Numbers passed over that a place remembers; more than these are lost for good.
const MISSING_MAX: usize = 10_000;

impl Tally {
    /// Whether every delivery came, once and in order, and nobody was sent away.
    pub(super) fn is_clean(&self) -> bool {
        let Self { expected, delivered, lost, doubled, reordered, stray, disconnected } = *self;
        expected == delivered && lost + doubled + reordered + stray + disconnected == 0
    }

    /// Adds what was counted elsewhere.
    pub(super) fn add(&mut self, other: &Self) {
        self.expected += other.expected;
        self.delivered += other.delivered;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.reordered += other.reordered;
        self.stray += other.stray;
        self.disconnected += other.disconnected;
    }
}

impl Ledger {
    /// Makes room for so many more places, whose first number is 0.
    pub(super) fn extend(&mut self, places: usize) {
        self.due.resize(self.due.len() + places, 0);
    }

    /// Has these places begin with whatever comes first: their connection came in between.
    pub(super) fn begin_anywhere(&mut self, places: std::ops::Range<usize>) {
        for place in places {
            self.missing.remove(&place);
            if let Some(due) = self.due.get_mut(place) {
                *due = ANY;
            }
        }
    }

    /// Writes down that a publication is due at so many places.
    pub(super) fn expect(&mut self, deliveries: u64) {
        self.tally.expected += deliveries;
    }

    /// Writes down that a number came to a place; says whether for the first time.
    pub(super) fn enter(&mut self, place: usize, number: u32) -> bool {
        let Some(due) = self.due.get_mut(place) else {
            self.tally.stray += 1;
            return false;
        };
        if *due == number || *due == ANY {
            *due = number + 1;
            self.tally.delivered += 1;
            return true;
        }
        if number > *due {
            let missing = self.missing.entry(place).or_default();
            let room = MISSING_MAX.saturating_sub(missing.len());
            missing.extend((*due..number).take(room));
            *due = number + 1;
            self.tally.delivered += 1;
            return true;
        }
        self.enter_late(place, number)
    }

    /// A number below the one that is due.
    fn enter_late(&mut self, place: usize, number: u32) -> bool {
        let missing = self.missing.get_mut(&place);
        let found = missing.and_then(|missing| {
            let at = missing.iter().position(|one| *one == number)?;
            Some(missing.swap_remove(at))
        });
        if found.is_none() {
            self.tally.doubled += 1;
            return false;
        }
        self.tally.reordered += 1;
        self.tally.delivered += 1;
        true
    }

    /// Writes down a delivery that nobody asked for.
    pub(super) fn stray(&mut self) {
        self.tally.stray += 1;
    }

    /// Writes down that the server ended a connection.
    pub(super) fn disconnect(&mut self) {
        self.tally.disconnected += 1;
    }

    /// Deliveries that came, each counted once.
    pub(super) fn delivered(&self) -> u64 {
        self.tally.delivered
    }

    /// Deliveries that are due.
    pub(super) fn expected(&self) -> u64 {
        self.tally.expected
    }

    /// What has been counted; what is due and has not come is lost.
    pub(super) fn tally(&self) -> Tally {
        let lost = self.tally.expected.saturating_sub(self.tally.delivered);
        Tally { lost, ..self.tally }
    }

    /// What has been counted where connections came and went, so that nobody knows what was due:
    /// what came counts as what was due, but for the numbers passed over.
    pub(super) fn tally_by_numbers(&self) -> Tally {
        let lost = self.missing.values().map(|missing| missing.len() as u64).sum();
        Tally { expected: self.tally.delivered + lost, lost, ..self.tally }
    }
}

#[cfg(test)]
#[path = "ledger_test.rs"]
mod tests;
