//! What a reader overlooks is lost without a trace, and what it dates wrongly is a wrong figure.

use super::{Came, Event, Reader};
use crate::command::bench::compare::kind::Kind;
use crate::command::bench::connect::Clock;
use crate::command::bench::mark::Mark;

const SIZE: usize = 40;

fn payload(number: u32) -> String {
    let mut out = Vec::new();
    Mark { channel: 0, number, nanos: 7 }.write(&mut out, SIZE);
    String::from_utf8(out).unwrap()
}

fn envelope(number: u32) -> String {
    format!(
        r#"{{"type":"message","channel":"b0","offset":{number},"data":"{}","cursor":"~c{number}"}}"#,
        payload(number)
    )
}

/// A connection of this kind as a server writes it: its opening and two publications, and behind
/// each part the cursor that holds then.
fn script(kind: Kind) -> Vec<(Vec<u8>, &'static str)> {
    let head = |more: &str| format!("HTTP/1.1 200 OK\r\nFanfare-Cursor: ~c0\r\n{more}\r\n");
    let texts = match kind {
        Kind::Sse => vec![
            head(""),
            "retry: 2000\n: hello\nevent: fanfare.open\ndata: {\"channels\":[]}\nid: ~c0\n\n"
                .to_owned(),
            format!("data: {}\nid: ~c1\n\n", payload(1)),
            ": hb\n".to_owned(),
            format!("data: {}\nid: ~c2\n\n", payload(2)),
        ],
        Kind::Ndjson => vec![
            head(""),
            "{\"type\":\"open\",\"channels\":[],\"cursor\":\"~c0\"}\n".to_owned(),
            envelope(1) + "\n",
            "{\"type\":\"keepalive\"}\n".to_owned(),
            envelope(2) + "\n",
        ],
        Kind::WebSocket => vec![
            "HTTP/1.1 101 Switching Protocols\r\nFanfare-Cursor: ~c0\r\n\r\n".to_owned(),
            frame("{\"type\":\"open\",\"channels\":[],\"cursor\":\"~c0\"}"),
            frame(&envelope(1)),
            String::new(),
            frame(&envelope(2)),
        ],
        Kind::Poll => vec![
            answer("~c0", ""),
            String::new(),
            answer("~c1", &envelope(1)),
            answer("~c1", ""),
            answer("~c2", &envelope(2)),
        ],
    };
    let cursors = ["~c0", "~c0", "~c1", "~c1", "~c2"];
    texts.into_iter().map(String::into_bytes).zip(cursors).collect()
}

/// A server's text frame whose length has one byte or two.
fn frame(text: &str) -> String {
    let length = u16::try_from(text.len()).unwrap();
    let head = match length {
        ..126 => vec![0x01, u8::try_from(length).unwrap()],
        _ => [vec![0x01, 126], length.to_be_bytes().to_vec()].concat(),
    };
    // Bytes above 0x7f would be two in a string; the final bit is put in by `bytes_of`.
    String::from_utf8(head).unwrap() + text
}

