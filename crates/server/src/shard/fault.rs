//! Faults on demand, in builds with the feature `fault-injection` only: payloads that make the
//! code they pass through panic, so that a test can see what a panic ends.

use fanfare_core::frame::{Format, Frame};
use fanfare_core::position::Offset;
use fanfare_core::publication::Publication;

use crate::coding;

/// Bytes that break the codec of the connection they come from.
pub(crate) const CODEC: &[u8] = b"fanfare-fault:codec";

/// A payload with these bytes breaks the feed that it is encoded for.
pub(crate) const FEED: &[u8] = b"fanfare-fault:feed";

/// Panics if these bytes, just received, say so.
pub(super) fn strike_codec(received: &[u8]) {
    strike(received, CODEC);
}

/// The native encoder, which breaks on demand.
pub(crate) fn encode(publication: &Publication, prev: Offset, format: Format) -> Frame {
    strike(publication.content.data.bytes(), FEED);
    coding::encode(publication, prev, format)
}

#[expect(clippy::panic, reason = "to panic is what this is for")]
fn strike(bytes: &[u8], mark: &[u8]) {
    if bytes.windows(mark.len()).any(|window| window == mark) {
        panic!("a fault was asked for");
    }
}
