//! Pages of what only the engine has: how many are asked for at once, and that none is read in vain.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::cursor::Cursor;
use crate::feed::Run;
use crate::frame::{Format, Frame};
use crate::happening::Wishes;
use crate::name::ChannelName;
use crate::namespace::{NamespaceRules, Namespaces, Presence};
use crate::position::{Epoch, Offset, Position};
use crate::presence::Attendance;
use crate::publication::{Content, Data, Publication, SessionId};
use crate::rate::Pace;
use crate::settings::{Depth, Retention, ShardSettings, SlowReader};
use crate::shard::{
    Completion, ConnectionId, Delivery, Echo, Effect, EngineCommand, Input, Opening, Restored,
    Room, Shard, Sink,
};
use crate::start::{Start, Subscription};
use crate::time::Now;

const NOW: Now = Now { millis: 1_000, unix: 1_000_000 };
/// Publications of the channel, of which the engine gives so many in a page.
const STORED: Offset = 40;
const PAGE: Offset = 10;
/// What each weighs for the engine, and on the wire.
const WEIGHT: usize = 1_000;

/// A shard after a restart: everything is in its engine.
struct Restart {
    shard: Shard,
    /// What was asked of the engine and not answered: the number of the read and the offset.
    asked: Vec<(u64, Offset)>,
    /// Pages that were asked for, ever.
    reads: usize,
    sink: Sockets,
}

/// Sockets that take everything, but for those that are full.
#[derive(Default)]
struct Sockets {
    full: Vec<u32>,
    taken: BTreeMap<u32, usize>,
}

impl Sink for Sockets {
    fn deliver(&mut self, connection: ConnectionId, run: Run<'_>) -> Delivery {
        if self.full.contains(&connection.index) {
            return Delivery { taken: 0, room: Room::Full };
        }
        let taken = run.entries().count();
        *self.taken.entry(connection.index).or_default() += taken;
        Delivery { taken, room: Room::More }
    }
}

fn channel() -> ChannelName {
    ChannelName::new("runs").unwrap()
}

fn at(offset: Offset) -> Position {
    Position::new(offset, Epoch::from_bits(7))
}

fn connection(index: u32) -> ConnectionId {
    ConnectionId { index, generation: 1 }
}

impl Restart {
    fn new(pages_bytes_max: usize) -> Self {
        let history = Retention { count: 1_000, bytes: 1 << 30, age: Duration::from_secs(60) };
        let (slow_reader, presence) = (SlowReader::Recover, Presence::Off);
        let wishes = Wishes::default();
        let rules = NamespaceRules { history, slow_reader, presence, wishes };
        let mut shard = Shard::new(ShardSettings {
            shard: 0,
            shards: 1,
            generation: Epoch::from_bits(7),
            mark: 0,
            seed: 1,
            encode: |_, _, _| Frame::whole(Bytes::from_static(&[b'x'; WEIGHT])),
            encode_news: |_, _| Frame::default(),
            namespaces: Arc::new(Namespaces::only(rules)),
            ring: history,
            rings_bytes_max: usize::MAX,
            feed: history,
            page_bytes: WEIGHT * usize::try_from(PAGE).unwrap(),
            pages_bytes_max,
            sends_per_visit: 256,
            engine_timeout: Duration::from_secs(1),
            key_window: Duration::from_secs(120),
            keys_max: 3,
            channels_max: 3,
            subscriptions_max: 64,
            depth: Depth::Engine,
        });
        let (name, start, head) = (channel(), at(0), STORED);
        let (skipped, ended, newest, keys) = (head, false, NOW.unix, Vec::new());
        shard.restore([Restored { name, start, head, skipped, ended, newest, keys }], NOW);
        Self { shard, asked: Vec::new(), reads: 0, sink: Sockets::default() }
    }

    fn input(&mut self, input: Input) {
        let mut effects = Vec::new();
        self.shard.handle(input, NOW, &mut effects);
        self.note(effects);
    }

    fn note(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Engine(EngineCommand::Read { read, after, .. }) = effect {
                self.asked.push((read, after.offset));
                self.reads += 1;
            }
        }
    }

    fn open(&mut self, index: u32) {
        let opening = Opening {
            format: Format::Sse,
            subscriptions: vec![Subscription::new(channel(), Start::After(at(0)))],
            carried: Cursor::new(),
            session: SessionId(u128::from(index)),
            echo: Echo::On,
            attendance: Attendance::default(),
            pace: Pace::Usual,
        };
        let connection = connection(index);
        self.input(Input::Open { connection, opening: Box::new(opening) });
    }

    /// The engine answers the oldest question.
    fn answer(&mut self) {
        let (read, after) = self.asked.remove(0);
        let publication = |offset: Offset| {
            let data = Data::Text(Bytes::from(vec![b'x'; WEIGHT]));
            Arc::new(Publication {
                channel: channel(),
                position: Some(at(offset)),
                prev: offset - 1,
                time: NOW.unix,
                expires_at: None,
                content: Content::plain(data),
            })
        };
        let page = Ok((after + 1..=STORED.min(after + PAGE)).map(publication).collect());
        self.input(Input::Completion(Completion::Page { read, channel: channel(), page }));
    }

    fn flush(&mut self) {
        let mut effects = Vec::new();
        self.shard.flush(&mut self.sink, NOW, 1_000, &mut effects);
        self.note(effects);
    }
}

#[test]
fn an_owner_asks_for_a_few_pages_at_a_time_however_many_come_back() {
    let mut restart = Restart::new(usize::MAX);
    (0..100).for_each(|index| restart.open(index));
    let at_once = restart.asked.len();
    assert!((1..100).contains(&at_once), "{at_once}");
    for _ in 0..10 {
        restart.answer();
        assert_eq!(restart.asked.len(), at_once);
    }
    while !restart.asked.is_empty() {
        restart.answer();
        restart.flush();
    }
    let all = usize::try_from(STORED).unwrap();
    assert!((0..100).all(|index| restart.sink.taken[&index] == all), "{:?}", restart.sink.taken);
}

#[test]
fn whoever_reads_on_asks_for_no_page_that_has_no_room() {
    // Two pages fit, and both are held by readers that take nothing.
    let page = WEIGHT * usize::try_from(PAGE).unwrap();
    let mut restart = Restart::new(page * 5 / 2);
    restart.sink.full = vec![0, 1];
    for index in 0..4 {
        restart.open(index);
    }
    (0..4).for_each(|_| restart.answer());
    restart.flush();
    // Those that came without room to be found wait for it.
    assert_eq!((restart.reads, restart.asked.len()), (4, 0));
    restart.sink.full.clear();
    for index in [0, 1] {
        restart.input(Input::Writable(connection(index)));
    }
    let mut turns = 0;
    while restart.sink.taken.values().sum::<usize>() < 4 * usize::try_from(STORED).unwrap() {
        restart.flush();
        while !restart.asked.is_empty() {
            // What was asked for has room: nothing of it is read again.
            restart.answer();
        }
        turns += 1;
        assert!(turns < 100, "{:?}", restart.sink.taken);
    }
    // Four pages each, and the two that had come in vain before.
    let pages = 4 * usize::try_from(STORED / PAGE).unwrap() + 2;
    assert!(restart.reads <= pages + 4, "{} reads for {pages} pages", restart.reads);
}
