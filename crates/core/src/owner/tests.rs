//! The owner through its shard: tables of what publishers are told, and history against a list.

use std::time::Duration;

use bytes::Bytes;

use crate::code::Code;
use crate::cursor::Cursor;
use crate::frame::{Format, Frame};
use crate::gap::GapReason;
use crate::happening::Wishes;
use crate::name::ChannelName;
use crate::namespace::{NamespaceRules, Presence};
use crate::permit::Permit;
use crate::position::{Epoch, Offset, Position};
use crate::presence::{Attendance, News};
use crate::publication::{
    Content, Data, Draft, End, Expect, Lifetime, Publication, Published, Repeat, SessionId, Stored,
};
use crate::rate::Pace;
use crate::settings::{Retention, ShardSettings, SlowReader};
use crate::shard::{
    Answer, Completion, ConnectionId, Echo, Effect, EngineCommand, HistoryPage, HistoryQuery,
    Input, Opening, Order, Origin, Request, Resolved, Shard, Until,
};
use crate::start::{Start, Subscription};
use crate::time::Now;

const GENERATION: u64 = 7;

/// One shard whose engine stores everything at once.
struct Hub {
    shard: Shard,
    now: Now,
}

impl Hub {
    fn new(count: usize) -> Self {
        Self::built(count, |_| {})
    }

    fn with(change: impl FnOnce(&mut ShardSettings)) -> Self {
        Self::built(100, change)
    }

    fn built(count: usize, change: impl FnOnce(&mut ShardSettings)) -> Self {
        let mut settings = settings(count, Presence::Off);
        change(&mut settings);
        Self { shard: Shard::new(settings), now: Now { millis: 1_000, unix: 1_000_000 } }
    }

    fn wait(&mut self, millis: u64) {
        self.now.millis += millis;
        self.now.unix += millis;
        self.input(Input::Tick);
    }

    fn input(&mut self, input: Input) -> Option<Answer> {
        let mut effects = Vec::new();
        self.shard.handle(input, self.now, &mut effects);
        let mut given = None;
        for effect in effects {
            let completion = match effect {
                Effect::Answer { answer, .. } => {
                    given = Some(answer);
                    None
                }
                Effect::Engine(EngineCommand::Append(append)) => {
                    let (channel, append) = (append.channel, append.append);
                    Some(Completion::Committed { channel, append })
                }
                Effect::Engine(EngineCommand::Remove { channel, epoch, .. }) => {
                    Some(Completion::Removed { channel, epoch, outcome: Ok(()) })
                }
                Effect::Engine(EngineCommand::RaiseMark { channel, mark }) => {
                    Some(Completion::MarkRaised { channel, mark })
                }
                _ => None,
            };
            let later = completion.and_then(|done| self.input(Input::Completion(done)));
            given = given.or(later);
        }
        given
    }

    fn ask(&mut self, channel: &str, request: Request) -> Answer {
        let (channel, permit) = (ChannelName::new(channel).unwrap(), Permit::free());
        let origin = Origin::Edge(1);
        self.input(Input::Ask { origin, channel, request, permit }).unwrap()
    }

    fn publish(&mut self, channel: &str, draft: Draft) -> Result<Published, Code> {
        match self.ask(channel, Request::Publish(Box::new(draft))) {
            Answer::Published(published) => Ok(published),
            Answer::Refused(refusal) => Err(refusal.code),
            other => panic!("{other:?}"),
        }
    }

    fn offset(&mut self, channel: &str, draft: Draft) -> Offset {
        self.publish(channel, draft).unwrap().entry.position.offset
    }

    fn history(&mut self, channel: &str, query: HistoryQuery) -> HistoryPage {
        match self.ask(channel, Request::History(query)) {
            Answer::History(page) => *page,
            other => panic!("{other:?}"),
        }
    }

    fn resolve(&mut self, channel: &str, start: Start) -> Resolved {
        match self.ask(channel, Request::Resolve(start)) {
            Answer::Resolved(resolved) => resolved,
            other => panic!("{other:?}"),
        }
    }
}

/// The only shard, which keeps so many publications of each channel.
pub(super) fn settings(count: usize, presence: Presence) -> ShardSettings {
    let history = Retention { count, bytes: 1 << 20, age: Duration::from_secs(60) };
    let slow_reader = SlowReader::Recover;
    let rules = NamespaceRules { history, slow_reader, presence, wishes: Wishes::default() };
    let encode = |_: &Publication, _: Offset, _: Format| Frame::default();
    ShardSettings {
        ring: Retention { count: 100, bytes: 1 << 20, age: Duration::MAX },
        pages_bytes_max: 1 << 20,
        engine_timeout: Duration::from_secs(1),
        keys_max: 3,
        channels_max: 3,
        ..ShardSettings::alone(rules, encode, |_: &News, _: Format| Frame::default())
    }
}

