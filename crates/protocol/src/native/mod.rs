//! The native protocol: one URL per channel, as `docs/protocol.md` says it byte by byte.
//!
//! Everything here is a function from bytes to values or from values to bytes. Requests are read
//! by [`route`] out of a borrowed [`head`], to which an [`alias`] was applied first; publications are written by [`encode`]; the rest of a
//! stream by [`sse`], [`ndjson`] and [`v1`]; whole answers by [`poll`], [`history`], [`publish`],
//! [`batch`], [`change`] and [`problem`], below a [`response`] head. Nothing here knows a socket, a clock or
//! the hub.

pub mod alias;
pub mod amend;
pub mod batch;
pub mod change;
pub mod channels;
pub mod chunk;
pub mod cors;
pub mod cursor;
pub mod encode;
pub mod envelope;
pub mod head;
pub mod history;
mod item;
pub mod json;
mod media;
mod moment;
pub mod ndjson;
mod negotiate;
pub mod opening;
mod options;
pub mod packing;
pub mod poll;
pub mod presence;
pub mod problem;
pub mod publish;
pub mod query;
pub mod reading;
pub mod response;
pub mod route;
mod scan;
pub mod session;
pub mod sse;
pub mod starts;
mod upgrade;
pub mod v1;
mod walk;
