//! Shards on real sockets: the poll loop around [`fanfare_core::shard::Shard`].

mod request;

pub(crate) use request::SocketRequest;

use crate::metrics::{Delays, Refusals, Transport};

/// What a shard counts of its sockets, in plain cells that a scrape copies.
#[derive(Debug, Clone, Default)]
pub(crate) struct SocketFigures {
    /// Connections by the number of their [`Transport`]; those of edge subscribers are not here.
    pub connections: [u64; Transport::ALL.len()],
    /// Requests and connections refused.
    pub refusals: Refusals,
    /// Bytes written to sockets.
    pub written_bytes: u64,
    /// Bytes read from sockets.
    pub received_bytes: u64,
    /// From a publication's time to the write of its frame.
    pub delays: Delays,
    /// Connections ended by a panic that was caught.
    pub broken: u64,
}

mod options;
mod seat;

pub(crate) use options::ShardOptions;
pub(crate) use seat::{Answerer, Parts, Seat, end_process};
