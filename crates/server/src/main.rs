//! The `fanfare` binary.

mod node;
mod pipe;
mod shard;

fn main() {}
