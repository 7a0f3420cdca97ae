//! One subscriber: from the bytes that it reads to what is written down about them.

use std::io::{self, ErrorKind, Read, Write};

use anyhow::{Context, Result, bail};
use mio::net::TcpStream;
use rustls::ClientConnection;

use super::audience::Shape;
use super::connect::Clock;
use super::description::Transport;
use super::framing::{Body, Head, PONG, Piece, TEXT, put_frame};
use super::histogram::Latencies;
use super::ledger::Ledger;
use super::mark::Scanner;
use super::template::Values;

/// What is written down about what comes to all subscribers.
#[derive(Debug)]
pub(super) struct Books {
    pub(super) ledger: Ledger,
    /// From when a publication was to be sent to when it came, if anyone wants to know.
    pub(super) latencies: Option<Latencies>,
    pub(super) clock: Clock,
    pub(super) payload_bytes: usize,
    pub(super) shape: Shape,
    /// Members whose subscription stands.
    pub(super) greeted: usize,
    /// Bytes that came.
    pub(super) bytes: u64,
    /// The cursor that each was told first, if its transport has one.
    pub(super) cursors: Vec<String>,
}

/// What a member reads and writes.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) socket: TcpStream,
    /// Its TLS, if it speaks that.
    session: Option<Box<ClientConnection>>,
}

impl Line {
    /// A socket, and what shook hands on it.
    pub(super) fn new(socket: TcpStream, session: Option<Box<ClientConnection>>) -> Self {
        Self { socket, session }
    }
}

impl Read for Line {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.read(buffer),
            Some(session) => rustls::Stream::new(&mut **session, &mut self.socket).read(buffer),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.session {
            None => self.socket.write(bytes),
            Some(session) => rustls::Stream::new(&mut **session, &mut self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.session {
            None => self.socket.flush(),
            Some(session) => rustls::Stream::new(&mut **session, &mut self.socket).flush(),
        }
    }
}

/// What the end of a connection may be told as.
const ENDS: [ErrorKind; 2] = [ErrorKind::ConnectionReset, ErrorKind::UnexpectedEof];

/// A connection that subscribes.
#[derive(Debug)]
pub(super) struct Member {
    line: Line,
    phase: Phase,
    scanner: Scanner,
}

#[derive(Debug)]
enum Phase {
    /// The answer's head is coming.
    Head(Vec<u8>),
    /// The answer is there, and what says that the subscription stands is still to come.
    Greeting(Body, Vec<u8>),
    /// It stands.
    Live(Body),
}

/// What was found when a member was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Everything that there was.
    Read,
    /// The end of the connection.
    End,
}

impl Member {
    /// One that has sent its request.
    pub(super) fn new(line: Line) -> Self {
        Self { line, phase: Phase::Head(Vec::new()), scanner: Scanner::default() }
    }

