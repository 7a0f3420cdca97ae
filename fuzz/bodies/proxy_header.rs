//! What the fuzz target `proxy_header` does with one input; the tests run it too.
//!
//! The input is what a connection begins with. However it is cut, the same header is read from it,
//! and nothing behind it is asked for.

use fanfare_protocol::proxy::{HEADER_BYTES_MAX, NotAHeader, Progress, Source, read_header};

/// Panics if the decoder breaks a promise.
pub(crate) fn run(data: &[u8]) -> Option<Result<Source, NotAHeader>> {
    let mut read = Vec::new();
    loop {
        assert!(read.len() <= HEADER_BYTES_MAX);
        let wanted = match read_header(&read) {
            Ok(Progress::Whole(source)) => return Some(Ok(source)),
            Ok(Progress::Needs(wanted)) => wanted,
            Err(error) => return Some(Err(error)),
        };
        assert!(wanted > 0);
        // A byte at a time, so that a header is looked at in every state.
        read.push(*data.get(read.len())?);
    }
}
