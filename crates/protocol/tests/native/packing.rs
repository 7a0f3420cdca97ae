//! Packed bodies against decoders of others: whatever the pieces are, each can be read as soon as it
//! has come, and all of them together are what was said.

use bytes::Bytes;
use fanfare_core::cursor::Cursor;
use fanfare_core::frame::{Coding, Format};
use fanfare_core::publication::{Content, Data, Publication};
use fanfare_protocol::deflate::Deflater;
use fanfare_protocol::native::chunk::Framing;
use fanfare_protocol::native::encode::{append_composed, append_frame, encode};
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::packing::{ContentCoding, Packing, Powers, pack};
use fanfare_protocol::native::reading::Transport;
use fanfare_protocol::native::route::{Compression, Route, Rules, route};
use proptest::collection::vec;
use proptest::prelude::*;
use zstd_safe::{CCtx, CParameter, compress_bound};

use crate::asking::{NOW, channel, entry, handshake, position};
use crate::unpacking::{inflated, trailer, unpacked};

/// What a stream says, one after the other.
#[derive(Debug, Clone)]
enum Piece {
    /// Something that is no publication.
    Words(String),
    /// A publication.
    Publication(String),
    /// A publication to a reader with a cursor of its own.
    Composed(String, Cursor),
}

/// As the server compresses.
fn compress(coding: Coding, plain: &[u8], out: &mut Vec<u8>) -> Option<()> {
    if coding == Coding::Gzip {
        return Deflater::new().append(out, plain);
    }
    let mut context = CCtx::create();
    context.set_parameter(CParameter::ContentSizeFlag(false)).unwrap();
    context.set_parameter(CParameter::WindowLog(17)).unwrap();
    let begin = out.len();
    out.resize(begin + compress_bound(plain.len()), 0);
    let written = context.compress2(&mut out[begin..], plain).unwrap();
    out.truncate(begin + written);
    Some(())
}

fn publication(text: &str) -> Publication {
    Publication {
        channel: channel("news"),
        position: Some(position(7)),
        prev: 6,
        time: NOW,
        expires_at: None,
        content: Content::plain(Data::Text(Bytes::copy_from_slice(text.as_bytes()))),
    }
}

/// The bodies of the pieces, packed and not, and where each ends.
fn bodies(
    pieces: &[Piece],
    plain: Format,
    coding: Coding,
    framing: Framing,
) -> (Vec<u8>, Vec<u8>, Vec<(usize, usize)>) {
    let format = plain.compressed(coding);
    let (mut packing, mut powers) = (Packing::of(format), Powers::default());
    let (mut packed, mut said, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    packing.begin(&mut packed);
    for piece in pieces {
        let (text, cursor) = match piece {
            Piece::Words(words) => {
                packing.append(&mut packed, words.as_bytes());
                said.extend_from_slice(words.as_bytes());
                ends.push((packed.len(), said.len()));
                continue;
            }
            Piece::Publication(text) => (text, None),
            Piece::Composed(text, cursor) => (text, Some(cursor)),
        };
        let frame = encode(&publication(text), 6, format);
        let shared = pack(&frame, coding, &mut |plain, out| compress(coding, plain, out));
        let mut sent = Vec::new();
        match cursor {
            Some(cursor) => {
                append_composed(&mut sent, &shared, format, cursor, framing);
                append_composed(&mut said, &frame, plain, cursor, Framing::Bare);
            }
            None => {
                append_frame(&mut sent, &shared, framing);
                append_frame(&mut said, &frame, Framing::Bare);
            }
        }
        packing.pass(&shared, &sent, framing, &mut powers);
        match framing {
            Framing::Bare => packed.extend_from_slice(&sent),
            Framing::Chunked => {
                let head = sent.iter().position(|byte| *byte == b'\n').unwrap();
                let size = std::str::from_utf8(&sent[..head - 1]).unwrap();
                let body = &sent[head + 1..sent.len() - 2];
                assert_eq!(usize::from_str_radix(size, 16).unwrap(), body.len());
                packed.extend_from_slice(body);
            }
        }
        ends.push((packed.len(), said.len()));
    }
    packing.finish(&mut packed);
    (packed, said, ends)
}

fn check_gzip(packed: &[u8], said: &[u8], ends: &[(usize, usize)]) {
    assert_eq!(packed[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]);
    for (end, length) in ends {
        let (heard, _) = inflated(&packed[10..*end], said.len());
        assert!(heard == said[..*length], "all that has come can be read");
    }
    let (heard, taken) = inflated(&packed[10..], said.len() + 1);
    assert!(heard == said);
    assert_eq!(packed[10 + taken..], trailer(said));
}

fn check_zstd(packed: &[u8], said: &[u8], ends: &[(usize, usize)]) {
    for (end, length) in ends {
        assert!(unpacked(&packed[..*end], said.len()) == said[..*length]);
    }
    assert_eq!(packed.len(), ends.last().map_or(0, |end| end.0), "nothing follows the last piece");
}

fn check(pieces: &[Piece], plain: Format) {
    for framing in [Framing::Chunked, Framing::Bare] {
        let (packed, said, ends) = bodies(pieces, plain, Coding::Gzip, framing);
        check_gzip(&packed, &said, &ends);
        let (packed, said, ends) = bodies(pieces, plain, Coding::Zstd, framing);
        check_zstd(&packed, &said, &ends);
    }
}

fn cursor(channels: usize) -> Cursor {
    let mut cursor = Cursor::new();
    for number in 0..channels {
        cursor.set(entry(&format!("channel-{number}"), 1 << (number % 50)));
    }
    cursor.set(entry("news", 7));
    cursor
}

#[test]
fn every_length_is_packed_and_read() {
    let text =
        |bytes: usize| "news of this and that, and of something else; ".repeat(bytes / 46 + 1);
    let noise = |bytes: usize| {
        let mut state = 1_u32;
        std::iter::repeat_with(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from(b' ' + (state >> 24 & 63) as u8)
        })
        .take(bytes)
        .collect::<String>()
    };
    for bytes in [0, 1, 50, 127, 128, 300, 5_000, 65_530, 65_536, 131_072, 400_000] {
        let pieces = [
            Piece::Publication(text(bytes)[..bytes].to_owned()),
            Piece::Words(": hb\n".to_owned()),
            Piece::Publication(noise(bytes)),
            Piece::Composed(noise(bytes), cursor(2)),
            Piece::Composed(text(bytes)[..bytes].to_owned(), cursor(63)),
            Piece::Words(text(bytes)[..bytes].to_owned()),
        ];
        check(&pieces, Format::Sse);
    }
}

