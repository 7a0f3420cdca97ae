//! Readers that stop reading beside one that reads: they cost no memory that grows, the good one
//! does not notice them, and each is told that it has missed something.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use crate::reader::{Attach, Carrier, Ending, Incoming, Item, Reader, Said, Via};
use crate::server::Server;

use super::amount;
use super::usage::Usage;

/// Bytes of each payload: the largest that a shard takes itself.
const PAYLOAD_BYTES: usize = 64 * 1024;

/// Publications that the ring holds: 8 MiB.
const RING: u64 = 128;

/// How much the process may grow, and how much the kernel's send side of its sockets.
const GROWTH_MAX: u64 = 64 * 1024 * 1024;

/// Publications before there are stalled readers, to compare with; they fill the ring, too.
const BEFORE: u64 = 2 * RING;

/// A reader that has stopped reading.
struct Stalled {
    reader: Reader,
    carrier: Carrier,
    /// What it would come back with.
    cursor: String,
}

/// How a stalled reader learnt that it has missed something.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Told {
    /// By a gap `slow` on its connection, or a raw one by its close with a place to come back to.
    gap: usize,
    /// By the close 1013 `slow`.
    closed: usize,
    /// When it came back with its cursor, since its connection was cut.
    later: usize,
    /// A raw one that was cut: it knows that, but has no cursor.
    cut: usize,
}

#[test]
fn stalled_readers_cost_nothing_and_are_told_when_they_read_on() {
    let told = stall("recover");
    let stalled = usize::try_from(amount(100, 1_000)).unwrap();
    assert_eq!(told.gap + told.later + told.cut, stalled, "{told:?}");
    // The kernel gives up a connection whose window stays closed for 20 s.
    assert!(told.gap > stalled / 2, "{told:?}");
}

#[test]
fn stalled_readers_are_disconnected_and_told_so_under_that_policy() {
    let told = stall("disconnect");
    let stalled = usize::try_from(amount(100, 1_000)).unwrap();
    assert_eq!(told.gap, 0, "{told:?}");
    assert_eq!(told.closed + told.later + told.cut, stalled, "{told:?}");
    assert!(told.closed > stalled / 8, "{told:?}");
}

/// Runs the whole of it under one policy; gives what the stalled readers were told.
fn stall(policy: &str) -> Told {
    let (ring, ring_bytes) = (RING.to_string(), "64 MiB");
    let server = Server::dev(&[
        ("FANFARE_SLOW_READER", policy),
        ("FANFARE_HISTORY__COUNT", &ring),
        ("FANFARE_HISTORY__BYTES", ring_bytes),
    ]);
    let address = server.address();
    let clock = Instant::now();
    let every = Duration::from_micros(amount(10_000, 800));
    let (delays, delayed) = sync_channel(1 << 20);
    let good = attach(address, Carrier::Raw, None, Via::Shard);
    let good = thread::spawn(move || read_well(good, clock, &delays));

    publish(address, BEFORE, every, clock);
    let before = p99(&delayed, BEFORE);
    let stalled = stalled(address);
    let many = stalled.len();
    let at_first = Usage::of(&server);

    let publications = amount(96, 1_024) * 1024 * 1024 / PAYLOAD_BYTES as u64;
    let begun = Instant::now();
    let done = AtomicBool::new(false);
    let process = server.process();
    let (worst, mut told, stalled) = thread::scope(|scope| {
        let watching = scope.spawn(|| Usage::watch(process, address, &done));
        let closing = scope.spawn(|| hear_the_close(address, policy, stalled));
        publish(address, publications, every, clock);
        done.store(true, Ordering::Relaxed);
        let (told, stalled) = closing.join().unwrap();
        (watching.join().unwrap(), told, stalled)
    });
    let published_in = begun.elapsed();
    let after = p99(&delayed, publications);
    let resident = worst.resident.saturating_sub(at_first.resident);
    let sending = worst.sending.saturating_sub(at_first.sending);
    for stalled in stalled {
        stalled.read_on(address, &mut told);
    }
    println!(
        "{policy}: {many} stalled readers, {publications} publications of 64 KiB in \
         {published_in:?}; memory grew by {} KiB from {} KiB, sockets' send side by {} KiB (one at \
         most {} KiB); p99 of the good reader {before:?} before, {after:?} beside them; {told:?}",
        resident / 1024,
        at_first.resident / 1024,
        sending / 1024,
        worst.sending_most / 1024,
    );
    drop(server);
    assert_eq!(good.join().unwrap(), BEFORE + publications, "the good reader has them all");
    assert!(resident < GROWTH_MAX, "the process grew by {resident} bytes");
    assert!(sending < GROWTH_MAX, "the kernel's send side grew by {sending} bytes");
    let slack = Duration::from_millis(amount(100, 5));
    assert!(after <= (before * 2).max(before + slack), "{before:?} {after:?}");
    told
}

fn attach(address: &str, carrier: Carrier, from: Option<&str>, via: Via) -> Reader {
    let (channel, said) = ("stall", Said::LastEventId);
    Attach { address, carrier, channel, from, said, via }.open().expect("an answer")
}

