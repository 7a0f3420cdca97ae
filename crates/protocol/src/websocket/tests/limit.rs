//! What a hostile peer can make the decoder hold: bytes it has sent, and no more.

use super::super::decoder::Event;
use super::super::{Decoder, MessageKind, Role, Violation};
use super::{MASK, PAYLOAD_BYTES_MAX, decode_into, raw_frame};

/// The state of an open frame, without what it has received.
const STATE_BYTES_MAX: usize = 256;

#[test]
fn an_idle_decoder_is_16_bytes_and_holds_nothing() {
    assert_eq!(size_of::<Decoder>(), 16);
    let mut decoder = Decoder::new(Role::Server, PAYLOAD_BYTES_MAX);
    assert_eq!(decoder.pinned_bytes(), 0);
    let frame = raw_frame(0x82, &[7; 1000], Some(MASK));
    for cut in 0..=frame.len() {
        let (first, second) = frame.split_at(cut);
        let mut events = Vec::new();
        decode_into(&mut decoder, first, &mut events).unwrap();
        assert_eq!(decoder.is_at_frame_boundary(), cut == 0 || cut == frame.len());
        decode_into(&mut decoder, second, &mut events).unwrap();
        assert_eq!(events.len(), 1);
        assert_eq!(decoder.pinned_bytes(), 0, "cut at {cut}");
    }
}

#[test]
fn a_length_that_was_only_announced_reserves_nothing() {
    let mut decoder = Decoder::new(Role::Server, u32::MAX);
    // 4 GiB less a byte are announced and allowed; two bytes of them arrive.
    let mut input = &[0x82, 0xFF, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 1, 2][..];
    assert_eq!(decoder.decode(&mut input), Ok(None));
    assert!(decoder.pinned_bytes() < STATE_BYTES_MAX, "{}", decoder.pinned_bytes());
    assert!(!decoder.is_at_frame_boundary());
}

#[test]
fn a_message_beyond_the_limit_is_refused_before_its_first_byte() {
    let too_big = Err(Violation::MessageTooBig { payload_bytes_max: 10 });
    let frame = raw_frame(0x82, &[0; 11], Some(MASK));
    let mut input = &frame[..6];
    assert_eq!(Decoder::new(Role::Server, 10).decode(&mut input), too_big);

    let mut decoder = Decoder::new(Role::Server, 10);
    let mut input = &raw_frame(0x02, &[0; 10], Some(MASK))[..];
    assert_eq!(decoder.decode(&mut input), Ok(None), "exactly the limit is allowed");
    let mut input = &raw_frame(0x00, &[], Some(MASK))[..];
    assert_eq!(decoder.decode(&mut input), Ok(None));
    let mut input = &raw_frame(0x80, &[0], Some(MASK))[..6];
    assert_eq!(decoder.decode(&mut input), too_big);
    assert_eq!(decoder.pinned_bytes(), 0, "what was held is freed");
}

#[test]
fn control_frames_have_their_own_limit() {
    let mut events = Vec::new();
    let ping = raw_frame(0x89, &[1; 125], Some(MASK));
    let mut decoder = Decoder::new(Role::Server, 0);
    decode_into(&mut decoder, &ping, &mut events).unwrap();
    decode_into(&mut decoder, &raw_frame(0x82, &[], Some(MASK)), &mut events).unwrap();
    assert_eq!(events.len(), 2);
}

#[test]
fn what_is_held_is_at_most_twice_what_was_received() {
    let frame = raw_frame(0x81, &[b'x'; 100_000], Some(MASK));
    for step in [1, 7, 4096, 60_000] {
        let mut decoder = Decoder::new(Role::Server, PAYLOAD_BYTES_MAX);
        let mut received = 0;
        for chunk in frame.chunks(step) {
            let mut input = chunk;
            let event = decoder.decode(&mut input).unwrap();
            received += chunk.len();
            assert!(decoder.pinned_bytes() <= 2 * received + STATE_BYTES_MAX);
            assert_eq!(event.is_some(), received == frame.len());
        }
    }
}

#[test]
fn a_million_empty_fragments_cost_nothing() {
    let mut decoder = Decoder::new(Role::Server, PAYLOAD_BYTES_MAX);
    let mut events = Vec::new();
    decode_into(&mut decoder, &raw_frame(0x01, b"", Some(MASK)), &mut events).unwrap();
    let thousand = raw_frame(0x00, b"", Some(MASK)).repeat(1000);
    for _ in 0..1000 {
        decode_into(&mut decoder, &thousand, &mut events).unwrap();
        assert!(decoder.pinned_bytes() < STATE_BYTES_MAX);
        assert!(decoder.is_at_frame_boundary());
    }
    decode_into(&mut decoder, &raw_frame(0x80, b"end", Some(MASK)), &mut events).unwrap();
    assert_eq!(events, [Event::Message { kind: MessageKind::Text, data: "end".into() }]);
}

#[test]
fn a_million_fragments_of_a_byte_grow_the_buffer_a_few_times_only() {
    let mut decoder = Decoder::new(Role::Server, PAYLOAD_BYTES_MAX);
    let mut events = Vec::new();
    decode_into(&mut decoder, &raw_frame(0x02, b"", Some(MASK)), &mut events).unwrap();
    let fragment = raw_frame(0x00, b"x", Some(MASK));
    let (mut growths, mut pinned) = (0, 0);
    for received in 1..=1_000_000 {
        decode_into(&mut decoder, &fragment, &mut events).unwrap();
        growths += usize::from(std::mem::replace(&mut pinned, decoder.pinned_bytes()) != pinned);
        assert!(pinned <= 2 * received + STATE_BYTES_MAX);
    }
    // Each growth copies everything: doubling makes that linear in all.
    assert!(growths <= 22, "{growths} growths");
    decode_into(&mut decoder, &raw_frame(0x80, b"", Some(MASK)), &mut events).unwrap();
    let [Event::Message { data, .. }] = &events[..] else { panic!("one message") };
    assert_eq!(data.len(), 1_000_000);
}

#[test]
fn a_million_pings_inside_a_message_hold_nothing() {
    let mut decoder = Decoder::new(Role::Server, PAYLOAD_BYTES_MAX);
    let mut events = Vec::new();
    decode_into(&mut decoder, &raw_frame(0x02, b"x", Some(MASK)), &mut events).unwrap();
    let thousand = raw_frame(0x89, b"ping", Some(MASK)).repeat(1000);
    for _ in 0..1000 {
        events.clear();
        decode_into(&mut decoder, &thousand, &mut events).unwrap();
        assert_eq!(events.len(), 1000);
        assert!(decoder.pinned_bytes() < STATE_BYTES_MAX);
    }
}