fn text(payload: &str) -> Draft {
    let data = Data::Text(Bytes::copy_from_slice(payload.as_bytes()));
    Draft {
        content: Some(Content::plain(data)),
        lifetime: Lifetime::Retained,
        key: None,
        publisher: None,
        expect: None,
        end: End::Open,
    }
}

fn keyed(payload: &str, key: &str) -> Draft {
    Draft { key: Some(key.into()), ..text(payload) }
}

fn all(limit: usize) -> HistoryQuery {
    let (since, until, order) = (Start::All, None, Order::Ascending);
    HistoryQuery { since, until, limit, bytes: usize::MAX, order }
}

fn at(offset: Offset) -> Position {
    Position::new(offset, Epoch::from_bits(GENERATION))
}

#[test]
fn a_key_gives_the_first_answer_until_its_window_ends() {
    let mut hub = Hub::new(100);
    let first = hub.publish("a", keyed("x", "k")).unwrap();
    let again = hub.publish("a", keyed("x", "k")).unwrap();
    assert_eq!(again, Published { repeat: Repeat::Duplicate, ..first });
    assert_eq!(hub.publish("a", keyed("y", "k")), Err(Code::KeyReused));
    let other = Draft { publisher: Some("alice".into()), ..keyed("y", "k") };
    assert_eq!(hub.offset("a", other), 2, "another publisher's key is another key");
    assert_eq!(hub.offset("b", keyed("x", "k")), 1, "so is the same one in another channel");
    assert_eq!(hub.publish("a", keyed("z", "l")), Err(Code::Overloaded), "keys have a limit");
    hub.wait(130_000);
    hub.wait(10_000);
    assert_eq!(hub.publish("a", keyed("y", "k")).unwrap().repeat, Repeat::First);
}

#[test]
fn what_is_published_without_a_key_leaves_nothing_to_expire() {
    let mut hub = Hub::new(100);
    for channel in ["a", "b"] {
        hub.publish(channel, keyed("x", "k")).unwrap();
    }
    for _ in 0..1_000 {
        hub.now.millis += 1;
        hub.now.unix += 1;
        for channel in ["a", "b"] {
            hub.publish(channel, text("y")).unwrap();
        }
    }
    assert_eq!(hub.shard.keys_noted(), 2);
    hub.publish("a", keyed("x", "l")).unwrap();
    assert_eq!(hub.shard.keys_noted(), 3);
    hub.wait(130_000);
    assert_eq!((hub.shard.keys_noted(), hub.shard.figures().keys), (0, 0));
}

#[test]
fn a_key_is_looked_at_before_the_end_and_before_what_is_expected() {
    let mut hub = Hub::new(100);
    let expected = Draft { expect: Some(Expect::Nothing), ..keyed("x", "k") };
    let first = hub.publish("a", expected.clone()).unwrap();
    let end = Draft { content: None, end: End::Close, ..text("") };
    assert_eq!(hub.publish("a", end.clone()).unwrap().stored, Stored::No);
    assert_eq!(hub.publish("a", expected).unwrap().entry, first.entry);
    assert_eq!(hub.publish("a", text("late")), Err(Code::ChannelEnded));
    assert_eq!(hub.publish("a", end), Err(Code::ChannelEnded));
}

#[test]
fn what_is_expected_is_compared_with_the_head() {
    let mut hub = Hub::new(100);
    for (expect, outcome) in [
        (Expect::Nothing, Ok(1)),
        (Expect::Nothing, Err(Code::ExpectFailed)),
        (Expect::Head(at(1)), Ok(2)),
        (Expect::Head(at(1)), Err(Code::ExpectFailed)),
        (Expect::Head(Position::new(2, Epoch::from_bits(9))), Err(Code::ExpectFailed)),
        (Expect::Elsewhere, Err(Code::ExpectFailed)),
    ] {
        let draft = Draft { expect: Some(expect), ..text("x") };
        let told = hub.publish("a", draft).map(|told| told.entry.position.offset);
        assert_eq!(told, outcome, "{expect:?}");
    }
}

#[test]
fn a_removed_channel_begins_anew_and_keeps_its_keys() {
    let mut hub = Hub::new(100);
    let first = hub.publish("a", keyed("x", "k")).unwrap();
    let Answer::Removed(entry) = hub.ask("a", Request::Remove) else { panic!("not removed") };
    assert_ne!(entry.position.epoch, first.entry.position.epoch);
    assert_eq!(entry.position.offset, 1, "above everything that the old history had");
    let again = hub.publish("a", keyed("x", "k")).unwrap();
    assert_eq!((again.repeat, again.entry), (Repeat::Duplicate, first.entry));
    let nothing = Draft { expect: Some(Expect::Nothing), ..text("y") };
    assert_eq!(hub.offset("a", nothing), 2);
    let gap = hub.resolve("a", Start::After(at(1))).gap.unwrap();
    assert_eq!(gap.reason.as_str(), "epoch");
    assert_eq!(gap.to, entry.position);
}

