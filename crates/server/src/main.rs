//! The `fanfare` binary: pushes live data over WebSocket and Server-Sent Events.
//!
//! `command` says what can be typed, `config` what can be set, `serve` composes the server, `exit`
//! turns the outcome into the one exit code.

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
