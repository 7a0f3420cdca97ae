//! What the server counts, and the text that a scrape gets.
//!
//! Shards count in plain cells of their own ([`Delays`] among them) and the edge in [`EdgeCells`];
//! nothing on the way of a message is shared for counting. A scrape copies the cells and
//! [`scrape`] names them.

mod cells;
mod events;
mod hooks;
mod http2;
mod log;
mod sample;
pub(crate) mod scrape;
#[cfg(test)]
mod tests;
mod tls;
mod tokens;

pub(crate) use cells::{Counted, Delays, EdgeCells, PanicCount, Refusals, Reloaded, Transport};
pub(crate) use http2::{Http2Cells, Http2Counted, Http2End};