#[test]
fn a_live_only_publication_has_no_offset_and_a_ttl_is_no_gap() {
    let mut hub = Hub::new(100);
    assert_eq!(hub.offset("a", text("x")), 1);
    let live = Draft { lifetime: Lifetime::Live, ..text("typing") };
    let told = hub.publish("a", live).unwrap();
    assert_eq!((told.stored, told.entry.position), (Stored::No, at(1)));
    let fleeting =
        Draft { lifetime: Lifetime::Expiring(Duration::from_millis(50)), ..text("soon gone") };
    assert_eq!(hub.offset("a", fleeting), 2);
    assert_eq!(hub.offset("a", text("z")), 3);
    hub.wait(60);
    let page = hub.history("a", all(10));
    let seen: Vec<_> =
        page.publications.iter().map(|seen| (seen.publication.offset(), seen.prev)).collect();
    assert_eq!(seen, [(1, 0), (3, 1)], "each names what was served before it");
    assert_eq!(hub.resolve("a", Start::After(at(1))).gap, None);
}

#[test]
fn positions_are_judged_by_floor_head_and_epoch() {
    let mut hub = Hub::new(3);
    for number in 0..5 {
        hub.publish("a", text(&number.to_string())).unwrap();
    }
    let foreign = Position::new(4, Epoch::from_bits(99));
    for (start, reads_from, reason) in [
        (Start::Now, 5, None),
        (Start::All, 2, None),
        (Start::Last(1), 4, None),
        (Start::Last(9), 2, None),
        (Start::Since(0), 2, None),
        (Start::Since(u64::MAX), 5, None),
        (Start::After(at(5)), 5, None),
        (Start::After(at(2)), 2, None),
        (Start::After(at(1)), 1, Some("trimmed")),
        (Start::After(at(6)), 6, Some("future")),
        (Start::After(foreign), 4, Some("epoch")),
    ] {
        let resolved = hub.resolve("a", start);
        assert_eq!(resolved.entry.unwrap().position.offset, reads_from, "{start:?}");
        let gap = resolved.gap;
        assert_eq!(gap.as_ref().map(|gap| gap.reason.as_str()), reason, "{start:?}");
        assert!(gap.is_none_or(|gap| gap.to == at(2)), "{start:?}");
    }
    let unreadable = hub.resolve("a", Start::Unreadable);
    assert_eq!(unreadable.entry, None);
    assert_eq!(unreadable.gap.unwrap().from, None);
}

#[test]
fn a_forgotten_channel_leaves_its_mark() {
    let mut hub = Hub::new(100);
    for _ in 0..4 {
        hub.publish("a", text("x")).unwrap();
    }
    let told = hub.resolve("b", Start::Now).entry.unwrap().position;
    assert_eq!(told, at(0));
    hub.wait(61_000);
    hub.wait(10_000);
    assert_eq!(hub.shard.figures().channels, 0);
    assert_eq!(hub.shard.figures().ring_bytes, 0);
    let gap = hub.resolve("a", Start::After(at(4))).gap;
    assert_eq!(gap, None, "nothing was published after it");
    assert_eq!(hub.offset("a", text("y")), 5);
    assert_eq!(hub.offset("b", text("z")), 5, "every later channel begins above the mark");
    assert_eq!(hub.resolve("a", Start::After(at(3))).gap.unwrap().reason.as_str(), "trimmed");
}

#[test]
fn at_the_limit_the_longest_idle_channel_goes() {
    let mut hub = Hub::new(100);
    for name in ["a", "b", "c"] {
        hub.publish(name, text("x")).unwrap();
        hub.wait(10);
    }
    hub.publish("a", text("x")).unwrap();
    hub.wait(10);
    hub.publish("d", text("x")).unwrap();
    let kept = |hub: &mut Hub, name| hub.history(name, all(1)).publications.len();
    assert_eq!(kept(&mut hub, "b"), 0);
    for name in ["a", "c", "d"] {
        assert_eq!(kept(&mut hub, name), 1, "{name}");
    }
    assert_eq!(hub.shard.figures().channels, 3);
}

