//! What a crowd of subscribers writes down together, and what is read in it.

use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::Result;

use super::line::Traffic;
use super::reader::Came;
use crate::command::bench::histogram::Latencies;
use crate::command::bench::ledger::{Ledger, Tally};

/// The books of one crowd, in which each subscriber has a place.
#[derive(Debug)]
pub(super) struct Books(Mutex<Entries>);

/// What stands in them.
#[derive(Debug)]
pub(super) struct Entries {
    ledger: Ledger,
    /// Whether a place's first subscription stands.
    stands: Vec<bool>,
    standing: usize,
    /// Gaps that were told.
    pub(super) gaps: u64,
    /// Connections that were lost.
    pub(super) losses: u64,
    pub(super) traffic: Traffic,
    /// From when each publication was due to when a subscriber had it whole, in nanoseconds.
    delays: Option<Latencies>,
    cut: Option<Aftermath>,
}

/// What comes after a cut.
#[derive(Debug)]
struct Aftermath {
    /// When it began.
    at: u64,
    /// Who has this, or anything later, has resumed.
    after: u64,
    /// How long it took, by place.
    took: Vec<Option<u64>>,
    resumed: usize,
}

impl Books {
    /// Of so many subscribers.
    pub(super) fn new(subscribers: usize) -> Self {
        let mut ledger = Ledger::default();
        ledger.extend(subscribers);
        Self(Mutex::new(Entries {
            ledger,
            stands: vec![false; subscribers],
            standing: 0,
            gaps: 0,
            losses: 0,
            traffic: Traffic::default(),
            delays: None,
            cut: None,
        }))
    }

    /// Opens them.
    pub(super) fn open(&self) -> MutexGuard<'_, Entries> {
        // A subscriber that panicked has ended the run, and is told of elsewhere.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// The subscription of a place stands.
    pub(super) fn stand(&mut self, place: usize) {
        if let Some(stands @ false) = self.stands.get_mut(place) {
            *stands = true;
            self.standing += 1;
        }
    }

    /// Places whose first subscription stands.
    pub(super) fn standing(&self) -> usize {
        self.standing
    }

    /// A publication came to a place.
    pub(super) fn enter(&mut self, place: usize, came: Came) {
        let fresh = self.ledger.enter(place, came.mark.number);
        if fresh && let Some(delays) = &mut self.delays {
            delays.record(came.whole.saturating_sub(came.mark.nanos));
        }
        if let Some(cut) = &mut self.cut {
            cut.enter(place, came);
        }
    }

    /// So many publications are on their way to everyone.
    pub(super) fn expect(&mut self, publications: u64) {
        self.ledger.expect(publications * self.stands.len() as u64);
    }

    /// Whether everything that is expected has come.
    pub(super) fn is_complete(&self) -> bool {
        self.ledger.delivered() >= self.ledger.expected()
    }

    /// Deliveries so far.
    pub(super) fn delivered(&self) -> u64 {
        self.ledger.delivered()
    }

    /// What became of everything that is expected.
    pub(super) fn tally(&self) -> Tally {
        self.ledger.tally()
    }

    /// Begins to write down delays and traffic.
    ///
    /// # Errors
    /// None but a mistake of ours.
    pub(super) fn record(&mut self) -> Result<()> {
        self.delays = Some(Latencies::new()?);
        self.traffic = Traffic::default();
        Ok(())
    }

    /// The delays that were written down.
    pub(super) fn recorded(&mut self) -> Option<Latencies> {
        self.delays.take()
    }

    /// Everyone has been cut: from `at` on, and by `after` all of them.
    pub(super) fn cut(&mut self, at: u64, after: u64) {
        self.cut = Some(Aftermath { at, after, took: vec![None; self.stands.len()], resumed: 0 });
    }

    /// Those who have come back since the cut.
    pub(super) fn resumed(&self) -> usize {
        self.cut.as_ref().map_or(0, |cut| cut.resumed)
    }

    /// How long it took each of them, in nanoseconds.
    pub(super) fn resumptions(&mut self) -> Vec<u64> {
        self.cut.take().map_or_else(Vec::new, |cut| cut.took.into_iter().flatten().collect())
    }
}

impl Aftermath {
    fn enter(&mut self, place: usize, came: Came) {
        let Some(took @ None) = self.took.get_mut(place) else {
            return;
        };
        // What was published before may have been on its way when the line was cut.
        if came.mark.nanos >= self.after {
            *took = Some(came.whole.saturating_sub(self.at));
            self.resumed += 1;
        }
    }
}

#[cfg(test)]
#[path = "books_test.rs"]
mod tests;
