//! A short seeded run over every decoder of the native protocol: none may panic, and what is
//! accepted keeps its bounds. The same lines are the fuzz targets'.

use bytes::Bytes;
use fanfare_core::cursor::CURSOR_ENTRIES_MAX;
use fanfare_protocol::native::cors::{self, Hosts, OriginPolicy, Origins};
use fanfare_protocol::native::cursor::{cursor_text, parse_cursor, parse_position, position_text};
use fanfare_protocol::native::head::{Head, Version};
use fanfare_protocol::native::route::{Route, Rules, route};
use fanfare_protocol::native::starts::{Since, parse_since};
use fanfare_protocol::native::v1;

const ROUNDS: usize = 20_000;
const NOW: u64 = 1_700_000_000_000;

/// A small generator with a fixed seed (xorshift64*), so that every run is the same run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let rolled = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(rolled).unwrap_or_default() % sides
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.roll(from.len())]
    }

    /// A seed with some of its bytes changed, left out, doubled or taken from another seed.
    fn mutate(&mut self, seeds: &[&str]) -> Vec<u8> {
        let mut bytes = self.pick(seeds).as_bytes().to_vec();
        for _ in 0..self.roll(6) {
            let at = self.roll(bytes.len() + 1);
            match self.roll(5) {
                0 if at < bytes.len() => {
                    bytes[at] = u8::try_from(self.roll(256)).unwrap_or_default();
                }
                1 if at < bytes.len() => {
                    bytes.remove(at);
                }
                2 => bytes.insert(at, *self.pick(b"~!.,%&=?/+\"{}[]:\\\r\n\0 0aZ\xff\xc3")),
                3 => bytes.truncate(at),
                _ => {
                    let other = self.pick(seeds).as_bytes();
                    let cut = self.roll(other.len() + 1);
                    bytes.extend_from_slice(&other[cut..]);
                }
            }
        }
        bytes
    }

    fn text(&mut self, seeds: &[&str]) -> String {
        String::from_utf8_lossy(&self.mutate(seeds)).into_owned()
    }
}

const SINCES: &[&str] = &[
    "now",
    "all",
    "last",
    "last:20",
    "30s",
    "1d",
    "1700000000",
    "1700000000123",
    "2023-11-14T22:13:20.5+02:00",
    "42.bI0VniavN7w",
    "~aungWv48BEjRWeJq83vAB",
    "~bungWv48BEjRWeJq83vABLA~!",
    "~aungWv48BEjRWeJq83vAB~aypeBEsqcEjRWeJq83vAH~zAAAA",
];

const TARGETS: &[&str] = &[
    "/c/news",
    "/c/a,b%2C,%F0%9F%8E%89?since=~aungWv48BEjRWeJq83vAB",
    "/c?channel=runs/1&channel=b",
    "/c/a/history?since=last:3&until=42.bI0VniavN7w&limit=5&order=desc",
    "/c/a?as=ndjson&echo=0",
    "/c/a?wait=20&lastEventId=~!",
    "/c/a?poll=1&heartbeat=event:10s&open=0",
    "/publish",
    "/c/a/presence",
    "/c/a?event=channel&as=sse",
    "http://localhost/c/a?pong=x&ping=off",
    "/sessions/x",
    "/c/a?event=e&tags=a,b&ttl=30s&key=k&conflate=c&expect=none&end=1&binary=1",
    "*",
];

const VALUES: &[&str] = &[
    "websocket",
    "Upgrade, keep-alive",
    "13",
    "dGhlIHNhbXBsZSBub25jZQ==",
    "fanfare.v1, bearer.x",
    "text/event-stream;q=0.5, application/json",
    "~aungWv48BEjRWeJq83vAB",
    "navigate",
    "cross-site",
    "application/json; charset=\"utf-8\"",
    "http://localhost:3000",
    "localhost:8300",
    "[::1]",
    "30",
    "AAAAAAAAAAAAAAAAAAAAAQ",
    "authorization, fanfare-event",
];

const NAMES: &[&str] = &[
    "Upgrade",
    "Connection",
    "Sec-WebSocket-Version",
    "Sec-WebSocket-Key",
    "Sec-WebSocket-Protocol",
    "Accept",
    "Last-Event-ID",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Content-Type",
    "Origin",
    "Host",
    "Fanfare-TTL",
    "Fanfare-Session",
    "Access-Control-Request-Headers",
    "Fanfare-Event",
    "Fanfare-Tags",
    "Fanfare-Expect",
    "Access-Control-Request-Method",
    "Idempotency-Key",
];

