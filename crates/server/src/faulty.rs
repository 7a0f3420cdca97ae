//! The `fanfare` binary with faults on demand: built for tests of what a panic ends, under a name
//! of its own so that it takes nobody's place. `main.rs` says what is in it.

mod acceptor;
mod auth;
mod clerk;
mod coding;
mod command;
mod config;
mod demo;
mod edge;
mod engine;
mod exit;
mod hooks;
mod limit;
mod load;
mod logging;
mod metrics;
mod node;
mod pipe;
mod priority;
mod serve;
mod shard;
mod tls;

use std::process::ExitCode;

fn main() -> ExitCode {
    exit::conclude(std::panic::catch_unwind(command::run))
}
