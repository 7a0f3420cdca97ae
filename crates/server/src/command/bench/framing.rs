//! From bytes to what a server says: the head of an answer, and then a body that is chunked, has a
//! length, runs on, or is made of WebSocket frames. Written for speed and for any server: payloads
//! are given out as slices of what was read, never copied or kept.

use anyhow::{Context, Result, bail};

/// The head of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) status: u16,
    chunked: bool,
    length: Option<u64>,
    /// Whether the server ends the connection after this answer.
    pub(super) closes: bool,
    text: String,
}

/// What comes behind a head, and how far it has been read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Everything, until the connection ends.
    Endless,
    /// So many more bytes.
    Length(u64),
    /// Chunks.
    Chunked(Chunk),
    /// WebSocket frames of a server.
    Socket(Socket),
    /// Nothing any more.
    Ended,
}

/// Where a chunked body is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the digits of a chunk's size.
    Size(u64),
    /// Behind them, in the same line.
    SizeLine(u64),
    /// In a chunk of which so many bytes are left.
    Data(u64),
    /// In the line end behind a chunk.
    DataEnd,
    /// Behind the last chunk, up to an empty line; whether this one is empty so far.
    Trailer { empty: bool },
}

/// Where a stream of frames is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Socket {
    header: [u8; HEADER_MAX],
    have: usize,
    left: u64,
    /// What has come of a control frame.
    control: Vec<u8>,
}

/// What a body says next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Bytes of a payload.
    Data(&'a [u8]),
    /// The end of a WebSocket message.
    MessageEnd,
    /// A ping, which wants these bytes back.
    Ping(Vec<u8>),
    /// The server closes the WebSocket; the code and the reason.
    Close(Vec<u8>),
    /// The end of the body.
    End,
}

impl Head {
    /// Adds what came to what had come of the head; gives the head once it is whole, and how many
    /// of the bytes that came belong to it.
    ///
    /// # Errors
    /// If it is no head of HTTP/1, or too long.
    pub(super) fn take(had: &mut Vec<u8>, came: &[u8]) -> Result<Option<(Self, usize)>> {
        let before = had.len();
        had.extend_from_slice(came);
        // The end may lie across two reads.
        let from = before.saturating_sub(3);
        let tail = had.get(from..).unwrap_or_default();
        let Some(at) = tail.windows(4).position(|four| four == b"\r\n\r\n") else {
            if had.len() > HEAD_BYTES_MAX {
                bail!("an answer whose head does not end");
            }
            return Ok(None);
        };
        let end = from + at + 4;
        let text = String::from_utf8_lossy(had.get(..end).unwrap_or_default()).into_owned();
        had.clear();
        Ok(Some((Self::parse(text)?, end - before)))
    }

    fn parse(text: String) -> Result<Self> {
        let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
        let Some(status) = status.filter(|_| text.starts_with("HTTP/1.")) else {
            bail!("an answer that is no HTTP: {}", text.lines().next().unwrap_or_default());
        };
        let mut head = Self { status, ..Self::default() };
        for line in text.lines().skip(1) {
            let Some((name, value)) = line.split_once(':') else {
                continue;
            };
            let value = value.trim();
            match name.to_ascii_lowercase().as_str() {
                "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
                "content-length" => {
                    head.length = Some(value.parse().context("a content length that is none")?);
                }
                "connection" => head.closes = value.eq_ignore_ascii_case("close"),
                _ => {}
            }
        }
        head.text = text;
        Ok(head)
    }

    /// The value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.text.lines().skip(1).filter_map(|line| line.split_once(':'));
        let found = lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// What comes behind it.
    pub(super) fn body(&self) -> Body {
        if self.status == 101 {
            Body::Socket(Socket::default())
        } else if self.chunked {
            Body::Chunked(Chunk::Size(0))
        } else if let Some(length) = self.length {
            Body::Length(length)
        } else if self.status == 204 || self.status == 304 {
            Body::Length(0)
        } else {
            Body::Endless
        }
    }
}

impl Body {
    /// What the bytes say next; they are advanced behind it. `None` when more of them are needed.
    ///
    /// # Errors
    /// If they are not what such a body is made of.
    pub(super) fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Piece<'a>>> {
        match self {
            Self::Endless => Ok(data(bytes, u64::MAX).map(|(piece, _)| piece)),
            Self::Length(left) => {
                let Some((piece, taken)) = data(bytes, *left) else {
                    if *left > 0 {
                        return Ok(None);
                    }
                    *self = Self::Ended;
                    return Ok(Some(Piece::End));
                };
                *left -= taken;
                Ok(Some(piece))
            }
            Self::Chunked(chunk) => {
                let piece = chunk.next(bytes)?;
                if piece == Some(Piece::End) {
                    *self = Self::Ended;
                }
                Ok(piece)
            }
            Self::Socket(socket) => socket.next(bytes),
            Self::Ended => Ok(None),
        }
    }
}

/// Takes at most so many bytes, if there is one.
fn data<'a>(bytes: &mut &'a [u8], left: u64) -> Option<(Piece<'a>, u64)> {
    let length = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
    let (data, rest) = bytes.split_at(length);
    *bytes = rest;
    (length > 0).then_some((Piece::Data(data), length as u64))
}

