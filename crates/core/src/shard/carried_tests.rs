//! A stream whose channels change: which of its ids are its own, and what they carry.

use std::time::Duration;

use bytes::Bytes;

use crate::code::Code;
use crate::cursor::{CURSOR_ENTRIES_MAX, Cursor, CursorEntry};
use crate::feed::Run;
use crate::frame::{Format, Frame};
use crate::happening::Wishes;
use crate::name::{ChannelHash, ChannelName};
use crate::namespace::{NamespaceRules, Presence};
use crate::permit::Permit;
use crate::position::{Epoch, Offset, Position};
use crate::presence::Attendance;
use crate::publication::{Content, Data, Draft, End, Lifetime, Publication, SessionId};
use crate::rate::Pace;
use crate::settings::{Retention, ShardSettings, SlowReader};
use crate::shard::{
    Completion, ConnectionId, Delivery, Echo, Effect, EngineCommand, Input, Opened, Opening,
    Origin, Request, Room, Shard, Sink,
};
use crate::start::{Later, Start, Subscription};
use crate::time::Now;

const READER: ConnectionId = ConnectionId { index: 3, generation: 1 };

/// One shard with one reader.
struct Stream {
    shard: Shard,
    taken: Taken,
}

/// What the reader was sent: each publication's entry, and the cursor that its id is composed from.
#[derive(Default)]
struct Taken(Vec<(CursorEntry, Option<Cursor>)>);

impl Sink for Taken {
    fn deliver(&mut self, _: ConnectionId, run: Run<'_>) -> Delivery {
        let mut cursor = run.cursor().cloned();
        for entry in run.entries() {
            let Some(after) = entry.after else { continue };
            if let Some(cursor) = &mut cursor {
                cursor.set(after);
            }
            self.0.push((after, cursor.clone()));
        }
        Delivery { taken: run.entries().count(), room: Room::More }
    }
}

impl Stream {
    /// Opens the reader with these channels, from now, and what it carries.
    fn open(channels: &[&str], carried: Cursor) -> Self {
        let history = Retention { count: 100, bytes: 1 << 20, age: Duration::from_secs(60) };
        let (slow_reader, presence) = (SlowReader::Recover, Presence::Off);
        let wishes = Wishes::default();
        let rules = NamespaceRules { history, slow_reader, presence, wishes };
        let encode = |_: &Publication, _: Offset, _| Frame::whole(Bytes::from_static(b"x"));
        let settings = ShardSettings::alone(rules, encode, |_, _| Frame::default());
        let shard = Shard::new(settings);
        let mut stream = Self { shard, taken: Taken::default() };
        let now = |name: &&str| Subscription::new(channel(name), Start::Now);
        let opening = Opening {
            format: Format::Sse,
            subscriptions: channels.iter().map(now).collect(),
            carried,
            session: SessionId(1),
            echo: Echo::On,
            attendance: Attendance::default(),
            pace: Pace::Usual,
        };
        stream.input(Input::Open { connection: READER, opening: Box::new(opening) });
        stream
    }

    /// Carries out everything, with an engine that stores at once; gives back what clients are told.
    fn input(&mut self, input: Input) -> Vec<Effect> {
        let (mut inputs, mut told) = (vec![input], Vec::new());
        while let Some(input) = inputs.pop() {
            let mut effects = Vec::new();
            self.shard.handle(input, Now { millis: 1, unix: 1 }, &mut effects);
            for effect in effects {
                match effect {
                    Effect::Engine(EngineCommand::Append(append)) => {
                        let (channel, append) = (append.channel, append.append);
                        inputs.push(Input::Completion(Completion::Committed { channel, append }));
                    }
                    other => told.push(other),
                }
            }
        }
        let now = Now { millis: 1, unix: 1 };
        for _ in 0..4 {
            self.shard.flush(&mut self.taken, now, 1_000, &mut told);
        }
        told
    }

    fn publish(&mut self, name: &str) {
        self.publish_with(name, End::Open);
    }

