//! Who is there, as a channel's owner tells it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::code::Code;
use crate::frame::Format;
use crate::name::ChannelName;
use crate::namespace::{Presence, PresenceBounds};
use crate::owner::tests::settings;
use crate::owner::{Attaching, Outlet, Owner};
use crate::presence::{Change, Linger, Member, MemberId, PresencePage, PresenceQuery};
use crate::rate::Wanted;
use crate::shard::{Answer, Figures, Message};
use crate::start::Start;
use crate::time::Now;

/// One owner whose shard reads the channel `room`.
struct House {
    owner: Owner,
    now: Now,
    figures: Figures,
}

impl House {
    fn new(told_max: usize, listed_max: usize) -> Self {
        Self::with(Presence::On(PresenceBounds { told_max, listed_max }))
    }

    fn with(presence: Presence) -> Self {
        let mut house = Self {
            owner: Owner::new(Arc::new(settings(10, presence))),
            now: Now { millis: 1_000, unix: 1_000_000 },
            figures: Figures::default(),
        };
        let (start, format) = (Start::Now, Format::Sse);
        let wanted = Wanted::Every;
        let reader = Attaching { shard: 0, ticket: 1, start, format, wanted };
        house.change(|owner, out| owner.attach(&room(), &reader, out));
        house
    }

