//! The priority of threads whose work can wait for that of others.

use rustix::process::{getpriority_process, setpriority_process};

/// Has the thread that calls this give way to others: `by` 5 leaves it a third, and 10 a tenth, of
/// what each of those gets while there is not enough for all. On Linux a thread has a priority of its
/// own.
pub(crate) fn lower(by: i32) {
    let lowered = getpriority_process(None)
        .and_then(|before| setpriority_process(None, before.saturating_add(by)));
    if let Err(error) = lowered {
        tracing::warn!(%error, "a thread stays at full priority");
    }
}
