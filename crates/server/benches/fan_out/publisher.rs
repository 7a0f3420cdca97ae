//! Keep-alive connections that post, and read the answers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::audience::MARK;
use crate::subject::Kind;

/// Bytes of every payload.
pub(crate) const PAYLOAD_BYTES: usize = 128;

/// How several publications are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Burst {
    /// In one request; the floor sends them to each subscriber by one `send`.
    Joined,
    /// The same, but the floor sends each of them by itself.
    OneByOne,
}

/// One keep-alive connection.
#[derive(Debug)]
pub(crate) struct Publisher {
    kind: Kind,
    address: String,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Publisher {
    /// Connects.
    ///
    /// # Errors
    /// If that fails.
    pub(crate) fn connect(kind: Kind, address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self { kind, address: address.to_owned(), stream, buffer: vec![0; 64 * 1_024] })
    }

    /// Has the publication with this number delivered to all subscribers; gives the bytes of the
    /// answer.
    ///
    /// # Errors
    /// If it is refused.
    pub(crate) fn publish(&mut self, number: u32) -> Result<usize> {
        let request = match self.kind {
            Kind::Fanfare => self.post_of("bench", number),
            Kind::Floor => format!("FAN {number} 1 one\r\n\r\n"),
        };
        self.ask(&request)
    }

    /// Has `count` publications from this number on delivered to all subscribers.
    ///
    /// # Errors
    /// If they are refused.
    pub(crate) fn publish_burst(&mut self, first: u32, count: u32, burst: Burst) -> Result<()> {
        let request = match (self.kind, burst) {
            (Kind::Fanfare, _) => self.batch_of("bench", first, count),
            (Kind::Floor, Burst::Joined) => format!("FAN {first} {count} joined\r\n\r\n"),
            (Kind::Floor, Burst::OneByOne) => format!("FAN {first} {count} one\r\n\r\n"),
        };
        self.ask(&request).map(drop)
    }

    /// A request that publishes to a channel.
    pub(crate) fn post_of(&self, channel: &str, number: u32) -> String {
        let address = &self.address;
        let body = payload(number);
        format!(
            "POST /c/{channel} HTTP/1.1\r\nHost: {address}\r\nContent-Type: text/plain\r\n\
             Content-Length: {PAYLOAD_BYTES}\r\n\r\n{body}"
        )
    }

    /// A request that publishes several times to a channel.
    pub(crate) fn batch_of(&self, channel: &str, first: u32, count: u32) -> String {
        let address = &self.address;
        let item = |number| {
            let data = payload(number);
            format!(r#"{{"channel":"{channel}","data":"{data}","content_type":"text/plain"}}"#)
        };
        let items: Vec<_> = (first..first + count).map(item).collect();
        let body = format!("[{}]", items.join(","));
        let length = body.len();
        format!(
            "POST /publish HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    }

    /// Sends a request and reads its answer, whose bytes are counted.
    ///
    /// # Errors
    /// If it is refused.
    pub(crate) fn ask(&mut self, request: &str) -> Result<usize> {
        self.send(request)?;
        self.read_answer()
    }

    /// Sends a request.
    ///
    /// # Errors
    /// If the connection breaks.
    pub(crate) fn send(&mut self, request: &str) -> Result<()> {
        self.stream.write_all(request.as_bytes())?;
        Ok(())
    }

    /// Reads an answer; gives its bytes.
    ///
    /// # Errors
    /// If it is not what was wanted.
    pub(crate) fn read_answer(&mut self) -> Result<usize> {
        let mut have = 0;
        loop {
            let room = self.buffer.get_mut(have..).unwrap_or_default();
            let bytes = self.stream.read(room).context("no answer")?;
            if bytes == 0 {
                bail!("the connection ended");
            }
            have += bytes;
            if let Some(length) = answer_bytes(&self.buffer[..have])?
                && length <= have
            {
                let came = self.buffer.get(..have).unwrap_or_default();
                // A batch is 200 even if an item of it is refused.
                if came.windows(8).any(|eight| eight == b"\"error\":") {
                    bail!("refused: {}", String::from_utf8_lossy(came));
                }
                return Ok(have);
            }
        }
    }
}

/// Bytes of the whole answer, once its head is there.
fn answer_bytes(came: &[u8]) -> Result<Option<usize>> {
    let Some(head) = came.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let text = String::from_utf8_lossy(&came[..head]).to_ascii_lowercase();
    if !text.starts_with("http/1.1 200") {
        bail!("refused: {}", String::from_utf8_lossy(came));
    }
    let (_, rest) = text.split_once("content-length:").context("an answer without a length")?;
    let digits = rest.lines().next().unwrap_or_default().trim();
    Ok(Some(head + 4 + digits.parse::<usize>()?))
}

fn payload(number: u32) -> String {
    let mut payload = format!("{MARK}{number:08} ");
    while payload.len() < PAYLOAD_BYTES {
        payload.push('x');
    }
    payload
}
