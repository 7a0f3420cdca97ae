//! One connection of a subscriber: connects, asks, reads, and notices when it has been cut.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Error;
use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::kind::{HEARTBEAT_SECONDS, Kind};
use super::reader::{Event, Reader};
use crate::command::bench::audience;
use crate::command::bench::connect::Clock;
use crate::command::bench::template::Request;

/// Where subscribers go, and what they ask for.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) kind: Kind,
    pub(super) request: Request,
    /// The server, or a proxy before it.
    pub(super) address: SocketAddr,
    pub(super) host: String,
    pub(super) channel: u32,
    pub(super) payload_bytes: usize,
    pub(super) clock: Clock,
}

/// A connection.
#[derive(Debug)]
pub(super) struct Line<'a> {
    door: &'a Door,
    stream: TcpStream,
    reader: Reader,
    buffer: Vec<u8>,
    out: Vec<u8>,
    /// Bytes that came and went over the socket, and nobody has asked for yet.
    traffic: Traffic,
}

/// Bytes of a socket, headers and framing included.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    /// To the client.
    pub(super) down: u64,
    /// From the client.
    pub(super) up: u64,
}

/// Why a connection is over.
#[derive(Debug)]
pub(super) enum Loss {
    /// It was ended, in order or by a reset, or has been silent for too long.
    Cut,
    /// What came is a refusal or is not understood.
    Wrong(Error),
}

impl Traffic {
    /// Adds what went over another socket.
    pub(super) fn add(&mut self, other: Self) {
        self.down += other.down;
        self.up += other.up;
    }
}

impl<'a> Line<'a> {
    /// Connects and asks for everything behind a cursor; an empty one is now.
    ///
    /// # Errors
    /// If it is cut at once.
    pub(super) async fn open(door: &'a Door, cursor: String) -> Result<Self, Loss> {
        let stream = timeout(PATIENCE, TcpStream::connect(door.address));
        let stream = stream.await.map_err(|_silent| Loss::Cut)?.map_err(|error| lost(&error))?;
        let nodelay = stream.set_nodelay(true);
        // A reset at the end, so that no port waits for its time to be over.
        let linger = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
        nodelay.and(linger).map_err(|error| lost(&error))?;
        let mut line = Self {
            reader: Reader::new(door.kind, cursor, door.payload_bytes, door.clock),
            door,
            stream,
            buffer: vec![0; READ_BYTES],
            out: Vec::new(),
            traffic: Traffic::default(),
        };
        line.ask();
        line.send().await?;
        Ok(line)
    }

    /// Waits for what comes next. Pings are answered, and the next poll is asked.
    ///
    /// # Errors
    /// If the connection is over.
    pub(super) async fn next(&mut self) -> Result<Vec<Event>, Loss> {
        let read = timeout(PATIENCE, self.stream.read(&mut self.buffer)).await;
        let count = match read {
            Err(_silent) => return Err(Loss::Cut),
            Ok(Err(error)) => return Err(lost(&error)),
            Ok(Ok(0)) => return Err(Loss::Cut),
            Ok(Ok(count)) => count,
        };
        let now = self.door.clock.nanos();
        self.traffic.down += count as u64;
        let came = self.buffer.get(..count).unwrap_or_default();
        let mut events = self.reader.feed(came, now).map_err(Loss::Wrong)?;
        for event in &mut events {
            match event {
                Event::Reply(bytes) => self.out.append(bytes),
                Event::Answered => self.ask(),
                _ => {}
            }
        }
        if !self.out.is_empty() {
            self.send().await?;
        }
        Ok(events)
    }

    /// Where one may come back to.
    pub(super) fn cursor(&self) -> &str {
        self.reader.cursor()
    }

    /// Bytes that came and went since this was asked last.
    pub(super) fn take_traffic(&mut self) -> Traffic {
        std::mem::take(&mut self.traffic)
    }

    fn ask(&mut self) {
        let channel = audience::name(self.door.channel as usize);
        let values = (self.door.host.as_str(), channel.as_str(), self.reader.cursor());
        self.door.kind.ask(&mut self.out, &self.door.request, values);
    }

    async fn send(&mut self) -> Result<(), Loss> {
        self.stream.write_all(&self.out).await.map_err(|error| lost(&error))?;
        self.traffic.up += self.out.len() as u64;
        self.out.clear();
        Ok(())
    }
}

fn lost(error: &std::io::Error) -> Loss {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::ConnectionAborted => {
            Loss::Cut
        }
        _ => Loss::Wrong(anyhow::anyhow!("a subscriber's connection: {error}")),
    }
}

/// How long a connection may be silent before its client takes it for dead: one and a half
/// heartbeats.
pub(super) const PATIENCE: Duration = Duration::from_millis(HEARTBEAT_SECONDS * 1_500);

const READ_BYTES: usize = 16 * 1_024;
