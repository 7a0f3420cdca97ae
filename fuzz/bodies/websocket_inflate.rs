//! What the fuzz target `websocket_inflate` does with one input; the tests run it too.
//!
//! The input's first two bytes are the limit, the third says whether the message is text; the rest is a
//! deflated message of a client. What comes of it must keep to the limit, must be the same after
//! whatever the inflater saw before, and must survive being deflated and sent.

use fanfare_protocol::deflate::Deflater;
use fanfare_protocol::websocket::{
    Decoder, Event, Frame, Inflater, MessageKind, Role, Violation, deflate_frame, encode_frame,
};

/// What came of one input.
pub(crate) enum Seen {
    Inflated,
    /// So large that it was sent deflated again.
    Resent,
    Refused,
}

/// Panics if the inflater breaks a promise.
pub(crate) fn run(data: &[u8]) -> Seen {
    let (head, deflated) = data.split_at(data.len().min(3));
    let limit = head.first().map_or(0, |low| u32::from(*low));
    let limit = limit | head.get(1).map_or(0, |high| u32::from(*high)) << 8;
    let kind = match head.get(2) {
        Some(byte) if byte & 1 == 1 => MessageKind::Text,
        _ => MessageKind::Binary,
    };
    let decoder = Decoder::new(Role::Server, limit).with_deflate();
    let mut inflater = Inflater::new();
    let first = decoder.inflate(&mut inflater, kind, deflated);
    assert_eq!(first, decoder.inflate(&mut inflater, kind, deflated), "something was kept");
    let Ok(plain) = first else { return Seen::Refused };
    assert!(plain.len() <= limit as usize, "{} bytes of at most {limit}", plain.len());
    assert!(kind == MessageKind::Binary || str::from_utf8(&plain).is_ok());
    let frame = encode_frame(&Frame::Message { kind, payload: &plain });
    let Some(sent) = deflate_frame(&mut Deflater::new(), &frame) else {
        return Seen::Inflated;
    };
    assert!(sent.len() < frame.len());
    let mut client = Decoder::new(Role::Client, u32::MAX).with_deflate();
    let heard = client.decode(&mut &sent[..]);
    let Ok(Some(Event::Deflated { kind: heard, data })) = heard else {
        unreachable!("what was deflated is no deflated message: {heard:?}");
    };
    assert_eq!(heard, kind);
    // What repeats for ever is a bomb to us as well.
    match client.inflate(&mut inflater, kind, &data) {
        Ok(heard) => assert_eq!(heard, plain, "what was deflated means something else"),
        Err(violation) => assert!(matches!(violation, Violation::DeflateRatio { .. })),
    }
    Seen::Resent
}
