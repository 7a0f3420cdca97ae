//! Attacks that go on: what they cost the server in memory, and everyone else in time.
//!
//! The attacker is this very test binary, held to one core: with [`PLACE`] in its environment the
//! last test here is one. What is measured is from a publish to its arrival at a reader, at some
//! hundred messages before the attack and as many during it. Whether others are slowed down is held
//! against a bound in the full size only, on a machine that does nothing else (`just attacks`).

mod kinds;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Before;
use crate::server::Server;
use crate::wire::Wire;
use kinds::Kind;

/// The attack, the address of the server and the seconds, for a process that attacks.
const PLACE: &str = "FANFARE_TEST_ATTACK";

/// What is measured between two messages.
const PACE: Duration = Duration::from_millis(4);

/// How long an attack has to come to its height.
const RISE: Duration = Duration::from_millis(500);

/// Two who behave well: one publishes, the other reads.
struct Pair {
    publisher: Wire,
    reader: Wire,
    number: usize,
}

impl Pair {
    fn of(server: &Server) -> Self {
        let mut reader = server.connect();
        reader.ask("GET /c/well HTTP/1.1", &["Accept: text/event-stream"]);
        reader.until("fanfare.open");
        Self { publisher: server.connect(), reader, number: 0 }
    }

    /// The time of each of so many messages, sorted.
    fn measure(&mut self, messages: usize) -> Vec<Duration> {
        let times = (0..messages).map(|_| {
            std::thread::sleep(PACE);
            self.number += 1;
            let text = format!("number-{}.", self.number);
            let head = "POST /c/well HTTP/1.1\r\nHost: localhost\r\nContent-Length:";
            // In one segment, so that nobody's delayed acknowledgement is measured.
            let request = format!("{head} {}\r\n\r\n{text}", text.len());
            let sent = Instant::now();
            self.publisher.send(request);
            self.reader.until(&text);
            let took = sent.elapsed();
            let answer = self.publisher.answer();
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            took
        });
        let mut times: Vec<_> = times.collect();
        times.sort_unstable();
        times
    }
}

/// A process that attacks.
struct Attacker(Child);

impl Attacker {
    fn start(server: &Server, kind: Kind, seconds: u64) -> Self {
        // The first of the cores that there are; the kernel holds it there.
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).arg(std::env::current_exe().unwrap());
        command.args(["abuse::attack::one_attacker", "--exact", "--nocapture"]);
        command.env(PLACE, format!("{} {} {seconds}", kind.name(), server.address()));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Attacker {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _code = self.0.wait();
    }
}

fn withstand(kind: Kind) {
    let messages = if crate::soaks() { 1_000 } else { 50 };
    let server = Server::dev(&[
        ("FANFARE_LIMITS__CONNECTIONS_MAX", "2000"),
        ("FANFARE_LIMITS__HANDSHAKES_MAX", "1000"),
        ("FANFARE_COMPRESSION__WEBSOCKET", "true"),
        ("FANFARE_LIMITS__REQUEST_HEAD_TIMEOUT", "2s"),
        ("FANFARE_LIMITS__REQUEST_BODY_PROGRESS_TIMEOUT", "2s"),
    ]);
    let mut pair = Pair::of(&server);
    pair.measure(messages / 5);
    let quiet = pair.measure(messages);
    let before = Before::of(&server);
    let attacker = Attacker::start(&server, kind, 120);
    std::thread::sleep(RISE);
    let (mut attacked, mut most) = (Vec::new(), 0);
    for _ in 0..10 {
        attacked.extend(pair.measure(messages / 10));
        most = most.max(server.resident_bytes());
    }
    attacked.sort_unstable();
    drop(attacker);
    let name = kind.name();
    let grown = before.grown_to(most) / 1024;
    let at = |times: &[Duration], share: usize| times[(times.len() - 1) * share / 100];
    eprintln!(
        "{name}: p50 {:?} to {:?}, p99 {:?} to {:?}, grown by {grown} KiB at most",
        at(&quiet, 50),
        at(&attacked, 50),
        at(&quiet, 99),
        at(&attacked, 99),
    );
    before.check_most(most, name);
    if crate::soaks() {
        let (quiet, attacked) = (at(&quiet, 99), at(&attacked, 99));
        let bound = (quiet * 2).max(quiet + Duration::from_millis(5));
        assert!(attacked <= bound, "{name}: p99 {quiet:?} became {attacked:?}");
    }
    pair.measure(5);
}

macro_rules! attacks {
    ($($name:ident: $kind:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            withstand(Kind::$kind);
        })+
    };
}

attacks! {
    pings_without_reading: Pings,
    heads_that_drip: Heads,
    bodies_that_drip: Bodies,
    newlines_to_each_post: Newlines,
    brackets_to_each_post: Brackets,
    newlines_as_commands: NewlineCommands,
    brackets_as_commands: BracketCommands,
    a_million_fragments: Fragments,
    deflated_zeros: Bomb,
    connections_beyond_the_limit: Connections,
    channels_come_and_go: Churn,
    readers_that_do_not_read: SlowReaders,
}

/// What a process that attacks does. Run by itself each attack comes to its end.
#[test]
#[expect(clippy::disallowed_methods, reason = "it is told through its environment what to be")]
fn one_attacker() {
    if let Ok(place) = std::env::var(PLACE) {
        let [kind, address, seconds] =
            <[_; 3]>::try_from(place.split(' ').map(str::to_owned).collect::<Vec<_>>()).unwrap();
        let until = Instant::now() + Duration::from_secs(seconds.parse().unwrap());
        return Kind::named(&kind).run(&address.parse().unwrap(), until);
    }
    let server = Server::dev(&[("FANFARE_COMPRESSION__WEBSOCKET", "true")]);
    for kind in Kind::ALL {
        let until = Instant::now() + Duration::from_millis(100);
        kind.run(&server.address().parse().unwrap(), until);
    }
    assert!(server.connect().post_chunked("after", "x").starts_with("HTTP/1.1 200 "));
}
