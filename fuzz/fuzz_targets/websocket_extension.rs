//! Offers of extensions: what is accepted was offered, and is kept.

#![no_main]

#[path = "../bodies/websocket_extension.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::run(data);
});
