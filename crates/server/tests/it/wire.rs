//! A connection as bytes: what is sent stands in the test, what comes is waited for.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// Longer than any answer should take, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    socket: TcpStream,
    read: Vec<u8>,
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With a FIN.
    Closed,
    /// With a reset.
    Reset,
}

impl Wire {
    pub(crate) fn connect(address: &str) -> Self {
        let socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self { socket, read: Vec::new() }
    }

    /// Sends these bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.socket.write_all(bytes.as_ref()).unwrap();
    }

    /// Asks with these header lines beside Host.
    pub(crate) fn ask(&mut self, line: &str, headers: &[&str]) {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        self.send(format!("{line}\r\nHost: localhost\r\n{headers}\r\n"));
    }

    /// Publishes in chunks, which only the edge takes, and waits for the answer.
    pub(crate) fn post_chunked(&mut self, channel: &str, body: &str) -> String {
        self.ask(&format!("POST /c/{channel} HTTP/1.1"), &["Transfer-Encoding: chunked"]);
        self.send(format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
        self.answer()
    }

    /// One answer with a Content-Length, or without a body.
    pub(crate) fn answer(&mut self) -> String {
        let head = self.until("\r\n\r\n");
        let length = head.to_ascii_lowercase().lines().find_map(|line| {
            line.strip_prefix("content-length: ").map(|length| length.parse().unwrap())
        });
        head + &self.take(length.unwrap_or(0))
    }

    /// Everything up to and including `pattern`.
    pub(crate) fn until(&mut self, pattern: &str) -> String {
        let pattern = pattern.as_bytes();
        loop {
            let found = self.read.windows(pattern.len()).position(|window| window == pattern);
            if let Some(at) = found {
                return self.take(at + pattern.len());
            }
            let end = self.more();
            assert_eq!(end, None, "before {pattern:?}: {}", String::from_utf8_lossy(&self.read));
        }
    }

    /// So many bytes as text.
    pub(crate) fn take(&mut self, length: usize) -> String {
        String::from_utf8_lossy(&self.take_bytes(length)).into_owned()
    }

    /// So many bytes.
    pub(crate) fn take_bytes(&mut self, length: usize) -> Vec<u8> {
        while self.read.len() < length {
            let end = self.more();
            assert_eq!(end, None, "{}", String::from_utf8_lossy(&self.read));
        }
        let rest = self.read.split_off(length);
        std::mem::replace(&mut self.read, rest)
    }

    /// Everything up to the end, and how it ended.
    pub(crate) fn end(&mut self) -> (String, End) {
        loop {
            if let Some(end) = self.more() {
                let read = std::mem::take(&mut self.read);
                return (String::from_utf8_lossy(&read).into_owned(), end);
            }
        }
    }

    /// Waits for more, or the end.
    fn more(&mut self) -> Option<End> {
        let until = Instant::now() + DEADLINE;
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.socket.read(&mut buffer) {
                Ok(0) => return Some(End::Closed),
                Ok(length) => {
                    self.read.extend_from_slice(&buffer[..length]);
                    return None;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Some(End::Reset);
                }
                Err(error) => {
                    let waiting = matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    );
                    assert!(waiting && Instant::now() < until, "nothing came: {error}");
                }
            }
        }
    }
}

/// A header's value in an answer.
pub(crate) fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().take_while(|line| !line.is_empty()).find_map(|line| {
        let (known, value) = line.split_once(": ")?;
        known.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// The body of an answer.
pub(crate) fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}
