//! What the fuzz target `websocket_decode` does with one input; the tests run it too.
//!
//! The input's first byte says which end we are and how many chunk sizes follow, the second the
//! limit; the rest is the stream. It is decoded at once and in chunks, which must agree; nothing
//! may be held beyond what was received; and what was heard must survive being sent again.

use fanfare_protocol::websocket::{Decoder, Event, Frame, Role, Violation, append_frame};

/// What came of one input.
pub(crate) struct Seen {
    pub(crate) events: usize,
    pub(crate) violation: Option<Violation>,
}

/// Panics if the decoder breaks a promise.
pub(crate) fn run(data: &[u8]) -> Seen {
    let nothing = Seen { events: 0, violation: None };
    let Some((&[first, limit], rest)) = data.split_first_chunk::<2>() else {
        return nothing;
    };
    let Some((sizes, stream)) = rest.split_at_checked(usize::from(first >> 4)) else {
        return nothing;
    };
    let role = if first & 1 == 0 { Role::Server } else { Role::Client };
    let payload_bytes_max = u32::from(limit) * 16;

    let mut whole = Decoder::new(role, payload_bytes_max);
    let (events, violation) = decode(&mut whole, stream, &[]);
    let mut chunked = Decoder::new(role, payload_bytes_max);
    let again = decode(&mut chunked, stream, sizes);
    assert_eq!((&events, &violation), (&again.0, &again.1), "cutting changed the meaning");
    assert_eq!(whole.is_at_frame_boundary(), chunked.is_at_frame_boundary());
    resend(&events);
    Seen { events: events.len(), violation }
}

fn decode(decoder: &mut Decoder, stream: &[u8], sizes: &[u8]) -> (Vec<Event>, Option<Violation>) {
    let mut events = Vec::new();
    let mut sizes = sizes.iter().map(|size| usize::from(*size).max(1)).cycle();
    let mut rest = stream;
    while !rest.is_empty() {
        let size = sizes.next().unwrap_or(rest.len()).min(rest.len());
        let (mut input, after) = rest.split_at(size);
        rest = after;
        loop {
            match decoder.decode(&mut input) {
                Ok(Some(event)) => events.push(event),
                Ok(None) => break,
                Err(violation) => return (events, Some(violation)),
            }
        }
        assert!(input.is_empty(), "asking for more left bytes behind");
        let received = stream.len() - rest.len();
        assert!(decoder.pinned_bytes() <= 2 * received + 256, "more is held than was received");
    }
    (events, None)
}

fn resend(events: &[Event]) {
    let mut stream = Vec::new();
    for (count, event) in (0_u32..).zip(events) {
        let frame = match event {
            Event::Message { kind, data } => Frame::Message { kind: *kind, payload: data },
            Event::Deflated { .. } => unreachable!("nothing was agreed on"),
            Event::Ping(data) => Frame::Ping(data),
            Event::Pong(data) => Frame::Pong(data),
            Event::Close { code, reason } => Frame::Close(code.map(|code| (code, &reason[..]))),
        };
        append_frame(&mut stream, &frame, Some(count.wrapping_mul(0x9E37_79B9).to_le_bytes()));
    }
    let heard = decode(&mut Decoder::new(Role::Server, u32::MAX), &stream, &[]);
    assert_eq!(heard, (events.to_vec(), None), "what was heard does not survive being sent");
}