const OBJECTS: &[&str] = &[
    "{\"id\":1,\"type\":\"subscribe\",\"channel\":\"a\",\"since\":\"all\"}",
    "{\"id\":\"x\",\"type\":\"publish\",\"channel\":\"a\",\"data\":{\"b\":[1,2e3]},\"ttl\":30}",
    "{\"id\":1,\"type\":\"history\",\"channel\":\"a\",\"limit\":3,\"until\":1700000000}",
    "{\"channels\":[\"a\",\"b\"],\"data\":\"/wA=\",\"encoding\":\"base64\",\"tags\":[\"t\"]}",
    "{\"channel\":\"a\",\"data\":\"\\u0000\\ud83c\\udf89\",\"event\":\"e\",\"end\":true}",
    "{\"id\":2,\"type\":\"ping\"}",
    "{\"id\":2,\"type\":\"unsubscribe\",\"channel\":\"a\"}",
];

#[test]
fn cursors_and_sinces() {
    let mut dice = Dice(0x5eed_0001);
    let mut read = 0;
    for _ in 0..ROUNDS {
        let text = dice.text(SINCES);
        if let Some(position) = parse_position(&text) {
            assert_eq!(parse_position(&position_text(position)), Some(position));
        }
        if parse_cursor(&text).is_ok() {
            assert!(text.starts_with('~'));
            read += 1;
        }
        match parse_since(&text, NOW) {
            Ok(Since::Cursor(cursor)) => assert_eq!(parse_cursor(&text), Ok(cursor)),
            Ok(_) => {}
            Err(problem) => assert_eq!(problem.status(), 400),
        }
    }
    assert!(read > ROUNDS / 50, "only {read} cursors were read");
}

#[test]
fn requests() {
    let mut dice = Dice(0x5eed_0002);
    let policy = OriginPolicy {
        hosts: Hosts::Loopback,
        origins: Origins::Loopback,
    };
    let rules = Rules {
        payload_bytes_max: 64,
        ..Rules::default()
    };
    let (mut routed, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        let target = dice.text(TARGETS);
        let values: Vec<(&str, Vec<u8>)> = (0..dice.roll(8))
            .map(|_| (*dice.pick(NAMES), dice.mutate(VALUES)))
            .collect();
        let headers: Vec<(&str, &[u8])> = values
            .iter()
            .map(|(name, value)| (*name, value.as_slice()))
            .collect();
        let method = *dice.pick(&["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "X"]);
        let version = *dice.pick(&[Version::Http10, Version::Http11, Version::Http2]);
        let head = Head::new(method, &target, version, &headers);
        if let Err(problem) = cors::check(&head, &policy) {
            assert_eq!(problem.status(), 403);
        }
        for (_, value) in cors::preflight_headers(&head) {
            assert!(!value.contains(['\r', '\n']));
        }
        match route(&head, &rules, NOW) {
            Ok(route) => {
                routed += 1;
                follow(route, &mut dice, &rules);
            }
            Err(problem) => {
                refused += 1;
                assert!((400..=426).contains(&problem.status()), "{problem:?}");
                assert!(serde_json::from_slice::<serde_json::Value>(&problem.body()).is_ok());
            }
        }
    }
    assert!(
        routed > ROUNDS / 10 && refused > ROUNDS / 10,
        "{routed} {refused}"
    );
}

/// Reads the body that a route takes, and checks what a reader is promised.
fn follow(route: Route, dice: &mut Dice, rules: &Rules) {
    match route {
        Route::Read(reading) => {
            let asked = reading.subscriptions.len();
            assert!(asked + reading.carried.entries().len() <= CURSOR_ENTRIES_MAX);
            assert!(
                reading.heartbeat.every.as_secs() >= 5 && reading.heartbeat.every.as_secs() <= 60
            );
            let text = cursor_text(&reading.carried);
            assert!(text.is_empty() || parse_cursor(&text).is_ok());
        }
        Route::Publish(publishing) => {
            let body = Bytes::from(dice.mutate(OBJECTS));
            if let Ok(drafts) = publishing.drafts(body, &None, rules) {
                assert!((1..=CURSOR_ENTRIES_MAX).contains(&drafts.len()));
            }
        }
        Route::Batch(batch) => {
            let body = Bytes::from(dice.mutate(OBJECTS));
            if let Ok(items) = batch.items(&body, &None, rules) {
                assert!(items.len() <= 1_000);
            }
        }
        Route::History(history) => assert!((1..=1_000).contains(&history.query.limit)),
        Route::Remove(channels) | Route::ChannelPage(channels) => assert!(!channels.is_empty()),
        Route::Preflight | Route::Other => {}
    }
}

#[test]
fn commands() {
    let mut dice = Dice(0x5eed_0003);
    let rules = Rules {
        payload_bytes_max: 64,
        ..Rules::default()
    };
    let (mut read, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        let text = dice.text(OBJECTS);
        match v1::parse(&text, &None, &rules, NOW) {
            Ok(_) => read += 1,
            Err(bad) => {
                refused += 1;
                let mut reply = Vec::new();
                v1::append_error(&mut reply, bad.id.as_ref(), &bad.problem);
                assert!(serde_json::from_slice::<serde_json::Value>(&reply).is_ok());
            }
        }
    }
    assert!(
        read > ROUNDS / 50 && refused > ROUNDS / 10,
        "{read} {refused}"
    );
}
