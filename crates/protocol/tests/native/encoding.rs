//! Frames against oracles: the parser of the HTML standard for SSE, `serde_json` for envelopes.

use bytes::Bytes;
use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::frame::{Format, Frame};
use fanfare_core::gap::{Gap, GapReason};
use fanfare_core::position::{Epoch, Position};
use fanfare_core::publication::{Content, Data, Detail, Publication};
use fanfare_protocol::native::chunk::Framing;
use fanfare_protocol::native::cursor::{cursor_text, entry_text, position_text};
use fanfare_protocol::native::encode::{append_composed, append_frame, encode};
use fanfare_protocol::native::{ndjson, sse, v1};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use serde_json::{Value, json};

use crate::asking::{NOW, channel, entry, position};

/// One event as the algorithm of the HTML standard dispatches it (§9.2.6).
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) data: String,
    pub(crate) id: String,
}

/// The standard's parser, written from its words; fields it does not know are ignored.
pub(crate) fn parse_sse(stream: &str) -> Vec<Event> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let (mut events, mut id) = (Vec::new(), String::new());
    let (mut kind, mut data, mut had_data) = (String::new(), String::new(), false);
    let normal = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = normal.split('\n').collect();
    lines.pop();
    for line in lines {
        if line.is_empty() {
            if had_data {
                data.pop();
                let kind = if kind.is_empty() { "message" } else { &kind };
                events.push(Event { kind: kind.to_owned(), data: data.clone(), id: id.clone() });
            }
            kind.clear();
            data.clear();
            had_data = false;
            continue;
        }
        if line.starts_with(':') {
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => kind = value.to_owned(),
            "data" => {
                data.push_str(value);
                data.push('\n');
                had_data = true;
            }
            "id" if !value.contains('\0') => id = value.to_owned(),
            _ => {}
        }
    }
    events
}

fn publication(data: Data, detail: Option<Detail>) -> Publication {
    Publication {
        channel: channel("news"),
        position: Some(position(7)),
        prev: 6,
        time: NOW,
        expires_at: None,
        content: Content { data, detail: detail.map(Box::new) },
    }
}

fn text(payload: &str) -> Publication {
    publication(Data::Text(Bytes::copy_from_slice(payload.as_bytes())), None)
}

/// What stands in a frame's body, with the chunk around it checked.
fn body(frame: &Frame) -> String {
    let body = String::from_utf8(frame.body().to_vec()).unwrap();
    let chunk = format!("{:x}\r\n{body}\r\n", body.len());
    assert_eq!(frame.bytes(), chunk.as_bytes());
    body
}

fn written(publication: &Publication, format: Format) -> String {
    body(&encode(publication, 6, format))
}

/// Text with many of the letters that matter.
fn payloads() -> impl Strategy<Value = String> {
    let letter = prop_oneof![
        Just('\r'),
        Just('\n'),
        Just('\0'),
        Just(' '),
        Just(':'),
        Just('"'),
        Just('\\'),
        Just('\u{feff}'),
        Just('\u{2028}'),
        Just('🎉'),
        Just('d'),
        any::<char>(),
    ];
    prop::collection::vec(letter, 0..40).prop_map(|letters| letters.into_iter().collect())
}

fn with_line_feeds(payload: &str) -> String {
    payload.replace("\r\n", "\n").replace('\r', "\n")
}

