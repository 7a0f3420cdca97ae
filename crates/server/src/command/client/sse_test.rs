//! A parser that errs on one byte loses a message or makes one up.

use std::time::Duration;

use super::{Item, Parser};

fn event(name: &str, data: &str, id: &str) -> Item {
    Item::Event { name: name.to_owned(), data: data.to_owned(), id: id.to_owned() }
}

/// Stream, what it means. Each is read whole, and cut before every byte.
fn table() -> Vec<(&'static [u8], Vec<Item>)> {
    vec![
        (b"data: a\n\n", vec![event("message", "a", "")]),
        (b"data:a\r\n\r\n", vec![event("message", "a", "")]),
        (b"data:  a\r\r", vec![event("message", " a", "")]),
        (b"data: a\rdata: b\r\ndata: c\n\n", vec![event("message", "a\nb\nc", "")]),
        (b"data\n\n", vec![event("message", "", "")]),
        (b"data\ndata\n\n", vec![event("message", "\n", "")]),
        (b"data: a\n", vec![]),
        (b"id: 1\n\n", vec![]),
        (b"id: 1\n\ndata: a\n\n", vec![event("message", "a", "1")]),
        (
            b"data: a\nid: 1\n\ndata: b\n\n",
            vec![event("message", "a", "1"), event("message", "b", "1")],
        ),
        (
            b"id: 1\ndata: a\n\nid\ndata: b\n\n",
            vec![event("message", "a", "1"), event("message", "b", "")],
        ),
        (b"id: 1\x002\ndata: a\n\n", vec![event("message", "a", "")]),
        (b"event: x\n\ndata: a\n\n", vec![event("message", "a", "")]),
        (b"event: x\ndata: a\n\ndata: b\n\n", vec![event("x", "a", ""), event("message", "b", "")]),
        (b": hb\n:\n", vec![Item::Comment, Item::Comment]),
        (b"retry: 2731\nretry: x\nretry:\n", vec![Item::Retry(Duration::from_millis(2_731))]),
        (b"unknown: x\ndata: a\n\n", vec![event("message", "a", "")]),
        (b"\xEF\xBB\xBFdata: a\n\n", vec![event("message", "a", "")]),
        (b"data: \xEF\xBB\xBFa\n\n", vec![event("message", "\u{FEFF}a", "")]),
        (b"\n\ndata: a: b\n\n\n", vec![event("message", "a: b", "")]),
        ("data: \u{1F389}\0\n\n".as_bytes(), vec![event("message", "\u{1F389}\0", "")]),
    ]
}

#[test]
fn streams_mean_what_the_standard_says_wherever_they_are_cut() {
    for (stream, expected) in table() {
        for cut in 0..=stream.len() {
            let mut parser = Parser::default();
            let (first, second) = stream.split_at(cut);
            let mut items = parser.feed(first).unwrap();
            items.extend(parser.feed(second).unwrap());
            assert_eq!(items, expected, "{:?} cut at {cut}", String::from_utf8_lossy(stream));
        }
        let mut parser = Parser::default();
        let items: Vec<_> = stream.iter().flat_map(|byte| parser.feed(&[*byte]).unwrap()).collect();
        assert_eq!(items, expected, "{:?} by the byte", String::from_utf8_lossy(stream));
    }
}
