//! The hub of Fanfare as a pure state machine.
//!
//! Everything a publication meets between the decoder that received it and the encoder that tells
//! it to a subscriber stands here: channels, owners, [`feed`]s and [`shard`]s. Nothing in
//! this crate reads a clock, opens a socket, draws a random number or knows a wire format: time
//! and seeds come in as arguments, encoding is one function, and what is to be done outside goes
//! out as effects. So the simulation runs the very code that production runs.

pub mod code;
mod conflation;
pub mod cursor;
pub mod feed;
pub mod frame;
pub mod gap;
pub mod happening;
mod hash;
pub mod history;
mod idempotency;
pub mod name;
pub mod namespace;
mod owner;
pub mod permit;
pub mod position;
pub mod prefix;
pub mod presence;
pub mod publication;
pub mod rate;
mod ring;
pub mod settings;
pub mod shard;
#[cfg(test)]
mod simulation;
pub mod start;
pub mod time;
