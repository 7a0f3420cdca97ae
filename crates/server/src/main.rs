//! The `fanfare` binary.

mod auth;
mod edge;
mod load;
mod metrics;
mod node;
mod pipe;
mod shard;

fn main() {}
