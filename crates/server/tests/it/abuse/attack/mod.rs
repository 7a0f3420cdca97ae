//! Attacks that go on: what they cost the server in memory, and everyone else in time.
//!
//! The attacker is this very test binary, held to one core by the kernel: with [`PLACE`] in its environment the
//! last test here is one. What is measured is from a publish to its arrival at a reader, on a shard
//! and over the edge, before the attack and during it. Whether others are slowed down is held against
//! a bound in the full size only, on a machine that does nothing else (`just attacks`).

mod kinds;

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::{ATTACKERS_CORE, Before, keep_apart};
use crate::server::Server;
use crate::wire::Wire;
use kinds::Kind;

/// The attack, the address of the server and the seconds, for a process that attacks.
const PLACE: &str = "FANFARE_TEST_ATTACK";

/// The time between two messages.
const PACE: Duration = Duration::from_millis(2);

/// How long an attack has to come to its height, and messages that are timed before it and during it:
/// in its full size, and in the suite, where only memory and answers are held against a bound.
const FULL: (Duration, usize) = (Duration::from_secs(1), 1_000);
const SHORT: (Duration, usize) = (Duration::from_millis(200), 20);

/// Who answers the two who behave well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Shard,
    Edge,
}

/// Two who behave well: one publishes, the other reads.
struct Pair {
    place: Place,
    publisher: Wire,
    reader: Wire,
    number: usize,
    times: Vec<Duration>,
}

impl Pair {
    fn of(server: &Server, place: Place) -> Self {
        let connect = || match place {
            Place::Shard => server.connect(),
            Place::Edge => server.connect_to_hyper(),
        };
        let mut reader = connect();
        reader.ask(&format!("GET /c/{place:?} HTTP/1.1"), &["Accept: text/event-stream"]);
        reader.until("fanfare.open");
        Self { place, publisher: connect(), reader, number: 0, times: Vec::new() }
    }

    /// Publishes, and takes note of how long it takes until that is read.
    fn beat(&mut self) {
        self.number += 1;
        let text = format!("number-{}.", self.number);
        let head = format!("POST /c/{:?} HTTP/1.1\r\nHost: localhost\r\n", self.place);
        let length = text.len();
        // In one segment, so that nobody's delayed acknowledgement is measured.
        let request = match self.place {
            Place::Shard => format!("{head}Content-Length: {length}\r\n\r\n{text}"),
            Place::Edge => {
                let chunks = format!("{length:x}\r\n{text}\r\n0\r\n\r\n");
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunks}")
            }
        };
        let sent = Instant::now();
        self.publisher.send(request);
        self.reader.until(&text);
        self.times.push(sent.elapsed());
        let answer = self.publisher.answer();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    /// The median and the p99 of what was measured since this was last asked.
    fn take(&mut self) -> [Duration; 2] {
        let mut times = std::mem::take(&mut self.times);
        times.sort_unstable();
        [50, 99].map(|share| times[(times.len() - 1) * share / 100])
    }
}

/// Times so many messages of each pair.
fn measure(pairs: &mut [Pair], messages: usize) {
    for _ in 0..messages {
        for pair in &mut *pairs {
            std::thread::sleep(PACE);
            pair.beat();
        }
    }
}

/// A process that attacks.
struct Attacker(Child);

impl Attacker {
    fn start(server: &Server, kind: Kind, seconds: u64) -> Self {
        let mut command = Command::new("taskset");
        command.args(["-c", ATTACKERS_CORE]).arg(std::env::current_exe().unwrap());
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
    keep_apart();
    let (rise, messages) = if crate::soaks() { FULL } else { SHORT };
    let server = Server::dev(&[
        ("FANFARE_LIMITS__CONNECTIONS_MAX", "2000"),
        ("FANFARE_LIMITS__HANDSHAKES_MAX", "1000"),
        ("FANFARE_COMPRESSION__WEBSOCKET", "true"),
        ("FANFARE_LIMITS__REQUEST_HEAD_TIMEOUT", "2s"),
        ("FANFARE_LIMITS__REQUEST_BODY_PROGRESS_TIMEOUT", "2s"),
    ]);
    let mut pairs = [Place::Shard, Place::Edge].map(|place| Pair::of(&server, place));
    measure(&mut pairs, messages / 5);
    let _warm = pairs.each_mut().map(Pair::take);
    measure(&mut pairs, messages);
    let quiet = pairs.each_mut().map(Pair::take);
    let before = Before::of(&server);
    let attacker = Attacker::start(&server, kind, 120);
    std::thread::sleep(rise);
    let mut most = 0;
    for _ in 0..10 {
        measure(&mut pairs, messages / 10);
        most = most.max(server.resident_bytes());
    }
    let attacked = pairs.each_mut().map(Pair::take);
    drop(attacker);
    let name = kind.name();
    let grown = before.grown_to(most) / 1024;
    for (pair, (quiet, attacked)) in pairs.iter().zip(quiet.iter().zip(&attacked)) {
        eprintln!(
            "{name}, {:?}: p50 {:?} to {:?}, p99 {:?} to {:?}, grown by {grown} KiB at most",
            pair.place, quiet[0], attacked[0], quiet[1], attacked[1],
        );
    }
    before.check_most(most, name);
    if crate::soaks() {
        for ([_, quiet], [_, attacked]) in quiet.into_iter().zip(attacked) {
            let bound = (quiet * 2).max(quiet + Duration::from_millis(5));
            assert!(attacked <= bound, "{name}: p99 {quiet:?} became {attacked:?}");
        }
    }
    measure(&mut pairs, 2);
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
    padded_lists_to_each_post: Lists,
    padded_objects_as_commands: ObjectCommands,
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
