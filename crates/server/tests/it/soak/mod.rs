//! What must hold under load. The suite runs a short form of each; with `SOAK` in the environment,
//! as `just soak` sets it, each runs in full.

mod attaches;
mod publisher;
mod seam;
mod stalled;
mod usage;

/// `short` in the suite, `full` with `SOAK`.
#[expect(clippy::disallowed_methods, reason = "this asks how much to test, not how to serve")]
fn amount(short: u64, full: u64) -> u64 {
    if std::env::var_os("SOAK").is_some() { full } else { short }
}
