//! What attackers do, each until a moment that is set.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::wire::frame;

/// An attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Pings,
    Heads,
    Bodies,
    Newlines,
    Brackets,
    NewlineCommands,
    BracketCommands,
    Lists,
    ObjectCommands,
    Fragments,
    Bomb,
    Connections,
    Churn,
    SlowReaders,
}

const EIGHT_MEBIBYTES: usize = 8 << 20;

impl Kind {
    pub(super) const ALL: [Self; 14] = [
        Self::Pings,
        Self::Heads,
        Self::Bodies,
        Self::Newlines,
        Self::Brackets,
        Self::NewlineCommands,
        Self::BracketCommands,
        Self::Lists,
        Self::ObjectCommands,
        Self::Fragments,
        Self::Bomb,
        Self::Connections,
        Self::Churn,
        Self::SlowReaders,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pings => "pings",
            Self::Heads => "dripped-heads",
            Self::Bodies => "dripped-bodies",
            Self::Newlines => "newlines",
            Self::Brackets => "brackets",
            Self::NewlineCommands => "newline-commands",
            Self::BracketCommands => "bracket-commands",
            Self::Lists => "lists",
            Self::ObjectCommands => "object-commands",
            Self::Fragments => "fragments",
            Self::Bomb => "deflate-bomb",
            Self::Connections => "connections",
            Self::Churn => "churn",
            Self::SlowReaders => "slow-readers",
        }
    }

    pub(super) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|kind| kind.name() == name).unwrap()
    }

    pub(super) fn run(self, server: &SocketAddr, until: Instant) {
        match self {
            Self::Pings => pour(server, until, 64, "/c/attack", &frame(0x89, &[b'p'; 125])),
            Self::Heads => {
                drip(server, until, "GET /c/attack HTTP/1.1\r\nHost: localhost\r\nX-Long: ");
            }
            Self::Bodies => {
                let head = "POST /c/attack HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000";
                drip(server, until, &format!("{head}\r\n\r\n"));
            }
            Self::Newlines => post(server, until, &|length| vec![b'\n'; length]),
            Self::Brackets => post(server, until, &|length| vec![b'['; length]),
            Self::NewlineCommands => command(server, until, &[b'\n'; EIGHT_MEBIBYTES]),
            Self::BracketCommands => command(server, until, &[b'['; EIGHT_MEBIBYTES]),
            Self::Lists => post(server, until, &|length| padded(length, b"[", b"1,", b"1]")),
            Self::ObjectCommands => {
                // Two members in turn: what is to be read of each is more than what it weighs.
                let object = padded(EIGHT_MEBIBYTES, b"{", b"\"a\":[],\"\\u0062\":0,", b"\"c\":1}");
                command(server, until, &object);
            }
            Self::Fragments => {
                let fragments = frame(0x00, b"x").repeat(10_000);
                pour_behind(server, until, 8, ("/c/attack", ""), &frame(0x01, b"x"), &fragments);
            }
            Self::Bomb => bomb(server, until),
            Self::Connections => connections(server, until),
            Self::Churn => churn(server, until),
            Self::SlowReaders => slow_readers(server, until),
        }
    }
}

/// A connection; none while the server takes none.
fn connect(server: &SocketAddr) -> Option<TcpStream> {
    let socket = TcpStream::connect_timeout(server, Duration::from_secs(2)).ok()?;
    socket.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    socket.set_write_timeout(Some(Duration::from_millis(200))).ok()?;
    Some(socket)
}

fn websocket(server: &SocketAddr, target: &str, headers: &str) -> Option<TcpStream> {
    let mut socket = connect(server)?;
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
    );
    socket.write_all(request.as_bytes()).ok()?;
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"\r\n\r\n") {
        if socket.read(&mut byte).ok()? == 0 {
            return None;
        }
        read.push(byte[0]);
    }
    read.starts_with(b"HTTP/1.1 101 ").then_some(socket)
}

/// Sends the same over and over on many WebSockets and never reads.
fn pour(server: &SocketAddr, until: Instant, sockets: usize, target: &str, bytes: &[u8]) {
    pour_behind(server, until, sockets, (target, ""), &[], &bytes.repeat(64 * 1024 / bytes.len()));
}

