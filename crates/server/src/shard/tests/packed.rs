//! Streams that are compressed: whatever a reader is told, and however slowly it reads, what it gets
//! is one valid body, whose end says so.

use std::io::Read;

use fanfare_core::frame::Coding;
use fanfare_protocol::native::route::Compression;

use super::client::Client;
use super::unpacking::{inflated, trailer, unpacked};
use super::{Running, Wishes};

/// Bytes of the longest text.
const ROOM: usize = 32 << 20;

fn compressing(wishes: Wishes) -> Running {
    let compression = Compression { websocket: true, streams: true };
    Running::start(&Wishes { compression, ..wishes })
}

/// A stream that is read as it comes, the chunks of its body joined.
struct Reader {
    client: Client,
    coding: Coding,
    body: Vec<u8>,
    /// What has been looked at of the text.
    heard: usize,
}

impl Reader {
    fn open(running: &Running, target: &str, coding: Coding) -> Self {
        let mut client = Client::connect(running.address);
        let name = if coding == Coding::Gzip { "gzip" } else { "zstd" };
        let request =
            format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: {name}\r\n\r\n");
        client.send(request.as_bytes());
        let head = client.expect("\r\n\r\n");
        assert!(head.contains(&format!("Content-Encoding: {name}\r\n")), "{head}");
        assert!(head.contains("Vary: Accept, Accept-Encoding, Origin\r\n"), "{head}");
        Self { client, coding, body: Vec::new(), heard: 0 }
    }

    /// Takes one chunk; the last one is empty.
    fn chunk(&mut self) -> usize {
        let head = self.client.expect("\r\n");
        let bytes = usize::from_str_radix(head.trim_end(), 16).unwrap();
        while self.client.received.len() < bytes + 2 {
            assert!(self.client.read_more() > 0, "cut within a chunk");
        }
        self.body.extend(self.client.received.drain(..bytes));
        self.client.received.drain(..2);
        bytes
    }

    /// All text that has come so far.
    fn text(&self) -> String {
        let text = match self.coding {
            Coding::Gzip => inflated(self.body.get(10..).unwrap_or_default(), ROOM).0,
            _ => unpacked(&self.body, ROOM),
        };
        String::from_utf8(text).unwrap()
    }

    /// Reads until this has come behind what was waited for before. Nothing has to come behind it
    /// for it to be read.
    fn expect(&mut self, wanted: &str) -> &mut Self {
        loop {
            let text = self.text();
            if let Some(at) = text[self.heard..].find(wanted) {
                self.heard += at + wanted.len();
                return self;
            }
            assert!(self.chunk() > 0, "ended before {wanted:?}: {text}");
        }
    }

    /// Reads to a clean end, and holds what the end says against what came.
    fn finish(&mut self) -> String {
        while self.chunk() > 0 {}
        let text = self.text();
        if self.coding == Coding::Gzip {
            let (_, taken) = inflated(&self.body[10..], ROOM);
            assert_eq!(self.body[10 + taken..], trailer(text.as_bytes()));
        }
        text
    }
}

fn post(running: &Running, target: &str, body: &str) {
    let bytes = body.len();
    let head = format!("POST /c/{target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {bytes}");
    Client::connect(running.address)
        .send(format!("{head}\r\n\r\n{body}").as_bytes())
        .expect("200 OK");
}

fn prose(bytes: usize) -> String {
    let lines = (0..).map(|number| format!("line {number} of what says nothing new; "));
    let mut text: String = lines.take(bytes / 30 + 1).collect();
    text.truncate(bytes);
    text
}

const CODINGS: [Coding; 2] = [Coding::Gzip, Coding::Zstd];

#[test]
fn each_event_can_be_read_as_soon_as_it_has_come() {
    let running = compressing(Wishes::default());
    for coding in CODINGS {
        for target in ["/c/a", "/c/a,b", "/c/a?as=envelope", "/c/a?as=ndjson", "/c/a?as=raw"] {
            let mut reader = Reader::open(&running, target, coding);
            for bytes in [1, 100, 127, 128, 1_000, 30_000] {
                post(&running, "a", &prose(bytes));
                reader.expect(&prose(bytes));
            }
            if !target.contains("raw") {
                let cursors = if target.contains(',') { 2 } else { 1 };
                let text = reader.expect("~a").text();
                let last = text.trim_end().rsplit(['\n', ',']).next().unwrap();
                assert_eq!(last.matches("~a").count(), cursors, "{target}: {last}");
            }
        }
    }
}

