//! Shards on real sockets: the poll loop around [`fanfare_core::shard::Shard`].
//!
//! One thread for each shard. It polls, reads, decodes with the protocol crate, hands inputs to
//! the core, carries out the core's effects in their order and writes. It never waits for anything
//! but its poll. What a connection's own code does, from bytes to a [`step::Step`], may panic
//! without harm to others; a panic anywhere else ends the process.

mod awaited;
mod batch;
mod catch;
mod change;
mod connection;
mod deadline;
mod drain;
mod effect;
mod event_loop;
#[cfg(feature = "fault-injection")]
mod fault;
mod figures;
mod hand_in;
mod http;
mod inbox;
mod inquiry;
mod lease;
mod opening;
mod options;
mod output;
mod proxied;
mod receive;
mod refresh;
mod request;
mod review;
mod seat;
mod secure;
mod session;
mod sink;
mod slab;
mod sockets;
mod step;
mod stream;
mod visit;
mod websocket;
mod wheel;

#[cfg(test)]
mod tests;

pub(crate) use change::{Alteration, Change};
pub(crate) use figures::SocketFigures;
pub(crate) use http::Judge;
pub(crate) use options::ShardOptions;
pub(crate) use request::SocketRequest;
pub(crate) use seat::{Parts, Seat, end_process};
pub(crate) use websocket::{Read, close_code_of};

/// The encoder that cores are given.
pub(crate) fn encoder() -> fanfare_core::frame::Encode {
    #[cfg(feature = "fault-injection")]
    return fault::encode;
    #[cfg(not(feature = "fault-injection"))]
    return crate::coding::encode;
}
