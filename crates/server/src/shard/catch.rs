//! The line between what may break one connection and what may not.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs the code of one connection; none if it panicked, after which the connection's state is not
/// to be looked at again.
pub(super) fn guarded<T>(code: impl FnOnce() -> T) -> Option<T> {
    // What the closure borrows is one connection, which is dropped, and buffers that are cleared
    // before they are used: nothing that was left half-changed is seen again.
    catch_unwind(AssertUnwindSafe(code)).ok()
}
