//! Far more connections than there may be, from two processes at once.
//!
//! The processes are this very test binary: with [`PLACE`] in its environment the second test here
//! is one of them.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::Before;
use crate::server::Server;

/// The address of the server and how many connections to make, for a process of the crowd.
const PLACE: &str = "FANFARE_TEST_CROWD";

/// Longer than any answer should take, also on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

#[test]
fn a_crowd_over_the_limit_is_told_so_and_everyone_else_is_served() {
    let limit = if crate::soaks() { 10_000 } else { 1_000 };
    let server = Server::dev(&[
        ("FANFARE_LIMITS__CONNECTIONS_MAX", &limit.to_string()),
        ("FANFARE_LIMITS__HANDSHAKES_MAX", &limit.to_string()),
    ]);
    let mut probe = server.connect();
    assert_eq!(probe.figure("fanfare_connections_open"), 1);
    let before = Before::of(&server);
    let mut crowds = [Crowd::start(&server, limit, 2), Crowd::start(&server, limit, 3)];
    let counts = crowds.each_mut().map(Crowd::arrive);
    let [held, softly, problems] =
        [0, 1, 2].map(|place| counts.iter().map(|count| count[place]).sum::<usize>());
    eprintln!("{held} held, {softly} refused softly, {problems} refused by a problem");
    assert_eq!(held + 1, limit, "the limit is used up, the probe included");
    assert_eq!(held + softly + problems, 2 * limit, "everyone is answered");
    assert!(softly > 0 && problems > 0, "event streams are told otherwise than the others");
    before.check(&server, "a crowd");

    assert_eq!(probe.figure("fanfare_connections_open"), limit as u64);
    let readers = ["sse", "ndjson"].map(|transport| {
        probe.figure(&format!("fanfare_connections{{transport=\"{transport}\"}}"))
    });
    assert_eq!(readers.iter().sum::<u64>(), held as u64);
    let refused = probe.figure("fanfare_refusals_total{reason=\"connections-full\"}");
    assert_eq!(refused, (softly + problems) as u64);
    let asked = Instant::now();
    let answer = probe.post_chunked("crowd", "Hello");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    eprintln!("a publish to all of them was answered after {:?}", asked.elapsed());
    let heard: usize = crowds.iter_mut().map(Crowd::hear).sum();
    assert_eq!(heard, held, "everyone who was let in is served");

    for crowd in crowds {
        crowd.leave();
    }
    probe.wait_for_figure("fanfare_connections_open", 1);
    assert!(server.connect().post_chunked("crowd", "again").starts_with("HTTP/1.1 200 "));
}

/// What one process of the crowd does. Run by itself it is a small crowd with room for all.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is told through its environment what to be")]
fn one_of_the_crowd() {
    if let Ok(place) = std::env::var(PLACE) {
        let [address, connections, network] =
            <[_; 3]>::try_from(place.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap();
        return be_one(&address.parse().unwrap(), connections.parse().unwrap(), &network);
    }
    let server = Server::dev(&[]);
    let mut crowd = Crowd::start(&server, 10, 2);
    assert_eq!(crowd.arrive(), [10, 0, 0]);
    server.publish("crowd", "Hello");
    assert_eq!(crowd.hear(), 10);
    crowd.leave();
}

/// A process of the crowd, as seen from the test.
#[derive(Debug)]
struct Crowd {
    child: Child,
    orders: ChildStdin,
    words: BufReader<ChildStdout>,
}

impl Crowd {
    /// Begins to connect, from addresses in 127.0.`network`.0/24.
    fn start(server: &Server, connections: usize, network: u8) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["abuse::crowd::one_of_the_crowd", "--exact", "--nocapture"]);
        command.env(PLACE, format!("{} {connections} {network}", server.address()));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let orders = child.stdin.take().unwrap();
        let words = BufReader::new(child.stdout.take().unwrap());
        Self { child, orders, words }
    }

    /// How many connections are held, refused softly and refused by a problem.
    fn arrive(&mut self) -> [usize; 3] {
        let told = self.told("crowd arrived ");
        let numbers: Vec<usize> = told.split(' ').map(|number| number.parse().unwrap()).collect();
        numbers.try_into().unwrap()
    }

    /// How many connections have heard what was published.
    fn hear(&mut self) -> usize {
        self.orders.write_all(b"hear\n").unwrap();
        self.told("crowd heard ").parse().unwrap()
    }

    fn leave(mut self) {
        drop(self.orders);
        // It ends what it says when it ends; nothing else would be an end of it.
        self.words.read_to_end(&mut Vec::new()).unwrap();
        assert!(self.child.wait().unwrap().success());
    }

    fn told(&mut self, what: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.words.read_line(&mut line).unwrap(), 0, "the crowd has ended");
            // The runner of tests begins a line of its own before.
            if let Some((_, rest)) = line.split_once(what) {
                return rest.trim().to_owned();
            }
        }
    }
}

fn be_one(server: &SocketAddr, connections: usize, network: &str) {
    let files = rustix::process::Resource::Nofile;
    let mut limit = rustix::process::getrlimit(files);
    limit.current = limit.maximum;
    rustix::process::setrlimit(files, limit).unwrap();
    let mut counts = [0; 3];
    let mut asked = Vec::new();
    for place in 0..connections {
        let source = format!("127.0.{network}.{}:0", 1 + place / 2_000);
        asked.push(connect(server, &source.parse().unwrap(), place));
    }
    let mut held = Vec::new();
    for mut socket in asked {
        let answer = read_until(&mut socket, b"open");
        let place = match answer.as_slice() {
            answer if answer.ends_with(b"open") => 0,
            answer if answer.starts_with(b"HTTP/1.1 200 ") && has(answer, b"\nretry: ") => 1,
            answer if answer.starts_with(b"HTTP/1.1 503 ") && has(answer, b"connections-full") => 2,
            answer => panic!("{}", String::from_utf8_lossy(answer)),
        };
        counts[place] += 1;
        if place == 0 {
            held.push(socket);
        }
    }
    println!("crowd arrived {} {} {}", counts[0], counts[1], counts[2]);
    let mut order = String::new();
    std::io::stdin().read_line(&mut order).unwrap();
    let heard = held
        .iter_mut()
        .filter_map(|socket| read_until(socket, b"Hello").ends_with(b"Hello").then_some(()));
    println!("crowd heard {}", heard.count());
    std::io::stdin().read_line(&mut order).unwrap();
}

fn connect(server: &SocketAddr, source: &SocketAddr, place: usize) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    socket.bind(&(*source).into()).unwrap();
    socket.connect(&(*server).into()).unwrap();
    let mut socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(DEADLINE)).unwrap();
    let accept = ["text/event-stream", "application/x-ndjson"][place % 2];
    let request = format!("GET /c/crowd HTTP/1.1\r\nHost: localhost\r\nAccept: {accept}\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

/// What comes until `pattern`, or the end.
fn read_until(socket: &mut TcpStream, pattern: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    let mut byte = [0; 1];
    while !read.ends_with(pattern) {
        match socket.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => read.push(byte[0]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&read)),
        }
    }
    read
}

fn has(answer: &[u8], pattern: &[u8]) -> bool {
    answer.windows(pattern.len()).any(|window| window == pattern)
}
