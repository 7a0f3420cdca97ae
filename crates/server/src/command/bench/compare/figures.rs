//! Arithmetic: what is told of many times, and whether the parts add up to the whole. Knows numbers
//! only.

use serde::Serialize;

/// Times of one kind, in milliseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Times {
    pub(super) median: f64,
    /// A quarter of them is not above this.
    pub(super) lower: f64,
    /// A quarter of them is not below this.
    pub(super) upper: f64,
    pub(super) greatest: f64,
    pub(super) count: usize,
}

/// Whether C, R and P add up to T.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(super) struct Sum {
    /// C + R + P, in milliseconds.
    pub(super) sum: f64,
    /// T less that.
    pub(super) difference: f64,
    /// How far from nothing the difference may be.
    pub(super) error: f64,
    pub(super) adds_up: bool,
}

impl Times {
    /// Of these nanoseconds; `None` without any.
    pub(super) fn of(nanos: &[u64]) -> Option<Self> {
        let mut sorted: Vec<f64> = nanos.iter().map(|nanos| *nanos as f64 / 1e6).collect();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 0.5)?,
            lower: quantile(&sorted, 0.25)?,
            upper: quantile(&sorted, 0.75)?,
            greatest: *sorted.last()?,
            count: sorted.len(),
        })
    }

    /// How far the middle half of them lies apart.
    fn spread(&self) -> f64 {
        self.upper - self.lower
    }
}

impl Sum {
    /// Compares the medians of the parts with that of the whole. The four were taken of different
    /// connections, so they may differ by what such times differ among themselves: the root of the
    /// sum of the squares of the four spreads, times four standard errors of a median of so many,
    /// but three tenths of it at least, since medians of skewed times do not add up exactly; and the least
    /// that is worth telling.
    pub(super) fn of(parts: [&Times; 3], whole: &Times) -> Self {
        let sum: f64 = parts.iter().map(|part| part.median).sum();
        let squares = parts.iter().chain([&whole]).map(|times| times.spread().powi(2));
        let share = (FOUR_ERRORS / (whole.count as f64).sqrt()).max(LEAST_SHARE);
        let error = squares.sum::<f64>().sqrt() * share + LEAST_ERROR;
        let difference = whole.median - sum;
        Self { sum, difference, error, adds_up: difference.abs() <= error }
    }
}

/// What this share of sorted numbers is not above; between two of them, in proportion.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share * last as f64;
    // Both are places: `share` is from 0 to 1.
    let below = (0..=last).rev().find(|place| *place as f64 <= at)?;
    let lower = *sorted.get(below)?;
    let upper = *sorted.get((below + 1).min(last))?;
    Some(lower + (upper - lower) * (at - below as f64))
}

/// Four times the standard error of a median of one, if spreads are those of normal numbers.
const FOUR_ERRORS: f64 = 3.7;
const LEAST_SHARE: f64 = 0.3;

/// Milliseconds that waking up may take on a machine that is busy with this.
const LEAST_ERROR: f64 = 0.1;

#[cfg(test)]
#[path = "figures_test.rs"]
mod tests;