#[test]
fn every_format_of_streams_is_packed() {
    for plain in
        [Format::Sse, Format::SseChannel, Format::SseEnvelope, Format::Ndjson, Format::Text]
    {
        let text = "a line that comes again and again, ".repeat(20);
        let pieces = [
            Piece::Words("first".to_owned()),
            Piece::Publication(text.clone()),
            Piece::Composed(text, cursor(63)),
            Piece::Words("last".to_owned()),
        ];
        check(&pieces, plain);
    }
}

#[test]
fn what_is_shared_gets_smaller_and_the_own_part_costs_four_bytes() {
    let text =
        "{\"symbol\":\"ACME\",\"price\":42.17,\"side\":\"buy\",\"venue\":\"XETR\"},".repeat(20);
    let frame = encode(&publication(&text), 6, Format::Sse);
    let tail = frame.body().len() - frame.shared().len();
    for (coding, head) in [(Coding::Gzip, 4), (Coding::Zstd, 3)] {
        let packed = pack(&frame, coding, &mut |plain, out| compress(coding, plain, out));
        assert!(packed.shared().len() < frame.shared().len() / 6, "{}", packed.shared().len());
        assert_eq!(packed.body().len() - packed.shared().len(), tail + head);
        assert_eq!(
            packed.body()[packed.body().len() - tail..],
            frame.body()[frame.shared().len()..]
        );
    }
    // A compressor that fails loses nothing.
    for coding in [Coding::Gzip, Coding::Zstd] {
        let packed = pack(&frame, coding, &mut |_, out| {
            out.extend_from_slice(b"rubbish");
            None
        });
        assert!(packed.body().len() < frame.body().len() + 20);
        match coding {
            Coding::Gzip => assert_eq!(inflated(&packed.body(), 5_000).0, frame.body()),
            _ => assert_eq!(unpacked(&packed.body(), 5_000), frame.body()),
        }
    }
}

#[test]
fn a_frame_without_words_stays_one() {
    let nothing = fanfare_core::frame::Frame::default();
    for coding in Coding::ALL {
        let packed = pack(&nothing, coding, &mut |plain, out| compress(coding, plain, out));
        assert!(packed.bytes().is_empty());
    }
}

