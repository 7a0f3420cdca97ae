//! Deflated messages: the examples of RFC 7692, what others make of what we send and we of what they
//! send, and what a hostile peer gets us to do.

use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec;
use proptest::collection::vec;
use proptest::prelude::*;

use super::super::{
    DEFLATED_BYTES_MIN, Decoder, Event, Frame, Inflater, MessageKind, Role, Violation,
    append_frame, deflate_frame, encode_frame,
};
use super::property::chunk_sizes;
use super::{MASK, PAYLOAD_BYTES_MAX, decode_chunked, raw_frame};
use crate::deflate::{Deflater, FLUSHED};

/// What a server hears: its messages inflated as they come.
fn hear(stream: &[u8], sizes: &[usize], bytes_max: u32) -> Result<Vec<Event>, Violation> {
    let mut decoder = Decoder::new(Role::Server, bytes_max).with_deflate();
    let (events, violation) = decode_chunked(&mut decoder, stream, sizes);
    assert!(violation.is_none() || decoder.pinned_bytes() == 0, "what was held is freed");
    let mut inflater = Inflater::new();
    let mut heard = Vec::new();
    for event in events {
        heard.push(match event {
            Event::Deflated { kind, data } => {
                let data = decoder.inflate(&mut inflater, kind, &data)?;
                Event::Message { kind, data }
            }
            other => other,
        });
    }
    violation.map_or(Ok(heard), Err)
}

fn text(data: &str) -> Event {
    Event::Message { kind: MessageKind::Text, data: data.to_owned().into() }
}

/// A deflated text message of a client, in one frame.
fn message(deflated: &[u8]) -> Vec<u8> {
    raw_frame(0xc1, deflated, Some(MASK))
}

/// What a compressor of somebody else's makes of a message, as RFC 7692 has it sent: its only block
/// is marked as the last, and a zero byte follows (section 7.2.3.4).
fn theirs(plain: &[u8], level: u8) -> Vec<u8> {
    let mut deflated = compress_to_vec(plain, level);
    deflated.push(0);
    deflated
}

