//! Latencies: an HDR histogram of nanoseconds and what is told of it.

use anyhow::Result;
use hdrhistogram::Histogram;

use super::report::Line;

/// Durations, each within a thousandth of what it was.
#[derive(Debug, Clone)]
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    /// None yet.
    ///
    /// # Errors
    /// None but a mistake of ours.
    pub(super) fn new() -> Result<Self> {
        Ok(Self(Histogram::new_with_bounds(1, GREATEST_NANOS, DIGITS)?))
    }

    /// Writes one down; what is longer than a minute counts as a minute.
    pub(super) fn record(&mut self, nanos: u64) {
        self.0.saturating_record(nanos.max(1));
    }

    /// Adds others.
    ///
    /// # Errors
    /// None: all have the same bounds.
    pub(super) fn add(&mut self, other: &Self) -> Result<()> {
        Ok(self.0.add(&other.0)?)
    }

    /// What this share of them, from 0 to 1, did not exceed, in nanoseconds.
    pub(super) fn at(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }

    /// A curve: how slow the slowest one in `x` is, in microseconds. 1 in 10 is p90, 1 in 100 p99.
    pub(super) fn curve(&self, name: &str) -> Line {
        let mut points = Vec::new();
        let mut one_in = 1.0;
        while one_in <= self.0.len().max(1) as f64 {
            points.push((one_in, self.at(1.0 - 1.0 / one_in) as f64 / 1_000.0));
            one_in *= STEP;
        }
        Line { name: name.to_owned(), points }
    }
}

const GREATEST_NANOS: u64 = 60_000_000_000;
/// Digits of a figure that hold.
const DIGITS: u8 = 3;
/// Ten points for each factor of ten.
const STEP: f64 = 1.258_925_411_794_167_2;

#[cfg(test)]
#[path = "histogram_test.rs"]
mod tests;
