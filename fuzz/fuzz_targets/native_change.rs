//! Bodies that change a live stream.

#![no_main]

#[path = "../bodies/native_change.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::run(data);
});
