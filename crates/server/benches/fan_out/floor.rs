//! The floor: one thread that polls, reads and sends, and nothing else.
//!
//! It knows three requests by their first letter: `GET` makes a connection a subscriber, `POST` is
//! answered from a ready-made buffer, and `FAN first count one|joined` sends that many ready-made
//! frames, numbered from `first`, to every subscriber: each by a `send` of its own, or all of them
//! by one.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use crate::audience::MARK;

/// Serves until it is killed.
///
/// # Errors
/// If a subscriber has no room for a frame, or anything else that leaves the figures meaningless.
pub(crate) fn run(frame_bytes: usize, answer_bytes: usize) -> Result<()> {
    // A bench that is killed must not leave its floor behind.
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))?;
    let mut floor = Floor::listen(frame_bytes, answer_bytes)?;
    let mut events = Events::with_capacity(1_024);
    loop {
        floor.poll.poll(&mut events, None)?;
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
    subscribers: Vec<usize>,
    answer: Vec<u8>,
    frame_bytes: usize,
    buffer: Vec<u8>,
}

impl Floor {
    #[expect(clippy::print_stderr, reason = "the parent reads the address there")]
    fn listen(frame_bytes: usize, answer_bytes: usize) -> Result<Self> {
        let poll = Poll::new()?;
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
        socket.listen(4_096)?;
        socket.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(socket.into());
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        eprintln!("{}", listener.local_addr()?);
        Ok(Self {
            poll,
            listener,
            connections: Vec::new(),
            subscribers: Vec::new(),
            answer: ready_answer(answer_bytes),
            frame_bytes,
            buffer: vec![0; 64 * 1_024],
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
                self.subscribers.push(place);
                send(stream, GREETING)
            }
            [b'P', ..] => send(stream, &self.answer),
            [b'F', ..] => {
                // Fanfare answers a publisher before it delivers, too.
                send(stream, &self.answer)?;
                let line = String::from_utf8_lossy(&self.buffer[..bytes]).into_owned();
                self.fan_out(&line)
            }
            _ => bail!("an unknown request"),
        }
    }

    fn fan_out(&mut self, line: &str) -> Result<()> {
        let mut words = line.split_whitespace().skip(1);
        let mut word = || words.next().context("a short line");
        let (first, count) = (word()?.parse::<u32>()?, word()?.parse::<u32>()?);
        let bytes = self.frame_bytes;
        let mut frames = (first..first + count).map(|number| ready_frame(number, bytes));
        match word()? {
            "joined" => self.send_all(&frames.collect::<Vec<_>>().concat()),
            _ => frames.try_for_each(|frame| self.send_all(&frame)),
        }
    }

    fn send_all(&mut self, frame: &[u8]) -> Result<()> {
        for place in &self.subscribers {
            if let Some(Some(stream)) = self.connections.get_mut(*place) {
                send(stream, frame)?;
            }
        }
        Ok(())
    }
}

fn send(stream: &mut TcpStream, bytes: &[u8]) -> Result<()> {
    // Nobody is ever sent more than one burst before it has read the last one.
    if stream.write(bytes)? == bytes.len() { Ok(()) } else { bail!("a full socket") }
}

fn ready_frame(number: u32, bytes: usize) -> Vec<u8> {
    let mut frame = format!("{MARK}{number:08}").into_bytes();
    frame.resize(bytes.max(frame.len()), b'x');
    frame
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
