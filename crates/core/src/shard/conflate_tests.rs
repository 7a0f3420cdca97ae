//! Conflating feeds in a shard, under a clock that the test moves.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::feed::Run;
use crate::frame::{Format, Frame};
use crate::happening::Wishes;
use crate::name::ChannelName;
use crate::namespace::{NamespaceRules, Presence};
use crate::permit::Permit;
use crate::position::Offset;
use crate::presence::{Attendance, News};
use crate::publication::{Content, Data, Detail, Draft, End, Lifetime, Publication, SessionId};
use crate::rate::{Pace, Rate};
use crate::settings::{Retention, ShardSettings, SlowReader};
use crate::shard::{
    Completion, ConnectionId, Delivery, Echo, Effect, EngineCommand, Input, Opening, Origin,
    Request, Room, Shard, Sink,
};
use crate::start::{Start, Subscription};
use crate::time::{Millis, Now};

#[test]
fn a_ticker_at_five_a_second_is_the_newest_of_each_symbol_and_a_quarter_of_the_bytes() {
    let mut hub = Hub::new(SlowReader::Recover);
    hub.open(1, None, Start::Now);
    hub.open(2, Some(Rate::Five), Start::Now);
    hub.open(3, Some(Rate::Five), Start::Now);
    hub.open(4, Some(Rate::Fifty), Start::Now);
    let begun = hub.now.millis;
    for number in 0..3000 {
        // The third reader stops reading for a second.
        match number {
            1000 => hub.sinks.room.insert(3, 7),
            2000 => hub.make_room(3, usize::MAX),
            _ => None,
        };
        hub.publish(&format!("symbol {} is ", number % 50), Lifetime::Retained);
        hub.pass(1);
    }
    hub.pass(1000);
    let plain = hub.sinks.bytes(1);
    for (reader, rate, ratio) in
        [(2, Rate::Five, 0.27), (3, Rate::Five, 0.27), (4, Rate::Fifty, 1.0)]
    {
        let told = &hub.sinks.told[&reader];
        hub.check_newest(told, rate);
        let share = hub.sinks.bytes(reader) as f64 / plain as f64;
        assert!(share <= ratio, "reader {reader} got {share} of the bytes");
        let moments = told.iter().map(|told| told.at).collect::<std::collections::BTreeSet<_>>();
        let most = 3 * u64::from(rate.per_second()) + 1;
        assert!(moments.len() as u64 <= most, "{} moments in three seconds", moments.len());
        let newest: BTreeMap<_, _> = told.iter().map(|told| (&told.key, told.number)).collect();
        assert_eq!(newest.len(), 50);
        assert!(newest.values().all(|number| *number >= 2950), "{newest:?}");
    }
    let late: Vec<_> = hub.sinks.told[&3].iter().filter(|told| told.at >= begun + 2000).collect();
    assert!(late[0].at <= begun + 2200 && late[0].number >= 1950, "{:?}", late[0]);
    let plain = &hub.sinks.told[&1];
    assert_eq!(plain.len(), 3000, "who asked for no rate gets everything");
    assert!(hub.shard.figures().conflated > 2000);
}

#[test]
fn the_first_after_a_pause_goes_at_once_and_the_next_an_interval_later() {
    let mut hub = Hub::new(SlowReader::Recover);
    hub.open(1, Some(Rate::Five), Start::Now);
    let begun = hub.now.millis;
    hub.publish("a", Lifetime::Retained);
    hub.publish("b", Lifetime::Retained);
    hub.pass(0);
    assert_eq!(hub.given(1), ["a0", "b1"]);
    assert!(!hub.shard.awaits_moment(), "nothing waits, so that nothing has to be woken for");
    hub.pass(50);
    hub.publish("a", Lifetime::Live);
    hub.publish("a", Lifetime::Retained);
    hub.pass(149);
    assert_eq!(hub.given(1), [""; 0]);
    assert_eq!(hub.shard.moments_at(), Some(begun + 200));
    hub.pass(1);
    assert_eq!(hub.given(1), ["a3"], "what is live only is conflated by the same rule");
    assert!(!hub.shard.awaits_moment());
    hub.pass(1000);
    hub.publish("a", Lifetime::Retained);
    hub.pass(0);
    assert_eq!(hub.given(1), ["a4"]);
}

#[test]
fn without_a_rate_it_is_the_namespace_that_conflates_and_only_the_slow_notice() {
    let mut hub = Hub::new(SlowReader::Latest);
    hub.open(1, None, Start::Now);
    hub.open(2, None, Start::Now);
    hub.sinks.room.insert(2, 1);
    for _ in 0..10 {
        hub.publish("a", Lifetime::Retained);
        hub.publish("b", Lifetime::Retained);
        hub.pass(0);
    }
    assert_eq!(hub.given(1).len(), 20);
    assert_eq!(hub.given(2), ["a0"]);
    hub.make_room(2, usize::MAX);
    hub.pass(0);
    assert_eq!(hub.given(2), ["a18", "b19"]);
}

