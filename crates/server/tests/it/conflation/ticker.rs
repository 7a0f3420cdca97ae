//! A ticker at a thousand updates a second over fifty symbols, read at five a second.

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::reader::{Incoming, Via};
use crate::server::Server;

use super::reader::{Carried, Paced, Stream, Told, payload};

/// Symbols of the ticker.
const SYMBOLS: u64 = 50;

/// Updates, one a millisecond.
const UPDATES: u64 = 4_000;

/// The time between two moments of a reader at five a second.
const INTERVAL: Duration = Duration::from_millis(200);

/// What sending, scheduling and reading may add on a busy machine.
const SLACK: Duration = Duration::from_millis(500);

/// Bytes of an update beside what it says, so that a reader that stops reading is soon full.
const PADDING: usize = 400;

/// The updates while which slow readers do not read.
const STALLED: Range<u64> = 1_000..2_500;

/// Bytes that the kernels may hold of a reader that does not read: what is unsent at most, and what
/// its own socket has room for, twice over.
const HELD_BYTES: usize = 128 * 1024;

#[test]
fn a_reader_at_five_a_second_has_the_newest_of_each_symbol_at_a_quarter_of_the_bytes() {
    let server = Server::dev(&[]);
    let begun = Instant::now();
    let open = |carried, query: &str| Paced::open_at(server.address(), carried, query, begun);
    let carried = [(Stream::Sse, Via::Shard), (Stream::V1, Via::Shard)];
    let plain = carried.map(|carried| open(carried, ""));
    let paced = carried.map(|carried| open(carried, "max_rate=5"));
    let edge = open((Stream::Sse, Via::Edge), "max_rate=5");
    let narrow = |carried| Paced::open_narrow(server.address(), carried, "max_rate=5", begun);
    let slow = carried.map(narrow);

    let acknowledged = publish(&server, begun, |number| {
        slow.iter().for_each(|reader| reader.stall(STALLED.contains(&number)));
    });

    for reader in plain.iter().chain(&paced).chain([&edge]).chain(&slow) {
        reader.wait_for(&format!("#{},{UPDATES},", symbol(UPDATES)));
    }
    for reader in paced.iter().chain([&edge]) {
        let told = reader.told();
        check_newest(reader.carried, &told, &acknowledged);
        for told in &told {
            let late = told.at.saturating_sub(told.sent);
            assert!(late <= INTERVAL + SLACK, "{told:?} was {late:?} old");
        }
    }
    for (plain, paced) in plain.iter().zip(&paced) {
        check_share(plain, paced, &acknowledged);
    }
    for reader in &slow {
        check_resumed(reader, &acknowledged);
    }
}

/// Publishes at a steady pace, a millisecond apart, and says when each was acknowledged.
fn publish(server: &Server, begun: Instant, mut before: impl FnMut(u64)) -> Vec<Duration> {
    let mut wire = Incoming::connect(server.address());
    let mut acknowledged = Vec::new();
    let mut sent = 0;
    let first = Instant::now();
    while sent < UPDATES {
        // The pace is the publisher's own, not something to wait for.
        let next = first + Duration::from_millis(sent);
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        let due = u64::try_from(first.elapsed().as_millis()).unwrap() + 1;
        let mut requests = String::new();
        let many = due.min(UPDATES).min(sent + 50);
        for number in sent + 1..=many {
            before(number);
            requests.push_str(&post(number, begun.elapsed()));
        }
        wire.send(requests.as_bytes()).unwrap();
        for _ in sent..many {
            let (head, body) = wire.answer().unwrap();
            assert!(head.starts_with("HTTP/1.1 200"), "{head}{}", String::from_utf8_lossy(&body));
            acknowledged.push(begun.elapsed());
        }
        sent = many;
    }
    acknowledged
}

fn post(number: u64, sent: Duration) -> String {
    let symbol = symbol(number);
    let body = payload(&symbol, number, sent) + &"x".repeat(PADDING);
    let length = body.len();
    format!(
        "POST /c/ticker?conflate={symbol} HTTP/1.1\r\nHost: localhost\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

fn symbol(number: u64) -> String {
    format!("SYM{:0>2}", number % SYMBOLS)
}

/// Never an older one after a newer, the newest of each in the end, and nothing that had been
/// superseded for longer than its way here takes.
fn check_newest(carried: Carried, told: &[Told], acknowledged: &[Duration]) {
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for told in told {
        let had = newest.insert(&told.key, told.number);
        assert!(had < Some(told.number), "{carried:?}: {told:?} after {had:?}");
        let next = usize::try_from(told.number + SYMBOLS - 1).unwrap();
        if let Some(superseded) = acknowledged.get(next) {
            let since = told.at.saturating_sub(*superseded);
            assert!(since <= SLACK, "{carried:?}: {told:?} was superseded {since:?} before");
        }
    }
    check_complete(carried, told);
}

fn check_complete(carried: Carried, told: &[Told]) {
    let newest: BTreeMap<&str, u64> =
        told.iter().map(|told| (told.key.as_str(), told.number)).collect();
    assert_eq!(newest.len() as u64, SYMBOLS, "{carried:?}");
    let oldest = newest.values().min();
    assert_eq!(oldest, Some(&(UPDATES - SYMBOLS + 1)), "{carried:?}: {newest:?}");
}

/// The reader at a pace gets a quarter of the bytes, at the pace at which the machine could publish.
fn check_share(plain: &Paced, paced: &Paced, acknowledged: &[Duration]) {
    assert_eq!(plain.told().len() as u64, UPDATES, "a plain reader gets everything");
    let lasted = acknowledged[acknowledged.len() - 1] - acknowledged[0];
    let slower = lasted.as_secs_f64() / (UPDATES as f64 / 1000.0);
    let share = paced.bytes() as f64 / plain.bytes() as f64;
    println!(
        "{:?}: {share:.3} of {} bytes in {lasted:?}, {} of {UPDATES} publications",
        paced.carried,
        plain.bytes(),
        paced.told().len()
    );
    assert!(share <= 0.27 * slower.max(1.0), "{share} in {lasted:?}");
}

/// Who had stopped reading gets what the kernels held for it, and then what is newest.
fn check_resumed(reader: &Paced, acknowledged: &[Duration]) {
    let told = reader.told();
    let mut newest: BTreeMap<&str, u64> = BTreeMap::new();
    for told in &told {
        let had = newest.insert(&told.key, told.number);
        assert!(had < Some(told.number), "{:?}: {told:?} after {had:?}", reader.carried);
    }
    check_complete(reader.carried, &told);
    let resumed = acknowledged[usize::try_from(STALLED.end).unwrap() - 1];
    let held = told.iter().filter(|told| told.at >= resumed && told.number < STALLED.end - SYMBOLS);
    let held = held.count() * (PADDING + 50);
    assert!(held <= HELD_BYTES, "{:?}: {held} bytes were old", reader.carried);
    // Without conflation it would have been given all of these.
    let missed = told.iter().filter(|told| STALLED.contains(&told.number)).count();
    println!(
        "{:?}: {missed} of {} while it slept, {held} bytes old",
        reader.carried,
        STALLED.end - STALLED.start
    );
    assert!(missed <= 600, "{:?}: {missed} of the time in which it slept", reader.carried);
}
