//! Frames to be sent, byte by byte, against RFC 6455 section 5 and a builder of the tests' own.

use super::super::{CloseCode, Frame, MessageKind, append_frame, cut_reason, encode_frame, header};
use super::{MASK, raw_frame};

#[test]
fn the_examples_of_the_rfc() {
    let hello = Frame::Message { kind: MessageKind::Text, payload: b"Hello" };
    assert_eq!(encode_frame(&hello)[..], *b"\x81\x05Hello");
    let mut masked = Vec::new();
    append_frame(&mut masked, &hello, Some(MASK));
    assert_eq!(masked, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
    assert_eq!(encode_frame(&Frame::Ping(b"Hello"))[..], *b"\x89\x05Hello");
    assert_eq!(encode_frame(&Frame::Pong(b"Hello"))[..], *b"\x8a\x05Hello");
    assert_eq!(encode_frame(&Frame::Close(None))[..], *b"\x88\x00");
    let close = Frame::Close(Some((CloseCode::TRY_AGAIN_LATER, "slow")));
    assert_eq!(encode_frame(&close)[..], *b"\x88\x06\x03\xf5slow");
    assert_eq!(header(MessageKind::Binary, 256).as_ref(), b"\x82\x7e\x01\x00");
    assert_eq!(header(MessageKind::Binary, 65536).as_ref(), b"\x82\x7f\0\0\0\0\0\x01\0\0");
    assert_eq!(header(MessageKind::Text, usize::MAX).as_ref()[2..], [0xFF; 8]);
}

#[test]
fn every_form_of_length_masked_and_not() {
    for length in [0, 1, 7, 8, 9, 125, 126, 127, 65_535, 65_536, 100_001] {
        let payload = (0..=250).cycle().take(length).collect::<Vec<u8>>();
        for (kind, first) in [(MessageKind::Text, 0x81), (MessageKind::Binary, 0x82)] {
            let frame = Frame::Message { kind, payload: &payload };
            let encoded = encode_frame(&frame);
            assert_eq!(encoded, raw_frame(first, &payload, None));
            assert_eq!(encoded[..], [header(kind, length).as_ref(), &payload].concat());
            let mut out = b"before".to_vec();
            append_frame(&mut out, &frame, Some(MASK));
            assert_eq!(out, [b"before", &raw_frame(first, &payload, Some(MASK))[..]].concat());
        }
    }
}

#[test]
fn a_control_frame_never_exceeds_125_bytes() {
    let long = [b'x'; 300];
    assert_eq!(encode_frame(&Frame::Ping(&long)), raw_frame(0x89, &long[..125], None));
    assert_eq!(encode_frame(&Frame::Pong(&long)), raw_frame(0x8A, &long[..125], None));
    let reason = "x".repeat(300);
    let close = encode_frame(&Frame::Close(Some((CloseCode::NORMAL, &reason))));
    assert_eq!(close, raw_frame(0x88, &[b"\x03\xe8", &long[..123]].concat(), None));
}

#[test]
fn a_reason_is_cut_between_characters() {
    for (reason, kept) in [
        (String::new(), 0),
        ("x".repeat(123), 123),
        ("x".repeat(124), 123),
        (format!("{}é", "x".repeat(121)), 123),
        (format!("{}é", "x".repeat(122)), 122),
        (format!("{}🎺", "x".repeat(119)), 123),
        (format!("{}🎺", "x".repeat(120)), 120),
        (format!("{}🎺", "x".repeat(122)), 122),
    ] {
        assert_eq!(cut_reason(&reason), &reason[..kept]);
    }
}

#[test]
fn close_codes_that_may_be_sent() {
    for number in 0..=u16::MAX {
        let may = matches!(number, 1000..=1003 | 1007..=1014 | 3000..=4999);
        assert_eq!(CloseCode::new(number).map(CloseCode::number), may.then_some(number));
    }
}
