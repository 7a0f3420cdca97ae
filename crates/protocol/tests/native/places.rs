//! Cursors in text, and where readers start by them.

use fanfare_core::code::Code;
use fanfare_core::cursor::{CURSOR_ENTRIES_MAX, Cursor, CursorEntry};
use fanfare_core::name::ChannelHash;
use fanfare_core::position::{Epoch, OFFSET_END, Position};
use fanfare_core::start::Start;
use fanfare_protocol::native::cursor::{
    ENTRY_BYTES_MAX, append_cursor, cursor_bytes, cursor_text, entry_text, parse_cursor,
    parse_epoch, parse_position, position_text,
};
use fanfare_protocol::native::starts::{parse_since, start_later};
use proptest::prelude::{Strategy, any, proptest};

use crate::asking::{NOW, channel, entry, get, handshake, position, reading, refused};

fn entries() -> impl Strategy<Value = CursorEntry> {
    (any::<[u8; 6]>(), any::<u64>(), 0..OFFSET_END, any::<bool>(), 0..53_u32).prop_map(
        |(hash, bits, offset, ended, shift)| CursorEntry {
            hash: ChannelHash::from_bytes(hash),
            position: Position::new(offset >> shift, Epoch::from_bits(bits)),
            ended,
        },
    )
}

proptest! {
    #[test]
    fn an_entry_comes_back_as_it_went(entry in entries()) {
        let text = entry_text(entry);
        assert!(text.len() <= ENTRY_BYTES_MAX, "{text}");
        let read = parse_cursor(&text).unwrap();
        assert_eq!(read.entries, [entry]);
        assert!(!read.marked);
    }

    #[test]
    fn a_position_comes_back_as_it_went(entry in entries()) {
        let text = position_text(entry.position);
        assert_eq!(parse_position(&text), Some(entry.position), "{text}");
    }

    #[test]
    fn a_cursor_comes_back_as_it_went(
        entries in proptest::collection::vec(entries(), 0..64),
        marked in any::<bool>(),
    ) {
        let mut cursor = Cursor::new();
        for entry in entries {
            cursor.set(entry);
        }
        if marked {
            cursor.mark();
        }
        let mut text = Vec::new();
        append_cursor(&mut text, &cursor);
        assert_eq!(text.len(), cursor_bytes(&cursor));
        if !cursor.is_empty() {
            let read = parse_cursor(&cursor_text(&cursor)).unwrap();
            assert_eq!(read.entries, cursor.entries());
            assert_eq!(read.marked, cursor.marked());
        }
    }

    #[test]
    fn a_damaged_cursor_is_told_apart_from_a_whole_one(
        entry in entries(),
        at in 0..ENTRY_BYTES_MAX,
        with in any::<char>(),
    ) {
        let text = entry_text(entry);
        let damaged: String = text
            .chars()
            .enumerate()
            .map(|(place, letter)| if place == at { with } else { letter })
            .collect();
        if let Ok(read) = parse_cursor(&damaged) {
            // What can still be read is written as it was read.
            let again: String = read.entries.iter().map(|entry| entry_text(*entry)).collect();
            assert!(read.marked || again == damaged, "{damaged} {again}");
        }
    }
}

#[test]
fn texts_are_as_the_protocol_says_byte_for_byte() {
    // hash of `abc`: ba7816bf8f01; epoch 123456789abcdef0; offset 1, then 300.
    assert_eq!(position_text(position(42)), "42.bI0VniavN7w");
    assert_eq!(entry_text(entry("abc", 1)), "~aungWv48BEjRWeJq83vAB");
    assert_eq!(entry_text(entry("abc", 300)), "~aungWv48BEjRWeJq83vABLA");
    let ended = CursorEntry { ended: true, ..entry("abc", 1) };
    assert_eq!(entry_text(ended), "~bungWv48BEjRWeJq83vAB");
    let longest = CursorEntry { position: position(OFFSET_END - 1), ..ended };
    assert_eq!(entry_text(longest).len(), ENTRY_BYTES_MAX);
}

