//! Readers that note when each publication came, whatever frames it: a payload says what it is.

use std::io::{ErrorKind, Read};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::reader::Via;

use super::wait_until;

/// What carries a stream, and where its connection begins.
pub(super) type Carried = (Stream, Via);

/// What carries a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Sse,
    Ndjson,
    Text,
    RawSocket,
    V1,
}

/// Every stream from a shard, and those that the edge's pipe feeds.
pub(super) const CARRIED: [Carried; 8] = [
    (Stream::Sse, Via::Shard),
    (Stream::Ndjson, Via::Shard),
    (Stream::Text, Via::Shard),
    (Stream::RawSocket, Via::Shard),
    (Stream::V1, Via::Shard),
    (Stream::Sse, Via::Edge),
    (Stream::Ndjson, Via::Edge),
    (Stream::V1, Via::Edge),
];

/// A reader that reads on a thread of its own until it is dropped.
#[derive(Debug)]
pub(super) struct Paced {
    pub(super) carried: Carried,
    /// Bytes of its opening.
    opening: usize,
    seen: Arc<Mutex<Seen>>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    begun: Instant,
    stalled: AtomicBool,
    stop: AtomicBool,
}

/// All that came, and how much of it was there when.
#[derive(Debug, Default)]
struct Seen {
    bytes: Vec<u8>,
    arrivals: Vec<(usize, Duration)>,
}

/// One publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) key: String,
    pub(super) number: u64,
    /// When it was sent, as its publisher's clock says.
    pub(super) sent: Duration,
    /// When it was read here.
    pub(super) at: Duration,
}

/// A payload that is found in any framing.
pub(super) fn payload(key: &str, number: u64, sent: Duration) -> String {
    format!("#{key},{number},{:0>10}#", sent.as_micros())
}

impl Paced {
    /// A reader of `ticker` with this query.
    pub(super) fn open(address: &str, carried: Carried, query: &str) -> Self {
        Self::open_on(address, carried, "ticker", query)
    }

    /// A reader of a channel, answered.
    pub(super) fn open_on(address: &str, carried: Carried, channel: &str, query: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        Self::begin(socket, carried, (channel, query), Instant::now())
    }

    /// A reader with hardly any room in its socket, on the clock of a test.
    pub(super) fn open_narrow(
        address: &str,
        carried: Carried,
        query: &str,
        begun: Instant,
    ) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let address: std::net::SocketAddr = address.parse().unwrap();
        socket.connect(&address.into()).unwrap();
        Self::begin(socket.into(), carried, ("ticker", query), begun)
    }

    /// A reader on the clock of a test.
    pub(super) fn open_at(address: &str, carried: Carried, query: &str, begun: Instant) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        Self::begin(socket, carried, ("ticker", query), begun)
    }

    fn begin(
        mut socket: TcpStream,
        carried: Carried,
        (channel, query): (&str, &str),
        begun: Instant,
    ) -> Self {
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        ask(&mut socket, carried, channel, query);
        let shared =
            Shared { begun, stalled: AtomicBool::new(false), stop: AtomicBool::new(false) };
        let (seen, shared) = (Arc::default(), Arc::new(shared));
        let (to, until) = (Arc::clone(&seen), Arc::clone(&shared));
        let thread = Some(std::thread::spawn(move || read(&mut socket, &to, &until)));
        let mut reader = Self { carried, opening: 0, seen, shared, thread };
        reader.wait_for(match carried.0 {
            Stream::Sse => "fanfare.open",
            Stream::Ndjson | Stream::V1 => "\"type\":\"open\"",
            Stream::Text | Stream::RawSocket => "\r\n\r\n",
        });
        reader.opening = reader.seen.lock().unwrap().bytes.len();
        reader
    }

    /// Whether it reads on.
    pub(super) fn stall(&self, stalled: bool) {
        self.shared.stalled.store(stalled, Ordering::Release);
    }

    /// Waits until this has come.
    pub(super) fn wait_for(&self, text: &str) {
        let missing = format!("{:?} never got {text}", self.carried);
        wait_until(&missing, || self.contains(text));
    }

    pub(super) fn contains(&self, text: &str) -> bool {
        let seen = self.seen.lock().unwrap();
        seen.bytes.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// Whether its opening says this, if it has one.
    pub(super) fn declares(&self, text: &str) -> bool {
        matches!(self.carried.0, Stream::Text | Stream::RawSocket) || self.contains(text)
    }

    /// Bytes that came behind its opening.
    pub(super) fn bytes(&self) -> usize {
        self.seen.lock().unwrap().bytes.len() - self.opening
    }

    /// Every publication that came, in order.
    pub(super) fn told(&self) -> Vec<Told> {
        let seen = self.seen.lock().unwrap();
        let mut told = Vec::new();
        let mut places = seen.bytes.iter().enumerate().filter(|(_, byte)| **byte == b'#');
        while let (Some((start, _)), Some((end, _))) = (places.next(), places.next()) {
            let text = std::str::from_utf8(&seen.bytes[start + 1..end]).unwrap();
            let mut fields = text.split(',');
            let mut next = || fields.next().unwrap_or_else(|| panic!("{text:?} is a payload"));
            let (key, number, sent) = (next().to_owned(), next(), next());
            let arrived = seen.arrivals.partition_point(|(length, _)| *length <= end);
            told.push(Told {
                key,
                number: number.parse().unwrap(),
                sent: Duration::from_micros(sent.parse().unwrap()),
                at: seen.arrivals[arrived].1,
            });
        }
        told
    }
}

impl Drop for Paced {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let joined = thread.join();
            assert!(joined.is_ok() || std::thread::panicking(), "the reader's thread panicked");
        }
    }
}

fn ask(socket: &mut TcpStream, (stream, via): Carried, channel: &str, query: &str) {
    if via == Via::Edge {
        let request = "POST /c/beside HTTP/1.1\r\nHost: localhost\r\n\
            Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
        std::io::Write::write_all(socket, request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        wait_until("an answer of the edge", || {
            let mut buffer = [0; 1024];
            let length = socket.read(&mut buffer).unwrap_or(0);
            answer.extend_from_slice(&buffer[..length]);
            answer.ends_with(b"}")
        });
    }
    let upgrade = |subprotocol| {
        format!(
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: {subprotocol}\r\n"
        )
    };
    let (form, headers) = match stream {
        Stream::Sse => ("as=sse", String::new()),
        Stream::Ndjson => ("as=ndjson", String::new()),
        Stream::Text => ("as=raw", String::new()),
        Stream::RawSocket => ("x=1", upgrade("fanfare.raw")),
        Stream::V1 => ("x=1", upgrade("fanfare.v1")),
    };
    let target = format!("/c/{channel}?{form}&{query}");
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
    std::io::Write::write_all(socket, request.as_bytes()).unwrap();
}

fn read(socket: &mut TcpStream, seen: &Mutex<Seen>, shared: &Shared) {
    let mut buffer = [0; 16 * 1024];
    while !shared.stop.load(Ordering::Acquire) {
        if shared.stalled.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(5));
            continue;
        }
        match socket.read(&mut buffer) {
            Ok(0) => return,
            Ok(length) => {
                let at = shared.begun.elapsed();
                let mut seen = seen.lock().unwrap();
                seen.bytes.extend_from_slice(&buffer[..length]);
                let whole = seen.bytes.len();
                seen.arrivals.push((whole, at));
            }
            Err(error) => {
                let waits = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
                assert!(waits, "{error}");
            }
        }
    }
}
