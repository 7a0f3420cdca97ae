//! One connection that publishes, and reads the answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::audience::name;
use super::connect::connect;
use super::description::Way;
use super::framing::{Body, Head, PONG, Piece, TEXT, put_frame};
use super::mark::Mark;
use super::member::contains;
use super::subject::Subject;
use super::template::Values;

/// A connection that publishes one way.
#[derive(Debug)]
pub(super) struct Publisher<'a> {
    way: &'a Way,
    address: SocketAddr,
    host: String,
    /// The number of the connection, for its source address and what is to be unique.
    place: usize,
    stream: Option<TcpStream>,
    payload_bytes: usize,
    out: Vec<u8>,
    payload: Vec<u8>,
    items: Vec<u8>,
    buffer: Vec<u8>,
    /// What was read and belongs to no answer yet.
    unread: Vec<u8>,
    /// What comes behind the handshake of a WebSocket.
    socket: Body,
    /// Answers that are still to come.
    owed: usize,
}

impl<'a> Publisher<'a> {
    /// Connects; over a WebSocket, to this channel.
    ///
    /// # Errors
    /// If there is no connection to be had.
    pub(super) fn connect(
        subject: &Subject,
        way: &'a Way,
        (place, channel): (usize, u32),
        payload_bytes: usize,
    ) -> Result<Self> {
        let address = subject.publish_address(way)?;
        let host =
            if address == subject.address { subject.host.clone() } else { address.to_string() };
        let mut publisher = Self {
            way,
            address,
            host,
            place,
            stream: None,
            payload_bytes,
            out: Vec::new(),
            payload: Vec::new(),
            items: Vec::new(),
            buffer: vec![0; 64 * 1_024],
            unread: Vec::new(),
            socket: Body::Ended,
            owed: 0,
        };
        if way.message.is_some() {
            publisher.shake_hands(channel)?;
        }
        Ok(publisher)
    }

    fn shake_hands(&mut self, channel: u32) -> Result<()> {
        let name = name(channel as usize);
        let (host, unique) = (self.host.as_str(), self.place);
        let values = Values { host, channel: &name, channels: &name, unique, ..Values::default() };
        self.out.clear();
        self.way.request.fill(&mut self.out, &values);
        self.send_out()?;
        let mut had = Vec::new();
        let head = loop {
            let came = self.read()?;
            if let Some((head, taken)) = Head::take(&mut had, &came)? {
                self.unread = came.get(taken..).unwrap_or_default().to_vec();
                break head;
            }
        };
        if head.status != 101 {
            bail!("a publisher's WebSocket was refused with {}", head.status);
        }
        self.socket = head.body();
        Ok(())
    }

    /// Publishes these and reads the answers: in one request if this way takes batches, else one
    /// after the other without waiting in between. Gives the bytes of the answers.
    ///
    /// # Errors
    /// If it is refused, or there is no answer.
    pub(super) fn publish(&mut self, marks: &[Mark]) -> Result<usize> {
        self.send(marks)?;
        self.read_answers()
    }

    /// Sends these.
    ///
    /// # Errors
    /// If the connection breaks.
    pub(super) fn send(&mut self, marks: &[Mark]) -> Result<()> {
        self.out.clear();
        if self.way.item.is_some() {
            self.put_batch(marks);
            self.owed += 1;
        } else {
            for mark in marks {
                self.put_one(*mark);
                self.owed += 1;
            }
        }
        self.send_out()
    }

    fn put_one(&mut self, mark: Mark) {
        self.payload.clear();
        mark.write(&mut self.payload, self.payload_bytes);
        let channel = name(mark.channel as usize);
        let (host, payload, unique) = (self.host.as_str(), &self.payload, self.place);
        let values = Values { host, channel: &channel, payload, unique, ..Values::default() };
        put(self.way, &mut self.out, &values);
    }

    fn put_batch(&mut self, marks: &[Mark]) {
        let Some(item) = &self.way.item else {
            return;
        };
        self.items.clear();
        let (host, unique) = (self.host.as_str(), self.place);
        let mut each = 0;
        for (number, mark) in marks.iter().enumerate() {
            if number > 0 {
                self.items.extend_from_slice(self.way.separator.as_bytes());
            }
            let before = self.items.len();
            self.payload.clear();
            mark.write(&mut self.payload, self.payload_bytes);
            let (channel, payload) = (name(mark.channel as usize), &self.payload);
            let values = Values { host, channel: &channel, payload, unique, ..Values::default() };
            item.fill(&mut self.items, &values);
            each = self.items.len() - before;
        }
        let channel = marks.first().map_or(0, |mark| mark.channel);
        let (channel, items) = (name(channel as usize), &self.items);
        let values = Values { host, channel: &channel, items, each, unique, ..Values::default() };
        put(self.way, &mut self.out, &values);
    }