impl Chunk {
    fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Piece<'a>>> {
        loop {
            if let Self::Data(left) = self {
                let Some((piece, taken)) = data(bytes, *left) else {
                    return Ok(None);
                };
                *left -= taken;
                if *left == 0 {
                    *self = Self::DataEnd;
                }
                return Ok(Some(piece));
            }
            let Some((&byte, rest)) = bytes.split_first() else {
                return Ok(None);
            };
            *bytes = rest;
            match (&*self, byte) {
                (Self::DataEnd, b'\n') => *self = Self::Size(0),
                (Self::DataEnd, b'\r') => {}
                (Self::Size(0) | Self::SizeLine(0), b'\n') => {
                    *self = Self::Trailer { empty: true };
                }
                (Self::Trailer { empty: true }, b'\n') => return Ok(Some(Piece::End)),
                (Self::Trailer { .. }, b'\n') => *self = Self::Trailer { empty: true },
                (Self::Trailer { .. }, b'\r') => {}
                (Self::Trailer { .. }, _) => *self = Self::Trailer { empty: false },
                (Self::Size(size) | Self::SizeLine(size), b'\n') => *self = Self::Data(*size),
                (Self::Size(size), b'\r' | b';' | b' ') => *self = Self::SizeLine(*size),
                (Self::SizeLine(_), _) => {}
                (Self::Size(size), _) => {
                    let digit = char::from(byte).to_digit(16).context("a chunk without a size")?;
                    let size = size.checked_mul(16).context("a chunk too large")?;
                    *self = Self::Size(size + u64::from(digit));
                }
                (Self::DataEnd | Self::Data(_), _) => bail!("a chunk that does not end"),
            }
        }
    }
}

impl Socket {
    fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Piece<'a>>> {
        if self.left == 0 {
            if !self.take_header(bytes)? {
                return Ok(None);
            }
            if self.left == 0 {
                return Ok(self.end());
            }
        }
        let Some((piece, taken)) = data(bytes, self.left) else {
            return Ok(None);
        };
        self.left -= taken;
        if self.is_control() {
            if let Piece::Data(came) = piece {
                self.control.extend_from_slice(came);
            }
            return if self.left == 0 { Ok(self.end()) } else { Ok(None) };
        }
        if self.left == 0 && self.is_last() {
            // The end is told when the next bytes are asked for: the header says that it is due.
            self.have = ENDING;
        } else if self.left == 0 {
            self.have = 0;
        }
        Ok(Some(piece))
    }

    /// Takes bytes of a header; says whether a frame has begun, or a message is to be ended.
    fn take_header(&mut self, bytes: &mut &[u8]) -> Result<bool> {
        if self.have == ENDING {
            return Ok(true);
        }
        loop {
            if self.have >= 2 && self.have == self.header_bytes() {
                break;
            }
            let Some((&byte, rest)) = bytes.split_first() else {
                return Ok(false);
            };
            *bytes = rest;
            if let Some(place) = self.header.get_mut(self.have) {
                *place = byte;
            }
            self.have += 1;
        }
        let [_, length, ..] = self.header;
        if length & 0x80 != 0 {
            bail!("a server that masks its frames");
        }
        let long = self.header.get(2..self.have).unwrap_or_default();
        let long = long.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        self.left = if length < 126 { u64::from(length) } else { long };
        if self.is_control() && length > 125 {
            bail!("a control frame of more than 125 bytes");
        }
        Ok(true)
    }

    fn header_bytes(&self) -> usize {
        match self.header[1] & 0x7f {
            126 => 4,
            127 => 10,
            _ => 2,
        }
    }

    fn is_control(&self) -> bool {
        self.header[0] & 0x08 != 0
    }

    fn is_last(&self) -> bool {
        self.header[0] & 0x80 != 0
    }

    /// What the end of a frame says.
    fn end<'a>(&mut self) -> Option<Piece<'a>> {
        self.have = 0;
        match self.header[0] & 0x0f {
            8 => Some(Piece::Close(std::mem::take(&mut self.control))),
            9 => Some(Piece::Ping(std::mem::take(&mut self.control))),
            _ if self.is_control() => {
                self.control.clear();
                // A pong that nobody asked for means nothing: as a message's end it does no harm.
                Some(Piece::MessageEnd)
            }
            _ => Some(Piece::MessageEnd),
        }
    }
}

/// Appends a client's frame.
pub(super) fn put_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(0x80 | opcode);
    match payload.len() {
        length @ 0..126 => out.push(0x80 | u8::try_from(length).unwrap_or(0)),
        length => {
            if let Ok(length) = u16::try_from(length) {
                out.push(0x80 | 126);
                out.extend_from_slice(&length.to_be_bytes());
            } else {
                out.push(0x80 | 127);
                out.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
    }
    out.extend_from_slice(&MASK);
    out.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// A text frame.
pub(super) const TEXT: u8 = 1;
/// A pong.
pub(super) const PONG: u8 = 10;

/// Nothing hides behind it here; a server has to take it off all the same.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
const HEADER_MAX: usize = 10;
/// Stands for a header whose message has come and whose end is still to be told.
const ENDING: usize = usize::MAX;
const HEAD_BYTES_MAX: usize = 16 * 1_024;

#[cfg(test)]
#[path = "framing_test.rs"]
mod tests;
