//! Opening handshakes: whatever is accepted must be answered in a head of its own.

#![no_main]

#[path = "../bodies/websocket_handshake.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::run(data);
});
