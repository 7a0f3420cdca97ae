//! What goes out, by what came in, with time passed in: order, silence, repetition, loss.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fanfare_core::happening::{Happening, What};
use fanfare_core::name::ChannelName;
use fanfare_core::presence::{Member, MemberId};
use fanfare_core::time::Now;
use serde_json::{Value, json};

use super::event::Event;
use super::figures::{Figures, Loss};
use super::outgoing::{DeadLetter, Outgoing};
use super::{Departure, Parting, Terms};
use crate::hooks::Message;
use crate::limit::ClientAddress;
use crate::metrics::Transport;

/// What goes out, and a clock.
struct Desk {
    outgoing: Outgoing,
    figures: Arc<Figures>,
    now: Now,
}

const TERMS: Terms = Terms {
    grace: Duration::from_secs(5),
    batch_max: 10,
    retry_for: Duration::from_secs(60),
    bytes_max: 1 << 20,
};

impl Desk {
    fn new(terms: Terms) -> Self {
        let figures = Figures::new(terms.bytes_max);
        let outgoing = Outgoing::new(7, terms, Arc::clone(&figures));
        Self { outgoing, figures, now: Now { millis: 1_000, unix: 1_000_000 } }
    }

    fn tell(&mut self, channel: &str, what: What) {
        let event = Event::Channel(Happening { channel: name(channel), what });
        match self.figures.admit(event.weight()) {
            Some(charge) => self.outgoing.take((event, charge), self.now),
            None => self.outgoing.miss(self.figures.take_overflow(), self.now),
        }
    }

    fn pass(&mut self, millis: u64) {
        self.now.millis += millis;
        self.now.unix += millis;
    }

    /// Passes time until something is to be sent, at most an hour.
    fn next(&mut self) -> Option<Message> {
        let until = self.now.millis + 3_600_000;
        loop {
            if let Some(message) = self.outgoing.advance(self.now) {
                return Some(message);
            }
            let at = self.outgoing.next_at().filter(|at| *at <= until)?;
            self.pass(at.saturating_sub(self.now.millis).max(1));
        }
    }

    /// Everything that goes out when all of it is taken.
    fn taken(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        while let Some(message) = self.next() {
            told.extend(words(&message));
            self.outgoing.delivered();
        }
        told
    }

    fn fail(&mut self, chance: u64) -> Option<DeadLetter> {
        self.outgoing.failed(self.now, chance)
    }
}

fn name(text: &str) -> ChannelName {
    ChannelName::new(text).unwrap()
}

fn member(client: &str) -> Arc<Member> {
    Arc::new(Member { id: MemberId { user: None, client: client.into() }, info: None })
}

fn joined(client: &str) -> What {
    What::Joined(member(client))
}

fn left(client: &str) -> What {
    What::Left(member(client))
}

fn events(message: &Message) -> Vec<Value> {
    let body: Value = serde_json::from_slice(&message.body).unwrap();
    body["events"].as_array().unwrap().clone()
}

