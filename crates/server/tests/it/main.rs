//! The binary as its users meet it: real processes, real sockets on loopback, a deadline on every
//! wait.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what was measured, and what was skipped and why, is for people"
)]

mod abuse;
mod bench;
mod cli;
mod compare;
mod compression;
mod conflation;
mod crash;
mod demo;
mod edge;
mod events;
mod fault;
mod haproxy;
mod heartbeat;
mod hooks;
mod http2;
mod injection;
mod kept;
mod large;
mod limits;
mod log;
mod namespaces;
mod nginx;
mod presence;
mod proxied;
mod reader;
mod reload;
mod routes;
mod server;
mod session;
mod soak;
mod tidy;
mod tls;
mod token;
mod told;
mod transcript;
mod trust;
mod vanish;
mod wire;

/// Whether the long variants run: `FANFARE_SOAK` is set, as `just soak` does.
#[expect(clippy::disallowed_methods, reason = "a test has no configuration but its environment")]
fn soaks() -> bool {
    std::env::var_os("FANFARE_SOAK").is_some()
}