#[test]
fn who_was_full_at_a_moment_waits_for_the_next() {
    let mut hub = Hub::new(SlowReader::Recover);
    hub.open(1, Some(Rate::Five), Start::Now);
    hub.sinks.room.insert(1, 1);
    hub.publish("a", Lifetime::Retained);
    hub.publish("b", Lifetime::Retained);
    hub.pass(0);
    assert_eq!(hub.given(1), ["a0"]);
    hub.pass(100);
    hub.make_room(1, usize::MAX);
    hub.pass(99);
    assert_eq!(hub.given(1), [""; 0]);
    hub.publish("b", Lifetime::Retained);
    hub.pass(1);
    assert_eq!(hub.given(1), ["b2"]);
}

#[test]
fn who_has_room_again_while_others_are_visited_is_not_forgotten() {
    let mut hub = Hub::new(SlowReader::Recover);
    for reader in 1..=3 {
        hub.open(reader, Some(Rate::Five), Start::Now);
    }
    hub.pass(0);
    hub.sinks.room.insert(1, 1);
    hub.publish("a", Lifetime::Retained);
    hub.publish("b", Lifetime::Retained);
    hub.flush(1);
    assert_eq!(hub.given(1), ["a0"]);
    assert_eq!(hub.given(3), [""; 0], "the visit is not over");
    hub.make_room(1, usize::MAX);
    hub.pass(0);
    assert_eq!(hub.given(3), ["a0", "b1"]);
    assert_eq!(hub.given(1), [""; 0]);
    hub.pass(200);
    assert_eq!(hub.given(1), ["b1"]);
    assert!(!hub.shard.awaits_moment());
}

#[test]
fn an_end_waits_for_what_came_before_it() {
    let mut hub = Hub::new(SlowReader::Recover);
    hub.open(1, Some(Rate::One), Start::Now);
    hub.publish("a", Lifetime::Retained);
    hub.pass(10);
    hub.publish("a", Lifetime::Retained);
    hub.publish("a", Lifetime::Retained);
    hub.ask(Request::Publish(Box::new(Draft {
        end: End::Close,
        ..draft(None, Lifetime::Retained)
    })));
    hub.pass(989);
    assert_eq!(hub.given(1), ["a0"]);
    assert!(hub.ended.is_empty());
    hub.pass(1);
    assert_eq!(hub.given(1), ["a2"]);
    assert_eq!(hub.ended, [1]);
    assert_eq!(hub.shard.figures().feeds, 0);
}

#[test]
fn readers_that_take_nothing_cost_no_memory_and_no_more_than_a_look_an_interval() {
    let mut hub = Hub::new(SlowReader::Recover);
    hub.open(1, Some(Rate::Ten), Start::Now);
    hub.sinks.room.insert(1, 0);
    let mut bytes = 0;
    let mut ticks = 0;
    for number in 0..2000 {
        hub.publish(["a", "b"][number % 2], Lifetime::Retained);
        ticks += hub.pass(1);
        bytes = bytes.max(hub.shard.figures().feed_bytes);
    }
    assert!(bytes < 4000, "{bytes}");
    assert!(ticks <= 21, "{ticks} ticks in two seconds");
    let ticks = hub.pass(5000);
    assert!(ticks <= 2, "{ticks} ticks for a reader that takes nothing");
    hub.make_room(1, usize::MAX);
    hub.pass(0);
    assert_eq!(hub.given(1), ["a1998", "b1999"]);
    assert_eq!(hub.shard.figures().feed_bytes, 0);
}

#[test]
fn who_leaves_takes_the_moment_along() {
    let mut hub = Hub::new(SlowReader::Recover);
    hub.open(1, Some(Rate::One), Start::Now);
    hub.publish("a", Lifetime::Retained);
    hub.pass(1);
    hub.publish("a", Lifetime::Retained);
    assert!(hub.shard.awaits_moment());
    hub.input(Input::Close(connection(1)));
    assert!(!hub.shard.awaits_moment());
    assert_eq!(hub.shard.figures().feed_bytes, 0);
}

