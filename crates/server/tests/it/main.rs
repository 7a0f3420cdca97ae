//! The binary as its users meet it: real processes, real sockets on loopback, a deadline on every
//! wait.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cli;
mod edge;
mod large;
mod reader;
mod server;
mod soak;
mod wire;