/// Each event of a message in a few words.
fn words(message: &Message) -> Vec<String> {
    let words = |event: &Value| {
        let text = |value: &Value| value.as_str().map(|text| format!(" {text}"));
        let count = event["count"].as_u64().map(|count| format!(" {count}"));
        let parts = [text(&event["channel"]), text(&event["member"]["client"]), count];
        let kind = event["type"].as_str().unwrap();
        format!("{kind}{}", parts.into_iter().flatten().collect::<String>())
    };
    events(message).iter().map(words).collect()
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_thousand_pages_that_are_loaded_again_are_not_told() {
    let mut desk = Desk::new(TERMS);
    for page in 0..1_000 {
        let channel = format!("page-{page}");
        desk.tell(&channel, What::Occupied);
        desk.tell(&channel, joined("a"));
    }
    assert_eq!(desk.taken().len(), 2_000);
    for _ in 0..3 {
        for page in 0..1_000 {
            let channel = format!("page-{page}");
            desk.tell(&channel, left("a"));
            desk.tell(&channel, What::Vacated);
        }
        desk.pass(4_900);
        for page in 0..1_000 {
            let channel = format!("page-{page}");
            desk.tell(&channel, What::Occupied);
            desk.tell(&channel, joined("a"));
        }
    }
    assert_eq!(desk.taken(), NOTHING);
    assert_eq!(desk.figures.silenced_count(), 12_000);
    assert_eq!(desk.figures.waiting(), (0, 0));
}

#[test]
fn who_stays_away_is_told_when_the_grace_is_over_and_before_the_channel_is_vacated() {
    let mut desk = Desk::new(TERMS);
    desk.tell("a", left("x"));
    desk.pass(100);
    desk.outgoing.change(Terms { grace: Duration::ZERO, ..TERMS }, desk.now.millis);
    desk.tell("a", What::Vacated);
    desk.tell("b", What::Occupied);
    let first = desk.next().unwrap();
    assert_eq!(words(&first), ["occupied b"]);
    desk.outgoing.delivered();
    let began = desk.now.millis;
    let second = desk.next().unwrap();
    assert_eq!(words(&second), ["left a x", "vacated a"]);
    assert!((4_800..5_000).contains(&(desk.now.millis - began)), "{}", desk.now.millis - began);
    let at = |event: &Value| event["time"].as_u64().unwrap();
    assert!(events(&second).iter().all(|event| at(event) > 1_004_999), "{second:?}");
}

#[test]
fn one_who_returns_is_silenced_and_no_other() {
    let mut desk = Desk::new(TERMS);
    desk.tell("a", left("x"));
    desk.tell("a", left("y"));
    desk.tell("b", left("x"));
    desk.pass(1_000);
    desk.tell("a", joined("x"));
    desk.tell("a", joined("z"));
    assert_eq!(desk.taken(), ["joined a z", "left a y", "left b x"]);
}

#[test]
fn a_batch_is_as_large_as_may_be_and_the_next_waits_for_it() {
    let mut desk = Desk::new(TERMS);
    for number in 0..25 {
        desk.tell(&format!("c{number}"), What::Occupied);
    }
    let sizes = std::iter::from_fn(|| {
        let message = desk.next()?;
        assert!(desk.outgoing.advance(desk.now).is_none(), "one at a time");
        desk.outgoing.delivered();
        Some(events(&message).len())
    });
    assert_eq!(sizes.collect::<Vec<_>>(), [10, 10, 5]);
    assert!(desk.outgoing.is_done());
    assert_eq!(desk.figures.waiting(), (0, 0));
}

#[test]
fn what_is_not_taken_is_repeated_as_it_was_and_given_up_in_the_end() {
    let mut desk = Desk::new(TERMS);
    for number in 0..12 {
        desk.tell(&format!("c{number}"), What::Occupied);
    }
    let first = desk.next().unwrap();
    let began = desk.now.millis;
    let mut dead = desk.fail(0);
    let mut waits = Vec::new();
    while dead.is_none() {
        let last = desk.now.millis;
        let again = desk.next().unwrap();
        assert_eq!((&again.id, &again.body), (&first.id, &first.body));
        waits.push(desk.now.millis - last);
        dead = desk.fail(u64::MAX);
    }
    assert!(waits.windows(2).all(|pair| pair[0] <= pair[1] || pair[1] == *waits.last().unwrap()));
    assert!(waits.iter().all(|wait| (250..=10_000).contains(wait)), "{waits:?}");
    assert_eq!(desk.now.millis - began, 60_000, "the last attempt is made when the time is over");
    let dead = dead.unwrap();
    assert_eq!((dead.id, dead.events), (first.id, 10));
    assert_eq!(desk.figures.dead_of(Loss::Expired), 10);
    assert_eq!(desk.taken(), ["lost 10", "occupied c10", "occupied c11"]);
}

#[test]
fn a_batch_that_dies_with_word_of_others_passes_it_on() {
    let mut desk = Desk::new(Terms { retry_for: Duration::ZERO, batch_max: 2, ..TERMS });
    for number in 0..4 {
        desk.tell(&format!("c{number}"), What::Occupied);
    }
    for _ in 0..2 {
        assert!(desk.next().is_some());
        assert!(desk.fail(0).is_some());
    }
    // The second one had the word of two and one more event.
    assert_eq!(desk.taken(), ["lost 3", "occupied c3"]);
}

#[test]
fn what_there_is_no_room_for_is_missed_in_its_place() {
    let mut desk = Desk::new(Terms { bytes_max: 1_000, ..TERMS });
    for number in 0..5 {
        desk.tell(&format!("c{number}"), What::Occupied);
    }
    assert_eq!(desk.figures.dead_of(Loss::Full), 2);
    assert_eq!(desk.taken(), ["occupied c0", "occupied c1", "occupied c2", "lost 2"]);
    desk.tell("later", What::Occupied);
    assert_eq!(desk.taken(), ["occupied later"]);
    assert_eq!(desk.figures.waiting(), (0, 0));
}

#[test]
fn the_end_is_told_last_and_stands_for_all_who_have_just_gone() {
    let mut desk = Desk::new(TERMS);
    desk.outgoing.say(Event::Started, desk.now);
    desk.tell("a", What::Occupied);
    desk.tell("b", What::Vacated);
    desk.outgoing.close(desk.now);
    let last = desk.outgoing.advance(desk.now).unwrap();
    assert_eq!(words(&last), ["started", "occupied a", "stopped"]);
    assert!(!desk.outgoing.is_done());
    assert_eq!(desk.outgoing.abandon(), 3);
    assert_eq!(desk.figures.dead_of(Loss::Stopped), 3);
    assert_eq!(desk.figures.waiting(), (0, 0));
}

/// What a backend makes of what it hears, again or for the first time.
#[derive(Default)]
struct Ears {
    seen: BTreeSet<String>,
    channels: Vec<String>,
    lost: u64,
}

impl Ears {
    fn hear(&mut self, message: &Message) {
        for event in events(message) {
            if self.seen.insert(event["id"].as_str().unwrap().to_owned()) {
                self.lost += event["count"].as_u64().unwrap_or(0);
                self.channels.extend(event["channel"].as_str().map(str::to_owned));
            }
        }
    }
}

#[test]
fn a_backend_that_fails_at_random_is_told_all_in_order_or_how_much_it_missed() {
    for seed in 0..200 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut desk = Desk::new(Terms { bytes_max: 8_000, ..TERMS });
        let (mut told, mut ears, mut bodies) = (0_u64, Ears::default(), BTreeMap::new());
        let mut down = false;
        for step in 0..600 {
            down ^= random.u8(..) < 4;
            if random.u8(..) < 128 {
                desk.tell(&format!("c{step:04}"), What::Occupied);
                told += 1;
            }
            desk.pass(random.u64(..500));
            let Some(message) = desk.outgoing.advance(desk.now) else { continue };
            let before = bodies.entry(message.id.clone()).or_insert_with(|| message.body.clone());
            assert_eq!(*before, message.body, "a message that is sent again is the same");
            // An answer may get lost as well: then it is told twice.
            if !down || random.u8(..) < 60 {
                ears.hear(&message);
            }
            match down {
                false => desk.outgoing.delivered(),
                true => drop(desk.fail(random.u64(..))),
            }
        }
        while let Some(message) = desk.next() {
            ears.hear(&message);
            desk.outgoing.delivered();
        }
        let Ears { channels, lost, .. } = ears;
        assert!(channels.is_sorted(), "seed {seed}: {channels:?}");
        let distinct: BTreeSet<_> = channels.iter().collect();
        assert_eq!(distinct.len(), channels.len(), "seed {seed}");
        // What arrived although its batch was given up counts as lost too.
        assert!(channels.len() as u64 + lost >= told, "seed {seed}: {lost} of {told}");
        let dead = desk.figures.dead_of(Loss::Expired) + desk.figures.dead_of(Loss::Full);
        // A word of what is missing may arrive, and its batch be given up all the same.
        assert!(lost >= dead, "seed {seed}: what is lost is told");
        assert_eq!(desk.figures.waiting(), (0, 0), "seed {seed}");
    }
}

