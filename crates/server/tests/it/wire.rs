//! A connection as bytes: what is sent stands in the test, what comes is waited for.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;

use crate::told;

/// Longer than any answer should take, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// One connection.
#[derive(Debug)]
pub(crate) struct Wire {
    link: Link,
    read: Vec<u8>,
}

/// What goes between its two ends.
#[derive(Debug)]
enum Link {
    Plain(TcpStream),
    Secure(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Link {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Secure(stream) => &stream.sock,
        }
    }
}

impl Read for Link {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Secure(stream) => stream.read(buffer),
        }
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Secure(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Secure(stream) => stream.flush(),
        }
    }
}

/// How a connection ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With a FIN; in TLS after it was said that nothing more comes.
    Closed,
    /// In TLS: with a FIN alone.
    Cut,
    /// With a reset.
    Reset,
}

impl Wire {
    pub(crate) fn connect(address: &str) -> Self {
        Self { link: Link::Plain(socket(address)), read: Vec::new() }
    }

    /// A connection that speaks TLS.
    pub(crate) fn secure(address: &str, client: ClientConnection) -> Self {
        let stream = StreamOwned::new(client, socket(address));
        Self { link: Link::Secure(Box::new(stream)), read: Vec::new() }
    }

    /// The client's side of TLS.
    pub(crate) fn client(&mut self) -> &mut ClientConnection {
        match &mut self.link {
            Link::Secure(stream) => &mut stream.conn,
            Link::Plain(_) => panic!("this one is plain"),
        }
    }

    /// Sends plaintext in TLS so that it arrives byte by byte.
    pub(crate) fn drip(&mut self, bytes: impl AsRef<[u8]>) {
        let client = self.client();
        client.writer().write_all(bytes.as_ref()).unwrap();
        let mut sent = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sent).unwrap();
        }
        let mut socket = self.link.socket();
        socket.set_nodelay(true).unwrap();
        for byte in sent {
            socket.write_all(&[byte]).unwrap();
        }
    }

    /// Sends these bytes.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.link.write_all(bytes.as_ref()).unwrap();
    }

    /// Sends a FIN, in TLS the alert that stands for it, and still listens.
    pub(crate) fn say_no_more(&mut self) {
        match &mut self.link {
            Link::Plain(socket) => socket.shutdown(Shutdown::Write).unwrap(),
            Link::Secure(stream) => {
                stream.conn.send_close_notify();
                stream.flush().unwrap();
            }
        }
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

    /// A figure of `/metrics`, by its name with its labels.
    pub(crate) fn figure(&mut self, name: &str) -> u64 {
        self.ask("GET /metrics HTTP/1.1", &[]);
        let answer = self.answer();
        let mut lines = body(&answer).lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {name}: {answer}")).parse().unwrap()
    }

    /// Waits until a figure of `/metrics` is as wanted.
    pub(crate) fn wait_for_figure(&mut self, name: &str, wanted: u64) {
        let until = Instant::now() + DEADLINE;
        loop {
            let found = self.figure(name);
            if found == wanted {
                return;
            }
            assert!(Instant::now() < until, "{name} stays {found}, not {wanted}");
            // There is no event for what a counter in another process does.
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Becomes a WebSocket; what comes before its first frame is taken.
    pub(crate) fn open_websocket(&mut self, target: &str, headers: &[&str]) {
        let upgrade = [
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ];
        self.ask(&format!("GET {target} HTTP/1.1"), &[&upgrade, headers].concat());
        let head = self.until("\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    }

    /// One frame of a WebSocket: its first byte and its payload.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.take_bytes(2);
        let length = match head[1] {
            126 => self.take_bytes(2),
            127 => self.take_bytes(8),
            short => vec![short],
        };
        let length = length.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        (head[0], self.take_bytes(length))
    }

    /// Sends without reading until the other end has not taken any more for half a second. Says how
    /// many bytes went.
    pub(crate) fn fill(&mut self, mut bytes: &[u8]) -> usize {
        let all = bytes.len();
        self.link.socket().set_write_timeout(Some(Duration::from_millis(500))).unwrap();
        while !bytes.is_empty() {
            match self.link.write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("cannot be sent: {error}"),
            }
        }
        self.link.socket().set_write_timeout(None).unwrap();
        all - bytes.len()
    }

    /// A second way to the socket, for another thread to write on.
    pub(crate) fn writer(&self) -> TcpStream {
        self.link.socket().try_clone().unwrap()
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
            let pattern = String::from_utf8_lossy(pattern);
            assert_eq!(end, None, "before {pattern}: {}", String::from_utf8_lossy(&self.read));
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

    /// Everything up to the end, however it ended.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more().is_none() {}
        std::mem::take(&mut self.read)
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
            match self.link.read(&mut buffer) {
                Ok(0) => return Some(End::Closed),
                Ok(length) => {
                    self.read.extend_from_slice(&buffer[..length]);
                    // With the end of what came before, where one might begin.
                    let from = self.read.len().saturating_sub(length + told::MARK.len());
                    told::look("an answer", &self.read[from..]);
                    return None;
                }
                Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                    return Some(End::Reset);
                }
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Some(End::Cut);
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

fn socket(address: &str) -> TcpStream {
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    socket
}

/// A client's frame, masked with zeros, which leave its payload as it is. `head` is its first byte.
pub(crate) fn frame(head: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = frame_head(head, payload.len() as u64);
    frame.extend_from_slice(payload);
    frame
}

/// The same without its payload.
pub(crate) fn frame_head(head: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![head];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short @ ..126), _) => bytes.push(0x80 | short),
        (_, Ok(medium)) => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&medium.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&length.to_be_bytes());
        }
    }
    bytes.extend_from_slice(&[0; 4]);
    bytes
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

/// The JSON of the text frame that comes next.
pub(crate) fn text(wire: &mut Wire) -> Value {
    let (head, payload) = wire.frame();
    assert_eq!(head, 0x81, "{}", String::from_utf8_lossy(&payload));
    serde_json::from_slice(&payload).unwrap()
}

/// The code and reason of the close frame that comes next.
pub(crate) fn closed(wire: &mut Wire) -> (u16, String) {
    let (head, payload) = wire.frame();
    assert_eq!(head, 0x88, "{}", String::from_utf8_lossy(&payload));
    let code = u16::from_be_bytes([payload[0], payload[1]]);
    (code, String::from_utf8_lossy(&payload[2..]).into_owned())
}
