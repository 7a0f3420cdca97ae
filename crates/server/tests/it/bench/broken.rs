//! A server that does what none should: of its publications one is dropped, one is sent twice, and
//! one after the next.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How the bench speaks with it.
pub(super) const DESCRIPTION: &str = r#"
name = "broken"

[transport.sse]
framing = "http"
request = '''
GET /{channel} HTTP/1.1
Host: {host}
'''
subscribed = ": open"

[publish.post]
request = '''
POST /{channel} HTTP/1.1
Host: {host}
Content-Length: {length}

{payload}'''
"#;

/// The server.
#[derive(Debug)]
pub(super) struct Broken {
    address: SocketAddr,
    leaves: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Which publication meets which fate.
const DROPPED: usize = 3;
const DOUBLED: usize = 4;
const HELD: usize = 6;

impl Broken {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        listener.set_nonblocking(true).unwrap();
        let leaves = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&leaves);
        let thread = Some(thread::spawn(move || serve(&listener, &told)));
        Self { address, leaves, thread }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        self.leaves.store(true, Ordering::Relaxed);
        // A test that fails already has said why.
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

/// What its connections share.
#[derive(Debug, Default)]
struct Shared {
    subscribers: Vec<TcpStream>,
    published: usize,
    held: Vec<u8>,
}

fn serve(listener: &TcpListener, leaves: &AtomicBool) {
    let shared = Arc::new(Mutex::new(Shared::default()));
    while !leaves.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                let shared = Arc::clone(&shared);
                thread::spawn(move || answer(stream, &shared));
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(2));
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Serves one connection until it ends.
fn answer(mut stream: TcpStream, shared: &Mutex<Shared>) {
    let mut request = Vec::new();
    let mut buffer = [0; 4_096];
    // An error is the reset by which the bench leaves.
    while let Ok(bytes @ 1..) = stream.read(&mut buffer) {
        request.extend_from_slice(&buffer[..bytes]);
        let text = String::from_utf8(request.clone()).unwrap();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if head.starts_with("GET") {
            subscribe(&stream, shared);
            request.clear();
            continue;
        }
        let (_, length) = head.split_once("Content-Length: ").unwrap();
        if body.len() == length.parse::<usize>().unwrap() {
            shared.lock().unwrap().publish(body);
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            request.clear();
        }
    }
}

fn subscribe(mut stream: &TcpStream, shared: &Mutex<Shared>) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n: open\n\n";
    // Whoever leaves at once was one of those that the bench opens first.
    if stream.write_all(head.as_bytes()).is_ok() {
        shared.lock().unwrap().subscribers.push(stream.try_clone().unwrap());
    }
}

impl Shared {
    fn publish(&mut self, payload: &str) {
        let frame = format!("data: {payload}\n\n").into_bytes();
        let number = self.published;
        self.published += 1;
        let mut frames = match number {
            DROPPED => return,
            HELD => {
                self.held = frame;
                return;
            }
            DOUBLED => frame.repeat(2),
            _ => frame,
        };
        frames.append(&mut self.held);
        // Those that have left take nothing any more.
        self.subscribers.retain_mut(|subscriber| subscriber.write_all(&frames).is_ok());
    }
}