#[test]
fn a_stream_that_ends_is_whole() {
    let running = compressing(Wishes { history_count: 3, ..Wishes::default() });
    for (round, coding) in CODINGS.into_iter().enumerate() {
        let (first, second) = (format!("first-{round}"), format!("second-{round}"));
        for number in 0..6 {
            post(&running, &first, &format!("{number} {}", prose(500)));
        }
        let target = format!("/c/{first},{second}?since={}", "~aGfug6ZW5u2euhYTKpzsC");
        let mut reader = Reader::open(&running, &target, coding);
        reader.expect("event: fanfare.open");
        post(&running, &second, "short");
        reader.expect("data: short");
        post(&running, &format!("{first}?ttl=0"), &prose(700));
        reader.expect(&prose(700));
        post(&running, &format!("{first}?end=1"), "the last");
        reader.expect("data: the last").expect("event: fanfare.end");
        post(&running, &format!("{second}?end=1"), &prose(20_000));
        let text = reader.finish();
        assert_eq!(text.matches("event: fanfare.end").count(), 2, "{text}");
        // Who comes later gets all of it in pages, and the same end.
        let target = format!("/c/{first}?since=all");
        let text = Reader::open(&running, &target, coding).finish();
        assert!(text.contains("the last") && text.contains("event: fanfare.end"), "{text}");
    }
}

#[test]
fn who_reads_slowly_gets_a_whole_body_too() {
    let running = compressing(Wishes { history_count: 100_000, ..Wishes::default() });
    for (round, coding) in CODINGS.into_iter().enumerate() {
        let channel = format!("slow-{round}");
        let mut reader = Reader::open(&running, &format!("/c/{channel}"), coding);
        let mut publisher = Client::connect(running.address);
        // Noise, so that sockets fill; large ones among them, which go out alone.
        let mut state = 7_u32;
        for number in 0..120 {
            let bytes = if number % 10 == 0 { 50_000 } else { 9_000 };
            let noise: String = std::iter::repeat_with(|| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                char::from(b'0' + u8::try_from(state >> 26).unwrap())
            })
            .take(bytes)
            .collect();
            publisher.post(&channel, &format!("{number}:{noise}")).expect("200 OK");
        }
        post(&running, &format!("{channel}?end=1"), "the last");
        let text = reader.finish();
        for number in 0..120 {
            assert!(text.contains(&format!("data: {number}:")), "{number} is missing");
        }
        assert!(text.contains("data: the last\n"));
    }
}

#[test]
fn who_accepts_nothing_else_gets_it_as_it_is() {
    let running = compressing(Wishes::default());
    for accepts in ["", "Accept-Encoding: br\r\n", "Accept-Encoding: gzip;q=0\r\n"] {
        let mut client = Client::connect(running.address);
        client.send(format!("GET /c/a HTTP/1.1\r\nHost: localhost\r\n{accepts}\r\n").as_bytes());
        let head = client.expect("\r\n\r\n");
        assert!(!head.contains("Content-Encoding"), "{head}");
        assert!(head.contains("Vary: Accept, Accept-Encoding, Origin\r\n"), "{head}");
        client.expect("event: fanfare.open");
    }
    let running = Running::start(&Wishes::default());
    let mut client = Client::connect(running.address);
    client.send(b"GET /c/a HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n");
    let head = client.expect("\r\n\r\n");
    assert!(!head.contains("Content-Encoding"), "{head}");
    assert!(head.contains("Vary: Accept, Origin\r\n"), "{head}");
}

#[test]
fn a_drained_stream_is_told_when_to_come_back_and_has_no_end() {
    let running = compressing(Wishes::default());
    for coding in CODINGS {
        let mut reader = Reader::open(&running, "/c/a", coding);
        reader.expect("event: fanfare.open");
        if coding == Coding::Zstd {
            running.drain(std::time::Duration::ZERO);
            reader.expect("retry: ");
            let mut rest = Vec::new();
            reader.client.socket.read_to_end(&mut rest).unwrap();
            assert!(!rest.ends_with(b"0\r\n\r\n"), "a clean end would keep a reader away");
        }
    }
}