const ON: Compression = Compression { websocket: true, streams: true };
const OFF: Compression = Compression { websocket: false, streams: false };

/// The coding of the reading that this request is.
fn chosen(target: &str, headers: &[(&str, &str)], compression: Compression) -> Option<Coding> {
    let headers: Vec<(&str, &[u8])> =
        headers.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
    let head = Head::new("GET", target, Version::Http11, &headers);
    let Ok(Route::Read(reading)) = route(&head, &Rules { compression, ..Rules::default() }, NOW)
    else {
        panic!("no reading");
    };
    let streams = matches!(reading.coding, ContentCoding::Chosen(_));
    let stands = matches!(reading.transport, Transport::Poll { .. } | Transport::WebSocket(_));
    assert_eq!(streams, compression.streams && !stands, "{target}");
    if let ContentCoding::Chosen(coding) = reading.coding {
        assert_eq!(coding, reading.format.coding());
    }
    reading.format.coding()
}

#[test]
fn each_transport_has_the_coding_that_is_its_own() {
    let accepts = [("accept-encoding", "gzip")];
    for (target, coding) in [
        ("/c/a", Some(Coding::Gzip)),
        ("/c/a?as=ndjson", Some(Coding::Gzip)),
        ("/c/a?as=raw", Some(Coding::Gzip)),
        ("/c/a,b?event=channel", Some(Coding::Gzip)),
        ("/c/a?as=envelope", Some(Coding::Gzip)),
        ("/c/a?wait=5", None),
        ("/c/a?as=json", None),
    ] {
        assert_eq!(chosen(target, &accepts, ON), coding, "{target}");
        assert_eq!(chosen(target, &accepts, OFF), None, "{target}");
    }
    let offer = ("sec-websocket-extensions", "permessage-deflate");
    let offers = handshake(&[offer, ("accept-encoding", "gzip")]);
    assert_eq!(chosen("/c/a", &offers, ON), Some(Coding::Deflate));
    assert_eq!(chosen("/c/a", &offers, OFF), None);
    assert_eq!(chosen("/c/a", &handshake(&accepts), ON), None, "nothing was offered");
}

#[test]
fn what_a_request_accepts_is_what_it_gets() {
    let (gzip, zstd) = (Some(Coding::Gzip), Some(Coding::Zstd));
    let rows: &[(&str, Option<Coding>)] = &[
        ("gzip", gzip),
        ("x-gzip", gzip),
        ("GZIP", gzip),
        ("zstd", zstd),
        // Chromium, Firefox and curl --compressed.
        ("gzip, deflate, br, zstd", zstd),
        ("gzip, deflate, br", gzip),
        ("deflate, gzip, br, zstd", zstd),
        ("gzip;q=1, zstd;q=0.9", gzip),
        ("gzip;q=0.1, zstd;q=0.11", zstd),
        ("gzip; Q=0.5 ,zstd; q=0", gzip),
        ("gzip;q=0", None),
        ("gzip;q=0.000, zstd;q=0.0", None),
        ("gzip;q=0.001", gzip),
        ("gzip;q=1.000", gzip),
        ("gzip;q=x", None),
        ("gzip;q=0.1234", None),
        ("gzip;q=-1", None),
        ("*", zstd),
        ("*;q=0", None),
        ("zstd;q=0, *", gzip),
        ("identity", None),
        ("identity, gzip", gzip),
        ("identity;q=1, gzip;q=0.5", None),
        ("identity;q=0.5, gzip;q=0.5", gzip),
        ("identity;q=0", None),
        ("br, deflate, compress", None),
        ("", None),
    ];
    for (accepted, coding) in rows {
        assert_eq!(chosen("/c/a", &[("accept-encoding", accepted)], ON), *coding, "{accepted}");
        assert_eq!(
            chosen("/c/a", &[("accept-encoding", accepted)], OFF),
            None,
            "switched off: {accepted}"
        );
    }
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        ".{0,300}",
        ("[a-z ]{1,40}", 1_usize..200).prop_map(|(text, times)| text.repeat(times))
    ]
}

fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        text().prop_map(Piece::Words),
        text().prop_map(Piece::Publication),
        (text(), 1_usize..64).prop_map(|(text, channels)| Piece::Composed(text, cursor(channels))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_stream_is_what_was_said(pieces in vec(piece(), 0..8), place in 0_usize..5) {
        check(&pieces, Format::PLAIN[place]);
    }
}