/// Reads until the server has gone; gives the number of publications.
fn read_well(
    mut reader: Reader,
    clock: Instant,
    delays: &std::sync::mpsc::SyncSender<Duration>,
) -> u64 {
    let mut count = 0;
    loop {
        match reader.next() {
            Item::Message(message) => {
                let now = clock.elapsed();
                let sent = std::str::from_utf8(&message.data[..20]).unwrap().parse().unwrap();
                delays.send(now.saturating_sub(Duration::from_nanos(sent))).unwrap();
                count += 1;
            }
            Item::Ended(Ending::Cut) => return count,
            other => panic!("the good reader was told {other:?}"),
        }
    }
}

/// The 99th percentile of so many delays.
fn p99(delays: &Receiver<Duration>, many: u64) -> Duration {
    let patience = Duration::from_secs(30);
    let mut all: Vec<_> = (0..many).map(|_| delays.recv_timeout(patience).unwrap()).collect();
    all.sort_unstable();
    all[all.len() * 99 / 100]
}

/// Publishes at a steady pace what says when it was sent.
fn publish(address: &str, many: u64, every: Duration, clock: Instant) {
    let mut wire = Incoming::connect(address);
    let mut due = Instant::now();
    let padding = "x".repeat(PAYLOAD_BYTES - 20);
    for _ in 0..many {
        // The pace is the publisher's own, not something to wait for.
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due += every;
        let head = "POST /c/stall HTTP/1.1\r\nHost: localhost\r\nContent-Length:";
        let sent = clock.elapsed().as_nanos();
        let request = format!("{head} {PAYLOAD_BYTES}\r\n\r\n{sent:0>20}{padding}");
        wire.send(request.as_bytes()).unwrap();
        let (head, body) = wire.answer().unwrap();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}{}", String::from_utf8_lossy(&body));
    }
}

/// Readers over every kind of stream, some on connections that hyper owns, which have read the
/// opening and read no more.
fn stalled(address: &str) -> Vec<Stalled> {
    let streams = [Carrier::Sse, Carrier::Ndjson, Carrier::V1, Carrier::Raw];
    let many = usize::try_from(amount(100, 1_000)).unwrap();
    let carriers = streams.into_iter().cycle().take(many).enumerate();
    let stall = |(number, carrier)| {
        let via = if number % 40 < 4 { Via::Edge } else { Via::Shard };
        let mut reader = attach(address, carrier, None, via);
        if carrier != Carrier::Raw {
            assert!(matches!(reader.next(), Item::Open(_)));
        }
        let cursor = reader.cursor.clone();
        Stalled { reader, carrier, cursor }
    };
    carriers.map(stall).collect()
}

/// Under the policy `disconnect` half of the WebSockets read on as soon as all readers have been
/// found too slow, and hear the close; gives back the readers that still stall.
fn hear_the_close(address: &str, policy: &str, stalled: Vec<Stalled>) -> (Told, Vec<Stalled>) {
    let mut told = Told::default();
    if policy != "disconnect" {
        return (told, stalled);
    }
    wait_for_slow_readers(address, stalled.len());
    let mut still = Vec::new();
    for (number, stalled) in stalled.into_iter().enumerate() {
        if matches!(stalled.carrier, Carrier::V1 | Carrier::Raw) && number % 8 < 4 {
            stalled.read_on(address, &mut told);
        } else {
            still.push(stalled);
        }
    }
    (told, still)
}

fn wait_for_slow_readers(address: &str, many: usize) {
    let until = Instant::now() + Duration::from_secs(60);
    let mut wire = Incoming::connect(address);
    loop {
        wire.send(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        let (_, body) = wire.answer().unwrap();
        let body = String::from_utf8(body).unwrap();
        let counted =
            body.lines().find_map(|line| line.strip_prefix("fanfare_slow_readers_total "));
        let counted: usize = counted.expect("the metric is there").parse().unwrap();
        if counted >= many {
            return;
        }
        assert!(Instant::now() < until, "{counted} of {many} are slow");
        thread::sleep(Duration::from_millis(20));
    }
}

impl Stalled {
    /// Reads until it is told what it has missed, coming back if it has to.
    fn read_on(mut self, address: &str, told: &mut Told) {
        self.reader.set_patience(Duration::from_secs(60));
        loop {
            match self.reader.next() {
                Item::Message(message) => {
                    if let Some(cursor) = message.cursor {
                        self.cursor = cursor;
                    }
                }
                Item::Gap(gap) => {
                    assert_eq!(gap.reason, "slow");
                    told.gap += 1;
                    return;
                }
                Item::Ended(Ending::Closed(1013, reason)) if reason == "slow" => {
                    told.closed += 1;
                    return;
                }
                Item::Ended(Ending::Closed(1013, reason)) if self.carrier == Carrier::Raw => {
                    assert!(reason.starts_with("since=~"), "{reason}");
                    told.gap += 1;
                    return;
                }
                Item::Ended(Ending::Cut) if self.carrier == Carrier::Raw => {
                    told.cut += 1;
                    return;
                }
                Item::Ended(Ending::Cut) => return self.come_back(address, told),
                other => panic!("{other:?}"),
            }
        }
    }

    fn come_back(&self, address: &str, told: &mut Told) {
        let mut again = attach(address, self.carrier, Some(&self.cursor), Via::Shard);
        assert!(matches!(again.next(), Item::Open(_)));
        match again.next() {
            Item::Gap(gap) => assert_eq!(gap.reason, "trimmed"),
            other => panic!("untold: {other:?}"),
        }
        told.later += 1;
    }
}
