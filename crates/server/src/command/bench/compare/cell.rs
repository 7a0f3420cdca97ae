//! What is told of one transport on one route.

use serde::Serialize;

use super::figures::{Sum, Times};
use super::kind::Kind;
use super::proxy::Conditions;
use crate::command::bench::ledger::Tally;

/// How subscribers get to the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route {
    pub(super) name: &'static str,
    /// Of the proxy, if they go through it.
    pub(super) conditions: Option<Conditions>,
}

/// Everything of one transport on one route.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Cell {
    pub(super) route: &'static str,
    pub(super) transport: Kind,
    #[serde(flatten)]
    pub(super) steady: Steady,
    #[serde(flatten)]
    pub(super) resumed: Resumed,
}

/// What was found while nobody cut anything. Times are in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Steady {
    /// C.
    pub(super) connect: Times,
    /// R.
    pub(super) transfer: Times,
    /// P.
    pub(super) push: Times,
    /// T.
    pub(super) total: Times,
    pub(super) sum: Sum,
    /// From when a publication was due to when a subscriber of the crowd had it whole.
    pub(super) delivery_p50: f64,
    pub(super) delivery_p99: f64,
    /// Bytes of the subscriber's socket for each delivery, to it and from it.
    pub(super) bytes_down: f64,
    pub(super) bytes_up: f64,
    /// Microseconds of the server's CPU for each delivery.
    #[serde(rename = "cpu_microseconds")]
    pub(super) cpu: Option<f64>,
    /// Bytes of the server's user memory for each idle connection.
    #[serde(rename = "memory_bytes")]
    pub(super) memory: Option<f64>,
    /// What became of everything that was published, cuts included.
    pub(super) tally: Tally,
    /// Gaps that the server told.
    pub(super) gaps: u64,
}

/// From a cut to what was published at that moment, in milliseconds.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Resumed {
    #[serde(rename = "resumed_after_fin")]
    pub(super) fin: Times,
    #[serde(rename = "resumed_after_reset")]
    pub(super) reset: Times,
    #[serde(rename = "resumed_after_silence")]
    pub(super) silence: Times,
    #[serde(skip)]
    pub(super) tally: Tally,
    #[serde(skip)]
    pub(super) gaps: u64,
}

impl Cell {
    /// Puts the two halves together.
    pub(super) fn new(
        (route, kind): (&'static str, Kind),
        mut steady: Steady,
        resumed: Resumed,
    ) -> Self {
        steady.tally.add(&resumed.tally);
        steady.gaps += resumed.gaps;
        Self { route, transport: kind, steady, resumed }
    }

    /// Whether every delivery came, once and in order, no gap was told, and nobody was sent away.
    pub(super) fn is_clean(&self) -> bool {
        self.steady.tally.is_clean() && self.steady.gaps == 0
    }
}
