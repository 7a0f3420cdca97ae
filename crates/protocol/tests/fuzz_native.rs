//! A short seeded run of every fuzz target of the native protocol on the ordinary toolchain.

#[path = "../../../fuzz/bodies/native_change.rs"]
mod native_change;
#[path = "../../../fuzz/bodies/native_command.rs"]
mod native_command;
#[path = "../../../fuzz/bodies/native_cursor.rs"]
mod native_cursor;
#[path = "../../../fuzz/bodies/native_request.rs"]
mod native_request;

const ROUNDS: usize = 20_000;

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
    "/c/a/presence?after=YQ&limit=5",
    "/c/a?max_rate=2.5&since=last",
    "/c/a?presence=1&client=x&info=%7B%22a%22%3A1%7D",
    "/c/a?info=%5B%0D%0A%22a%22%0A%5D&client=%22%5C",
    "/c/a?event=channel&as=sse",
    "http://localhost/c/a?pong=x&ping=off",
    "/sessions/AAAAAAAAAAAAAAAAAAAAAQACAAAAAwAAAAQ",
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
    "AAAAAAAAAAAAAAAAAAAAAQACAAAAAwAAAAQ",
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

const CHANGES: &[&str] = &[
    "{\"subscribe\":[{\"channel\":\"a\",\"since\":\"all\"},{\"channel\":\"b\"}],\"unsubscribe\":[\"c\"]}",
    "{\"subscribe\":[{\"channel\":\"a\",\"since\":1700000000},{\"channel\":\"$x\",\"since\":null}]}",
    "{\"unsubscribe\":[\"a\",\"\\u00e9\"],\"subscribe\":null}",
    "{\"subscribe\":[{\"since\":\"~aungWv48BEjRWeJq83vAB\",\"channel\":\"a\"}]}",
    "{}",
];

#[test]
fn native_change_keeps_its_promises() {
    let mut dice = Dice(0x5eed_0004);
    let mut seen = [0, 0];
    for _ in 0..ROUNDS {
        seen[native_change::run(&dice.mutate(CHANGES)) as usize] += 1;
    }
    check_reached(&seen);
}

#[test]
fn native_cursor_keeps_its_promises() {
    let mut dice = Dice(0x5eed_0001);
    let mut seen = [0, 0, 0];
    for _ in 0..ROUNDS {
        seen[native_cursor::run(&dice.mutate(SINCES)) as usize] += 1;
    }
    check_reached(&seen);
}

#[test]
fn native_request_keeps_its_promises() {
    let mut dice = Dice(0x5eed_0002);
    let mut seen = [0, 0, 0];
    for _ in 0..ROUNDS {
        let method = dice.pick(&["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "X"]);
        let mut input = format!("{method} ").into_bytes();
        input.extend(dice.mutate(TARGETS));
        for _ in 0..dice.roll(8) {
            input.extend_from_slice(format!("\n{}:", dice.pick(NAMES)).as_bytes());
            input.extend(dice.mutate(VALUES));
        }
        input.extend_from_slice(b"\n\n");
        input.extend(dice.mutate(OBJECTS));
        seen[native_request::run(&input) as usize] += 1;
    }
    check_reached(&seen);
}

#[test]
fn native_command_keeps_its_promises() {
    let mut dice = Dice(0x5eed_0003);
    let mut seen = [0, 0];
    for _ in 0..ROUNDS {
        seen[native_command::run(&dice.mutate(OBJECTS)) as usize] += 1;
    }
    check_reached(&seen);
}

/// The generator has to reach every outcome, else the run shows nothing.
fn check_reached(seen: &[usize]) {
    assert!(seen.iter().all(|count| *count > ROUNDS / 50), "{seen:?}");
}
