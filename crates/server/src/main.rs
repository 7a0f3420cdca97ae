//! The `fanfare` binary.

mod auth;
mod node;
mod pipe;
mod shard;

fn main() {}
