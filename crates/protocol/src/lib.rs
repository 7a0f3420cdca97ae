//! Sans-I/O codecs: WebSocket, SSE, NDJSON and the native envelopes.

pub mod native;
pub mod websocket;