#[test]
fn the_documentation_shows_each_event_as_it_is() {
    let page = include_str!("../../../../../docs/hooks.md");
    let id = MemberId { user: Some("alice".into()), client: "tab-1".into() };
    let member = Arc::new(Member { id, info: Some("{\"name\":\"Al\"}".into()) });
    let happened = |what| Event::Channel(Happening { channel: name("chat:1"), what });
    let departure = Departure {
        session: "NVQWxvDqS0m1Zc0ITqy9ywAAAAAABwAAAAE".to_owned(),
        user: Some("alice".into()),
        client: Some("tab-1".into()),
        address: ClientAddress::of_peer("203.0.113.7:1".parse().unwrap()),
        transport: Transport::Sse,
        channels: vec![name("chat:1")],
        lasted: 61_234,
        parting: Parting::Client,
    };
    let events = [
        Event::Started,
        happened(What::Occupied),
        happened(What::Joined(Arc::clone(&member))),
        Event::Disconnected(Box::new(departure)),
        happened(What::Left(member)),
        happened(What::Vacated),
        Event::Lost(12),
        Event::Stopped,
    ];
    for (number, event) in (1..).zip(events) {
        let mut line = Vec::new();
        let id = format!("evt_1f0e5d3c2b1a4958_{number}");
        event.append(&id, 1_800_000_000_000, &mut line);
        let line = String::from_utf8(line).unwrap();
        assert!(page.contains(&format!("\n{line}\n")), "not on the page: {line}");
    }
    for parting in Parting::ALL {
        assert!(page.contains(&format!("`{}`", parting.as_str())), "{parting:?}");
    }
}

