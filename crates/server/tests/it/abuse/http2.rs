//! Floods of HTTP/2, frame by frame: bounded memory, and others are served as before.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Before, attack_from_here, keep_apart};
use crate::server::Server;
use crate::wire::Wire;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Messages whose way is timed before an attack and during it, in its full size and in the suite.
const ROUNDS: [usize; 2] = [1_000, 40];

/// What well-behaved clients may wait at most in a run that others share the machine with; a run of
/// its own holds them to what they waited before.
const PATIENCE: Duration = Duration::from_millis(400);

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let head = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
    [head.as_slice(), payload].concat()
}

/// The header block of a `GET`, without HPACK's tables.
fn get(path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    [b"\x82\x86\x01\x09localhost\x04".as_slice(), &[length], path.as_bytes()].concat()
}

fn request(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &get(path))
}

/// The numbers of a client's streams.
fn streams() -> impl Iterator<Item = u32> {
    (1..).step_by(2)
}

/// A connection that has sent its preface, with the size of the window that its streams begin with.
fn begin(address: &str, window: u32) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    let window = [&[0, 4], window.to_be_bytes().as_slice()].concat();
    let begin = [PREFACE, &frame(SETTINGS, 0, 0, &window)].concat();
    // One that is refused is begun again, as all are.
    let _refused = socket.write_all(&begin);
    socket
}

/// One thread that attacks until it is told to stop: at most one core.
struct Attack {
    stop: Arc<AtomicBool>,
    /// How often what it does was done.
    done: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl Attack {
    /// Sends what `next` gives over connections that are begun anew whenever the server ends one.
    fn flood(
        server: &Server,
        window: u32,
        reads: bool,
        mut next: impl FnMut() -> Vec<u8> + Send + 'static,
    ) -> Self {
        let address = server.address().to_owned();
        Self::run(move |stop, done| {
            let mut socket = begin(&address, window);
            while !stop.load(Ordering::Relaxed) {
                let sent = socket.write_all(&next());
                if reads {
                    read_away(&mut socket);
                }
                match sent {
                    Ok(()) => drop(done.fetch_add(1, Ordering::Relaxed)),
                    // The server does not read while its answers are not read.
                    Err(error)
                        if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                    Err(_ended) => socket = begin(&address, window),
                }
            }
        })
    }

    fn run(attack: impl FnOnce(&AtomicBool, &AtomicU64) + Send + 'static) -> Self {
        let (stop, done) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopped, count) = (Arc::clone(&stop), Arc::clone(&done));
        let thread = std::thread::spawn(move || {
            attack_from_here();
            attack(&stopped, &count);
        });
        Self { stop, done, thread }
    }

    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.done.load(Ordering::Relaxed)
    }
}

fn read_away(socket: &mut TcpStream) {
    socket.set_nonblocking(true).unwrap();
    let mut away = [0; 16 * 1024];
    while let Ok(1..) = socket.read(&mut away) {}
    socket.set_nonblocking(false).unwrap();
}

/// A publisher and a reader who mean well.
struct Pulse {
    publisher: Wire,
    reader: Wire,
    sent: usize,
}

impl Pulse {
    fn of(server: &Server) -> Self {
        let (publisher, mut reader) = (server.connect(), server.connect());
        reader.ask("GET /c/pulse HTTP/1.1", &["Accept: text/event-stream"]);
        reader.until("fanfare.open");
        Self { publisher, reader, sent: 0 }
    }

    /// How long 99 of 100 messages take at most; of few, all but the slowest.
    fn p99(&mut self) -> Duration {
        let rounds = if crate::soaks() { ROUNDS[0] } else { ROUNDS[1] };
        let mut took: Vec<_> = (0..rounds).map(|_| self.beat()).collect();
        took.sort_unstable();
        took[(rounds * 99 / 100).min(rounds - 2)]
    }