/// The same behind something that is sent once.
fn pour_behind(
    server: &SocketAddr,
    until: Instant,
    sockets: usize,
    (target, headers): (&str, &str),
    first: &[u8],
    bytes: &[u8],
) {
    let open = || {
        let mut socket = websocket(server, target, headers)?;
        socket.write_all(first).ok()?;
        socket.set_nonblocking(true).ok()?;
        Some((socket, 0))
    };
    let mut places: Vec<Option<(TcpStream, usize)>> = (0..sockets).map(|_| open()).collect();
    while Instant::now() < until {
        let mut moved = false;
        for place in &mut places {
            let Some((socket, sent)) = place else {
                *place = open();
                continue;
            };
            match socket.write(&bytes[*sent..]) {
                Ok(more) => {
                    *sent = (*sent + more) % bytes.len();
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => *place = None,
            }
        }
        if !moved {
            thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Three hundred requests of which a byte comes now and then.
fn drip(server: &SocketAddr, until: Instant, start: &str) {
    let open = || {
        let mut socket = connect(server)?;
        socket.write_all(start.as_bytes()).ok()?;
        Some(socket)
    };
    let mut places: Vec<Option<TcpStream>> = (0..300).map(|_| open()).collect();
    while Instant::now() < until {
        for place in &mut places {
            let went = place.as_mut().is_some_and(|socket| socket.write_all(b"x").is_ok());
            if !went {
                *place = open();
            }
            if Instant::now() >= until {
                return;
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// JSON of this length, made longer by one part over and over.
fn padded(length: usize, begin: &[u8], part: &[u8], end: &[u8]) -> Vec<u8> {
    let parts = (length - begin.len() - end.len()) / part.len();
    let mut json = [begin, &part.repeat(parts), end].concat();
    json.resize(length, b' ');
    json
}

/// Bodies of up to eight megabytes to each path that takes one.
fn post(server: &SocketAddr, until: Instant, body: &(dyn Fn(usize) -> Vec<u8> + Sync)) {
    // What is refused at once is sent in a size that is read as well.
    let bodies = [EIGHT_MEBIBYTES, 1 << 20, 512 << 10].map(body);
    let session = format!("/sessions/{}", "A".repeat(35));
    let targets = ["/c/attack", "/c/attack?binary=1", "/publish", session.as_str()];
    thread::scope(|scope| {
        for target in targets {
            let bodies = &bodies;
            scope.spawn(move || post_to(server, until, target, bodies));
        }
    });
}

fn post_to(server: &SocketAddr, until: Instant, target: &str, bodies: &[Vec<u8>]) {
    for body in bodies.iter().cycle() {
        if Instant::now() >= until {
            return;
        }
        let length = body.len();
        let Some(mut socket) = connect(server) else { continue };
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        let sent = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(body));
        let _answer = sent.and_then(|()| socket.read(&mut [0; 1024]));
    }
}

/// Eight megabytes as a command.
fn command(server: &SocketAddr, until: Instant, text: &[u8]) {
    let message = frame(0x81, text);
    let headers = "Sec-WebSocket-Protocol: fanfare.v1\r\n";
    pour_behind(server, until, 16, ("/c", headers), &[], &message);
}

/// Messages that are a thousand times as large as they come.
fn bomb(server: &SocketAddr, until: Instant) {
    let zeros = miniz_oxide::deflate::compress_to_vec(&vec![0; EIGHT_MEBIBYTES], 9);
    let headers = "Sec-WebSocket-Protocol: fanfare.v1\r\n\
                   Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let message = frame(0xC1, &zeros);
    pour_behind(server, until, 8, ("/c", headers), &[], &message.repeat(8));
}

/// Connections as fast as they can be made, held while there are few.
fn connections(server: &SocketAddr, until: Instant) {
    let mut held = std::collections::VecDeque::new();
    while Instant::now() < until {
        if let Some(mut socket) = connect(server) {
            let request = "GET /c/attack HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream";
            let _sent = socket.write_all(format!("{request}\r\n\r\n").as_bytes());
            held.push_back(socket);
        }
        if held.len() > 3_000 {
            held.pop_front();
        }
    }
}

/// Channels that are subscribed to and left without end, the answers read away.
fn churn(server: &SocketAddr, until: Instant) {
    let commands: Vec<u8> = (0..64)
        .flat_map(|number| {
            ["subscribe", "unsubscribe"].map(|what| {
                let channel = format!("churn-{number}");
                let text = format!("{{\"id\":1,\"type\":\"{what}\",\"channel\":\"{channel}\"}}");
                frame(0x81, text.as_bytes())
            })
        })
        .flatten()
        .collect();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| while Instant::now() < until && churn_once(server, until, &commands) {});
        }
    });
}

/// One connection's churn; says whether there may be another.
fn churn_once(server: &SocketAddr, until: Instant, commands: &[u8]) -> bool {
    let headers = "Sec-WebSocket-Protocol: fanfare.v1\r\n";
    let Some(mut socket) = websocket(server, "/c", headers) else { return true };
    let Ok(mut reader) = socket.try_clone() else { return false };
    let reading = thread::spawn(move || {
        let mut away = [0; 64 * 1024];
        while reader.read(&mut away).is_ok_and(|bytes| bytes > 0) {}
    });
    while Instant::now() < until && socket.write_all(commands).is_ok() {}
    let _gone = socket.shutdown(Shutdown::Both);
    reading.join().is_ok()
}

/// Readers that take nothing of a busy channel.
fn slow_readers(server: &SocketAddr, until: Instant) {
    let readers: Vec<_> = (0..500)
        .filter_map(|place| {
            let mut socket = connect(server)?;
            let accept = ["text/event-stream", "application/x-ndjson"][place % 2];
            let request =
                format!("GET /c/slow HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
            socket.write_all(request.as_bytes()).ok()?;
            Some(socket)
        })
        .collect();
    let body = vec![b'x'; 16 * 1024];
    let head = format!(
        "POST /c/slow HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    while Instant::now() < until {
        let Some(mut socket) = connect(server) else { continue };
        while Instant::now() < until {
            let sent = socket.write_all(head.as_bytes()).and_then(|()| socket.write_all(&body));
            if sent.and_then(|()| socket.read(&mut [0; 1024])).is_err() {
                break;
            }
        }
    }
    drop(readers);
}