#[test]
fn each_event_has_its_words() {
    let at = |event: Event| {
        let mut out = Vec::new();
        event.append("evt_1", 5, &mut out);
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let id = MemberId { user: Some("alice".into()), client: "tab\"1".into() };
    let info = Some("{\"name\": \"Al\"}".into());
    let member = Arc::new(Member { id, info });
    let channel = name("chat:1");
    let happened = |what| Event::Channel(Happening { channel: channel.clone(), what });
    assert_eq!(at(Event::Started), json!({"id": "evt_1", "type": "started", "time": 5}));
    assert_eq!(at(Event::Lost(3)), json!({"id": "evt_1", "type": "lost", "time": 5, "count": 3}));
    assert_eq!(
        at(happened(What::Vacated)),
        json!({"id": "evt_1", "type": "vacated", "time": 5, "channel": "chat:1"})
    );
    assert_eq!(
        at(happened(What::Joined(member))),
        json!({"id": "evt_1", "type": "joined", "time": 5, "channel": "chat:1", "member": {
            "client": "tab\"1", "user": "alice", "info": {"name": "Al"}}})
    );
    let departure = Departure {
        session: "s".to_owned(),
        user: None,
        client: None,
        address: ClientAddress::of_peer("[::ffff:192.0.2.1]:7".parse().unwrap()),
        transport: Transport::Sse,
        channels: vec![channel],
        lasted: 1_234,
        parting: Parting::Drain,
    };
    assert_eq!(
        at(Event::Disconnected(Box::new(departure))),
        json!({"id": "evt_1", "type": "disconnect", "time": 5, "session": "s",
            "address": "192.0.2.1", "transport": "sse", "channels": ["chat:1"], "lasted": 1234,
            "reason": "drain"})
    );
}