#[test]
fn what_is_no_cursor_is_not_read() {
    let whole = entry_text(entry("a", 7));
    for bad in [
        "",
        "x",
        "~",
        "~a",
        "~~",
        "~!x",
        "~aAAAA",
        "~ aAAAA",
        &whole[..whole.len() - 1],
        &format!("{whole}A"),
        &format!("{whole}~"),
        &format!("{whole}="),
        &format!("x{whole}"),
        // The offset 7 with a needless zero byte in front.
        "~aypeBEsqcEjRWeJq83vAABw",
        // The offset 2^53.
        "~aypeBEsqcEjRWeJq83vAgAAAAAAAA",
        // The epoch zero.
        "~aypeBEsqcAAAAAAAAAAAH",
    ] {
        assert!(parse_cursor(bad).is_err(), "{bad}");
    }
    for bad in ["", "aAAAAAAAAAA", "qAAAAAAAAAB", "aAAAAAAAAA", "aAAAAAAAAAB1", "AAAAAAAAAAB"] {
        assert_eq!(parse_epoch(bad), None, "{bad}");
    }
    for bad in [
        "1",
        "1.",
        ".aAAAAAAAAAB",
        "-1.aAAAAAAAAAB",
        "9007199254740992.aAAAAAAAAAB",
        "+1.aAAAAAAAAAB",
    ] {
        assert_eq!(parse_position(bad), None, "{bad}");
    }
}

#[test]
fn of_two_entries_for_one_channel_the_last_counts() {
    let text = format!(
        "{}{}{}",
        entry_text(entry("a", 1)),
        entry_text(entry("b", 5)),
        entry_text(entry("a", 2))
    );
    let read = parse_cursor(&text).unwrap();
    assert_eq!(read.entries, [entry("a", 2), entry("b", 5)]);
}

#[test]
fn marks_and_unknown_versions_stand_anywhere() {
    let a = entry_text(entry("a", 1));
    for text in [format!("~!{a}"), format!("{a}~!"), format!("{a}~zAAAA"), format!("~9{a}")] {
        let read = parse_cursor(&text).unwrap();
        assert!(read.marked, "{text}");
        assert_eq!(read.entries, [entry("a", 1)], "{text}");
    }
}

fn start(query: &str, headers: &[(&str, &str)]) -> Start {
    reading(&format!("/c/a{query}"), headers).subscriptions[0].start
}

#[test]
fn since_is_read_in_every_form() {
    let cursor = entry_text(entry("a", 9));
    let position_of_a = position_text(position(9));
    for (since, expected) in [
        ("", Start::Now),
        ("now", Start::Now),
        ("all", Start::All),
        ("last", Start::Last(1)),
        ("last:20", Start::Last(20)),
        ("last:99999999999", Start::Last(u32::MAX)),
        ("30s", Start::Since(NOW - 30_000)),
        ("10m", Start::Since(NOW - 600_000)),
        ("2h", Start::Since(NOW - 7_200_000)),
        ("1d", Start::Since(NOW - 86_400_000)),
        ("999999999d", Start::Since(0)),
        ("1700000000", Start::Since(NOW)),
        ("1700000000123", Start::Since(NOW + 123)),
        ("2023-11-14T22:13:20Z", Start::Since(NOW)),
        ("2023-11-15T00:13:20+02:00", Start::Since(NOW)),
        ("2023-11-15T00:13:20%2B02:00", Start::Since(NOW)),
        (&cursor, Start::After(position(9))),
        (&position_of_a, Start::After(position(9))),
        ("~!", Start::Unreadable),
        ("~zzzz", Start::Unreadable),
    ] {
        assert_eq!(start(&format!("?since={since}"), &[]), expected, "{since}");
    }
}

