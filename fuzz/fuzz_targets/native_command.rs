//! Frames of `fanfare.v1`: whatever comes gets a reply.

#![no_main]

#[path = "../bodies/native_command.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::run(data);
});
