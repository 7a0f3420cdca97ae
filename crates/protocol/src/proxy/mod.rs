//! What proxies say of the clients behind them: the PROXY protocol in front of a connection, and the
//! headers of requests.
//!
//! Anyone can write either, so both are believed of networks that were named only, and of a chain of
//! proxies only as far as it is named.

mod forwarded;
mod header;
mod network;

pub use forwarded::{Naming, client};
pub use header::{HEADER_BYTES_MAX, NotAHeader, Progress, Source, read_header};
pub use network::{Network, NetworkError, Networks};
