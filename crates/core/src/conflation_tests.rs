//! What a conflating feed keeps, step by step.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Conflation;
use crate::cursor::CursorEntry;
use crate::feed::{Entry, EntryBody, Eyes, FeedMark, FeedReader, Sequence};
use crate::frame::{Format, Frame};
use crate::gap::{Gap, GapReason};
use crate::name::ChannelName;
use crate::position::{Epoch, Offset, Position};
use crate::presence::{Change, News, Notices};
use crate::publication::{Content, Data, Detail, Publication, SessionId};
use crate::settings::Retention;
use crate::shard::Served;

#[test]
fn of_each_key_the_newest_is_left_in_its_place() {
    let mut feed = Conflation::new(at(0), None);
    let superseded: u64 = [("a", 1), ("b", 2), ("a", 3), ("", 4), ("b", 5), ("", 6)]
        .map(|(key, offset)| feed.push(stored(key, offset), None))
        .iter()
        .sum();
    assert_eq!(superseded, 3);
    assert_eq!(offered(&feed, 0), ["a3", "b5", "6"]);
}

#[test]
fn what_is_superseded_gives_everything_back_at_once() {
    let mut feed = Conflation::new(at(0), None);
    for (key, offset) in [("a", 1), ("b", 2), ("c", 3)] {
        feed.push(stored(key, offset), None);
    }
    let bytes = feed.bytes();
    for (offset, key) in (4..10_000).zip(["a", "b", "c"].into_iter().cycle()) {
        feed.push(stored(key, offset), None);
    }
    // Offsets have grown by three digits each.
    assert!(feed.bytes() <= bytes + 9, "{} after {bytes}", feed.bytes());
    assert_eq!((feed.kept.len(), feed.keys.len()), (3, 3));
    feed.consume(feed.end());
    assert_eq!((feed.kept.len(), feed.keys.len(), feed.bytes()), (0, 0, 0));
}

#[test]
fn a_burst_of_keys_leaves_no_room_behind() {
    let mut feed = Conflation::new(at(0), None);
    for offset in 1..5_000 {
        feed.push(stored(&offset.to_string(), offset), None);
    }
    feed.consume(feed.end());
    assert!(feed.keys.capacity() <= super::IDLE_KEYS_MAX, "{}", feed.keys.capacity());
}

#[test]
fn nothing_is_superseded_across_a_removal() {
    let mut feed = Conflation::new(at(0), None);
    feed.push(stored("a", 1), None);
    feed.push(removed(1), None);
    let next = Position::new(2, Epoch::from_bits(8));
    assert_eq!(feed.push(entry("a", Some(next), 1), None), 0);
    assert_eq!(offered(&feed, 0), ["a1", "removed", "a2"]);
    // Who goes on in the old history is told of the new one.
    assert_eq!(offered(&feed, feed.locate(at(1)).unwrap()), ["removed", "a2"]);
    assert_eq!(offered(&feed, feed.locate(Position::new(1, next.epoch)).unwrap()), ["a2"]);
    // What is left of the old history can go without taking the new one's entries along.
    feed.consume(feed.end() - 1);
    assert_eq!(feed.push(entry("a", Some(next.at(3)), 2), None), 1);
}

#[test]
fn what_is_live_only_gives_way_to_anything_and_takes_nothing_stored_along() {
    let mut feed = Conflation::new(at(0), None);
    let early = reader(&feed, 0);
    feed.push(stored("a", 1), None);
    feed.push(entry("a", None, 1), None);
    let late = reader(&feed, early.next);
    assert_eq!(given(&feed, early), ["a1", "live"]);
    assert_eq!(given(&feed, late), ["a1"]);
    assert_eq!(feed.push(entry("a", None, 1), None), 1);
    assert_eq!(given(&feed, early), ["a1", "live"]);
    assert_eq!(given(&feed, late), ["a1", "live"]);
    assert_eq!(feed.push(stored("a", 2), None), 2);
    assert_eq!(given(&feed, early), ["a2"]);
    assert_eq!(given(&feed, late), ["a2"]);
}

