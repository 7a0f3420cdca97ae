//! The subscribers: many connections of this process that count what they get.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

/// What stands before a publication's number in every payload, and nowhere else.
pub(crate) const MARK: &str = "#seq=";

/// How subscribers listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Sse,
    V1,
    Raw,
}

/// All subscribers of a subject.
#[derive(Debug)]
pub(crate) struct Audience {
    poll: Poll,
    events: Events,
    subscribers: Vec<Subscriber>,
    buffer: Vec<u8>,
    greeted: usize,
    /// Publications that came to subscribers, over all of them.
    pub(crate) deliveries: u64,
    /// Bytes that came since the opening.
    pub(crate) bytes: u64,
}

#[derive(Debug)]
struct Subscriber {
    stream: TcpStream,
    greeted: bool,
    /// The number that comes next.
    next: u32,
    /// Bytes of mark and number seen of the one that is arriving.
    seen: usize,
    number: u32,
}

impl Language {
    pub(crate) const ALL: [Self; 3] = [Self::Sse, Self::V1, Self::Raw];

    /// What a reader of the report calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sse => "SSE",
            Self::V1 => "WebSocket, fanfare.v1",
            Self::Raw => "WebSocket, raw",
        }
    }

    fn request(self, address: &str) -> String {
        let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
        let more = match self {
            Self::Sse => "Accept: text/event-stream\r\n".to_owned(),
            Self::V1 => format!("{upgrade}Sec-WebSocket-Protocol: fanfare.v1\r\n"),
            Self::Raw => upgrade.to_owned(),
        };
        format!("GET /c/bench HTTP/1.1\r\nHost: {address}\r\n{more}\r\n")
    }
}

impl Audience {
    /// Opens so many subscriptions and waits until all of them have been told that they stand.
    ///
    /// # Errors
    /// If one is refused, or nothing happens for [`DEADLINE`].
    pub(crate) fn open(address: &str, language: Language, count: usize) -> Result<Self> {
        let mut audience = Self {
            poll: Poll::new()?,
            events: Events::with_capacity(1_024),
            subscribers: Vec::with_capacity(count),
            buffer: vec![0; 64 * 1_024],
            greeted: 0,
            deliveries: 0,
            bytes: 0,
        };
        let request = language.request(address);
        let to: SocketAddr = address.parse()?;
        for place in 0..count {
            let mut stream = connect(to, place)?;
            audience.poll.registry().register(&mut stream, Token(place), Interest::READABLE)?;
            stream.write_all(request.as_bytes())?;
            let (greeted, next, seen, number) = (false, 0, 0, 0);
            audience.subscribers.push(Subscriber { stream, greeted, next, seen, number });
            if audience.subscribers.len() - audience.greeted >= OPENING_MAX {
                audience.receive_until(|audience| {
                    audience.subscribers.len() - audience.greeted < OPENING_MAX / 2
                })?;
            }
        }
        audience.receive_until(|audience| audience.greeted == audience.subscribers.len())?;
        // An opening event may come behind its head.
        audience.receive_for(Duration::from_millis(300))?;
        audience.bytes = 0;
        Ok(audience)
    }

    /// How many they are.
    pub(crate) fn len(&self) -> usize {
        self.subscribers.len()
    }

    /// Waits until everyone has had so many publications since the opening.
    ///
    /// # Errors
    /// If one is lost, comes twice or out of order, or nothing happens for [`DEADLINE`].
    pub(crate) fn wait_for(&mut self, publications: u32) -> Result<()> {
        let wanted = u64::from(publications) * self.subscribers.len() as u64;
        self.receive_until(|audience| audience.deliveries >= wanted)
    }

    /// Makes sure that nothing comes that nobody waits for.
    ///
    /// # Errors
    /// If something does.
    pub(crate) fn expect_silence(&mut self, publications: u32) -> Result<()> {
        self.receive_for(Duration::from_millis(50))?;
        match self.subscribers.iter().find(|subscriber| subscriber.next != publications) {
            None => Ok(()),
            Some(subscriber) => {
                bail!("a subscriber had {} of {publications} publications", subscriber.next)
            }
        }
    }

