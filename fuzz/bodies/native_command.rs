//! What the fuzz target `native_command` does with one input; the tests run it too.
//!
//! The input is a text frame of `fanfare.v1`. Whatever is refused gets a reply that is JSON.

use fanfare_protocol::native::route::Rules;
use fanfare_protocol::native::v1::{Ask, Speaker, append_error, append_ponged, parse};

/// What came of one input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Read,
    Refused,
}

/// Panics if the decoder breaks a promise.
pub(crate) fn run(data: &[u8]) -> Seen {
    let text = String::from_utf8_lossy(data);
    let rules = Rules { payload_bytes_max: 64, ..Rules::default() };
    let mut reply = Vec::new();
    let seen = match parse(&text, Speaker::default(), &rules, 1_700_000_000_000) {
        Ok(command) => {
            if let Ask::Publish(_, draft) = &command.ask
                && let Some(content) = &draft.content
            {
                assert!(content.data.bytes().len() <= rules.payload_bytes_max);
            }
            append_ponged(&mut reply, &command.id);
            Seen::Read
        }
        Err(bad) => {
            append_error(&mut reply, bad.id.as_ref(), &bad.problem);
            Seen::Refused
        }
    };
    assert!(serde_json::from_slice::<serde_json::Value>(&reply).is_ok());
    seen
}