    fn beat(&mut self) -> Duration {
        std::thread::sleep(Duration::from_millis(3));
        self.sent += 1;
        let body = format!("beat {}.", self.sent);
        let began = Instant::now();
        let head = "POST /c/pulse HTTP/1.1\r\nHost: localhost\r\nContent-Length";
        // In one write: the kernel would hold a second one back until the first is confirmed.
        self.publisher.send(format!("{head}: {}\r\n\r\n{body}", body.len()));
        self.reader.until(&body);
        let took = began.elapsed();
        self.publisher.answer();
        took
    }
}

/// Has `attack` go on while the pulse is taken, and holds memory and latency to their bounds.
fn withstand(what: &str, server: &Server, attack: impl FnOnce(&Server) -> Attack) -> u64 {
    let before = Before::of(server);
    let mut pulse = Pulse::of(server);
    let calm = pulse.p99();
    let attack = attack(server);
    let during = pulse.p99();
    before.check(server, what);
    let done = attack.end();
    eprintln!("{what}: {done} times; p99 {calm:?} before and {during:?} during it");
    assert!(done > 0, "{what}: nothing was done");
    let bound = match crate::soaks() {
        true => (calm * 2).max(calm + Duration::from_millis(5)),
        false => PATIENCE,
    };
    assert!(during <= bound, "{what}: p99 {during:?} and {calm:?} before");
    done
}

#[test]
fn requests_that_are_taken_back_at_once_end_their_connection() {
    keep_apart();
    let server = Server::dev(&[]);
    withstand("rapid reset", &server, |server| {
        let mut stream = streams();
        Attack::flood(server, 65_535, true, move || {
            // A new connection begins where the last one ended, which is allowed.
            let pair = |stream| {
                [request(stream, "/c/news"), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat()
            };
            stream.by_ref().take(200).flat_map(pair).collect()
        })
    });
    server.connect().wait_for_figure("fanfare_http2_streams", 0);
    server.connect().wait_for_figure("fanfare_readers", 0);
}

#[test]
fn requests_that_are_taken_back_a_few_at_a_time_end_their_connection_too() {
    keep_apart();
    let server = Server::dev(&[("FANFARE_LIMITS__STREAM_RESETS_MAX", "100")]);
    withstand("rapid reset, a few at a time", &server, |server| {
        let mut stream = streams();
        let mut last = Vec::new();
        Attack::flood(server, 65_535, true, move || {
            // Those of the last round have been accepted, which HTTP/2 itself sets no limit to.
            let resets =
                last.iter().flat_map(|stream| frame(RST_STREAM, 0, *stream, &[0, 0, 0, 8]));
            let mut frames: Vec<u8> = resets.collect();
            last = stream.by_ref().take(15).collect();
            frames.extend(last.iter().flat_map(|stream| request(*stream, "/c/news")));
            std::thread::sleep(Duration::from_millis(1));
            frames
        })
    });
    let ended = server.connect().figure("fanfare_http2_ended_total{why=\"resets\"}");
    assert!(ended > 0, "nobody was ended");
}

#[test]
fn heads_that_never_end_are_not_kept() {
    keep_apart();
    let server = Server::dev(&[]);
    withstand("CONTINUATION", &server, |server| {
        let mut begun = false;
        let literal = [b"\x00\x01x\x7f\x99\x74".as_slice(), &[b'y'; 15_000]].concat();
        Attack::flood(server, 65_535, false, move || {
            let first = frame(HEADERS, END_STREAM, 1, &get("/"));
            let more = frame(CONTINUATION, 0, 1, &literal);
            let empty = frame(CONTINUATION, 0, 1, &[]);
            begun = !begun;
            if begun {
                [first, more.repeat(20)].concat()
            } else {
                [first, empty.repeat(2_000)].concat()
            }
        })
    });
}

#[test]
fn a_head_that_unpacks_to_megabytes_is_refused() {
    keep_apart();
    let server = Server::dev(&[]);
    withstand("HPACK bomb", &server, |server| {
        let mut stream = streams();
        // One entry of four kilobytes in the table, and then its number over and over.
        let entry = [b"\x40\x01x\x7f\xa1\x1e".as_slice(), &[b'y'; 4_000]].concat();
        Attack::flood(server, 65_535, true, move || {
            let block = [get("/"), entry.clone(), [0xbe].repeat(10_000)].concat();
            frame(HEADERS, END_HEADERS | END_STREAM, stream.next().unwrap(), &block)
        })
    });
}

#[test]
fn frames_that_ask_for_an_answer_are_not_read_while_it_is_not() {
    keep_apart();
    let server = Server::dev(&[]);
    for reads in [false, true] {
        withstand(&format!("PING, answers read: {reads}"), &server, |server| {
            let pings = frame(PING, 0, 0, b"12345678").repeat(1_000);
            Attack::flood(server, 65_535, reads, move || pings.clone())
        });
        withstand(&format!("SETTINGS, answers read: {reads}"), &server, |server| {
            let settings = frame(SETTINGS, 0, 0, b"\0\x04\0\0\xff\xff").repeat(1_000);
            Attack::flood(server, 65_535, reads, move || settings.clone())
        });
    }
}

#[test]
fn frames_that_say_nothing_cost_no_memory() {
    keep_apart();
    let server = Server::dev(&[]);
    withstand("empty frames", &server, |server| {
        let mut first = true;
        let nothing = [
            frame(DATA, 0, 1, &[]),
            frame(PRIORITY, 0, 3, &[0, 0, 0, 0, 16]),
            frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]),
            frame(0xee, 0, 0, b"unknown"),
        ];
        let nothing = nothing.concat().repeat(300);
        Attack::flood(server, 65_535, true, move || {
            let post = frame(HEADERS, END_HEADERS, 1, b"\x83\x86\x01\x09localhost\x04\x07/c/slow");
            match std::mem::take(&mut first) {
                true => [post, nothing.clone()].concat(),
                false => nothing.clone(),
            }
        })
    });
}