    fn receive_until(&mut self, done: impl Fn(&Self) -> bool) -> Result<()> {
        while !done(self) {
            if self.receive(DEADLINE)? == 0 {
                bail!("lost: nothing came for {} s", DEADLINE.as_secs());
            }
        }
        Ok(())
    }

    fn receive_for(&mut self, time: Duration) -> Result<()> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.receive(left)?;
        }
    }

    /// Takes what comes within `time`; says how many sockets it came from.
    fn receive(&mut self, time: Duration) -> Result<usize> {
        match self.poll.poll(&mut self.events, Some(time)) {
            Err(error) if error.kind() == ErrorKind::Interrupted => return Ok(1),
            result => result?,
        }
        let mut heard = 0;
        for event in &self.events {
            let Some(subscriber) = self.subscribers.get_mut(event.token().0) else {
                continue;
            };
            heard += 1;
            loop {
                let bytes = match subscriber.stream.read(&mut self.buffer) {
                    Ok(0) => bail!("a subscriber was disconnected"),
                    Ok(bytes) => bytes,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                };
                let came = self.buffer.get(..bytes).unwrap_or_default();
                if !subscriber.greeted {
                    subscriber.greet(came)?;
                    self.greeted += 1;
                }
                self.bytes += bytes as u64;
                self.deliveries += subscriber.count(came)?;
                if bytes < self.buffer.len() {
                    break;
                }
            }
        }
        Ok(heard)
    }
}

impl Subscriber {
    fn greet(&mut self, came: &[u8]) -> Result<()> {
        let welcome = came.starts_with(b"HTTP/1.1 200") || came.starts_with(b"HTTP/1.1 101");
        if !welcome {
            bail!("a subscriber was refused: {}", String::from_utf8_lossy(came));
        }
        self.greeted = true;
        Ok(())
    }

    /// Counts the numbers in what came, each of which has to be the next one.
    fn count(&mut self, mut came: &[u8]) -> Result<u64> {
        let mut counted = 0;
        while let Some((&byte, rest)) = came.split_first() {
            came = rest;
            let mark = MARK.as_bytes();
            if let Some(expected) = mark.get(self.seen) {
                if byte == *expected {
                    self.seen += 1;
                } else {
                    // Only the first byte of the mark can begin another one.
                    self.seen = usize::from(byte == mark[0]);
                }
                if self.seen == 0 {
                    let next = came.iter().position(|byte| *byte == mark[0]);
                    came = next.and_then(|at| came.get(at..)).unwrap_or_default();
                }
                continue;
            }
            self.number = self.number * 10 + u32::from(byte.wrapping_sub(b'0').min(9));
            self.seen += 1;
            if self.seen == mark.len() + DIGITS {
                if self.number != self.next {
                    bail!("publication {} came where {} was due", self.number, self.next);
                }
                (self.seen, self.number) = (0, 0);
                self.next += 1;
                counted += 1;
            }
        }
        Ok(counted)
    }
}

/// A connection from one of several addresses, so that ports do not run short. It is closed by a
/// reset, so that none of them waits for its time to be over.
fn connect(to: SocketAddr, place: usize) -> Result<TcpStream> {
    let last = u8::try_from(place % SOURCES).unwrap_or(0) + 2;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, last], 0)).into())?;
    socket.set_linger(Some(Duration::ZERO))?;
    socket.connect(&to.into()).with_context(|| format!("connection {place}"))?;
    socket.set_nonblocking(true)?;
    Ok(TcpStream::from_std(socket.into()))
}

/// Addresses that connections come from.
const SOURCES: usize = 8;

/// Subscriptions asked for and not yet answered.
const OPENING_MAX: usize = 256;

/// Digits of a publication's number.
const DIGITS: usize = 8;

/// How long nothing may happen while something is waited for.
const DEADLINE: Duration = Duration::from_secs(20);
