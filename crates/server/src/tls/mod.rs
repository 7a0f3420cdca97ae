//! TLS: sessions, certificates and what is spoken on which port.
//!
//! A [`Session`] is one connection without a socket. Shards drive it themselves (`shard/secure.rs`),
//! the edge through [`Stream`]. Knows no request, no channel and no shard.

mod acceptance;
mod acme;
mod certificates;
mod client;
mod failure;
mod figures;
mod load;
mod resolver;
mod session;
mod stream;
mod validity;

#[cfg(test)]
mod tests;

pub(crate) use acceptance::{Acceptance, Application, Entrance};
pub(crate) use acme::Keeper;
pub(crate) use certificates::Certificates;
pub(crate) use client::{Connector, Trust};
pub(crate) use failure::Failure;
pub(crate) use figures::TlsFigures;
pub(crate) use load::{look, read_file};
pub(crate) use session::{Handshake, RECORD_BYTES, Session};
pub(crate) use stream::Stream;
