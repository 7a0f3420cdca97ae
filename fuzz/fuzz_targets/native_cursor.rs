//! Cursors, positions and `since`: what is read has one text.

#![no_main]

#[path = "../bodies/native_cursor.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    body::run(data);
});
