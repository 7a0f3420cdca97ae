//! The sans-I/O codecs of Fanfare.

pub mod native;
pub mod websocket;
