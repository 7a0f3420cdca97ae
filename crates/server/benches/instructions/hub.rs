//! One shard on its own, as small as it can be.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use bytes::Bytes;
use fanfare_core::cursor::Cursor;
use fanfare_core::feed::Run;
use fanfare_core::frame::Format;
use fanfare_core::happening::Wishes;
use fanfare_core::name::ChannelName;
use fanfare_core::namespace::{NamespaceRules, Presence};
use fanfare_core::permit::{Permit, PermitPool};
use fanfare_core::position::{Epoch, Position};
use fanfare_core::presence::Attendance;
use fanfare_core::publication::{Content, Data, Draft, End, Lifetime, Publication, SessionId};
use fanfare_core::rate::Pace;
use fanfare_core::settings::{Retention, ShardSettings, SlowReader};
use fanfare_core::shard::{
    Completion, ConnectionId, Delivery, Echo, Effect, EngineCommand, Input, Opening, Origin,
    Request, Room, Shard, Sink,
};
use fanfare_core::start::{Start, Subscription};
use fanfare_core::time::Now;
use fanfare_protocol::native::encode::encode;
use fanfare_protocol::native::presence::encode_news;

/// The moment of everything.
pub(crate) const TIME: u64 = 1_800_000_000_000;

/// A shard, its engine and its clock.
pub(crate) struct Hub {
    shard: Shard,
    channel: ChannelName,
    permits: Arc<PermitPool>,
    payload: Bytes,
    effects: Vec<Effect>,
    taken: usize,
}

/// Takes every frame and keeps none.
struct Everything<'a>(&'a mut usize);

impl Sink for Everything<'_> {
    fn deliver(&mut self, _: ConnectionId, run: Run<'_>) -> Delivery {
        let taken = run.entries().count();
        *self.0 += taken;
        Delivery { taken, room: Room::More }
    }
}

impl Hub {
    pub(crate) fn new() -> Result<Self> {
        let history = Retention { count: 100, bytes: 1 << 20, age: Duration::from_secs(3_600) };
        let (slow_reader, presence) = (SlowReader::Recover, Presence::Off);
        let wishes = Wishes::default();
        let rules = NamespaceRules { history, slow_reader, presence, wishes };
        let shard = Shard::new(ShardSettings {
            feed: Retention { count: 8_192, ..history },
            ..ShardSettings::alone(rules, encode, encode_news)
        });
        Ok(Self {
            shard,
            channel: channel()?,
            permits: PermitPool::new(1_000, 1 << 30),
            payload: Bytes::from(payload()),
            effects: Vec::new(),
            taken: 0,
        })
    }

    /// Opens readers of the channel.
    pub(crate) fn open(&mut self, format: Format, readers: usize) {
        for index in (0..).take(readers) {
            let subscription = Subscription::new(self.channel.clone(), Start::Now);
            let opening = Box::new(Opening {
                format,
                subscriptions: vec![subscription],
                carried: Cursor::new(),
                session: SessionId(u128::from(index)),
                attendance: Attendance::default(),
                echo: Echo::On,
                pace: Pace::Usual,
            });
            let connection = ConnectionId { index, generation: 1 };
            self.input(Input::Open { connection, opening });
        }
        self.flush();
    }

    /// Publishes one message of a client.
    pub(crate) fn publish(&mut self) {
        let draft = Draft {
            content: Some(Content::plain(Data::Text(self.payload.clone()))),
            lifetime: Lifetime::Retained,
            key: None,
            publisher: None,
            expect: None,
            end: End::Open,
        };
        self.input(Input::Ask {
            origin: Origin::Edge(1),
            channel: self.channel.clone(),
            request: Request::Publish(Box::new(draft)),
            permit: self.permits.take(self.payload.len()).unwrap_or_else(Permit::free),
        });
    }

    /// Delivers what there is; says how many frames that were.
    pub(crate) fn flush(&mut self) -> usize {
        self.taken = 0;
        let mut sink = Everything(&mut self.taken);
        self.shard.flush(&mut sink, NOW, 1 << 20, &mut self.effects);
        self.effects.clear();
        self.taken
    }

    fn input(&mut self, input: Input) {
        let mut next = Some(input);
        while let Some(input) = next.take() {
            self.shard.handle(input, NOW, &mut self.effects);
            for effect in self.effects.drain(..) {
                if let Effect::Engine(EngineCommand::Append(append)) = effect {
                    let (channel, append) = (append.channel, append.append);
                    next = Some(Input::Completion(Completion::Committed { channel, append }));
                }
            }
        }
    }
}

/// The channel of every step.
pub(crate) fn channel() -> Result<ChannelName> {
    ChannelName::new("news").context("a channel's name")
}

/// A payload of 128 bytes.
pub(crate) fn payload() -> String {
    "message 0123456789 ".repeat(7).chars().take(128).collect()
}

/// A publication with that payload.
pub(crate) fn publication() -> Result<Publication> {
    Ok(Publication {
        channel: channel()?,
        position: Some(Position::new(7, Epoch::from_bits(7))),
        prev: 6,
        time: TIME,
        expires_at: None,
        content: Content::plain(Data::Text(Bytes::from(payload()))),
    })
}

const NOW: Now = Now { millis: 1_000, unix: TIME };