    /// Does something, and says what readers are told of it.
    fn change(&mut self, change: impl FnOnce(&mut Owner, &mut Outlet<'_>)) -> Vec<String> {
        let (mut effects, mut local) = (Vec::new(), VecDeque::new());
        let Self { owner, now, figures } = self;
        let (effects, local) = (&mut effects, &mut local);
        change(owner, &mut Outlet { shard: 0, now: *now, effects, local, figures });
        local.drain(..).filter_map(told).collect()
    }

    fn join(&mut self, client: &str) -> Vec<String> {
        self.join_saying(client, None)
    }

    fn join_saying(&mut self, client: &str, info: Option<&str>) -> Vec<String> {
        let member = Arc::new(Member { info: info.map(Into::into), ..member(client) });
        self.change(|owner, out| owner.join(&room(), member, out))
    }

    fn leave(&mut self, client: &str) -> Vec<String> {
        self.change(|owner, out| owner.leave(&room(), &id(client), Linger::Grace, out))
    }

    fn end_poll(&mut self, client: &str) -> Vec<String> {
        self.change(|owner, out| owner.leave(&room(), &id(client), Linger::Lease, out))
    }

    fn wait(&mut self, millis: u64) -> Vec<String> {
        self.now.millis += millis;
        self.now.unix += millis;
        self.change(|owner, out| {
            owner.sweep(out);
            owner.attend(out);
        })
    }

    fn page(&self, after: Option<MemberId>, limit: usize) -> PresencePage {
        match self.owner.present(&room(), &PresenceQuery { after, limit, bytes: usize::MAX }) {
            Answer::Presence(page) => *page,
            other => panic!("{other:?}"),
        }
    }

    /// Everyone on the list, and how many there are.
    fn list(&self) -> (Vec<String>, usize) {
        let page = self.page(None, usize::MAX);
        let name = |member: &Arc<Member>| member.id.client.to_string();
        (page.members.iter().map(name).collect(), page.count)
    }
}

fn room() -> ChannelName {
    ChannelName::new("room").unwrap()
}

fn id(client: &str) -> MemberId {
    MemberId { user: None, client: client.into() }
}

fn member(client: &str) -> Member {
    Member { id: id(client), info: None }
}

fn told(message: Message) -> Option<String> {
    let Message::Presence(news) = message else { return None };
    Some(match &news.change {
        Change::Joined(member) => match &member.info {
            Some(info) => format!("+{} {info}", member.id.client),
            None => format!("+{}", member.id.client),
        },
        Change::Left(member) => format!("-{}", member.id.client),
        Change::Counted => format!("{}", news.count),
    })
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_page_that_is_loaded_again_in_time_is_not_told() {
    let mut house = House::new(10, 10);
    assert_eq!(house.join("a"), ["+a"]);
    assert_eq!(house.leave("a"), NOTHING);
    assert_eq!(house.wait(1_999), NOTHING);
    assert_eq!(house.list(), (vec!["a".to_owned()], 1), "it lingers");
    assert_eq!(house.join("a"), NOTHING);
    assert_eq!(house.wait(60_000), NOTHING);
    assert_eq!(house.leave("a"), NOTHING);
    assert_eq!(house.wait(2_000), ["-a"]);
    assert_eq!(house.list(), (Vec::new(), 0));
    assert_eq!(house.join("a"), ["+a"]);
    assert_eq!((house.figures.joins, house.figures.leaves, house.figures.members), (2, 1, 1));
}

#[test]
fn several_connections_of_one_client_are_one_member() {
    let mut house = House::new(10, 10);
    assert_eq!(house.join("a"), ["+a"]);
    assert_eq!(house.join("a"), NOTHING);
    assert_eq!(house.leave("a"), NOTHING);
    assert_eq!(house.wait(10_000), NOTHING);
    assert_eq!(house.leave("a"), NOTHING);
    assert_eq!(house.leave("a"), NOTHING, "one too many changes nothing");
    assert_eq!(house.wait(2_000), ["-a"]);
}

#[test]
fn a_member_that_says_something_else_of_itself_is_told_again() {
    let mut house = House::new(10, 10);
    assert_eq!(house.join_saying("a", Some("1")), ["+a 1"]);
    assert_eq!(house.join_saying("a", Some("1")), NOTHING);
    assert_eq!(house.join("a"), NOTHING, "who says nothing takes nothing back");
    assert_eq!(house.join_saying("a", Some("2")), ["+a 2"]);
    let page = house.page(None, 10);
    assert_eq!(page.members[0].info.as_deref(), Some("2"));
    (0..4).for_each(|_| drop(house.leave("a")));
    assert_eq!(house.wait(2_000), ["-a"]);
}

#[test]
fn a_poller_stays_until_its_lease_ends() {
    let mut house = House::new(10, 10);
    assert_eq!(house.join("a"), ["+a"]);
    assert_eq!(house.end_poll("a"), NOTHING);
    assert_eq!(house.wait(20_000), NOTHING);
    // The same client also opens a stream for a moment: that takes nothing from its lease.
    assert_eq!(house.join("a"), NOTHING);
    assert_eq!(house.leave("a"), NOTHING);
    assert_eq!(house.wait(9_999), NOTHING);
    assert_eq!(house.wait(1), ["-a"]);
}

#[test]
fn above_the_limit_only_the_number_is_told_once_a_second() {
    let mut house = House::new(2, 10);
    assert_eq!(house.join("a"), ["+a"]);
    assert_eq!(house.join("b"), ["+b"]);
    assert_eq!(house.join("c"), NOTHING);
    assert_eq!(house.wait(0), ["3"]);
    assert_eq!(house.join("d"), NOTHING);
    assert_eq!(house.join("e"), NOTHING);
    assert_eq!(house.wait(999), NOTHING);
    assert_eq!(house.wait(1), ["5"]);
    assert_eq!(house.wait(5_000), NOTHING, "it has not changed");
    for client in ["a", "b", "c"] {
        assert_eq!(house.leave(client), NOTHING);
    }
    assert_eq!(house.wait(2_000), ["2"], "the last number is told, and names after it");
    assert_eq!(house.join("d"), NOTHING);
    assert_eq!(house.leave("d"), NOTHING);
    assert_eq!(house.leave("e"), NOTHING);
    assert_eq!(house.wait(2_000), ["-e"]);
}

#[test]
fn who_finds_no_room_on_the_list_is_counted_and_moves_up() {
    let mut house = House::new(1, 2);
    for client in ["b", "c", "d", "a", "d"] {
        house.join(client);
    }
    let listed = |names: &[&str], count| (names.iter().map(ToString::to_string).collect(), count);
    assert_eq!(house.list(), listed(&["b", "c"], 4));
    house.leave("a");
    assert_eq!(house.list(), listed(&["b", "c"], 3), "who is not listed does not linger");
    house.leave("d");
    house.leave("b");
    house.wait(2_000);
    assert_eq!(house.list(), listed(&["c", "d"], 2));
    house.leave("c");
    house.leave("d");
    house.wait(2_000);
    assert_eq!(house.list(), listed(&[], 0));
    assert!(house.owner.rooms.is_empty());
}

#[test]
fn pages_are_in_the_order_of_ids_and_miss_nobody() {
    let mut house = House::new(1, 100);
    for number in (0..25).rev() {
        house.join(&format!("client-{number:02}"));
    }
    let (mut after, mut seen) = (None, Vec::new());
    loop {
        let page = house.page(after.take(), 10);
        assert_eq!(page.count, 25);
        seen.extend(page.members.iter().map(|member| member.id.client.to_string()));
        match page.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let all: Vec<_> = (0..25).map(|number| format!("client-{number:02}")).collect();
    assert_eq!(seen, all);
}

#[test]
fn a_channel_is_kept_while_it_has_members() {
    let mut house = House::new(10, 10);
    house.join("a");
    let now = house.now;
    house.change(|owner, _| owner.detach(&room(), 0, now));
    house.wait(60_000);
    assert_eq!(house.figures.channels, 1);
    house.leave("a");
    house.wait(60_000);
    house.wait(60_000);
    assert_eq!(house.figures.channels, 0);
    assert!(house.owner.holds_nothing());
}

#[test]
fn five_thousand_come_and_go_in_steps_that_stall_nobody() {
    let mut house = House::new(200, 10_000);
    for number in 0..5_000 {
        assert!(house.join(&format!("client-{number}")).len() <= 1);
    }
    assert_eq!(house.wait(0), ["5000"]);
    for number in 0..5_000 {
        assert_eq!(house.leave(&format!("client-{number}")), NOTHING);
    }
    let mut before = house.list().1;
    assert_eq!(before, 5_000);
    house.now.millis += 2_000;
    while before > 0 {
        house.wait(0);
        let now = house.list().1;
        assert!(now < before && before - now <= 1_024, "{before} {now}");
        before = now;
    }
    assert!(house.owner.rooms.is_empty() || house.owner.rooms.tick_at().is_some());
    house.wait(2_000);
    assert!(house.owner.rooms.is_empty());
    assert_eq!(
        (house.figures.joins, house.figures.leaves, house.figures.members),
        (5_000, 5_000, 0)
    );
}

#[test]
fn who_polls_under_ever_new_names_leaves_no_more_behind_than_is_allowed() {
    let mut house = House::new(1, 100_000);
    for number in 0..20_000 {
        house.join(&format!("client-{number}"));
        house.end_poll(&format!("client-{number}"));
    }
    assert_eq!(house.list().1, 16_384);
    house.join("reader");
    house.leave("reader");
    assert_eq!(house.list().1, 16_385, "readers still have their grace");
    house.now.millis += 30_000;
    (0..20).for_each(|_| drop(house.wait(0)));
    house.wait(1_000);
    assert!(house.owner.rooms.is_empty());
}

#[test]
fn a_namespace_without_presence_has_no_members() {
    let mut house = House::with(Presence::Off);
    assert_eq!(house.join("a"), NOTHING);
    assert!(house.owner.rooms.is_empty());
    assert_eq!(house.leave("a"), NOTHING);
    let query = PresenceQuery { after: None, limit: 1, bytes: 1 };
    match house.owner.present(&room(), &query) {
        Answer::Refused(refusal) => assert_eq!(refusal.code, Code::PresenceOff),
        other => panic!("{other:?}"),
    }
}
