//! Servers that speak the protocol from a script: the first connection plays the first scene, the
//! second the second, and so on.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::{WebSocket, accept_hdr};

/// What happens on one connection.
pub(crate) type Scene = Box<dyn FnOnce(TcpStream) + Send>;

/// A server that plays scenes.
pub(crate) struct Fake {
    pub(crate) address: SocketAddr,
    thread: JoinHandle<()>,
    played: Receiver<()>,
}

impl Fake {
    /// Listens on a free port of loopback.
    pub(crate) fn start(scenes: Vec<Scene>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (played, receiver) = sync_channel(1);
        let thread = thread::spawn(move || {
            for scene in scenes {
                let (socket, _) = listener.accept().unwrap();
                socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
                socket.set_nodelay(true).unwrap();
                scene(socket);
            }
            played.send(()).unwrap();
        });
        Self { address, thread, played: receiver }
    }

    /// The URL for `--url`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Fails if a scene failed or was never played. To be called when the client has ended.
    pub(crate) fn finish(self) {
        match self.played.recv_timeout(Duration::from_secs(30)) {
            Err(RecvTimeoutError::Timeout) => panic!("a scene was not played to its end"),
            // Without a word the thread has panicked, and joining it passes that on.
            Ok(()) | Err(RecvTimeoutError::Disconnected) => self.thread.join().unwrap(),
        }
    }
}

/// A scene.
pub(crate) fn scene(play: impl FnOnce(TcpStream) + Send + 'static) -> Scene {
    Box::new(play)
}

/// A request as received.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) line: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    /// Reads the next request of a connection; `None` when the client has closed it.
    pub(crate) fn read(socket: &mut BufReader<TcpStream>) -> Option<Self> {
        let mut line = String::new();
        socket.read_line(&mut line).unwrap();
        if line.is_empty() {
            return None;
        }
        let mut headers = Vec::new();
        loop {
            let mut header = String::new();
            socket.read_line(&mut header).unwrap();
            let Some((name, value)) = header.trim().split_once(':') else {
                break;
            };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut received = Self { line: line.trim().to_owned(), headers, body: Vec::new() };
        let length = received.header("content-length").map_or(0, |length| length.parse().unwrap());
        received.body = vec![0; length];
        socket.read_exact(&mut received.body).unwrap();
        Some(received)
    }

    /// Reads the only request of a connection.
    pub(crate) fn only(socket: &TcpStream) -> Self {
        Self::read(&mut BufReader::new(socket.try_clone().unwrap())).unwrap()
    }

    /// A header by its lower-case name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        Some(value)
    }
}

/// Answers whole.
pub(crate) fn answer(socket: &mut TcpStream, status: &str, headers: &str, body: &str) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n{headers}\r\n");
    socket.write_all(head.as_bytes()).unwrap();
    socket.write_all(body.as_bytes()).unwrap();
}

/// Answers byte by byte, as a slow line does.
pub(crate) fn answer_slowly(socket: &mut TcpStream, status: &str, body: &str) {
    let length = body.len();
    let text = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{body}");
    for byte in text.as_bytes() {
        socket.write_all(&[*byte]).unwrap();
    }
}

/// Begins a stream; what is written with [`chunk`] follows.
pub(crate) fn begin(socket: &mut TcpStream, content_type: &str) {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nfanfare-cursor: ~head\r\n\
         transfer-encoding: chunked\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).unwrap();
}

/// A piece of a stream. That the client has had enough is no failure.
pub(crate) fn chunk(socket: &mut TcpStream, text: &str) {
    let piece = format!("{:x}\r\n{text}\r\n", text.len());
    let _had_enough = socket.write_all(piece.as_bytes());
}

/// Waits until the client closes.
pub(crate) fn until_closed(socket: &mut TcpStream) {
    let mut rest = Vec::new();
    // A reset is a way to close.
    let _closed = socket.read_to_end(&mut rest);
}

/// The server's end of a WebSocket, with `fanfare.v1` selected; `check` sees the request.
#[expect(clippy::result_large_err, reason = "the callback's type is the library's")]
pub(crate) fn websocket(socket: TcpStream, check: impl FnOnce(&Request)) -> WebSocket<TcpStream> {
    accept_hdr(socket, |request: &Request, mut response: Response| {
        assert_eq!(request.headers()["sec-websocket-protocol"], "fanfare.v1");
        check(request);
        let headers = response.headers_mut();
        headers.insert("sec-websocket-protocol", "fanfare.v1".parse().unwrap());
        headers.insert("fanfare-cursor", "~head".parse().unwrap());
        Ok(response)
    })
    .unwrap()
}