#[test]
fn a_reader_goes_on_in_the_middle() {
    let mut feed = Conflation::new(at(10), None);
    for (key, offset) in [("a", 11), ("b", 12), ("a", 13), ("c", 14), ("b", 15)] {
        feed.push(stored(key, offset), None);
    }
    for (offset, gets) in [
        (10, &["a13", "c14", "b15"][..]),
        (12, &["a13", "c14", "b15"]),
        (13, &["c14", "b15"]),
        (14, &["b15"]),
        (15, &[]),
    ] {
        let next = feed.locate(at(offset)).unwrap();
        assert_eq!(offered(&feed, next), gets, "after {offset}");
        // Whoever waits for an entry has everything before it, or something newer.
        assert!(feed.position_before(next) >= at(offset));
    }
    assert_eq!(feed.locate(at(9)), None, "that lies before the feed");
    assert_eq!(feed.locate(Position::new(12, Epoch::from_bits(9))), None);
}

#[test]
fn history_comes_before_every_reader_and_only_where_nothing_is_newer() {
    let mut feed = Conflation::new(at(4), None);
    // The number that this one waits for becomes free, and is never given to anything older.
    let waiting = reader(&feed, 0);
    feed.push(stored("a", 5), None);
    feed.push(entry("c", None, 5), None);
    feed.push(stored("a", 6), None);
    let history = [("a", 1), ("b", 2), ("c", 3), ("b", 4), ("a", 5), ("a", 6)];
    let history = history.map(|(key, offset)| served(key, offset));
    feed.extend_back(at(0), &history, |served| {
        entry(served.publication.content.conflate().unwrap(), served.publication.position, 0)
    });
    assert_eq!(given(&feed, waiting), ["live", "a6"]);
    let next = feed.locate(at(0)).unwrap();
    let since = feed.end();
    assert_eq!(given(&feed, FeedReader { next, since, ..waiting }), ["c3", "b4", "a6"]);
    assert_eq!(feed.push(stored("b", 7), None), 1);
}

#[test]
fn beyond_its_bounds_the_oldest_go_but_no_mark() {
    let bounds = Retention { count: 2, bytes: usize::MAX, age: Duration::MAX };
    let mut feed = Conflation::new(at(0), None);
    let first = feed.end();
    for (key, offset) in [("a", 1), ("b", 2), ("c", 3)] {
        feed.push(stored(key, offset), None);
    }
    assert_eq!(feed.bound(&bounds), None);
    assert_eq!(offered(&feed, 0), ["b2", "c3"]);
    assert!(feed.has_passed(first) && !feed.has_passed(first + 1));
    assert_eq!(feed.locate(at(0)), None, "what comes first is not here any more");
    feed.push(removed(3), None);
    feed.push(entry("a", Some(Position::new(4, Epoch::from_bits(8))), 3), None);
    assert_eq!(feed.bound(&bounds), None);
    feed.push(entry("b", Some(Position::new(5, Epoch::from_bits(8))), 4), None);
    assert_eq!(feed.bound(&bounds), Some(first + 3));
    feed.drop_told(first + 3);
    assert_eq!(feed.bound(&bounds), None);
    assert_eq!(offered(&feed, 0), ["a4", "b5"]);
    feed.push(news(1), None);
    feed.push(news(2), None);
    assert_eq!(offered(&feed, 0), ["a4", "b5", "1 there", "2 there"]);
    for number in [first + 6, first + 7] {
        assert_eq!(feed.bound(&bounds), Some(number), "news go first");
        feed.drop_told(number);
    }
    assert_eq!(feed.bound(&bounds), None);
    assert_eq!(offered(&feed, 0), ["a4", "b5"]);
}

