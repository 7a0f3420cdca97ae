//! Deflated messages: limits hold, and what was heard can be sent.

#![no_main]

#[path = "../bodies/websocket_inflate.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::run(data);
});
