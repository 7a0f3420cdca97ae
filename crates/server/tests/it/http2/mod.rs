//! HTTP/2 with prior knowledge, by a client of another make: everything that HTTP/1.1 has, on one
//! connection.

mod asking;
mod client;
mod leaving;
mod limits;
mod streams;
mod websocket;

pub(crate) use client::Client;