#[test]
fn what_cannot_be_read_in_since_is_refused_but_on_a_websocket_after_the_handshake() {
    let long = "x".repeat(500);
    for since in [
        "yesterday",
        "last:0",
        "last:",
        "last:-1",
        "2023-11-14T22:13:20",
        "2023-11-14",
        "~",
        "~a",
        "12345678901234",
        "9007199254740992.aAAAAAAAAAB",
        "5.",
        "1w",
        "%ff",
        &long,
    ] {
        let target = format!("/c/a?since={since}");
        let problem = refused(get(&target));
        assert_eq!(problem.code(), Code::SinceInvalid, "{since}");
        assert!(problem.detail().len() < 300);
        let asked = reading(&target, &handshake(&[]));
        assert_eq!(asked.refusal.unwrap().code(), Code::SinceInvalid);
        assert_eq!(asked.subscriptions.len(), 1);
    }
    let two = format!("/c/a,b?since={}", position_text(position(1)));
    assert_eq!(refused(get(&two)).code(), Code::SinceInvalid);
    assert!(refused(get("/c/a?since=2023-11-14T22:13:20")).detail().contains("zone"));
}

#[test]
fn the_last_event_id_wins_over_since_on_every_transport() {
    let (one, two) = (entry_text(entry("a", 1)), entry_text(entry("a", 2)));
    let id: &[(&str, &str)] = &[("Last-Event-ID", &two)];
    for target in ["", "&as=ndjson", "&wait=1", "&as=raw"] {
        let start = start(&format!("?since={one}{target}"), id);
        assert_eq!(start, Start::After(position(2)), "{target}");
    }
    for alias in ["lastEventId", "last_event_id"] {
        let query = format!("?since={one}&{alias}={two}");
        assert_eq!(start(&query, &[]), Start::After(position(2)), "{alias}");
    }
    let header_over_alias = start(&format!("?lastEventId={one}"), id);
    assert_eq!(header_over_alias, Start::After(position(2)));
    assert_eq!(start("?since=all", &[("Last-Event-ID", "")]), Start::All);
    let position_id = position_text(position(3));
    assert_eq!(start("", &[("Last-Event-ID", &position_id)]), Start::After(position(3)));
}

#[test]
fn an_unreadable_last_event_id_is_a_gap_and_never_a_refusal() {
    for id in
        ["41", "garbage", "all", "~", "~a", "30s", "9007199254740992.aAAAAAAAAAB", "\u{1F389}"]
    {
        assert_eq!(start("?since=all", &[("Last-Event-ID", id)]), Start::Unreadable, "{id}");
    }
    let position_id = position_text(position(3));
    let asked = reading("/c/a,b", &[("Last-Event-ID", &position_id)]);
    for subscription in asked.subscriptions {
        assert_eq!(subscription.start, Start::Unreadable);
    }
    // Beside a readable id an unreadable since is ignored; beside an unreadable one it is refused.
    let id = entry_text(entry("a", 1));
    assert_eq!(start("?since=junk", &[("Last-Event-ID", &id)]), Start::After(position(1)));
}

#[test]
fn each_channel_starts_where_the_cursors_say_and_the_rest_is_carried() {
    let id = format!("{}{}", entry_text(entry("a", 1)), entry_text(entry("x", 7)));
    let since = format!("{}{}", entry_text(entry("a", 9)), entry_text(entry("b", 2)));
    let headers: &[(&str, &str)] = &[("Last-Event-ID", &id)];
    let asked = reading(&format!("/c/b,a,n?since={since}"), headers);
    let starts: Vec<Start> = asked.subscriptions.iter().map(|one| one.start).collect();
    assert_eq!(starts, [Start::After(position(2)), Start::After(position(1)), Start::Now]);
    assert_eq!(asked.carried.entries(), [entry("x", 7)]);
    assert!(!asked.carried.marked());
    let asked = reading("/c/b,a?since=all", headers);
    assert_eq!(asked.subscriptions[0].start, Start::All);
}

#[test]
fn of_a_damaged_last_event_id_the_whole_entries_still_count() {
    let a = entry_text(entry("a", 1));
    for id in [format!("{a}~aAAAA"), format!("~aAAAA{a}"), format!("{a}~"), format!("{a}~!x")] {
        let asked = reading("/c/a,b", &[("Last-Event-ID", &id)]);
        assert_eq!(asked.subscriptions[0].start, Start::After(position(1)), "{id}");
        assert_eq!(asked.subscriptions[1].start, Start::Unreadable, "{id}");
        assert!(asked.carried.marked());
        assert_eq!(refused(get(&format!("/c/a?since={id}"))).code(), Code::SinceInvalid);
    }
}

