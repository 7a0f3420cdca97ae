//! The floor: one thread that polls, reads and sends, and nothing else.
//!
//! It knows three requests by their first letter. `GET /b0,b7` makes a connection a subscriber of
//! these channels. `POST` is answered from a ready-made buffer. `FAN /b7 LENGTH EACH` and, behind
//! an empty line, so many bytes has these sent to every subscriber of the channel: by one `send`,
//! or, if `EACH` is not 0, by one for each so many of them.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Signal, set_parent_process_death_signal};
use socket2::{Domain, Socket, Type};

use super::mark::CHANNELS_MAX;
use crate::command::output::note;

/// What the floor is told; not for people.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// Bytes of an answer.
    #[arg(long)]
    answer: usize,
}

/// Serves until it is killed.
///
/// # Errors
/// If a subscriber has no room for a frame, or anything else that leaves the figures meaningless.
pub(super) fn run(flags: &Flags) -> Result<()> {
    // A bench that is killed must not leave its floor behind.
    set_parent_process_death_signal(Some(Signal::KILL))?;
    crate::config::machine::raise_limits();
    let mut floor = Floor::listen(flags.answer)?;
    let mut events = Events::with_capacity(1_024);
    loop {
        match floor.poll.poll(&mut events, None) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            result => result?,
        }
        for event in &events {
            match event.token() {
                LISTENER => floor.accept()?,
                Token(place) => floor.serve(place)?,
            }
        }
    }
}

struct Floor {
    poll: Poll,
    listener: TcpListener,
    connections: Vec<Option<TcpStream>>,
    /// The places of each channel's subscribers.
    channels: Vec<Vec<usize>>,
    answer: Vec<u8>,
    buffer: Vec<u8>,
}

/// What is to be sent to whom.
struct Fan {
    channel: usize,
    length: usize,
    each: usize,
}

impl Floor {
    fn listen(answer_bytes: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.listen(4_096)?;
        socket.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(socket.into());
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        // The parent reads it there.
        note(&listener.local_addr()?.to_string());
        Ok(Self {
            poll,
            listener,
            connections: Vec::new(),
            channels: Vec::new(),
            answer: ready_answer(answer_bytes),
            buffer: vec![0; BUFFER_BYTES],
        })
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            let (mut stream, _) = match self.listener.accept() {
                Ok(accepted) => accepted,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            };
            stream.set_nodelay(true)?;
            let token = Token(self.connections.len());
            self.poll.registry().register(&mut stream, token, Interest::READABLE)?;
            self.connections.push(Some(stream));
        }
    }

    fn serve(&mut self, place: usize) -> Result<()> {
        let Some(Some(stream)) = self.connections.get_mut(place) else {
            return Ok(());
        };
        let bytes = match stream.read(&mut self.buffer) {
            Ok(bytes) if bytes > 0 => bytes,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            _ => {
                self.connections[place] = None;
                return Ok(());
            }
        };
        match &self.buffer[..bytes] {
            [b'G', ..] => {
                send(stream, GREETING)?;
                self.subscribe(place, bytes)
            }
            [b'P', ..] => send(stream, &self.answer),
            [b'F', ..] => {
                // Fanfare answers a publisher before it delivers, too.
                send(stream, &self.answer)?;
                self.fan_out(place, bytes)
            }
            _ => bail!("an unknown request"),
        }
    }

    fn subscribe(&mut self, place: usize, bytes: usize) -> Result<()> {
        let text = String::from_utf8_lossy(&self.buffer[..bytes]).into_owned();
        let names = text.split_whitespace().nth(1).context("a line without channels")?;
        for name in names.split(',') {
            let channel = channel(name)?;
            if self.channels.len() <= channel {
                self.channels.resize_with(channel + 1, Vec::new);
            }
            self.channels[channel].push(place);
        }
        Ok(())
    }

    /// Reads what is to be sent as far as it has not come yet, and sends it.
    fn fan_out(&mut self, place: usize, bytes: usize) -> Result<()> {
        let came = &self.buffer[..bytes];
        let head = came.windows(4).position(|four| four == b"\r\n\r\n").context("half a head")?;
        let fan = Fan::parse(&String::from_utf8_lossy(&came[..head]))?;
        let end = head + 4 + fan.length;
        if end > self.buffer.len() {
            bail!("more than the floor has room for");
        }
        let mut have = bytes;
        while have < end {
            let Some(Some(stream)) = self.connections.get_mut(place) else {
                bail!("a publisher has left");
            };
            match stream.read(&mut self.buffer[have..end]) {
                Ok(0) => bail!("a publisher has left"),
                Ok(more) => have += more,
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) => return Err(error.into()),
            }
        }
        let frames = &self.buffer[head + 4..end];
        let each = if fan.each == 0 { frames.len() } else { fan.each };
        let subscribers = self.channels.get(fan.channel).map(Vec::as_slice).unwrap_or_default();
        for frame in frames.chunks(each.max(1)) {
            for place in subscribers {
                if let Some(Some(stream)) = self.connections.get_mut(*place) {
                    send(stream, frame)?;
                }
            }
        }
        Ok(())
    }
}

impl Fan {
    fn parse(line: &str) -> Result<Self> {
        let mut words = line.split_whitespace().skip(1);
        let mut word = || words.next().context("a short line");
        Ok(Self { channel: channel(word()?)?, length: word()?.parse()?, each: word()?.parse()? })
    }
}

/// The number in a channel's name, such as `/b7`.
fn channel(name: &str) -> Result<usize> {
    let number = name.trim_start_matches('/').trim_start_matches('b').parse()?;
    if number >= CHANNELS_MAX as usize { bail!("a channel too many") } else { Ok(number) }
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    // A floor that queued what a subscriber has no room for would be none.
    match stream.write(bytes) {
        Ok(written) if written == bytes.len() => Ok(()),
        Ok(_) => bail!("a socket is full: the load is more than the floor can deliver"),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            bail!("a socket is full: the load is more than the floor can deliver")
        }
        // Whoever has left is seen when its end is read.
        Err(_left) => Ok(()),
    }
}

/// An answer of so many bytes in all.
fn ready_answer(bytes: usize) -> Vec<u8> {
    let head = |length| format!("HTTP/1.1 200 OK\r\ncontent-length: {length:05}\r\n\r\n");
    let body = bytes.saturating_sub(head(0).len());
    let mut answer = head(body).into_bytes();
    answer.resize(answer.len() + body, b'x');
    answer
}

const LISTENER: Token = Token(usize::MAX - 1);
const GREETING: &[u8] = b"HTTP/1.1 200 OK\r\n\r\n";
/// What one request can be at most.
const BUFFER_BYTES: usize = 2 << 20;
