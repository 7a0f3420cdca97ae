//! A poll's answer holds what it may, moves its cursor with it, and says `end` at the end only.

use bytes::Bytes;
use fanfare_core::code::Code;
use fanfare_core::cursor::{Cursor, CursorEntry};
use fanfare_core::gap::{Gap, GapReason};
use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Position};
use fanfare_core::shard::{Disconnect, HistoryPage};
use fanfare_protocol::native::packing::GzipSum;

use super::collector::{Collector, POLL_BYTES_MAX, POLL_PUBLICATIONS_MAX, Step};
use crate::pipe::PipeItem;

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn position(offset: u64) -> Position {
    Position::new(offset, Epoch::from_bits(9))
}

fn entry(name: &str, offset: u64) -> CursorEntry {
    CursorEntry { hash: channel(name).hash48(), position: position(offset), ended: false }
}

fn frame(name: &str, offset: u64, body: &str) -> Option<PipeItem> {
    Some(PipeItem::Frame {
        body: Bytes::copy_from_slice(body.as_bytes()),
        sum: GzipSum::default(),
        after: Some(entry(name, offset)),
    })
}

fn page(name: &str, offset: u64) -> HistoryPage {
    HistoryPage {
        publications: Vec::new(),
        cursor: entry(name, offset),
        next: None,
        gap: None,
        ended: false,
    }
}

fn ended(name: &str, offset: u64, before: &Cursor) -> Option<PipeItem> {
    let entry = CursorEntry { ended: true, ..entry(name, offset) };
    let mut cursor = before.clone();
    cursor.set(entry);
    Some(PipeItem::End { channel: channel(name), entry, cursor })
}

#[test]
fn lines_become_envelopes_and_the_cursor_follows() {
    let mut collector = Collector::new(vec![None; 2], Cursor::new());
    assert!(collector.cursor.marked(), "neither stands yet");
    collector.page(0, &page("a", 3));
    collector.page(1, &page("b", 8));
    assert!(collector.is_empty() && !collector.cursor.marked());
    assert_eq!(collector.take(frame("b", 9, "{\"x\":1}\n")), Step::More);
    assert_eq!(collector.take(frame("a", 4, "{\"x\":2}\n")), Step::More);
    assert_eq!(collector.publications, ["{\"x\":1}", "{\"x\":2}"]);
    assert_eq!(collector.cursor.entries(), [entry("a", 4), entry("b", 9)]);
    assert!(!collector.is_empty() && !collector.ended());
}

#[test]
fn a_live_only_publication_does_not_move_the_cursor() {
    let mut collector = Collector::new(vec![None], Cursor::new());
    collector.page(0, &page("a", 3));
    let live =
        PipeItem::Frame { body: Bytes::from_static(b"{}\n"), sum: GzipSum::default(), after: None };
    assert_eq!(collector.take(Some(live)), Step::More);
    assert_eq!(collector.cursor.entries(), [entry("a", 3)]);
    assert_eq!(collector.publications.len(), 1);
}

#[test]
fn carried_entries_stand_behind_those_asked_for() {
    let mut carried = Cursor::new();
    carried.set(entry("other", 1));
    let mut collector = Collector::new(vec![None], carried);
    collector.page(0, &page("a", 3));
    assert_eq!(collector.cursor.entries(), [entry("a", 3), entry("other", 1)]);
}

#[test]
fn it_answers_when_it_is_full() {
    let mut collector = Collector::new(vec![None], Cursor::new());
    for offset in 1..POLL_PUBLICATIONS_MAX as u64 {
        assert_eq!(collector.take(frame("a", offset, "{}\n")), Step::More);
    }
    assert_eq!(collector.room().map(|room| room.publications), Some(1));
    assert_eq!(collector.take(frame("a", 1_000, "{}\n")), Step::Answer);
    assert_eq!(collector.room(), None);
    let mut collector = Collector::new(vec![None], Cursor::new());
    let large = "x".repeat(POLL_BYTES_MAX);
    assert_eq!(collector.take(frame("a", 1, &large)), Step::Answer);
    assert_eq!(collector.publications.len(), 1, "one is always given");
}

#[test]
fn it_ends_when_the_last_channel_has() {
    let mut collector = Collector::new(vec![None; 2], Cursor::new());
    collector.page(0, &page("a", 3));
    let over = HistoryPage { ended: true, ..page("b", 8) };
    collector.page(1, &over);
    assert!(!collector.ended(), "a goes on");
    let end = ended("a", 3, &collector.cursor);
    assert_eq!(collector.take(end), Step::Answer);
    assert!(collector.ended());
    assert!(!collector.cursor.entries().iter().any(|entry| entry.ended));
    collector.conclude();
    assert!(collector.cursor.entries().iter().all(|entry| entry.ended));
}

#[test]
fn it_does_not_end_while_something_is_left() {
    let mut collector = Collector::new(vec![None], Cursor::new());
    let part = HistoryPage { next: Some(position(3)), ended: true, ..page("a", 3) };
    collector.page(0, &part);
    assert!(!collector.ended());
    let mut collector = Collector::new(Vec::new(), Cursor::new());
    collector.skipped();
    assert!(!collector.ended());
}

#[test]
fn a_gap_is_told_and_waited_on() {
    let gap = Gap {
        channel: channel("a"),
        from: Some(position(1)),
        to: position(5),
        reason: GapReason::Removed,
    };
    let mut collector = Collector::new(vec![None], Cursor::new());
    let mut cursor = Cursor::new();
    cursor.set(entry("a", 5));
    let item = PipeItem::Gap { gap: gap.clone(), cursor: cursor.clone() };
    assert_eq!(collector.take(Some(item)), Step::More);
    assert_eq!((collector.gaps.as_slice(), collector.cursor), ([gap].as_slice(), cursor));
}

#[test]
fn whatever_cuts_the_wait_is_answered_with_what_there_is() {
    for item in [
        None,
        Some(PipeItem::Drain),
        Some(PipeItem::Finished),
        Some(PipeItem::Disconnect(Disconnect::Slow)),
    ] {
        let mut collector = Collector::new(vec![None], Cursor::new());
        collector.page(0, &page("a", 3));
        assert_eq!(collector.take(item), Step::Answer);
        assert_eq!(collector.cursor.entries(), [entry("a", 3)]);
    }
    let mut collector = Collector::new(vec![None], Cursor::new());
    let refused = Some(PipeItem::Refused(Code::ChannelsFull));
    assert_eq!(collector.take(refused), Step::Refuse(Code::ChannelsFull));
}
