//! Everything around the shards of one run, and what happens to it.

mod application;
mod clients;
mod presence;
mod sink;
mod told;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use self::sink::Clients;
use self::wire::{encode, encode_news};
use super::client::Client;
use super::engine::{Faults, SimEngine};
use super::newest::Keyed;
use super::random::Random;
use super::truth::{Stored, Truth};
use crate::cursor::CursorEntry;
use crate::name::ChannelName;
use crate::namespace::NamespaceRules;
use crate::permit::Permit;
use crate::position::Epoch;
use crate::publication::{Content, Data, Draft, End, Expect, Lifetime, SessionId};
use crate::settings::{Depth, Retention, ShardSettings, SlowReader};
use crate::shard::{Backlog, Input, Message, Origin, Request, Shard};
use crate::time::Now;

/// How much happened, so that a run in which nothing does is noticed.
#[derive(Debug, Default, Clone)]
pub(super) struct Tally {
    pub(super) publications: usize,
    pub(super) deliveries: usize,
    pub(super) gaps: usize,
    pub(super) resumed: usize,
    pub(super) failed: usize,
    pub(super) unknown: usize,
    pub(super) removed: usize,
    pub(super) ended: usize,
    pub(super) forgotten: usize,
    pub(super) slow: usize,
    pub(super) pages: usize,
    pub(super) restarts: usize,
    pub(super) carried: usize,
    pub(super) members: usize,
    pub(super) news: usize,
    pub(super) counts: usize,
    pub(super) uncounted: usize,
    /// Events told to the application.
    pub(super) happenings: usize,
    /// Publications that others superseded in a feed.
    pub(super) conflated: usize,
    /// Frames given to clients that get only what is newest: as it comes, at a rate, and in pages.
    pub(super) newest: usize,
    pub(super) paced: usize,
    pub(super) newest_pages: usize,
}

/// A request of a publisher.
#[derive(Debug)]
struct Asked {
    channel: ChannelName,
    payload: String,
    keyed: bool,
    answered: bool,
    surely_not_stored: bool,
}

/// One run.
pub(super) struct World {
    random: Random,
    now: Now,
    shards: Vec<Shard>,
    settings: Vec<ShardSettings>,
    engines: Vec<SimEngine>,
    links: BTreeMap<(u16, u16), VecDeque<Message>>,
    clients: BTreeMap<(usize, u32), Client>,
    generations: u32,
    channels: Vec<ChannelName>,
    left_behind: Vec<BTreeMap<ChannelName, CursorEntry>>,
    asked: BTreeMap<u64, Asked>,
    next_ask: u64,
    last_keyed: Option<(ChannelName, String, String)>,
    truth: Truth,
    faults: Faults,
    fleeting: usize,
    keys: bool,
    house: presence::House,
    keyed: Keyed,
    tally: Tally,
    violation: Option<String>,
    /// Whether nothing goes wrong any more.
    settling: bool,
}

