//! A short run of every fuzz target on the ordinary toolchain: 20,000 inputs from a seeded
//! generator, half of them damaged versions of what a peer would send.

use fanfare_protocol::deflate::Deflater;
use fanfare_protocol::websocket::{CloseCode, Frame, MessageKind, append_frame};

#[path = "../../../fuzz/bodies/proxy_header.rs"]
mod proxy_header;
#[path = "../../../fuzz/bodies/websocket_decode.rs"]
mod websocket_decode;
#[path = "../../../fuzz/bodies/websocket_extension.rs"]
mod websocket_extension;
#[path = "../../../fuzz/bodies/websocket_handshake.rs"]
mod websocket_handshake;
#[path = "../../../fuzz/bodies/websocket_inflate.rs"]
mod websocket_inflate;

const INPUTS: usize = 20_000;

#[test]
fn proxy_header_keeps_its_promises() {
    let mut random = Random(0x5EED_0005);
    let (mut whole, mut refused, mut cut) = (0, 0, 0);
    for _ in 0..INPUTS {
        let mut input = b"\r\n\r\n\0\r\nQUIT\n".to_vec();
        let (command, family) = ([0x20, 0x21][random.below(2)], [0, 0x11, 0x21][random.below(3)]);
        let more = random.below(40);
        let length = [0, 12, 36][usize::from(family) >> 4] + more;
        input.extend([command, family, 0, u8::try_from(length).unwrap()]);
        input.extend((0..length - more).map(|_| random.byte()));
        if more >= 3 {
            input.extend([1, 0, u8::try_from(more - 3).unwrap()]);
        }
        input.extend((0..more.saturating_sub(3)).map(|_| random.byte()));
        if random.below(3) == 0 {
            random.damage(&mut input);
        }
        input.truncate(input.len().saturating_sub(random.below(3)));
        match proxy_header::run(&input) {
            Some(Ok(_)) => whole += 1,
            Some(Err(_)) => refused += 1,
            None => cut += 1,
        }
    }
    for (reached, count) in [("whole", whole), ("refused", refused), ("cut", cut)] {
        assert!(count > INPUTS / 20, "{reached}: {count}");
    }
}

#[test]
fn websocket_decode_keeps_its_promises() {
    let mut random = Random(0x5EED_0001);
    let (mut events, mut violations, mut unharmed) = (0, 0, 0);
    for _ in 0..INPUTS {
        let mut input = vec![random.byte(), random.byte() | 0x40];
        input.extend((0..input[0] >> 4).map(|_| random.byte() % 40));
        let head = input.len();
        let is_client = input[0] & 1 != 0;
        input.extend(frames(&mut random, is_client));
        if random.below(2) == 0 {
            random.damage(&mut input[head..]);
        }
        input.truncate(input.len().saturating_sub(random.below(4)));
        let seen = websocket_decode::run(&input);
        events += seen.events;
        violations += usize::from(seen.violation.is_some());
        unharmed += usize::from(seen.violation.is_none());
    }
    assert!(events > INPUTS, "the generator reaches events: {events}");
    assert!(violations > INPUTS / 10, "the generator reaches violations: {violations}");
    assert!(unharmed > INPUTS / 10, "the generator leaves streams whole: {unharmed}");
}

#[test]
fn websocket_handshake_keeps_its_promises() {
    let mut random = Random(0x5EED_0002);
    let (mut opened, mut refused, mut not_asked) = (0, 0, 0);
    for _ in 0..INPUTS {
        let mut input = HEADS[random.below(HEADS.len())].as_bytes().to_vec();
        if random.below(3) > 0 {
            random.damage(&mut input);
        }
        match websocket_handshake::run(&input) {
            websocket_handshake::Seen::Opened => opened += 1,
            websocket_handshake::Seen::Refused => refused += 1,
            websocket_handshake::Seen::NotAsked => not_asked += 1,
        }
    }
    for (reached, count) in [("opened", opened), ("refused", refused), ("not asked", not_asked)] {
        assert!(count > INPUTS / 20, "{reached}: {count}");
    }
}