/// The lines of a block of the written protocol, split at spaces.
fn vectors(title: &str) -> Vec<Vec<&'static str>> {
    let protocol = include_str!("../../../../docs/protocol.md");
    let (_, block) = protocol.split_once(&format!("```text title={title}\n")).unwrap();
    let (block, _) = block.split_once("```").unwrap();
    block.lines().map(|line| line.split(' ').collect()).collect()
}

fn epoch_of(text: &str) -> Epoch {
    Epoch::from_bits(u64::from_str_radix(text.strip_prefix("0x").unwrap(), 16).unwrap())
}

#[test]
fn the_vectors_of_the_written_protocol_hold() {
    let entries = vectors("cursor-vectors");
    assert!(entries.len() >= 9);
    for line in entries {
        let [name, epoch, offset, version, text] = line[..] else {
            panic!("{line:?}");
        };
        let entry = CursorEntry {
            hash: channel(name).hash48(),
            position: Position::new(offset.parse().unwrap(), epoch_of(epoch)),
            ended: version == "b",
        };
        assert_eq!(entry_text(entry), text);
        assert_eq!(parse_cursor(text).unwrap().entries, [entry]);
    }
    let epochs = vectors("epoch-vectors");
    assert!(epochs.len() >= 4);
    for line in epochs {
        assert_eq!(parse_epoch(line[1]), Some(epoch_of(line[0])));
        let position = Position::new(0, epoch_of(line[0]));
        assert_eq!(position_text(position), format!("0.{}", line[1]));
    }
}

#[test]
fn in_a_marked_cursor_a_channel_without_an_entry_is_a_gap() {
    let id = format!("~!{}", entry_text(entry("a", 1)));
    let asked = reading("/c/a,b?since=all", &[("Last-Event-ID", &id)]);
    assert_eq!(asked.subscriptions[0].start, Start::After(position(1)));
    assert_eq!(asked.subscriptions[1].start, Start::Unreadable);
    assert!(asked.carried.marked());
}

#[test]
fn what_does_not_fit_into_a_cursor_leaves_the_mark() {
    let others: String =
        (0..100).map(|number| entry_text(entry(&format!("x{number}"), 1))).collect();
    let id = format!("{others}{}", entry_text(entry("a", 5)));
    let asked = reading("/c/a,b", &[("Last-Event-ID", &id)]);
    assert_eq!(asked.subscriptions[0].start, Start::After(position(5)));
    // The rest was whole, so that `b` simply had no entry.
    assert_eq!(asked.subscriptions[1].start, Start::Now);
    assert_eq!(asked.carried.entries().len(), CURSOR_ENTRIES_MAX - 2);
    assert!(asked.carried.marked());
}

#[test]
fn an_end_that_was_seen_is_not_forgotten() {
    let ended = CursorEntry { ended: true, ..entry("a", 4) };
    let id = entry_text(ended);
    assert_eq!(start("", &[("Last-Event-ID", &id)]), Start::AfterEnd(position(4)));
}

#[test]
fn a_channel_added_later_starts_from_what_is_carried() {
    let a = channel("a");
    let mut carried = Cursor::new();
    assert_eq!(start_later(&a, None, &carried), Start::Now);
    carried.set(entry("a", 3));
    assert_eq!(start_later(&a, None, &carried), Start::After(position(3)));
    let since = parse_since("all", NOW).unwrap();
    assert_eq!(start_later(&a, Some(&since), &carried), Start::All);
    let since = parse_since(&entry_text(entry("a", 8)), NOW).unwrap();
    assert_eq!(start_later(&a, Some(&since), &carried), Start::After(position(8)));
    carried.mark();
    assert_eq!(start_later(&channel("b"), None, &carried), Start::Unreadable);
}