/// Opens connections whose windows stay shut, with as many requests as they may have.
fn stall(server: &Server, connections: usize, path: &'static str) -> Attack {
    let address = server.address().to_owned();
    Attack::run(move |stop, done| {
        let sockets: Vec<_> = (0..connections)
            .map(|_| {
                let mut socket = begin(&address, 0);
                let requests: Vec<u8> =
                    streams().take(120).flat_map(|stream| request(stream, path)).collect();
                socket.write_all(&requests).unwrap();
                done.fetch_add(1, Ordering::Relaxed);
                socket
            })
            .collect();
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(sockets);
    })
}

#[test]
fn answers_that_nobody_takes_wait_before_they_are_made() {
    keep_apart();
    let server = Server::dev(&[]);
    let large = "x".repeat(1_000_000);
    server.connect().post_chunked("large", &large);
    for path in ["/c/large/history", "/c/large?poll=1"] {
        let stalled =
            withstand(&format!("zero window, {path}"), &server, |server| stall(server, 8, path));
        assert_eq!(stalled, 8);
        server.connect().wait_for_figure("fanfare_http2_connections", 0);
    }
    assert!(server.connect().figure("fanfare_http2_waits_total") > 8 * 100);
}

#[test]
fn streams_that_nobody_takes_hold_a_pipe_at_most() {
    // Pages on their way to readers have a bound of their own, for each shard.
    let pages = ("FANFARE_LIMITS__PAGES_BYTES_MAX", "4 MiB");
    keep_apart();
    let server = Server::dev(&[("FANFARE_HISTORY__BYTES", "4 MiB"), pages]);
    for number in 0..60 {
        server.publish("busy", &format!("{number}{}", "x".repeat(50_000)));
    }
    withstand("zero window, streams", &server, |server| {
        stall(server, 4, "/c/busy?since=all&as=ndjson")
    });
    let mut probe = server.connect();
    probe.wait_for_figure("fanfare_http2_connections", 0);
    probe.wait_for_figure("fanfare_readers", 0);
}
