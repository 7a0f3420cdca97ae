//! What must hold under load. The suite runs a short form of each; with `FANFARE_SOAK` in the
//! environment, as `just soak` sets it, each runs in full.

mod attaches;
mod publisher;
mod seam;
mod stalled;
mod usage;

/// `short` in the suite, `full` with `FANFARE_SOAK`.
pub(crate) fn amount(short: u64, full: u64) -> u64 {
    if crate::soaks() { full } else { short }
}
