//! What the fuzz target `websocket_extension` does with one input; the tests run it too.
//!
//! The input is the value of a `Sec-WebSocket-Extensions`. What is accepted must stand in it as an
//! offer, must be accepted as well when it is all that is offered, and must promise what the shared
//! bytes keep.

use fanfare_protocol::websocket::{DeflateAnswer, accept_deflate};

/// Panics if an answer breaks a promise.
pub(crate) fn run(data: &[u8]) -> Option<DeflateAnswer> {
    let answer = accept_deflate(data)?;
    let text = String::from_utf8_lossy(data);
    let fits = |offer: &str| {
        offer.trim().starts_with("permessage-deflate")
            && accept_deflate(offer.as_bytes()) == Some(answer)
    };
    // No offer that is accepted has a comma in it: quotes are for numbers.
    assert!(text.split(',').any(fits), "{text:?}");
    let header = answer.header();
    assert!(header.contains("server_no_context_takeover; client_no_context_takeover"));
    assert_eq!(header.contains("server_max_window_bits=15"), answer == DeflateAnswer::WindowNamed);
    assert!(answer == DeflateAnswer::Plain || text.contains("15"));
    Some(answer)
}
