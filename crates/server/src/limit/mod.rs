//! Who comes from where, and how much of it: what one address, one user and one channel may do.
//!
//! An address is what trusted proxies say it is. Rates are held in buckets of bounded memory, and
//! numbers of connections are counted by whoever counts connections. Both are shared by shards, edge
//! and acceptor, who ask only where a limit holds: holders of publisher keys and loopback have none.

mod address;
mod bucket;
mod limiter;
mod pool;
mod tally;
mod terms;

pub(crate) use address::{ClientAddress, Preface, Proxies};
pub(crate) use limiter::{Limiter, Peer, Sender, turned_away};
pub(crate) use pool::Stake;
pub(crate) use tally::{Key, Tally};
pub(crate) use terms::{Each, LimitKey, Rate, Terms, What};