#[test]
fn history_is_the_newest_of_each_and_is_encoded_for_nobody_else() {
    let mut hub = Hub::new(SlowReader::Recover);
    for number in 0..150 {
        hub.publish(["a", "b", "c"][number % 3], Lifetime::Retained);
    }
    let encoded = ENCODED.get();
    hub.open(1, Some(Rate::Five), Start::All);
    hub.pass(0);
    assert_eq!(hub.given(1), ["a147", "b148", "c149"]);
    assert_eq!(ENCODED.get() - encoded, 3);
    for _ in 0..100 {
        hub.publish("a", Lifetime::Retained);
    }
    hub.pass(200);
    assert_eq!(hub.given(1), ["a249"]);
    assert_eq!(ENCODED.get() - encoded, 4);
    // With a reader of everything the owner encodes each once, and both use that.
    hub.open(2, None, Start::All);
    hub.pass(0);
    let encoded = ENCODED.get();
    for _ in 0..100 {
        hub.publish("a", Lifetime::Retained);
    }
    hub.pass(200);
    assert_eq!(hub.given(1), ["a349"]);
    assert_eq!(ENCODED.get() - encoded, 100);
}

#[test]
fn what_a_feed_has_no_room_for_is_skipped_and_counted() {
    let mut hub = Hub::new(SlowReader::Recover);
    hub.open(1, Some(Rate::One), Start::Now);
    hub.publish("first", Lifetime::Retained);
    hub.pass(1);
    assert_eq!(hub.given(1), ["first0"]);
    for number in 0..FEED_COUNT + 10 {
        hub.publish(&format!("key {number} is "), Lifetime::Retained);
    }
    hub.pass(1000);
    let given = hub.given(1);
    assert_eq!(given.len(), FEED_COUNT);
    assert_eq!(given[0], "key 10 is 11");
    assert_eq!(hub.shard.figures().slow_readers, 1);
    assert_eq!(hub.gaps, 0, "it was declared that it may skip");
}

#[test]
fn a_removal_that_a_feed_has_no_room_for_is_told_all_the_same() {
    let mut hub = Hub::new(SlowReader::Latest);
    hub.open(1, None, Start::Now);
    hub.sinks.room.insert(1, 0);
    hub.publish("a", Lifetime::Retained);
    hub.pass(0);
    hub.ask(Request::Remove);
    for number in 0..FEED_COUNT {
        hub.publish(&format!("key {number} is "), Lifetime::Retained);
    }
    hub.pass(0);
    hub.make_room(1, usize::MAX);
    hub.pass(0);
    assert_eq!(hub.gaps, 1);
    assert_eq!(hub.given(1).len(), FEED_COUNT);
}

thread_local! {
    /// Frames that were made.
    static ENCODED: Cell<usize> = const { Cell::new(0) };
}

/// Entries that a feed holds at most.
const FEED_COUNT: usize = 200;

/// One frame that a reader was given.
#[derive(Debug)]
struct Told {
    at: Millis,
    key: String,
    number: usize,
}

#[derive(Default)]
struct Sinks {
    now: Millis,
    told: BTreeMap<u32, Vec<Told>>,
    given: BTreeMap<u32, Vec<String>>,
    bytes: BTreeMap<u32, usize>,
    /// Frames that a reader still has room for; without an entry, any number.
    room: BTreeMap<u32, usize>,
}

/// One shard whose engine stores everything at once, and readers of one channel.
struct Hub {
    shard: Shard,
    now: Now,
    sinks: Sinks,
    /// When each number was published, and of which key.
    published: Vec<(Millis, String)>,
    ended: Vec<u32>,
    gaps: usize,
}

impl Sink for Sinks {
    fn deliver(&mut self, connection: ConnectionId, run: Run<'_>) -> Delivery {
        let room = self.room.entry(connection.index).or_insert(usize::MAX);
        let mut taken = 0;
        for entry in run.entries() {
            if *room == 0 {
                break;
            }
            *room -= 1;
            taken += 1;
            let text = String::from_utf8_lossy(entry.frame.bytes()).into_owned();
            let (key, number) =
                text.split_at(text.rfind(|it: char| !it.is_ascii_digit()).unwrap() + 1);
            let told = Told { at: self.now, key: key.to_owned(), number: number.parse().unwrap() };
            *self.bytes.entry(connection.index).or_default() += text.len();
            self.told.entry(connection.index).or_default().push(told);
            self.given.entry(connection.index).or_default().push(text);
        }
        let room = if *room == 0 { Room::Full } else { Room::More };
        Delivery { taken, room }
    }
}

impl Sinks {
    fn bytes(&self, reader: u32) -> usize {
        self.bytes.get(&reader).copied().unwrap_or_default()
    }
}

impl Hub {
    fn new(slow_reader: SlowReader) -> Self {
        let history = Retention { count: 5000, bytes: 1 << 20, age: Duration::from_secs(600) };
        let (presence, wishes) = (Presence::Off, Wishes::default());
        let rules = NamespaceRules { history, slow_reader, presence, wishes };
        let shard = Shard::new(ShardSettings {
            feed: Retention { count: FEED_COUNT, bytes: 1 << 20, age: Duration::MAX },
            ..ShardSettings::alone(rules, encode, encode_news)
        });
        let now = Now { millis: 1_000, unix: 1_000_000 };
        let (sinks, published) = (Sinks::default(), Vec::new());
        Self { shard, now, sinks, published, ended: Vec::new(), gaps: 0 }
    }