    fn publish_with(&mut self, name: &str, end: End) -> Vec<Effect> {
        let draft = Draft {
            content: Some(Content::plain(Data::Text(Bytes::from_static(b"x")))),
            lifetime: Lifetime::Retained,
            key: None,
            publisher: None,
            expect: None,
            end,
        };
        self.input(Input::Ask {
            origin: Origin::Edge(1),
            channel: channel(name),
            request: Request::Publish(Box::new(draft)),
            permit: Permit::free(),
        })
    }

    /// Adds a channel without saying from where.
    fn add(&mut self, name: &str) -> Result<Opened, Code> {
        self.add_from(name, Start::Now, Later::Carried)
    }

    fn add_from(&mut self, name: &str, start: Start, later: Later) -> Result<Opened, Code> {
        let subscription = Subscription::new(channel(name), start);
        let (connection, request) = (READER, 1);
        let told = self.input(Input::Subscribe { connection, request, subscription, later });
        let answer = told.into_iter().find_map(|effect| match effect {
            Effect::Subscribed { opened, .. } => Some(Ok(opened)),
            Effect::Refused { code, .. } => Some(Err(code)),
            _ => None,
        });
        answer.unwrap()
    }

    fn drop(&mut self, name: &str) -> Vec<Effect> {
        let (connection, request) = (READER, 1);
        self.input(Input::Unsubscribe { connection, request, channel: channel(name) })
    }

    /// The offsets of these channels in the last id; none where it is the channel's own alone.
    fn last_id(&self, names: &[&str]) -> Option<Vec<Option<u64>>> {
        let (_, cursor) = self.taken.0.last()?;
        let cursor = cursor.as_ref()?;
        let offset = |name: &&str| Some(cursor.entry(channel(name).hash48())?.position.offset);
        Some(names.iter().map(offset).collect())
    }
}

fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).unwrap()
}

fn entry(name: &str, offset: u64) -> CursorEntry {
    let position = Position::new(offset, Epoch::from_bits(7));
    CursorEntry { hash: channel(name).hash48(), position, ended: false }
}

#[test]
fn ids_are_composed_from_the_second_channel_on() {
    let mut stream = Stream::open(&["a"], Cursor::new());
    stream.publish("b");
    stream.publish("a");
    assert_eq!(stream.last_id(&["a", "b"]), None, "one channel shares its frames with all");
    let opened = stream.add("b").unwrap();
    assert_eq!(opened.entry, Some(entry("b", 1)), "it starts now");
    stream.publish("a");
    assert_eq!(stream.last_id(&["a", "b"]), Some(vec![Some(2), Some(1)]));
    stream.publish("b");
    assert_eq!(stream.last_id(&["a", "b"]), Some(vec![Some(2), Some(2)]));
}

#[test]
fn a_channel_that_was_dropped_goes_on_where_it_stood() {
    let mut stream = Stream::open(&["a"], Cursor::new());
    stream.publish("a");
    let told = stream.drop("a");
    assert!(!told.iter().any(|effect| matches!(effect, Effect::Finished(_))), "{told:?}");
    stream.publish("a");
    stream.publish("a");
    stream.add("b").unwrap();
    stream.publish("b");
    assert_eq!(stream.taken.0.len(), 2, "nothing of a channel that is not read");
    assert_eq!(stream.last_id(&["a", "b"]), Some(vec![Some(1), Some(1)]), "its place is carried");
    let opened = stream.add("a").unwrap();
    assert_eq!(opened.entry, Some(entry("a", 1)));
    let taken = stream.taken.0.split_off(2);
    let offsets: Vec<u64> = taken.iter().map(|(after, _)| after.position.offset).collect();
    assert_eq!(offsets, [2, 3], "what was published in between");
    assert_eq!(stream.add("a").unwrap_err(), Code::AlreadySubscribed);
}

#[test]
fn what_a_request_carried_is_where_a_channel_starts() {
    let mut carried = Cursor::new();
    carried.set(entry("b", 1));
    let mut stream = Stream::open(&["a"], carried);
    for _ in 0..3 {
        stream.publish("b");
    }
    let opened = stream.add("b").unwrap();
    assert_eq!(opened.entry, Some(entry("b", 1)));
    assert_eq!(stream.taken.0.len(), 2);
    stream.drop("b");
    let opened = stream.add_from("b", Start::Now, Later::Said).unwrap();
    assert_eq!(opened.entry, Some(entry("b", 3)), "who says where is given that");
}