#[test]
fn the_examples_of_the_rfc() {
    let hello: [&[u8]; 5] = [
        &[0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
        // A block that is not compressed.
        &[0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
        // A block marked as the last.
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
        // Two blocks.
        &[0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
        // Marked as the last, and nothing behind it: what nobody who knows this case sends.
        &[0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
    ];
    for deflated in hello {
        for sizes in [&[usize::MAX][..], &[1]] {
            let heard = hear(&message(deflated), sizes, 5);
            assert_eq!(heard, Ok(vec![text("Hello")]), "{deflated:x?}");
        }
    }
    // In two fragments, a ping between them.
    let stream = [
        raw_frame(0x41, &[0xf2, 0x48, 0xcd], Some(MASK)),
        raw_frame(0x89, b"x", Some(MASK)),
        raw_frame(0x80, &[0xc9, 0xc9, 0x07, 0x00], Some(MASK)),
    ];
    let heard = hear(&stream.concat(), &[1], 5);
    assert_eq!(heard, Ok(vec![Event::Ping("x".into()), text("Hello")]));
    assert_eq!(hear(&message(&[0]), &[1], 5), Ok(vec![text("")]), "an empty message");
    // "Hello" again, by reference to the message before: what a client has agreed not to do.
    let refers = [message(hello[0]), message(&[0xf2, 0x00, 0x11, 0x00, 0x00])].concat();
    assert_eq!(hear(&refers, &[1], 5), Err(Violation::DeflateInvalid));
}

#[test]
fn a_message_may_come_as_it_is() {
    let stream = [raw_frame(0x81, b"plain", Some(MASK)), message(&theirs(b"packed", 6))].concat();
    assert_eq!(hear(&stream, &[1], 6), Ok(vec![text("plain"), text("packed")]));
}

#[test]
fn the_bit_belongs_to_the_first_frame_of_a_message() {
    for (name, stream, violation) in [
        ("a ping", &[0xc9][..], Violation::DeflatedBit),
        ("a close", &[0xc8], Violation::DeflatedBit),
        ("a continuation", &[0x01, 0x80, 0, 0, 0, 0, 0xc0], Violation::DeflatedBit),
        ("RSV2", &[0xa1], Violation::ReservedBits),
        ("RSV1 and RSV3", &[0xd1], Violation::ReservedBits),
    ] {
        assert_eq!(hear(stream, &[1], 100), Err(violation), "{name}");
        assert_eq!(violation.close_code().number(), 1002);
    }
    let mut decoder = Decoder::new(Role::Server, 100);
    let refused = decoder.decode(&mut &message(&[0])[..]);
    assert_eq!(refused, Err(Violation::ReservedBits), "where nothing was agreed");
}

#[test]
fn what_is_no_deflate_is_refused() {
    let whole = theirs(&[b'x'; 1000], 6);
    let mut flushed = Vec::new();
    Deflater::new().append(&mut flushed, b"a message that is cut somewhere").unwrap();
    let whole_flushed = flushed.len() - FLUSHED.len();
    let mut rows: Vec<Vec<u8>> = vec![
        vec![],
        vec![0xff],
        vec![0x07],
        b"not deflate at all".to_vec(),
        // A block marked as the last and rubbish behind it.
        [&whole[..], &[0xff; 3]].concat(),
    ];
    rows.extend((1..whole_flushed).map(|cut| flushed[..cut].to_vec()));
    for deflated in rows {
        let heard = hear(&message(&deflated), &[usize::MAX], 10_000);
        assert_eq!(heard, Err(Violation::DeflateInvalid), "{deflated:x?}");
    }
    assert_eq!(Violation::DeflateInvalid.close_code().number(), 1007);
    let heard = hear(&message(&flushed[..whole_flushed]), &[1], 10_000);
    assert_eq!(heard, Ok(vec![text("a message that is cut somewhere")]));
}

#[test]
fn inflated_text_has_to_be_text() {
    let deflated = theirs(b"A\xe2\x82", 6);
    assert_eq!(hear(&message(&deflated), &[1], 10), Err(Violation::TextNotUtf8));
    let binary = raw_frame(0xc2, &deflated, Some(MASK));
    assert_eq!(hear(&binary, &[1], 10).unwrap().len(), 1);
}

#[test]
fn the_limit_is_one_on_what_comes_out() {
    for (numbers, level) in [(2_000, 6), (2_000, 0), (20_000, 6), (20_000, 0)] {
        let plain: String = (0..numbers).map(|number| format!("{number},")).collect();
        let deflated = message(&theirs(plain.as_bytes(), level));
        let limit = u32::try_from(plain.len()).unwrap();
        assert!(hear(&deflated, &[7_000], limit) == Ok(vec![text(&plain)]), "{numbers} just fit");
        let refused = hear(&deflated, &[7_000], limit - 1);
        assert_eq!(refused, Err(Violation::MessageTooBig { payload_bytes_max: limit - 1 }));
    }
}

#[test]
fn what_cannot_be_inflated_within_the_limit_is_refused_on_its_head() {
    let frame = raw_frame(0xc2, &[0; 2_000], Some(MASK));
    let mut decoder = Decoder::new(Role::Server, 1_000).with_deflate();
    let refused = decoder.decode(&mut &frame[..8]);
    assert_eq!(refused, Err(Violation::MessageTooBig { payload_bytes_max: 1_000 }));
    // In fragments: what has come counts.
    let mut decoder = Decoder::new(Role::Server, 1_000).with_deflate();
    let first = raw_frame(0x42, &[0; 1_000], Some(MASK));
    assert_eq!(decoder.decode(&mut &first[..]), Ok(None));
    let refused = decoder.decode(&mut &raw_frame(0x80, &[0; 190], Some(MASK))[..8]);
    assert_eq!(refused, Err(Violation::MessageTooBig { payload_bytes_max: 1_000 }));
    assert_eq!(decoder.pinned_bytes(), 0);
}

#[test]
fn a_bomb_is_defused() {
    // A million zeros in a kilobyte: within every limit but that on the ratio.
    let bomb = theirs(&vec![0; 1_000_000], 9);
    assert!(bomb.len() < 1_100);
    let bomb = raw_frame(0xc2, &bomb, Some(MASK));
    let refused = hear(&bomb, &[usize::MAX], PAYLOAD_BYTES_MAX);
    assert_eq!(refused, Err(Violation::DeflateRatio { ratio_max: 200 }));
    assert_eq!(Violation::DeflateRatio { ratio_max: 200 }.close_code().number(), 1009);
    // Small ones may be as dull as they like.
    let dull = raw_frame(0xc2, &theirs(&vec![0; 65_000], 9), Some(MASK));
    assert_eq!(hear(&dull, &[usize::MAX], PAYLOAD_BYTES_MAX).unwrap().len(), 1);
    // A thousand blocks, each marked as the last, cost a message's worth of work and no more.
    let many = raw_frame(0xc2, &[0x03, 0x00].repeat(1_000), Some(MASK));
    assert_eq!(hear(&many, &[usize::MAX], 10_000), Err(Violation::DeflateInvalid));
    let few = raw_frame(0xc2, &[0x03, 0x00].repeat(60), Some(MASK));
    assert_eq!(hear(&few, &[usize::MAX], 10_000).unwrap().len(), 1);
}

#[test]
fn short_messages_and_those_that_stay_as_long_are_sent_as_they_are() {
    let mut deflater = Deflater::new();
    let frame = |payload: &[u8]| encode_frame(&Frame::Message { kind: MessageKind::Text, payload });
    let dull = vec![b'x'; 70_000];
    for bytes in [0, 1, 125, 126, DEFLATED_BYTES_MIN - 1] {
        assert_eq!(deflate_frame(&mut deflater, &frame(&dull[..bytes])), None, "{bytes}");
    }
    for bytes in [DEFLATED_BYTES_MIN, 1_000, 65_536, 70_000] {
        let plain = frame(&dull[..bytes]);
        let deflated = deflate_frame(&mut deflater, &plain).unwrap();
        assert!(deflated.len() < plain.len() / 3, "{bytes}");
        assert_eq!(deflated[0], 0xc1, "whole, deflated, text");
    }
    // What has no pattern.
    let mut state = 7_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(5_000)
    .collect();
    assert_eq!(deflate_frame(&mut deflater, &frame(&noise)), None);
    let ping = encode_frame(&Frame::Ping(&[0; 125]));
    assert_eq!(deflate_frame(&mut deflater, &ping), None, "control frames never");
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        vec(any::<u8>(), 0..2_000),
        vec(0_u8..4, 0..5_000),
        ("[a-z {}\":,0-9]{1,60}", 1_usize..300).prop_map(|(text, times)| text.repeat(times).into()),
        (60_000_usize..70_000, any::<u8>()).prop_map(|(bytes, byte)| vec![byte; bytes]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn others_read_what_we_send(payloads in vec(payload(), 1..4)) {
        let mut deflater = Deflater::new();
        for payload in payloads {
            let message = Frame::Message { kind: MessageKind::Binary, payload: &payload };
            let plain = encode_frame(&message);
            let Some(deflated) = deflate_frame(&mut deflater, &plain) else { continue };
            prop_assert!(deflated.len() < plain.len());
            let mut decoder = Decoder::new(Role::Client, u32::MAX).with_deflate();
            let Ok(Some(Event::Deflated { data, .. })) = decoder.decode(&mut &deflated[..]) else {
                panic!("no deflated message");
            };
            // What a receiver adds, and a last block, because this one reads whole streams.
            let stream = [&data[..], &FLUSHED, &[3, 0]].concat();
            prop_assert!(decompress_to_vec(&stream).unwrap() == payload);
            let ours = decoder.inflate(&mut Inflater::new(), MessageKind::Binary, &data);
            prop_assume!(payload.len() < 60_000);
            prop_assert!(ours.unwrap() == payload);
        }
    }

    #[test]
    fn we_read_what_others_send(
        sent in vec((payload(), 0_u8..10, vec(0_usize..3_000, 0..5)), 1..4),
        sizes in chunk_sizes(),
    ) {
        let (mut stream, mut events) = (Vec::new(), Vec::new());
        for (payload, level, fragments) in sent {
            let deflated = theirs(&payload, level);
            let (mut rest, mut first) = (&deflated[..], 0x42);
            for size in fragments {
                let (fragment, after) = rest.split_at(size.min(rest.len()));
                stream.extend(raw_frame(first, fragment, Some(MASK)));
                append_frame(&mut stream, &Frame::Ping(b""), Some(MASK));
                events.push(Event::Ping("".into()));
                (rest, first) = (after, 0);
            }
            stream.extend(raw_frame(first | 0x80, rest, Some(MASK)));
            events.push(Event::Message { kind: MessageKind::Binary, data: payload.into() });
        }
        // Bytes that repeat for ever are a bomb to us.
        match hear(&stream, &sizes, PAYLOAD_BYTES_MAX) {
            Err(Violation::DeflateRatio { .. }) => {}
            heard => prop_assert!(heard == Ok(events)),
        }
    }

    #[test]
    fn no_bytes_at_all_do_harm(bytes in vec(any::<u8>(), 0..300), limit in 0_u32..3_000) {
        let binary = raw_frame(0xc2, &bytes, Some(MASK));
        let heard = hear(&binary, &[usize::MAX], limit);
        let theirs = decompress_to_vec(&[&bytes[..], &FLUSHED, &[3, 0]].concat());
        if let (Ok(events), Ok(theirs)) = (heard, theirs) {
            let [Event::Message { data, .. }] = &events[..] else { panic!("one message") };
            prop_assert!(data.len() <= limit as usize);
            prop_assert!(data.starts_with(&theirs), "blocks behind a last one are only ours");
        }
    }
}