    fn open(&mut self, reader: u32, max_rate: Option<Rate>, start: Start) {
        let opening = Opening {
            format: Format::Sse,
            subscriptions: vec![Subscription::new(channel(), start)],
            carried: Cursor::new(),
            session: SessionId(u128::from(reader)),
            echo: Echo::On,
            attendance: Attendance::default(),
            pace: max_rate.map_or(Pace::Usual, Pace::AtMost),
        };
        self.input(Input::Open { connection: connection(reader), opening: Box::new(opening) });
    }

    /// Publishes the next number under a key.
    fn publish(&mut self, key: &str, lifetime: Lifetime) {
        let number = self.published.len();
        self.published.push((self.now.millis, key.to_owned()));
        let data = Data::Text(Bytes::from(format!("{key}{number}")));
        let detail = Some(Box::new(Detail { conflate: Some(key.into()), ..Detail::default() }));
        self.ask(Request::Publish(Box::new(draft(Some(Content { data, detail }), lifetime))));
    }

    fn ask(&mut self, request: Request) {
        let (channel, permit) = (channel(), Permit::free());
        self.input(Input::Ask { origin: Origin::Edge(1), channel, request, permit });
    }

    fn make_room(&mut self, reader: u32, room: usize) -> Option<usize> {
        let before = self.sinks.room.insert(reader, room);
        self.input(Input::Writable(connection(reader)));
        before
    }

    fn input(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.shard.handle(input, self.now, &mut effects);
        self.carry_out(effects);
    }

    fn flush(&mut self, budget: usize) {
        self.sinks.now = self.now.millis;
        let mut effects = Vec::new();
        self.shard.flush(&mut self.sinks, self.now, budget, &mut effects);
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Engine(EngineCommand::Append(append)) => {
                    let (channel, append) = (append.channel, append.append);
                    self.input(Input::Completion(Completion::Committed { channel, append }));
                }
                Effect::Engine(EngineCommand::Remove { channel, epoch, .. }) => {
                    let outcome = Ok(());
                    self.input(Input::Completion(Completion::Removed { channel, epoch, outcome }));
                }
                Effect::End { connection, .. } => self.ended.push(connection.index),
                Effect::Gap { .. } => self.gaps += 1,
                _ => {}
            }
        }
    }

    /// Time passes, a millisecond at a time; says how often the shard had to be woken.
    fn pass(&mut self, millis: Millis) -> usize {
        let mut ticks = 0;
        self.flush_all();
        for _ in 0..millis {
            self.now.millis += 1;
            self.now.unix += 1;
            if self.shard.moments_at().is_some_and(|at| at <= self.now.millis) {
                ticks += 1;
                self.input(Input::Tick);
            }
            self.flush_all();
        }
        ticks
    }

    fn flush_all(&mut self) {
        for _ in 0..8 {
            self.flush(10_000);
        }
    }

    /// What a reader was given since this was asked last.
    fn given(&mut self, reader: u32) -> Vec<String> {
        self.sinks.given.remove(&reader).unwrap_or_default()
    }

    /// Whether everything was the newest of its key when it was given, none of it older than an
    /// interval, and each moment an interval after the one before.
    fn check_newest(&self, told: &[Told], rate: Rate) {
        let mut had: BTreeMap<&str, usize> = BTreeMap::new();
        let mut last = None;
        for told in told {
            let newer = |(at, key): &&(Millis, String)| *key == told.key && *at < told.at;
            let newer = self.published.iter().skip(told.number + 1).find(newer);
            assert!(newer.is_none(), "{told:?} was superseded by {newer:?}");
            let age = told.at - self.published[told.number].0;
            assert!(age <= rate.interval(), "{told:?} was {age} ms old");
            let had = had.insert(&told.key, told.number);
            assert!(had < Some(told.number), "{told:?} after {had:?}");
            let since = last.replace(told.at).map_or(Millis::MAX, |last| told.at - last);
            assert!(since == 0 || since >= rate.interval(), "{told:?} came after {since} ms");
        }
    }
}

fn encode(publication: &Publication, _: Offset, _: Format) -> Frame {
    ENCODED.set(ENCODED.get() + 1);
    Frame::whole(publication.content.data.bytes().clone())
}

fn encode_news(news: &News, _: Format) -> Frame {
    Frame::whole(Bytes::from(format!("members {}", news.count)))
}

fn draft(content: Option<Content>, lifetime: Lifetime) -> Draft {
    Draft { content, lifetime, key: None, publisher: None, expect: None, end: End::Open }
}

fn channel() -> ChannelName {
    ChannelName::new("ticker").unwrap()
}

fn connection(reader: u32) -> ConnectionId {
    ConnectionId { index: reader, generation: 1 }
}
