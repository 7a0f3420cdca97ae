//! What a server knows of clients behind a proxy, whichever it is.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::cli::run::{Folder, fanfare};
use crate::server::Server;
use crate::wire::{Wire, frame};

/// Where the tests' client is: not where the proxies are.
pub(crate) const CLIENT: &str = "127.0.0.9";

/// A server that anyone may read and publish on, with these lines about proxies.
pub(crate) fn server(proxies: &str) -> (Server, Folder) {
    configured(&format!("[proxies]\n{proxies}\n"))
}

/// The same with any lines.
pub(crate) fn configured(lines: &str) -> (Server, Folder) {
    let file = format!(
        "[auth]\nanonymous_subscribe = true\nanonymous_publish = true\n\
         publisher_keys = [\"key\"]\n[log]\nlevel = \"debug\"\n{lines}"
    );
    let folder = Folder::new();
    let path = folder.path().join("fanfare.toml");
    fs::write(&path, file).unwrap();
    let mut command = fanfare(&["serve", "--listen", "127.0.0.1:0", "--config"]);
    command.arg(&path);
    (Server::of(command), folder)
}

/// A connection to this address from [`CLIENT`].
pub(crate) fn connect(address: &str) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    let source: SocketAddr = format!("{CLIENT}:0").parse().unwrap();
    let target: SocketAddr = address.parse().unwrap();
    socket.bind(&source.into()).unwrap();
    socket.connect(&target.into()).unwrap();
    let socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

/// Reads an event stream by way of `address` with this header; gives the stream as it has begun.
pub(crate) fn stream(address: &str, header: &str) -> TcpStream {
    let mut socket = connect(address);
    let request = format!(
        "GET /c/news?heartbeat=5s HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\
         {header}\r\n\r\n"
    );
    socket.write_all(request.as_bytes()).unwrap();
    let mut read = Vec::new();
    let mut byte = [0];
    while !read.ends_with(b"fanfare.open") {
        assert_eq!(socket.read(&mut byte).unwrap(), 1, "{}", String::from_utf8_lossy(&read));
        read.push(byte[0]);
    }
    socket
}

/// By way of `address` a WebSocket and an event stream pass, and a drain is told to both.
pub(crate) fn passes_and_is_drained(server: Server, address: &str) {
    let mut socket = Wire::connect(address);
    socket.open_websocket("/c/chat", &[]);
    socket.send(frame(0x81, b"through"));
    assert_eq!(socket.frame(), (0x81, b"through".to_vec()));
    server.publish("chat", "and back");
    assert_eq!(socket.frame(), (0x81, b"and back".to_vec()));
    let began = Instant::now();
    let mut stream = Wire::connect(address);
    stream.ask("GET /c/chat?since=all HTTP/1.1", &["Accept: text/event-stream"]);
    stream.until("data: through\nid: ");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    stream.until("data: and back\nid: ");
    server.publish("chat", "at once");
    stream.until("data: at once\nid: ");
    assert_eq!(socket.frame(), (0x81, b"at once".to_vec()));
    passes_a_drain_on(server, socket, stream);
}

/// Where the server says that a reader comes from.
pub(crate) fn seen(server: &Server, address: &str, header: &str) -> String {
    let _stream = stream(address, header);
    let line = server.line_with("a reader comes");
    let (_, rest) = line.split_once("\"address\":\"").unwrap_or_else(|| panic!("{line}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The client's own address is the one that counts, whatever it says itself.
pub(crate) fn has_the_clients_address(server: &Server, address: &str) {
    for header in ["X-Nothing: 1", "X-Forwarded-For: 192.0.2.7", "Forwarded: for=192.0.2.7"] {
        assert_eq!(seen(server, address, header), CLIENT, "{header}");
    }
}

/// A client that goes is missed within the heartbeat.
pub(crate) fn misses_who_goes(server: &Server, address: &str) {
    let open = "fanfare_connections{transport=\"sse\"}";
    let mut probe = server.connect();
    probe.wait_for_figure(open, 0);
    let streams = [stream(address, "X-Nothing: 1"), stream(address, "X-Nothing: 1")];
    probe.wait_for_figure(open, 2);
    let gone = Instant::now();
    drop(streams);
    probe.wait_for_figure(open, 0);
    // One heartbeat of five seconds is written into the void, at the latest.
    assert!(gone.elapsed() < Duration::from_secs(9), "{:?}", gone.elapsed());
}

/// A drain cuts an event stream behind the proxy, which does not end, and closes a WebSocket there.
fn passes_a_drain_on(mut server: Server, mut socket: Wire, mut stream: Wire) {
    server.terminate();
    let (told, _) = stream.end();
    assert!(told.contains("retry: ") && !told.ends_with("0\r\n\r\n"), "{told}");
    let (head, payload) = socket.frame();
    assert_eq!((head, payload.get(..2)), (0x88, Some(1012_u16.to_be_bytes().as_slice())));
    // A client answers the close, which ends the connection at once.
    socket.send(frame(0x88, &payload[..2]));
    assert_eq!(server.exit_code(), Some(0));
}
