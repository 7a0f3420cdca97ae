//! Request heads and bodies: whatever comes is routed within bounds or refused in JSON.

#![no_main]

#[path = "../bodies/native_request.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::run(data);
});
