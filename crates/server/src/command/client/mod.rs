//! The client side of the native protocol, for the commands that talk to a server.
//!
//! A [`target`] says where the server is, [`credential`] who asks, [`http`] asks it one question at a time, [`stream`] reads
//! channels over one of four transports (a file each: [`sse`], [`ndjson`], [`poll`],
//! [`websocket`]) and gives the same [`frame`]s whichever it is; [`continuity`] proves from
//! positions that nothing was missed, and [`resumption`] when that may be said. Nothing here prints, and nothing here knows the inside of a
//! server.

pub(crate) mod backoff;
pub(crate) mod continuity;
pub(crate) mod credential;
pub(crate) mod failure;
pub(crate) mod frame;
pub(crate) mod http;
pub(crate) mod message;
pub(crate) mod ndjson;
pub(crate) mod poll;
pub(crate) mod position;
pub(crate) mod presence;
pub(crate) mod resumption;
pub(crate) mod sse;
pub(crate) mod stream;
pub(crate) mod target;
pub(crate) mod websocket;
