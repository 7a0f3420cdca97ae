//! The figures of several rounds, and what is told of them.

use serde::Serialize;

/// A figure of each round, in order.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Series(pub(super) Vec<f64>);

/// What is told of a series.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) greatest: f64,
}

impl Series {
    /// Its median, its least and its greatest; `None` without a figure.
    pub(super) fn spread(&self) -> Option<Spread> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, greatest) = (*sorted.first()?, *sorted.last()?);
        let upper = *sorted.get(sorted.len() / 2)?;
        let lower = *sorted.get((sorted.len() - 1) / 2)?;
        Some(Spread { median: f64::midpoint(lower, upper), least, greatest })
    }

    /// Each round's figure as a multiple of the other's in the same round.
    pub(super) fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect())
    }
}

/// How much a figure grows with another: the slope of the line that fits best by least squares.
/// `None` with fewer than two places.
pub(super) fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |sum: f64| sum / count;
    let x = mean(points.iter().map(|(x, _)| x).sum());
    let y = mean(points.iter().map(|(_, y)| y).sum());
    let above: f64 = points.iter().map(|(one, other)| (one - x) * (other - y)).sum();
    let below: f64 = points.iter().map(|(one, _)| (one - x) * (one - x)).sum();
    (below > 0.0).then(|| above / below)
}

/// A sum for each of so many.
pub(super) fn per(sum: u64, count: u64) -> f64 {
    sum as f64 / count.max(1) as f64
}

#[cfg(test)]
#[path = "series_test.rs"]
mod tests;