impl Tally {
    pub(super) fn add(&mut self, other: &Self) {
        self.publications += other.publications;
        self.deliveries += other.deliveries;
        self.gaps += other.gaps;
        self.resumed += other.resumed;
        self.failed += other.failed;
        self.unknown += other.unknown;
        self.removed += other.removed;
        self.ended += other.ended;
        self.forgotten += other.forgotten;
        self.slow += other.slow;
        self.pages += other.pages;
        self.restarts += other.restarts;
        self.carried += other.carried;
        self.members += other.members;
        self.news += other.news;
        self.counts += other.counts;
        self.uncounted += other.uncounted;
        self.happenings += other.happenings;
        self.conflated += other.conflated;
        self.newest += other.newest;
        self.paced += other.paced;
        self.newest_pages += other.newest_pages;
    }
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let shards = 1 + random.below(3) as u16;
        let depth = if random.percent(40) { Depth::Engine } else { Depth::Ring };
        let count = 2 + random.below(12);
        let feed = 3 + random.below(12);
        let slow_reader =
            if random.percent(25) { SlowReader::Disconnect } else { SlowReader::Recover };
        let evicts = random.percent(25);
        let history = Retention { count, bytes: 4000, age: Duration::from_secs(30) };
        let mut house = presence::House::new(seed);
        house.strict = shards == 1 && !seed.is_multiple_of(4) && !evicts;
        let (presence, wishes) = (house.presence, house.application.wishes);
        let rules = NamespaceRules { history, slow_reader, presence, wishes };
        let latest = random.percent(50).then_some("t");
        let namespaces = presence::namespaces(rules, latest);
        let ring = Retention { count: 1 + random.below(count), bytes: 3000, age: Duration::MAX };
        let rings_bytes_max = if random.percent(50) { 1500 } else { usize::MAX };
        let settings = |shard| ShardSettings {
            shard,
            shards,
            generation: Epoch::from_bits(7),
            mark: 0,
            seed: seed.wrapping_mul(31) ^ u64::from(shard) << 40,
            encode,
            encode_news,
            namespaces: Arc::clone(&namespaces),
            ring,
            rings_bytes_max,
            feed: Retention { count: feed, bytes: 8000, age: Duration::MAX },
            page_bytes: 400,
            pages_bytes_max: 1500,
            sends_per_visit: 2,
            engine_timeout: Duration::from_secs(2),
            key_window: Duration::from_secs(3600),
            keys_max: 1000,
            channels_max: if evicts { 2 } else { 100 },
            subscriptions_max: 8,
            depth,
        };
        let faults =
            Faults { fail: random.below(8), unknown: random.below(6), lose: random.below(6) };
        let names = ["news", "a", "chat:1", "ticker", "x/y"];
        let settings: Vec<_> = (0..shards).map(settings).collect();
        Self {
            shards: settings.iter().cloned().map(Shard::new).collect(),
            settings,
            engines: (0..shards).map(|_| SimEngine::new(depth, count * 3)).collect(),
            channels: names.iter().filter_map(|name| ChannelName::new(name).ok()).collect(),
            fleeting: if random.percent(30) { 20 } else { 0 },
            keys: !evicts,
            house,
            keyed: Keyed::draw(&mut random, feed),
            faults,
            random,
            now: Now { millis: 1, unix: 1_000_000 },
            links: BTreeMap::new(),
            clients: BTreeMap::new(),
            generations: 0,
            left_behind: Vec::new(),
            asked: BTreeMap::new(),
            next_ask: 0,
            last_keyed: None,
            truth: Truth::default(),
            tally: Tally::default(),
            violation: None,
            settling: false,
        }
    }

    /// So many things happen.
    pub(super) fn run(&mut self, steps: usize) -> Result<(), String> {
        for _ in 0..steps {
            self.pass_time();
            match self.random.below(100) {
                0..30 => self.publish(),
                30..38 => self.connect(),
                38..42 => self.disconnect(),
                42..47 => self.stall(),
                47..52 => self.drain(),
                52..55 => self.resubscribe(),
                55..57 => self.change(Request::Remove),
                57..70 => self.step_engine(),
                70..85 => (0..6).for_each(|_| self.step_link()),
                _ => self.flush(),
            }
            if self.random.below(400) == 0 {
                self.restart();
            }
            self.attend();
            self.note_attendance();
            self.check()?;
        }
        Ok(())
    }

    /// The process ends without a word, and another one goes on from what its engines stored.
    fn restart(&mut self) {
        if self.settings.iter().any(|settings| settings.depth == Depth::Ring) {
            return;
        }
        self.tally.restarts += 1;
        for (_, client) in std::mem::take(&mut self.clients) {
            if client.opened {
                self.left_behind.push(client.seen);
            }
        }
        self.links.clear();
        self.house.restart();
        // Who waits for an answer gets none, and cannot know.
        self.asked.values_mut().for_each(|asked| asked.answered = true);
        // After a stop that was not clean the offsets go on far above.
        let skips = if self.random.percent(50) { 1 << 20 } else { 0 };
        let mark = self.engines.iter().map(|engine| engine.mark).max().unwrap_or(0) + skips;
        for (shard, engine) in self.engines.iter_mut().enumerate() {
            engine.crash();
            let seed = self.random.below(usize::MAX) as u64;
            let settings = ShardSettings { mark, seed, ..self.settings[shard].clone() };
            self.shards[shard] = Shard::new(settings);
            self.shards[shard].restore(engine.restored(skips), self.now);
        }
    }

    /// Nothing goes wrong any more: everybody catches up, and is asked what they have.
    pub(super) fn settle_down(mut self) -> Result<Tally, String> {
        self.faults = Faults::default();
        self.settling = true;
        self.quiet()?;
        self.settle_members();
        self.quiet()?;
        self.check_members()?;
        self.check_application()?;
        self.now.millis += super::presence::LEASE;
        self.now.unix += super::presence::LEASE;
        for last in [false, true] {
            if last {
                for channel in self.channels.clone() {
                    self.publish_to(channel, Lifetime::Retained, None, End::Open);
                }
            }
            self.quiet()?;
            for client in self.clients.values().filter(|client| !client.gone) {
                client.complete(&self.truth)?;
            }
        }
        for asked in self.asked.values() {
            if !asked.answered {
                return Err(format!("nobody ever answered {asked:?}"));
            }
            let places = self.truth.places(&asked.payload);
            if asked.keyed && places > 1 || asked.surely_not_stored && places > 0 {
                return Err(format!("{asked:?} is stored {places} times"));
            }
        }
        for client in self.clients.values().filter(|client| !client.gone) {
            if !client.opened || client.asked > 0 {
                return Err(format!("nobody ever answered {client:?}"));
            }
            for (channel, seen) in client.seen.iter().filter(|(_, seen)| !seen.ended) {
                let head = self.engine_of(channel).head(channel);
                if let Some(head) = head.filter(|head| *head != seen.position) {
                    return Err(format!("{channel} is at {head:?}: {client:?}"));
                }
            }
        }
        self.settle_members();
        self.quiet()?;
        self.check_members()?;
        self.check_application()?;
        self.leave_nothing()?;
        for figures in self.shards.iter().map(Shard::figures) {
            self.tally.slow += figures.slow_readers as usize;
            self.tally.conflated += figures.conflated as usize;
        }
        Ok(self.tally)
    }

    /// When all have left and everything has expired, no shard holds anything any more.
    fn leave_nothing(&mut self) -> Result<(), String> {
        while let Some(key) = self.clients.keys().next().copied() {
            self.leave(key);
        }
        if self.shards.iter().any(Shard::awaits_moment) {
            return Err("a moment of a feed that nobody reads".to_owned());
        }
        for _ in 0..4 {
            self.now.millis += 3_700_000;
            self.now.unix += 3_700_000;
            self.quiet()?;
        }
        for shard in &self.shards {
            let figures = shard.figures();
            let held = (figures.channels, figures.feeds, figures.readers);
            let bytes = (figures.ring_bytes, figures.feed_bytes, figures.page_bytes);
            if held != (0, 0, 0) || bytes != (0, 0, 0) || !shard.holds_nothing() {
                return Err(format!("still held after all have gone: {figures:?} {shard:?}"));
            }
        }
        if !self.house.application.is_alone() {
            return Err(format!("told after all have gone: {:?}", self.house.application));
        }
        Ok(())
    }

    fn quiet(&mut self) -> Result<(), String> {
        let mut rest = 0;
        for _ in 0..3000 {
            while self.links.values().any(|link| !link.is_empty()) {
                self.step_link();
            }
            for shard in 0..self.engines.len() {
                self.engines[shard].step(&mut self.random, self.faults);
                self.take_answer(shard);
            }
            let stalled: Vec<_> = self.clients.keys().copied().collect();
            for key in stalled {
                self.make_room(key, usize::MAX);
            }
            let mut busy = false;
            for shard in 0..self.shards.len() {
                busy |= self.flush_shard(shard) == Backlog::More;
            }
            self.note_attendance();
            self.check()?;
            let idle = self.engines.iter().all(SimEngine::idle)
                && !self.shards.iter().any(Shard::awaits_moment);
            let linked = self.links.values().any(|link| !link.is_empty());
            let waiting = self.asked.values().any(|asked| !asked.answered);
            let opening = self
                .clients
                .values()
                .any(|client| !client.gone && (!client.opened || client.asked > 0));
            let resting = !busy && idle && !linked && !waiting && !opening;
            rest = if resting { rest + 1 } else { 0 };
            // Longer than any deadline, after which a lost answer is asked for again.
            if rest > 25 {
                return Ok(());
            }
            self.now.millis += 100;
            self.now.unix += 100;
            for shard in 0..self.shards.len() {
                self.input(shard, Input::Tick);
            }
        }
        Err(format!("it never comes to rest: {:?}", self.asked.values().find(|a| !a.answered)))
    }

    fn check(&mut self) -> Result<(), String> {
        self.violation.take().map_or(Ok(()), Err)
    }

    fn pass_time(&mut self) {
        let passed = match self.random.below(200) {
            0 => 12_000,
            1..4 => 2_500,
            _ => self.random.below(40) as u64,
        };
        self.now.millis += passed;
        self.now.unix += passed;
        for shard in 0..self.shards.len() {
            if self.shards[shard].tick_at().is_some_and(|at| at <= self.now.millis) {
                self.input(shard, Input::Tick);
            }
        }
    }

    fn pick_channel(&mut self) -> ChannelName {
        let at = self.random.below(self.channels.len());
        self.channels[at].clone()
    }

    fn engine_of(&self, channel: &ChannelName) -> &SimEngine {
        &self.engines[channel.hash48().value() as usize % self.engines.len()]
    }

    fn publish(&mut self) {
        let channel = self.pick_channel();
        for _ in 0..=self.random.below(4) {
            let lifetime = match self.random.below(100) {
                0..10 => Lifetime::Live,
                rare if rare < 10 + self.fleeting => Lifetime::Expiring(Duration::from_millis(300)),
                _ => Lifetime::Retained,
            };
            let end = if self.random.percent(1) { End::Close } else { End::Open };
            self.publish_to(channel.clone(), lifetime, None, end);
        }
        if self.keys && self.random.percent(30) {
            let again = self.last_keyed.clone().filter(|_| self.random.percent(70));
            let keyed = again.unwrap_or_else(|| {
                let number = self.next_ask;
                (channel, format!("key{number}"), format!("keyed{number}"))
            });
            self.last_keyed = Some(keyed.clone());
            let (channel, key, payload) = keyed;
            let draft = self.draft(&payload, Lifetime::Retained, Some(key), End::Open);
            self.ask(channel, payload, Request::Publish(Box::new(draft)), true);
        }
    }

    fn publish_to(
        &mut self,
        channel: ChannelName,
        lifetime: Lifetime,
        key: Option<String>,
        end: End,
    ) {
        let payload = format!("p{}", self.next_ask);
        let mut draft = self.draft(&payload, lifetime, key, end);
        if let Some(content) = &mut draft.content
            && let Some(key) = self.keyed.key(&mut self.random, lifetime)
        {
            content.detail.get_or_insert_default().conflate = Some(key.into());
        }
        if !self.settling
            && self.random.percent(20)
            && let Some(content) = &mut draft.content
        {
            let session = SessionId(u128::from(self.generations));
            content.detail.get_or_insert_default().exclude = Some(session);
        }
        if self.random.percent(5) {
            let head = self.engine_of(&channel).head(&channel);
            draft.expect = Some(head.map_or(Expect::Nothing, Expect::Head));
        }
        if end == End::Close && self.random.percent(50) {
            draft.content = None;
        }
        self.ask(channel, payload, Request::Publish(Box::new(draft)), false);
    }

    fn draft(&self, payload: &str, lifetime: Lifetime, key: Option<String>, end: End) -> Draft {
        let data = Data::Text(Bytes::copy_from_slice(payload.as_bytes()));
        Draft {
            content: Some(Content::plain(data)),
            lifetime,
            key: key.map(Into::into),
            publisher: None,
            expect: None,
            end,
        }
    }

    fn change(&mut self, request: Request) {
        let channel = self.pick_channel();
        let payload = format!("r{}", self.next_ask);
        self.ask(channel, payload, request, false);
    }

    fn ask(&mut self, channel: ChannelName, payload: String, request: Request, keyed: bool) {
        let number = self.next_ask;
        self.next_ask += 1;
        let asked = Asked {
            channel: channel.clone(),
            payload,
            keyed,
            answered: false,
            surely_not_stored: false,
        };
        self.asked.insert(number, asked);
        let shard = self.random.below(self.shards.len());
        let (origin, permit) = (Origin::Edge(number), Permit::free());
        self.input(shard, Input::Ask { origin, channel, request, permit });
    }

    fn step_engine(&mut self) {
        let shard = self.random.below(self.engines.len());
        for _ in 0..=self.random.below(50) {
            self.engines[shard].step(&mut self.random, self.faults);
            self.note_stored(shard);
            if self.random.percent(95) {
                self.take_answer(shard);
            }
        }
    }

    fn note_stored(&mut self, shard: usize) {
        for stored in std::mem::take(&mut self.engines[shard].fresh) {
            let Some(position) = stored.position else { continue };
            let noted = Stored {
                payload: String::from_utf8_lossy(stored.content.data.bytes()).into_owned(),
                key: stored.content.conflate().map(str::to_owned),
                fleeting: stored.expires_at.is_some(),
                exclude: stored.content.exclude(),
            };
            let noted = self.truth.store(&stored.channel, position, noted);
            self.tally.publications += 1;
            if let Err(violation) = noted {
                self.violation.get_or_insert(violation);
            }
        }
    }

    fn take_answer(&mut self, shard: usize) {
        self.note_stored(shard);
        if let Some(completion) = self.engines[shard].answer() {
            self.input(shard, Input::Completion(completion));
        }
    }

    fn step_link(&mut self) {
        let full: Vec<_> =
            self.links.iter().filter(|(_, link)| !link.is_empty()).map(|(ends, _)| *ends).collect();
        if full.is_empty() {
            return;
        }
        let ends = full[self.random.below(full.len())];
        let message = self.links.get_mut(&ends).and_then(VecDeque::pop_front);
        if let Some(message) = message {
            self.input(usize::from(ends.1), Input::Message(message));
        }
    }

    fn flush(&mut self) {
        let shard = self.random.below(self.shards.len());
        self.flush_shard(shard);
    }

    fn flush_shard(&mut self, shard: usize) -> Backlog {
        let budget = 1 + self.random.below(20);
        let mut effects = Vec::new();
        let heads = self.heads_of_newest(shard);
        let Self { shards, clients, truth, house, tally, violation, now, .. } = self;
        let now = *now;
        let attended = house.strict.then_some((&house.attended, now.millis));
        let mut sink =
            Clients { shard, now: now.millis, heads, clients, truth, attended, tally, violation };
        let backlog = shards[shard].flush(&mut sink, now, budget, &mut effects);
        self.carry_out(shard, effects);
        backlog
    }

    fn input(&mut self, shard: usize, input: Input) {
        let ticks = matches!(input, Input::Tick);
        let mut effects = Vec::new();
        self.shards[shard].handle(input, self.now, &mut effects);
        if ticks && self.shards[shard].tick_at().is_some_and(|at| at <= self.now.millis) {
            self.violation.get_or_insert("a tick that leads to another at once".to_owned());
        }
        self.carry_out(shard, effects);
    }
}
