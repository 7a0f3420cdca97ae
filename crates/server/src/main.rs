//! The `fanfare` binary.

mod auth;
mod edge;
mod node;
mod pipe;
mod shard;

fn main() {}
