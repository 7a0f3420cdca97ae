//! Text in pieces: every character that exists only just, and every sequence that only just does
//! not, cut at every byte. A text would be refused, or garbage published, if one failed.

use super::super::{Decoder, Event, MessageKind, Role, Violation};
use super::{MASK, PAYLOAD_BYTES_MAX, decode_chunked, decode_into, decode_whole, raw_frame};

/// The first and last of each length, and those beside what is excluded.
const VALID: &[&str] = &[
    "",
    "\0",
    "\u{7F}",
    "\u{80}",
    "\u{7FF}",
    "\u{800}",
    "\u{FFF}",
    "\u{1000}",
    "\u{D7FF}",
    "\u{E000}",
    "\u{FEFF}",
    "\u{FFFD}",
    "\u{FFFE}",
    "\u{FFFF}",
    "\u{10000}",
    "\u{3FFFF}",
    "\u{40000}",
    "\u{FFFFF}",
    "\u{100000}",
    "\u{10FFFF}",
    "κόσμε",
    "👩‍👩‍👧‍👧 ẞ 日本",
];

/// Each with the place of the first byte that no text can have there.
const INVALID: &[(&[u8], usize)] = &[
    (b"\x80", 0),
    (b"\xBF", 0),
    (b"\xC0\x80", 0),
    (b"\xC1\xBF", 0),
    (b"\xC2\x41", 1),
    (b"\xC2\xC2", 1),
    (b"\xDF\xC0", 1),
    (b"\xE0\x80\x80", 1),
    (b"\xE0\x9F\xBF", 1),
    (b"\xE0\xA0\x41", 2),
    (b"\xE1\x80\xC0", 2),
    (b"\xED\xA0\x80", 1),
    (b"\xED\xBF\xBF", 1),
    (b"\xEF\xBF\x7F", 2),
    (b"\xF0\x80\x80\x80", 1),
    (b"\xF0\x8F\xBF\xBF", 1),
    (b"\xF0\x90\x41", 2),
    (b"\xF0\x90\x80\x41", 3),
    (b"\xF4\x8F\xBF\xC0", 3),
    (b"\xF4\x90\x80\x80", 1),
    (b"\xF5\x80\x80\x80", 0),
    (b"\xF8\x88\x80\x80\x80", 0),
    (b"\xFC\x84\x80\x80\x80\x80", 0),
    (b"\xFE", 0),
    (b"\xFF", 0),
];

#[test]
fn characters_survive_any_cut() {
    for text in VALID {
        let text = format!("<{text}>");
        for stream in cuts(text.as_bytes()) {
            for sizes in [&[usize::MAX][..], &[1], &[3]] {
                let mut decoder = Decoder::new(Role::Server, PAYLOAD_BYTES_MAX);
                let (mut events, violation) = decode_chunked(&mut decoder, &stream, sizes);
                assert_eq!(violation, None, "{text:?}");
                events.retain(|event| *event != Event::Ping("p".into()));
                let data = text.clone().into();
                assert_eq!(events, [Event::Message { kind: MessageKind::Text, data }]);
            }
        }
    }
}

#[test]
fn what_is_no_character_is_refused_however_it_is_cut() {
    for (bytes, _) in INVALID {
        let text = [b"<", *bytes, b">"].concat();
        for stream in cuts(&text) {
            for sizes in [&[usize::MAX][..], &[1], &[3]] {
                let mut decoder = Decoder::new(Role::Server, PAYLOAD_BYTES_MAX);
                let (events, violation) = decode_chunked(&mut decoder, &stream, sizes);
                assert_eq!(violation, Some(Violation::TextNotUtf8), "{bytes:x?}");
                assert!(events.iter().all(|event| *event == Event::Ping("p".into())));
            }
        }
    }
}

#[test]
fn a_text_that_stops_within_a_character_is_refused_at_its_end() {
    for text in VALID.iter().filter(|text| !text.is_empty()) {
        let last = text.chars().next_back().unwrap().len_utf8();
        for missing in 1..last {
            let text = &text.as_bytes()[..text.len() - missing];
            for stream in cuts(text) {
                let (_, violation) = decode_whole(Role::Server, &stream);
                assert_eq!(violation, Some(Violation::TextNotUtf8), "{text:x?}");
            }
        }
    }
}

#[test]
fn the_first_impossible_byte_is_refused_before_the_frame_ends() {
    for (bytes, place) in INVALID {
        // A frame of 4 KiB whose rest never comes, and one that comes after a fragment.
        for first in [0x81, 0x80] {
            let mut decoder = Decoder::new(Role::Server, PAYLOAD_BYTES_MAX);
            let mut events = Vec::new();
            if first == 0x80 {
                let fragment = raw_frame(0x01, "ü".as_bytes(), Some(MASK));
                decode_into(&mut decoder, &fragment, &mut events).unwrap();
            }
            let payload = [*bytes, &[b'x'; 4096]].concat();
            let frame = raw_frame(first, &payload, Some(MASK));
            let head = frame.len() - payload.len();
            for (index, byte) in frame.iter().enumerate() {
                let decoded = decode_into(&mut decoder, &[*byte], &mut events);
                if index == head + place {
                    assert_eq!(decoded, Err(Violation::TextNotUtf8), "{bytes:x?}");
                    break;
                }
                assert_eq!(decoded, Ok(()), "{bytes:x?} at {index}");
            }
        }
    }
}

/// The text as one frame, as two fragments cut at every byte, and with every byte its own
/// fragment between empty ones and pings.
fn cuts(text: &[u8]) -> Vec<Vec<u8>> {
    let mut streams = vec![raw_frame(0x81, text, Some(MASK))];
    for cut in 0..=text.len() {
        let (head, tail) = text.split_at(cut);
        streams
            .push([raw_frame(0x01, head, Some(MASK)), raw_frame(0x80, tail, Some(MASK))].concat());
    }
    let mut stream = raw_frame(0x01, b"", Some(MASK));
    for byte in text {
        stream.extend(raw_frame(0x89, b"p", Some(MASK)));
        stream.extend(raw_frame(0x00, &[*byte], Some(MASK)));
        stream.extend(raw_frame(0x00, b"", Some(MASK)));
    }
    stream.extend(raw_frame(0x80, b"", Some(MASK)));
    streams.push(stream);
    streams
}
