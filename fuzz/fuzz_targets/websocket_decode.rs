//! WebSocket frames: a stream must mean the same however it is cut.

#![no_main]

#[path = "../bodies/websocket_decode.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::run(data);
});