#[test]
fn a_frame_is_made_once_and_only_of_what_is_still_there() {
    fn encode(publication: &Publication, prev: Offset, _: Format) -> Frame {
        let text = format!("{} after {prev}", publication.offset());
        Frame::whole(Bytes::from(text))
    }
    let mut feed = Conflation::new(at(0), None);
    feed.push(stored("a", 1), Some(0));
    feed.push(stored("a", 2), Some(1));
    // This one came with the frame that others share.
    feed.push(Entry { frame: Frame::whole(Bytes::from_static(b"shared")), ..stored("b", 3) }, None);
    let unencoded = feed.bytes();
    feed.encode_new(encode, Format::Ndjson);
    let frames: Vec<_> = feed.kept.values().map(|kept| kept.entry.frame.bytes().clone()).collect();
    assert_eq!(frames, ["2 after 1", "shared"]);
    assert!(feed.bytes() < unencoded, "what was counted for the payload is given back");
    feed.consume(feed.end());
    assert_eq!(feed.bytes(), 0);
}

fn at(offset: Offset) -> Position {
    Position::new(offset, Epoch::from_bits(7))
}

fn name() -> ChannelName {
    ChannelName::new("ticker").unwrap()
}

fn publication(key: &str, position: Option<Position>, prev: Offset) -> Arc<Publication> {
    let conflate = (!key.is_empty()).then(|| key.into());
    let detail = Some(Box::new(Detail { conflate, ..Detail::default() }));
    let content = Content { data: Data::Text(Bytes::new()), detail };
    Arc::new(Publication { channel: name(), position, prev, time: 0, expires_at: None, content })
}

/// An entry whose frame says what it is.
fn entry(key: &str, position: Option<Position>, prev: Offset) -> Entry {
    let hash = name().hash48();
    let after = position.map(|position| CursorEntry { hash, position, ended: false });
    let text = position.map_or("live".to_owned(), |at| format!("{key}{}", at.offset));
    let frame = Frame::whole(Bytes::from(text));
    let body = EntryBody::Publication(publication(key, position, prev));
    Entry { frame, after, time: 0, exclude: None, body }
}

fn stored(key: &str, offset: Offset) -> Entry {
    entry(key, Some(at(offset)), offset - 1)
}

fn served(key: &str, offset: Offset) -> Served {
    Served { publication: publication(key, Some(at(offset)), offset - 1), prev: offset - 1 }
}

/// The removal of the channel with this head.
fn removed(head: Offset) -> Entry {
    let to = Position::new(head, Epoch::from_bits(8));
    let gap = Gap { channel: name(), from: Some(at(head)), to, reason: GapReason::Removed };
    let after = CursorEntry { hash: name().hash48(), position: to, ended: false };
    Entry::mark(FeedMark::Removed(gap), after)
}

/// So many members.
fn news(count: usize) -> Entry {
    let frame = Frame::whole(Bytes::from(format!("{count} there")));
    let news = News { channel: name(), change: Change::Counted, count };
    Entry { frame, after: None, time: 0, exclude: None, body: EntryBody::News(Arc::new(news)) }
}

fn reader(feed: &Conflation, next: Sequence) -> FeedReader {
    let next = if next == 0 { feed.first } else { next };
    FeedReader { connection: 0, slot: 0, next, since: feed.end(), notices: Notices::Off }
}

fn text(entry: &Entry) -> String {
    match entry.as_mark() {
        Some(_) => "removed".to_owned(),
        None => String::from_utf8_lossy(entry.frame.bytes()).into_owned(),
    }
}

/// Everything that is left from a number on.
fn offered(feed: &Conflation, next: Sequence) -> Vec<String> {
    feed.kept.range(next..).map(|(_, kept)| text(&kept.entry)).collect()
}

/// What a reader is given of it.
fn given(feed: &Conflation, reader: FeedReader) -> Vec<String> {
    let nobody = Eyes { session: SessionId(0), extra: None };
    feed.kept
        .range(reader.next..)
        .filter(|(number, kept)| !reader.passes(&kept.entry, **number, nobody))
        .map(|(_, kept)| text(&kept.entry))
        .collect()
}
