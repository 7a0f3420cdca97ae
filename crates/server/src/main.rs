//! The `fanfare` binary.

mod acceptor;
mod auth;
mod edge;
mod engine;
mod load;
mod metrics;
mod node;
mod pipe;
mod shard;

fn main() {}