    /// Whether its subscription stands.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Live(_))
    }

    /// Reads all that is there.
    ///
    /// # Errors
    /// If it is refused, or is told what nobody understands.
    pub(super) fn read(
        &mut self,
        place: usize,
        buffer: &mut [u8],
        transport: &Transport,
        books: &mut Books,
    ) -> Result<Found> {
        loop {
            let bytes = match self.line.read(buffer) {
                Ok(0) => return Ok(Found::End),
                Ok(bytes) => bytes,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Found::Read),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // A server that is killed says no good-bye in TLS either.
                Err(error) if ENDS.contains(&error.kind()) => return Ok(Found::End),
                Err(error) => return Err(error.into()),
            };
            books.bytes += bytes as u64;
            let came = buffer.get(..bytes).unwrap_or_default();
            if self.take(place, came, transport, books)? == Found::End {
                return Ok(Found::End);
            }
            // TLS gives what it has opened, and may have more.
            if bytes < buffer.len() && self.line.session.is_none() {
                return Ok(Found::Read);
            }
        }
    }

    fn take(
        &mut self,
        place: usize,
        came: &[u8],
        transport: &Transport,
        books: &mut Books,
    ) -> Result<Found> {
        let mut rest = came;
        if let Phase::Head(had) = &mut self.phase {
            let Some((head, taken)) = Head::take(had, came)? else {
                return Ok(Found::Read);
            };
            rest = came.get(taken..).unwrap_or_default();
            self.greet(place, &head, rest, transport, books)?;
        }
        self.take_body(place, rest, transport, books)
    }

    /// The head of the answer has come.
    fn greet(
        &mut self,
        place: usize,
        head: &Head,
        rest: &[u8],
        transport: &Transport,
        books: &mut Books,
    ) -> Result<()> {
        let wanted = if transport.websocket { 101 } else { 200 };
        if head.status != wanted {
            let why: String = String::from_utf8_lossy(rest).chars().take(300).collect();
            bail!("a subscription was refused with {}: {why}", head.status);
        }
        if let Some(name) = &transport.cursor {
            let cursor = head.header(name).with_context(|| format!("an answer without {name}"))?;
            if let Some(known) = books.cursors.get_mut(place).filter(|known| known.is_empty()) {
                cursor.clone_into(known);
            }
        }
        self.send_behind(place, transport, books)?;
        self.phase = if transport.subscribed.is_some() {
            Phase::Greeting(head.body(), Vec::new())
        } else {
            books.greeted += 1;
            Phase::Live(head.body())
        };
        Ok(())
    }

    /// Sends what a WebSocket subscribes with.
    fn send_behind(&mut self, place: usize, transport: &Transport, books: &Books) -> Result<()> {
        let mut out = Vec::new();
        let channels = books.shape.names(place);
        let joined = channels.join(&transport.separator);
        for template in &transport.send {
            let channel = channels.first().map_or("", String::as_str);
            let values = Values { channel, channels: &joined, ..Values::default() };
            put_frame(&mut out, TEXT, template.filled(&values).as_bytes());
        }
        for channel in transport.send_each.iter().flat_map(|_| &channels) {
            let values = Values { channel, ..Values::default() };
            let text = transport.send_each.as_ref().map(|template| template.filled(&values));
            put_frame(&mut out, TEXT, text.unwrap_or_default().as_bytes());
        }
        if !out.is_empty() {
            self.line.write_all(&out).context("a WebSocket that takes no subscription")?;
        }
        Ok(())
    }

    fn take_body(
        &mut self,
        place: usize,
        mut rest: &[u8],
        transport: &Transport,
        books: &mut Books,
    ) -> Result<Found> {
        let (body, mut greeting) = match &mut self.phase {
            Phase::Head(_) => return Ok(Found::Read),
            Phase::Greeting(body, said) => (body, Some(said)),
            Phase::Live(body) => (body, None),
        };
        // One look at the clock for all that came together.
        let now = if books.latencies.is_some() { books.clock.nanos() } else { 0 };
        while let Some(piece) = body.next(&mut rest)? {
            match piece {
                Piece::Data(data) => {
                    if let Some(said) = &mut greeting {
                        let room = GREETING_BYTES_MAX.saturating_sub(said.len());
                        said.extend_from_slice(data.get(..room.min(data.len())).unwrap_or(data));
                    }
                    books.enter(place, &mut self.scanner, data, now);
                }
                Piece::MessageEnd => {}
                Piece::Ping(payload) => {
                    let mut frame = Vec::new();
                    put_frame(&mut frame, PONG, &payload);
                    // Where there is no room, the server has more to say than it can ask.
                    let _answered = self.line.write(&frame);
                }
                Piece::Close(_) | Piece::End => return Ok(Found::End),
            }
        }
        let Some(said) = greeting else {
            return Ok(Found::Read);
        };
        let wanted = transport.subscribed.as_deref().unwrap_or_default();
        if contains(said, wanted.as_bytes()) {
            books.greeted += 1;
            let body = std::mem::replace(body, Body::Ended);
            self.phase = Phase::Live(body);
        } else if said.len() >= GREETING_BYTES_MAX {
            bail!("{GREETING_BYTES_MAX} bytes came and {wanted} was not among them");
        }
        Ok(Found::Read)
    }
}

impl Books {
    /// Writes down the publications in what came to a member.
    fn enter(&mut self, place: usize, scanner: &mut Scanner, mut data: &[u8], now: u64) {
        let first = self.shape.first_channel(place);
        let per_member = self.shape.per_member;
        while let Some(mark) = scanner.next(&mut data, self.payload_bytes) {
            let slot = (mark.channel as usize).checked_sub(first).filter(|slot| *slot < per_member);
            let Some(slot) = slot else {
                self.ledger.stray();
                continue;
            };
            let fresh = self.ledger.enter(place * per_member + slot, mark.number);
            if fresh && let Some(latencies) = &mut self.latencies {
                latencies.record(now.saturating_sub(mark.nanos));
            }
        }
    }
}

/// Whether some bytes are among others.
pub(super) fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// What may come before a subscription stands.
const GREETING_BYTES_MAX: usize = 16 * 1_024;
