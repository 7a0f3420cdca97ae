//! The native protocol from outside: tables of requests, and oracles for what is written.

#![expect(clippy::unwrap_used, clippy::panic, reason = "what the tests share fails as a test does")]

mod aliases;
mod asking;
mod changing;
mod encoding;
mod packing;
mod places;
mod presence;
mod publishing;
mod reading;
mod refusing;
mod speaking;
mod unpacking;
