//! The sans-I/O codecs of Fanfare.

pub mod websocket;