    fn send_out(&mut self) -> Result<()> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(open(self.address, self.place)?),
        };
        stream.write_all(&self.out).context("a publisher's connection broke")
    }

    /// Reads the answers to all that was sent; gives their bytes.
    ///
    /// # Errors
    /// If one of them is a refusal, or does not come.
    pub(super) fn read_answers(&mut self) -> Result<usize> {
        let mut bytes = 0;
        while self.owed > 0 {
            bytes += if self.way.message.is_some() { self.hear()? } else { self.read_answer()? };
            self.owed -= 1;
        }
        Ok(bytes)
    }

    fn read_answer(&mut self) -> Result<usize> {
        let mut had = Vec::new();
        let mut bytes = 0;
        let head = loop {
            let came = self.read()?;
            let Some((head, taken)) = Head::take(&mut had, &came)? else {
                bytes += came.len();
                continue;
            };
            bytes += taken;
            self.unread = came.get(taken..).unwrap_or_default().to_vec();
            break head;
        };
        let mut body = head.body();
        let mut said = Vec::new();
        while body != Body::Ended {
            bytes += self.read_body(&mut body, &mut said)?;
        }
        let refused = self.way.refused.as_deref().map(str::as_bytes);
        let refused = refused.is_some_and(|text| contains(&said, text));
        if refused || !self.way.accepted.contains(&head.status) {
            let why: String = String::from_utf8_lossy(&said).chars().take(300).collect();
            bail!("a publication was refused with {}: {why}", head.status);
        }
        if head.closes {
            self.stream = None;
        }
        Ok(bytes)
    }

    /// Reads on in a body; gives the bytes that belonged to it.
    fn read_body(&mut self, body: &mut Body, said: &mut Vec<u8>) -> Result<usize> {
        // A body of no length ends without a byte.
        let came = match body {
            Body::Length(0) => Vec::new(),
            Body::Endless if self.unread.is_empty() => {
                *body = Body::Ended;
                self.stream = None;
                return Ok(0);
            }
            _ => self.read()?,
        };
        let mut rest = came.as_slice();
        while let Some(piece) = body.next(&mut rest)? {
            match piece {
                Piece::Data(data) => said.extend_from_slice(data),
                Piece::End => break,
                Piece::MessageEnd | Piece::Ping(_) | Piece::Close(_) => {}
            }
        }
        let taken = came.len() - rest.len();
        let behind = rest.to_vec();
        if !behind.is_empty() {
            self.unread = behind;
        }
        Ok(taken)
    }

    /// Reads messages until one is an answer; gives the bytes that came meanwhile.
    fn hear(&mut self) -> Result<usize> {
        let (mut said, mut bytes) = (Vec::new(), 0);
        loop {
            let came = self.read()?;
            let mut rest = came.as_slice();
            while let Some(piece) = self.socket.next(&mut rest)? {
                if self.hear_piece(piece, &mut said)? {
                    bytes += came.len() - rest.len();
                    self.unread = rest.to_vec();
                    return Ok(bytes);
                }
            }
            bytes += came.len();
        }
    }

    /// Takes a piece of what a WebSocket says; says whether an answer is whole.
    fn hear_piece(&mut self, piece: Piece<'_>, said: &mut Vec<u8>) -> Result<bool> {
        match piece {
            Piece::Data(data) => said.extend_from_slice(data),
            Piece::MessageEnd => {
                let has = |text: &Option<String>| {
                    text.as_ref().is_some_and(|text| contains(said, text.as_bytes()))
                };
                if has(&self.way.refused) {
                    bail!("a publication was refused: {}", String::from_utf8_lossy(said));
                }
                let found = has(&self.way.answer);
                said.clear();
                return Ok(found);
            }
            Piece::Ping(payload) => {
                let mut frame = Vec::new();
                put_frame(&mut frame, PONG, &payload);
                self.stream.as_mut().context("no connection")?.write_all(&frame)?;
            }
            Piece::Close(reason) => {
                let why = String::from_utf8_lossy(reason.get(2..).unwrap_or_default());
                bail!("a publisher's WebSocket was closed: {why}");
            }
            Piece::End => bail!("a publisher's WebSocket ended"),
        }
        Ok(false)
    }

    /// What was read and not used, or else what comes next.
    fn read(&mut self) -> Result<Vec<u8>> {
        if !self.unread.is_empty() {
            return Ok(std::mem::take(&mut self.unread));
        }
        let stream = self.stream.as_mut().context("no connection")?;
        let bytes = stream.read(&mut self.buffer).context("no answer to a publication")?;
        if bytes == 0 {
            bail!("the server ended a publisher's connection");
        }
        Ok(self.buffer.get(..bytes).unwrap_or_default().to_vec())
    }
}

/// Appends a request, or a message's frame.
fn put(way: &Way, out: &mut Vec<u8>, values: &Values<'_>) {
    let Some(message) = &way.message else {
        return way.request.fill(out, values);
    };
    let mut payload = Vec::new();
    message.fill(&mut payload, values);
    put_frame(out, TEXT, &payload);
}

fn open(address: SocketAddr, place: usize) -> Result<TcpStream> {
    let stream: TcpStream = connect(address, place)?.into();
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    Ok(stream)
}

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(20);
