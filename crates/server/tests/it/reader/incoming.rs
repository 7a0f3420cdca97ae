//! What comes on one connection: bytes, lines and whole answers, each with a deadline.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::told;

/// Longer than anything should take, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The connection ended, whether with a FIN or a reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Broken;

/// A connection with what was read of it and not yet taken.
#[derive(Debug)]
pub(crate) struct Incoming {
    socket: TcpStream,
    bytes: Vec<u8>,
    at: usize,
    /// How long a read waits before the test fails.
    pub(crate) patience: Duration,
}

impl Incoming {
    pub(crate) fn connect(address: &str) -> Self {
        Self::try_connect(address).unwrap()
    }

    /// A connection, unless the server is gone.
    pub(crate) fn try_connect(address: &str) -> Result<Self, Broken> {
        let socket = TcpStream::connect(address).map_err(|_gone| Broken)?;
        socket.set_nodelay(true).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        Ok(Self { socket, bytes: Vec::new(), at: 0, patience: PATIENCE })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.socket.write_all(bytes).map_err(|_gone| Broken)
    }

    /// Everything up to the next LF, without it and without a CR before it.
    pub(crate) fn line(&mut self) -> Result<Vec<u8>, Broken> {
        let mut searched = self.at;
        loop {
            let unsearched = &self.bytes[searched..];
            if let Some(found) = unsearched.iter().position(|byte| *byte == b'\n') {
                let end = searched + found;
                let line = &self.bytes[self.at..end];
                let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
                self.at = end + 1;
                return Ok(line);
            }
            let waiting = self.bytes.len() - self.at;
            self.more()?;
            searched = self.at + waiting;
        }
    }

    /// So many bytes.
    pub(crate) fn take(&mut self, length: usize) -> Result<Vec<u8>, Broken> {
        while self.bytes.len() - self.at < length {
            self.more()?;
        }
        let taken = self.bytes[self.at..self.at + length].to_vec();
        self.at += length;
        Ok(taken)
    }

    /// Everything up to an empty line.
    pub(crate) fn head(&mut self) -> Result<String, Broken> {
        let mut head = String::new();
        loop {
            let line = self.line()?;
            head.push_str(std::str::from_utf8(&line).unwrap());
            head.push_str("\r\n");
            if line.is_empty() {
                return Ok(head);
            }
        }
    }

    /// One answer with a Content-Length: its head and its body.
    pub(crate) fn answer(&mut self) -> Result<(String, Vec<u8>), Broken> {
        let head = self.head()?;
        let length = super::header(&head, "content-length").unwrap_or("0");
        let body = self.take(length.parse().unwrap())?;
        Ok((head, body))
    }

    fn more(&mut self) -> Result<(), Broken> {
        // What was taken goes when it is most of it, so that long streams cost no copies.
        if self.at > 1 << 16 && self.at * 2 > self.bytes.len() {
            self.bytes.drain(..self.at);
            self.at = 0;
        }
        let until = Instant::now() + self.patience;
        let mut buffer = [0; 64 * 1024];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Err(Broken),
                Ok(length) => {
                    told::look("an answer", &buffer[..length]);
                    self.bytes.extend_from_slice(&buffer[..length]);
                    return Ok(());
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {
                        assert!(Instant::now() < until, "nothing came");
                    }
                    _ => return Err(Broken),
                },
            }
        }
    }
}