/// History pages against a plain list: every combination of range, limit and order.
#[test]
fn history_pages_give_what_a_list_would() {
    let mut hub = Hub::new(8);
    let mut list: Vec<Offset> = Vec::new();
    for _ in 0..12 {
        list.push(hub.offset("a", text("x")));
        hub.wait(1);
    }
    let orders = [Order::Ascending, Order::Descending];
    for since in 4..=12 {
        for (until, limit) in [(None, 1), (None, 20), (Some(5), 3), (Some(9), 1), (Some(12), 3)] {
            for order in orders {
                let query = HistoryQuery {
                    since: Start::After(at(since)),
                    until: until.map(|end| Until::Position(at(end))),
                    limit,
                    bytes: usize::MAX,
                    order,
                };
                let expected = expected(&list[4..], since, until, order);
                assert_eq!(walk(&mut hub, query), expected, "{query:?}");
            }
        }
    }
}

/// Whoever pages backwards while the channel is removed would otherwise be given what is newer than
/// all that he has seen, as if it were older.
#[test]
fn an_end_in_another_history_is_a_gap_and_not_ignored() {
    let mut hub = Hub::new(8);
    for _ in 0..3 {
        hub.offset("a", text("x"));
    }
    let elsewhere = Position::new(2, Epoch::from_bits(0xE15E));
    for order in [Order::Ascending, Order::Descending] {
        let mut query = HistoryQuery {
            since: Start::All,
            until: Some(Until::Position(elsewhere)),
            limit: 10,
            bytes: usize::MAX,
            order,
        };
        let page = hub.history("a", query);
        let gap = page.gap.expect("it is told");
        assert_eq!((gap.from, gap.reason), (Some(elsewhere), GapReason::Epoch));
        assert_eq!((gap.to.offset, page.publications.len(), page.next), (0, 0, None));
        assert!(!page.ended);
        // Who reads on from the answer's cursor has everything that there is.
        query.since = Start::After(page.cursor.position);
        query.until = None;
        assert_eq!(hub.history("a", query).publications.len(), 3);
    }
}

fn expected(kept: &[Offset], since: u64, until: Option<u64>, order: Order) -> Vec<Offset> {
    let in_range = |offset: &&Offset| **offset > since && until.is_none_or(|end| **offset <= end);
    let mut expected: Vec<_> = kept.iter().filter(in_range).copied().collect();
    if order == Order::Descending {
        expected.reverse();
    }
    expected
}

/// Follows `next` from page to page.
fn walk(hub: &mut Hub, mut query: HistoryQuery) -> Vec<Offset> {
    let mut seen = Vec::new();
    for _ in 0..20 {
        let page = hub.history("a", query);
        assert!(page.publications.len() <= query.limit);
        seen.extend(page.publications.iter().map(|served| served.publication.offset()));
        let Some(next) = page.next else { return seen };
        match query.order {
            Order::Ascending => query.since = Start::After(next),
            Order::Descending => query.until = Some(Until::Position(next)),
        }
    }
    panic!("the pages never end: {query:?}");
}

/// A reader of a channel that nobody publishes to; says whether it was refused.
fn open(hub: &mut Hub, index: u32, channel: &str) -> Option<Code> {
    let connection = ConnectionId { index, generation: 1 };
    let channel = ChannelName::new(channel).unwrap();
    let opening = Opening {
        format: Format::Sse,
        subscriptions: vec![Subscription::new(channel, Start::Now)],
        carried: Cursor::new(),
        session: SessionId(u128::from(index)),
        echo: Echo::On,
        attendance: Attendance::default(),
        pace: Pace::Usual,
    };
    let mut effects = Vec::new();
    let input = Input::Open { connection, opening: Box::new(opening) };
    hub.shard.handle(input, hub.now, &mut effects);
    effects.into_iter().find_map(|effect| match effect {
        Effect::Refused { code, .. } => Some(code),
        _ => None,
    })
}

#[test]
fn readers_make_no_publication_and_no_key_go() {
    let mut hub = Hub::with(|settings| settings.channels_max = 4);
    for name in ["a", "b", "c"] {
        hub.publish(name, text("x")).unwrap();
        hub.wait(10);
    }
    assert_eq!(open(&mut hub, 0, "read-1"), None);
    assert_eq!(open(&mut hub, 1, "read-2"), Some(Code::ChannelsFull));
    for name in ["a", "b", "c"] {
        assert_eq!(hub.history(name, all(1)).publications.len(), 1, "{name}");
    }
    hub.publish("a", keyed("x", "k")).unwrap();
    hub.wait(10);
    for name in ["d", "e", "f"] {
        hub.publish(name, text("x")).unwrap();
        hub.wait(10);
    }
    let again = hub.publish("a", keyed("x", "k")).unwrap();
    assert_eq!(again.repeat, Repeat::Duplicate, "a channel with keys does not go");
}