fn answer(cursor: &str, publications: &str) -> String {
    let body =
        format!(r#"{{"cursor":"{cursor}","publications":[{publications}],"gaps":[],"end":false}}"#);
    format!(
        "HTTP/1.1 200 OK\r\nFanfare-Cursor: {cursor}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The bytes of a part; a WebSocket's frames are final.
fn bytes_of(kind: Kind, part: &[u8]) -> Vec<u8> {
    let mut bytes = part.to_vec();
    if let (Kind::WebSocket, Some(first @ 0x01)) = (kind, bytes.first_mut()) {
        *first = 0x81;
    }
    bytes
}

fn reader(kind: Kind) -> Reader {
    Reader::new(kind, String::new(), SIZE, Clock::start())
}

fn publications(events: &[Event]) -> Vec<Came> {
    let came = |event: &Event| match event {
        Event::Publication(came) => Some(*came),
        _ => None,
    };
    events.iter().filter_map(came).collect()
}

#[test]
fn each_transport_stands_delivers_and_says_where_to_come_back_to() {
    for kind in Kind::ALL {
        let mut reader = reader(kind);
        let mut events = Vec::new();
        for (now, (part, cursor)) in (100..).zip(script(kind)) {
            events.extend(reader.feed(&bytes_of(kind, &part), now).unwrap());
            assert_eq!(reader.cursor(), cursor, "{kind:?}");
        }
        assert_eq!(events.iter().filter(|event| **event == Event::Stands).count(), 1, "{kind:?}");
        let came = publications(&events);
        assert_eq!(came.iter().map(|came| came.mark.number).collect::<Vec<_>>(), [1, 2]);
        // A sign of life in between dates nothing back.
        assert_eq!(came.iter().map(|came| came.first).collect::<Vec<_>>(), [102, 104], "{kind:?}");
    }
}

#[test]
fn a_cursor_never_covers_what_is_not_whole_wherever_the_bytes_are_cut() {
    for kind in Kind::ALL {
        let all: Vec<u8> = script(kind).iter().flat_map(|(part, _)| bytes_of(kind, part)).collect();
        let mut reader = reader(kind);
        let mut seen = 0;
        for (now, byte) in (0..).zip(&all) {
            let events = reader.feed(&[*byte], now).unwrap();
            for came in publications(&events) {
                seen = came.mark.number;
                assert!(came.first < now, "{kind:?}: it took several reads");
            }
            let number = reader.cursor().trim_start_matches("~c").parse::<u32>().unwrap_or(0);
            assert!(number <= seen, "{kind:?}: {number} is told and {seen} has come");
        }
        assert_eq!(seen, 2, "{kind:?}");
    }
}

#[test]
fn several_publications_that_come_together_are_all_there() {
    for kind in Kind::ALL {
        let all: Vec<u8> = script(kind).iter().flat_map(|(part, _)| bytes_of(kind, part)).collect();
        let came = publications(&reader(kind).feed(&all, 50).unwrap());
        assert_eq!(came.iter().map(|came| came.first).collect::<Vec<_>>(), [50, 50], "{kind:?}");
    }
}

#[test]
fn gaps_and_pings_are_told() {
    let mut sse = reader(Kind::Sse);
    let text =
        "HTTP/1.1 200 OK\r\nFanfare-Cursor: ~c0\r\n\r\nevent: fanfare.gap\ndata: {}\nid: ~c9\n\n";
    assert_eq!(sse.feed(text.as_bytes(), 1).unwrap(), [Event::Gap]);
    assert_eq!(sse.cursor(), "~c9");
    let mut socket = reader(Kind::WebSocket);
    let head = b"HTTP/1.1 101 Switching Protocols\r\nFanfare-Cursor: ~c0\r\n\r\n";
    socket.feed(head, 1).unwrap();
    let pong = [0x8a, 0x82, 0x37, 0xfa, 0x21, 0x3d, b'h' ^ 0x37, b'i' ^ 0xfa];
    assert_eq!(socket.feed(b"\x89\x02hi", 2).unwrap(), [Event::Reply(pong.to_vec())]);
    assert_eq!(socket.feed(b"\x88\x00", 3).unwrap(), [Event::End]);
}

#[test]
fn refusals_and_foreign_payloads_are_errors() {
    let refused = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
    for kind in Kind::ALL {
        let error = reader(kind).feed(refused, 1).unwrap_err().to_string();
        assert!(error.contains("refused with 403: no"), "{error}");
    }
    let mut sse = reader(Kind::Sse);
    sse.feed(b"HTTP/1.1 200 OK\r\nFanfare-Cursor: ~c0\r\n\r\n", 1).unwrap();
    let longer = format!("data: {}x\n\n", payload(1));
    assert!(sse.feed(longer.as_bytes(), 2).is_err(), "a payload that was changed on its way");
    // Others may publish to a server that runs already.
    assert!(sse.feed(b"data: nothing of ours\n\n", 3).unwrap().is_empty());
}