#[test]
fn websocket_inflate_keeps_its_promises() {
    let mut random = Random(0x5EED_0003);
    let mut deflater = Deflater::new();
    let (mut inflated, mut resent, mut refused) = (0, 0, 0);
    for round in 0..INPUTS / 4 {
        let words = ["Größe", "{\"symbol\":", "1234", " ", "🎺", "\0\0\0\0\0\0"];
        let mut plain = String::new();
        for _ in 0..random.below(300) {
            plain.push_str(words[random.below(words.len())]);
        }
        let mut input = vec![random.byte(), random.byte() >> 1, random.byte()];
        let head = input.len();
        deflater.append(&mut input, plain.as_bytes()).unwrap();
        // The marker that a sender leaves out.
        input.truncate(input.len() - 4);
        if round % 2 == 0 {
            random.damage(&mut input[head..]);
        }
        match websocket_inflate::run(&input) {
            websocket_inflate::Seen::Inflated => inflated += 1,
            websocket_inflate::Seen::Resent => resent += 1,
            websocket_inflate::Seen::Refused => refused += 1,
        }
    }
    for (reached, count) in [("inflated", inflated), ("resent", resent), ("refused", refused)] {
        assert!(count > INPUTS / 100, "{reached}: {count}");
    }
}

#[test]
fn websocket_extension_keeps_its_promises() {
    let mut random = Random(0x5EED_0004);
    let parts = [
        "permessage-deflate",
        "; client_max_window_bits",
        "=15",
        "=\"9\"",
        ", ",
        ";",
        "x",
        "\"",
        "; server_no_context_takeover",
        "; server_max_window_bits=15",
        "; server_max_window_bits=9",
    ];
    let (mut accepted, mut declined) = (0, 0);
    for _ in 0..INPUTS {
        let mut input = if random.below(4) > 0 { parts[0].to_owned() } else { String::new() };
        for _ in 0..random.below(6) {
            input.push_str(parts[random.below(parts.len())]);
        }
        let mut input = input.into_bytes();
        if random.below(4) == 0 {
            random.damage(&mut input);
        }
        match websocket_extension::run(&input) {
            Some(_) => accepted += 1,
            None => declined += 1,
        }
    }
    assert!(accepted > INPUTS / 10, "accepted: {accepted}");
    assert!(declined > INPUTS / 10, "declined: {declined}");
}

/// What a peer would send, masked for a server, fragmented at random.
fn frames(random: &mut Random, is_client: bool) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..random.below(6) {
        let mask = (!is_client).then(|| [0; 4].map(|_: u8| random.byte()));
        let payload = "Größe 🎺 abc".repeat(random.below(12));
        let start = out.len();
        let frame = match random.below(8) {
            0..4 => Frame::Message { kind: MessageKind::Text, payload: payload.as_bytes() },
            4 => Frame::Message { kind: MessageKind::Binary, payload: payload.as_bytes() },
            5 => Frame::Ping(payload.as_bytes()),
            6 => Frame::Pong(b""),
            _ => Frame::Close(Some((CloseCode::NORMAL, "Größe"))),
        };
        append_frame(&mut out, &frame, mask);
        if matches!(frame, Frame::Message { .. }) && random.below(3) == 0 {
            out[start] &= 0x7F;
            append_frame(&mut out, &Frame::Ping(b"between"), mask);
            let rest = out.len();
            append_frame(&mut out, &Frame::Pong(b"rest"), mask);
            out[rest] = 0x80;
        }
    }
    out
}

const HEADS: [&str; 4] = [
    "GET\nHost: a\nUpgrade: websocket\nConnection: Upgrade\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\nSec-WebSocket-Version: 13",
    "GET\nHost: a\nUpgrade: h2c, WebSocket\nConnection: keep-alive, Upgrade\n\
     Sec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\n\
     Sec-WebSocket-Protocol: fanfare.v1, bearer.x.y\nSec-WebSocket-Protocol: mqtt",
    "GET\nhost: a\nsec-websocket-version: 13",
    "GET\nHost: a\nAccept: text/event-stream",
];

/// SplitMix64: a run can be repeated from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// A number below `bound`, which fits 32 bits.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 32).expect("32 bits fit") % bound
    }

    /// Changes up to four places: a bit, a byte, or a run copied over another.
    fn damage(&mut self, bytes: &mut [u8]) {
        if bytes.is_empty() {
            return;
        }
        for _ in 0..=self.below(4) {
            let place = self.below(bytes.len());
            match self.below(3) {
                0 => bytes[place] ^= 1 << self.below(8),
                1 => bytes[place] = self.byte(),
                _ => {
                    let from = self.below(bytes.len());
                    let length = self.below(12).min(bytes.len() - place.max(from));
                    bytes.copy_within(from..from + length, place);
                }
            }
        }
    }
}
