//! The sans-I/O codecs of Fanfare.

pub mod deflate;
pub mod native;
pub mod proxy;
pub mod websocket;