#[test]
fn under_the_mark_a_channel_without_an_entry_is_a_gap() {
    let mut carried = Cursor::new();
    carried.set(entry("b", 0));
    carried.mark();
    let mut stream = Stream::open(&["a"], carried);
    let opened = stream.add("b").unwrap();
    assert_eq!((opened.entry, opened.gap_follows), (Some(entry("b", 0)), false));
    let opened = stream.add("c").unwrap();
    assert_eq!((opened.entry, opened.gap_follows), (None, true), "its entry may have been cut");
}

#[test]
fn an_end_that_was_seen_is_not_told_again() {
    let mut stream = Stream::open(&["a", "b"], Cursor::new());
    stream.publish_with("b", End::Close);
    let opened = stream.add("b").unwrap();
    assert!(opened.over, "{opened:?}");
    assert!(opened.entry.is_some_and(|entry| entry.ended));
    let told = stream.publish_with("a", End::Close);
    assert!(told.iter().any(|effect| matches!(effect, Effect::Finished(_))), "{told:?}");
}

#[test]
fn an_end_while_another_channel_is_on_its_way_stays_in_the_ids() {
    let mut stream = Stream::open(&["a"], Cursor::new());
    stream.shard.handle(
        Input::Subscribe {
            connection: READER,
            request: 1,
            subscription: Subscription::new(channel("b"), Start::Now),
            later: Later::Carried,
        },
        Now { millis: 1, unix: 1 },
        &mut Vec::new(),
    );
    stream.publish_with("a", End::Close);
    stream.publish("b");
    assert_eq!(stream.last_id(&["a", "b"]), Some(vec![Some(1), Some(1)]));
}

#[test]
fn channels_that_are_read_keep_their_place_in_a_full_cursor() {
    let mut stream = Stream::open(&["first"], Cursor::new());
    stream.publish("first");
    let name = |number: usize| format!("c{number}");
    for number in 0..CURSOR_ENTRIES_MAX + 10 {
        let added = stream.add_from(&name(number), Start::Now, Later::Said);
        assert!(added.is_ok(), "{added:?}");
        stream.drop(&name(number));
    }
    stream.publish("first");
    assert_eq!(stream.last_id(&["first"]), Some(vec![Some(2)]));
    let (_, cursor) = stream.taken.0.last().unwrap();
    let cursor = cursor.as_ref().unwrap();
    assert_eq!(cursor.entries().len(), CURSOR_ENTRIES_MAX);
    assert!(cursor.marked(), "what was dropped first has fallen out");
    let opened = stream.add(&name(0)).unwrap();
    assert!(opened.gap_follows && opened.entry.is_none(), "{opened:?}");
    let last = CURSOR_ENTRIES_MAX + 9;
    let opened = stream.add(&name(last)).unwrap();
    assert_eq!(opened.entry, Some(entry(&name(last), 0)));
}

#[test]
fn a_stream_has_as_many_channels_as_a_connection_may() {
    let mut stream = Stream::open(&["first"], Cursor::new());
    for number in 1..64 {
        assert!(stream.add(&format!("c{number}")).is_ok());
    }
    assert_eq!(stream.add("one-more").unwrap_err(), Code::ChannelsTooMany);
    stream.drop("first");
    assert!(stream.add("another").is_ok());
}

/// Two names with one hash, as anyone finds who tries some million names.
const TWINS: [&str; 2] = ["t9803473", "t18976720"];

#[test]
fn an_entry_that_two_channels_share_is_nobodys() {
    let [one, other] = TWINS;
    assert_eq!(ChannelHash::of(one), ChannelHash::of(other));
    let mut stream = Stream::open(&[one, "a"], Cursor::new());
    stream.publish(one);
    let opened = stream.add(other).unwrap();
    assert!(opened.entry.is_none() && opened.gap_follows, "{opened:?}");
    assert_eq!(opened.channel.as_str(), other);
}