proptest! {
    #[test]
    fn an_event_source_reads_every_text_as_it_was_published(payload in payloads()) {
        let events = parse_sse(&written(&text(&payload), Format::Sse));
        let expected = Event {
            kind: "message".to_owned(),
            data: with_line_feeds(&payload),
            id: entry_text(entry("news", 7)),
        };
        assert_eq!(events, [expected]);
    }

    #[test]
    fn the_envelope_is_what_serde_json_would_write(payload in payloads(), event in payloads()) {
        let detail = Detail {
            event: Some(event.clone().into()),
            tags: vec![payload.clone().into(), "b".into()],
            conflate: Some(event.clone().into()),
            content_type: Some("text/plain".into()),
            exclude: None,
        };
        let publication = publication(Data::Text(Bytes::from(payload.clone())), Some(detail));
        let line = written(&publication, Format::Ndjson);
        assert_eq!(line.matches('\n').count(), 1);
        let expected = json!({
            "type": "message", "channel": "news", "offset": 7, "prev": 6, "epoch": "bI0VniavN7w",
            "time": NOW, "event": event.clone(), "tags": [payload.clone(), "b"],
            "conflate": event.clone(), "content_type": "text/plain", "data": payload.clone(),
            "cursor": entry_text(entry("news", 7)),
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
        // Byte for byte: the escapes are serde_json's own.
        let written = format!("\"data\":{},", serde_json::to_string(&payload).unwrap());
        assert!(line.contains(&written), "{line} {written}");
        let sse = parse_sse(&self::written(&publication, Format::SseEnvelope));
        assert_eq!(sse.len(), 1);
        assert_eq!(sse[0].data, line.trim_end());
        assert_eq!(sse[0].kind, "message");
    }

    #[test]
    fn binary_goes_as_base64(payload in prop::collection::vec(any::<u8>(), 0..100)) {
        use base64::Engine as _;
        let publication = publication(Data::Binary(Bytes::from(payload.clone())), None);
        let encoded = base64::engine::general_purpose::STANDARD.encode(&payload);
        let line: Value = serde_json::from_str(&written(&publication, Format::Ndjson)).unwrap();
        assert_eq!(line["data"], encoded.as_str());
        assert_eq!(line["encoding"], "base64");
        let sse = parse_sse(&written(&publication, Format::Sse));
        assert_eq!(sse[0].data, format!("data:application/octet-stream;base64,{encoded}"));
        assert_eq!(written(&publication, Format::Text), format!("{encoded}\n"));
        let raw = encode(&publication, 6, Format::WebSocketRaw);
        assert_eq!(raw.bytes()[0], 0x82);
        assert!(raw.bytes().ends_with(&payload));
    }

    #[test]
    fn plain_text_is_the_payload_and_a_line_feed(payload in payloads()) {
        assert_eq!(written(&text(&payload), Format::Text), format!("{payload}\n"));
    }
}

#[test]
fn the_bytes_of_sse_are_as_the_protocol_says() {
    let own = entry_text(entry("news", 7));
    for (payload, expected) in [
        ("Hello", "data: Hello\n"),
        ("", "data: \n"),
        (" two  spaces", "data:  two  spaces\n"),
        ("a\nb\rc\r\nd\n", "data: a\ndata: b\ndata: c\ndata: d\ndata: \n"),
        ("id: 1\n\ndata: x", "data: id: 1\ndata: \ndata: data: x\n"),
    ] {
        let written = written(&text(payload), Format::Sse);
        assert_eq!(written, format!("{expected}id: {own}\n\n"), "{payload:?}");
    }
    let detail = Detail { event: Some("goal".into()), ..Detail::default() };
    let named = publication(Data::Text("x".into()), Some(detail));
    let expected = format!("event: goal\ndata: x\nid: {own}\n\n");
    assert_eq!(written(&named, Format::Sse), expected);
    let expected = format!("event: news\ndata: x\nid: {own}\n\n");
    assert_eq!(written(&named, Format::SseChannel), expected);
}

#[test]
fn json_is_embedded_with_its_own_bytes_on_one_line() {
    let data = Data::Json("{\"a\" :\r\n 1.0e2,\"b\":\"\\u00e9\\n\"}".into());
    let line = written(&publication(data, None), Format::Ndjson);
    assert!(line.contains("\"data\":{\"a\" :   1.0e2,\"b\":\"\\u00e9\\n\"},\"cursor\""), "{line}");
}

/// The one line of a JSON block of the written protocol.
fn written_down(title: &str) -> &'static str {
    let protocol = include_str!("../../../../docs/protocol.md");
    let (_, block) = protocol.split_once(&format!("```json title={title}\n")).unwrap();
    block.lines().next().unwrap()
}

#[test]
fn the_envelopes_and_gaps_of_the_written_protocol_hold() {
    let epoch = Epoch::from_bits(0x6a09_e667_f3bc_c908);
    let detail = Detail {
        event: Some("price".into()),
        tags: vec!["eu".into()],
        conflate: Some("ACME".into()),
        content_type: Some("application/json".into()),
        exclude: None,
    };
    let data = Data::Json("{\"symbol\":\"ACME\",\n\"value\":42}".into());
    let price = Publication {
        position: Some(Position::new(2, epoch)),
        time: 1_777_887_000_456,
        ..publication(data, Some(detail))
    };
    let line = body(&encode(&price, 1, Format::Ndjson));
    assert_eq!(line.trim_end(), written_down("envelope"));
    let detail = Detail { content_type: Some("image/png".into()), ..Detail::default() };
    let data = Data::Binary((&b"\x89PNG\r\n\x1a\n"[..]).into());
    let image = Publication {
        position: Some(Position::new(3, epoch)),
        time: 1_777_887_000_789,
        ..publication(data, Some(detail))
    };
    let line = body(&encode(&image, 2, Format::Ndjson));
    assert_eq!(line.trim_end(), written_down("envelope-binary"));
    let gap = Gap {
        channel: channel("news"),
        from: Some(Position::new(2, epoch)),
        to: Position::new(7, epoch),
        reason: GapReason::Trimmed,
    };
    let block = appended(|out| sse::append_gap(out, &gap, &Cursor::new()));
    assert_eq!(parse_sse(&block)[0].data, written_down("gap"));
}

#[test]
fn a_live_only_publication_has_no_place() {
    let live = Publication { position: None, ..text("x") };
    assert_eq!(written(&live, Format::Sse), "data: x\n\n");
    let line: Value = serde_json::from_str(&written(&live, Format::Ndjson)).unwrap();
    for absent in ["offset", "prev", "cursor", "epoch"] {
        assert_eq!(line.get(absent), None, "{absent}");
    }
    assert_eq!(line["data"], "x");
    let frame = encode(&live, 6, Format::Sse);
    for (framing, expected) in
        [(Framing::Bare, "data: x\n\n"), (Framing::Chunked, "9\r\ndata: x\n\n\r\n")]
    {
        let mut out = Vec::new();
        append_frame(&mut out, &frame, framing);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn a_reader_of_several_channels_gets_a_tail_of_its_own() {
    let mut cursor = Cursor::new();
    cursor.set(entry("news", 7));
    cursor.set(entry("other", 1 << 40));
    cursor.mark();
    let whole = cursor_text(&cursor);
    let own = entry_text(entry("news", 7));
    for format in Format::PLAIN {
        let frame = encode(&text("x"), 6, format);
        let mut bare = Vec::new();
        append_composed(&mut bare, &frame, format, &cursor, Framing::Bare);
        if !format.composes() {
            assert_eq!(bare, frame.body(), "{format:?}");
            continue;
        }
        let bare = String::from_utf8(bare).unwrap();
        let expected = body(&frame).replace(&own, &whole);
        assert_eq!(bare, expected, "{format:?}");
        let mut chunked = Vec::new();
        append_composed(&mut chunked, &frame, format, &cursor, Framing::Chunked);
        let chunk = format!("{:x}\r\n{bare}\r\n", bare.len());
        assert_eq!(String::from_utf8(chunked).unwrap(), chunk, "{format:?}");
    }
}

#[test]
fn websocket_frames_carry_the_right_header_at_every_size() {
    for bytes in [0, 1, 125, 126, 127, 65_535, 65_536, 200_000] {
        let payload = "x".repeat(bytes);
        let frame = encode(&text(&payload), 6, Format::WebSocketRaw);
        let (opcode, read) = read_websocket(frame.bytes());
        assert_eq!((opcode, read), (0x81, payload.as_bytes()));
        let frame = encode(&text(&payload), 6, Format::WebSocketV1);
        let (opcode, read) = read_websocket(frame.bytes());
        assert_eq!(opcode, 0x81);
        let message: Value = serde_json::from_slice(read).unwrap();
        assert_eq!(message["data"].as_str().map(str::len), Some(bytes));
        assert_eq!(message["cursor"], entry_text(entry("news", 7)));
    }
}

/// RFC 6455 §5.2.
fn read_websocket(frame: &[u8]) -> (u8, &[u8]) {
    let (length, start) = match frame[1] {
        126 => (usize::from(u16::from_be_bytes([frame[2], frame[3]])), 4),
        127 => (usize::try_from(u64::from_be_bytes(frame[2..10].try_into().unwrap())).unwrap(), 10),
        short => (usize::from(short), 2),
    };
    assert_eq!(frame.len(), start + length);
    (frame[0], &frame[start..])
}

#[test]
fn gaps_and_ends_are_told_in_every_language_that_has_words() {
    let gap =
        Gap { channel: channel("news"), from: None, to: position(5), reason: GapReason::Removed };
    let ended = CursorEntry { ended: true, ..entry("news", 7) };
    let name = channel("news");
    let (after_gap, after_end) = (cursor_of(entry("news", 5)), cursor_of(ended));
    let to = position_text(position(5));
    let members = json!({"channel": "news", "from": null, "to": to, "reason": "removed"});

    let text = appended(|out| {
        sse::append_gap(out, &gap, &after_gap);
        sse::append_end(out, &name, &after_end);
    });
    let events = parse_sse(&text);
    assert_eq!(events[0].kind, "fanfare.gap");
    assert_eq!(events[0].id, entry_text(entry("news", 5)));
    assert_eq!(serde_json::from_str::<Value>(&events[0].data).unwrap(), members);
    assert_eq!(events[1].kind, "fanfare.end");
    assert_eq!(events[1].id, entry_text(ended));
    assert_eq!(events[1].data, "{\"channel\":\"news\"}");

    let lines = [
        appended(|out| ndjson::append_gap(out, &gap, &after_gap)),
        appended(|out| ndjson::append_end(out, &name, &after_end)),
    ];
    let frames = [
        appended(|out| v1::append_gap(out, &gap)),
        appended(|out| v1::append_end(out, &name, ended)),
    ];
    for [told_gap, told_end] in [lines, frames] {
        let told_gap: Value = serde_json::from_str(&told_gap).unwrap();
        let told_end: Value = serde_json::from_str(&told_end).unwrap();
        assert_eq!(told_gap["type"], "gap");
        assert_eq!(told_gap["reason"], "removed");
        assert_eq!(told_gap["cursor"], entry_text(entry("news", 5)));
        let end = json!({"type": "end", "channel": "news", "cursor": entry_text(ended)});
        assert_eq!(told_end, end);
    }
}

fn appended(append: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    append(&mut out);
    String::from_utf8(out).unwrap()
}

fn cursor_of(entry: CursorEntry) -> Cursor {
    let mut cursor = Cursor::new();
    cursor.set(entry);
    cursor
}
