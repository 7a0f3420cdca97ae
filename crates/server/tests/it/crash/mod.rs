//! Crashes: what was acknowledged is still there, once, in its place; whoever comes back gets
//! exactly what it missed.
//!
//! - `crashing`: a server with a log that is ended and started again
//! - `crew`, `load`: publishers and readers that go on through the crashes
//! - `ledger`: what was acknowledged, held against what the server gives
//! - `disk`: a file system that forgets what was not synced
//! - `kill`, `power`: the process is killed; the power fails
//! - `key`: an idempotency key before and after a crash

mod crashing;
mod crew;
mod disk;
mod key;
mod kill;
mod ledger;
mod load;
mod power;

pub(crate) use crashing::{Directory, start};
