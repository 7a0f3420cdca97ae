//! A backend that is slow, killed, lying or starting anew: nothing waits for it, it is told everything
//! in order when it is well again, and what it will never hear is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::backend::Mood;
use super::{Told, check_order, kind, of_kind, open};
use crate::soak::amount;

/// How long a publish and its delivery took, worst last.
#[derive(Debug)]
struct Latencies(Vec<Duration>);

impl Latencies {
    /// Publishes to a reader, one after another, for so long.
    fn measure(told: &Told, within: Duration) -> Self {
        let mut reader = told.open("measured", "reader");
        let mut publisher = told.server.connect();
        let until = Instant::now() + within;
        let mut taken = Vec::new();
        for number in 0.. {
            let began = Instant::now();
            // In one write: a second one would wait for the first to be acknowledged.
            publisher.send(format!("{POST}{number:08}"));
            assert!(publisher.answer().starts_with("HTTP/1.1 200"));
            reader.until(&format!("data: {number:08}"));
            taken.push(began.elapsed());
            if Instant::now() > until {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        taken.sort();
        Self(taken)
    }

    fn part(&self, percent: usize) -> Duration {
        self.0[(self.0.len() * percent / 100).min(self.0.len() - 1)]
    }
}

const POST: &str = "POST /c/measured HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\n";

/// Pages that come and go as long as it is asked for.
fn crowd(told: &Told, on: &Arc<AtomicBool>) -> thread::JoinHandle<usize> {
    let (address, on) = (told.server.address().to_owned(), Arc::clone(on));
    thread::spawn(move || {
        let mut came = 0;
        while on.load(Ordering::Relaxed) {
            let pages: Vec<_> = (0..8)
                .map(|page| {
                    came += 1;
                    let channel = format!("crowd-{}", (came + page) % 5);
                    open(&address, &channel, &format!("c{came}"))
                })
                .collect();
            thread::sleep(Duration::from_millis(100));
            drop(pages);
        }
        came
    })
}

/// Waits until the backend has taken something more.
fn wait_until_taken(told: &Told) {
    let taken = || told.figure("fanfare_hook_events_delivered_total");
    let (before, until) = (taken(), Instant::now() + Duration::from_secs(60));
    while taken() == before {
        assert!(Instant::now() < until, "nothing is taken any more");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn nobody_waits_for_a_backend_that_has_a_bad_day_and_it_is_told_all_in_order() {
    let settings = "events_grace = \"50ms\"\nevents_batch_max = 20\ntimeout = \"500ms\"";
    let told = Told::start(settings);
    let phase = Duration::from_secs(amount(2, 20));
    let dead = Duration::from_secs(amount(4, 180));
    let usual = Latencies::measure(&told, phase);
    let goes_on = |what: &str, within: Duration| {
        let now = Latencies::measure(&told, within);
        let [median, late] = [50, 99].map(|part| now.part(part));
        eprintln!("{what}: {median:?} in the middle, {late:?} at 99 %, of {}", now.0.len());
        let allowed = usual.part(50) * 2 + Duration::from_millis(5);
        assert!(median <= allowed, "{what}: {median:?}, and usual is {:?}", usual.part(50));
    };
    eprintln!("usual: {:?} in the middle, {:?} at 99 %", usual.part(50), usual.part(99));

    told.backend.feel(Mood::Slow);
    let on = Arc::new(AtomicBool::new(true));
    let crowd = crowd(&told, &on);
    goes_on("slow", phase);
    for mood in Mood::BAD {
        let failed = told.figure("fanfare_hook_batches_failed_total");
        told.backend.feel(mood);
        goes_on(&format!("{mood:?}"), phase);
        assert!(told.figure("fanfare_hook_batches_failed_total") > failed, "{mood:?} is noticed");
        told.backend.feel(Mood::Well);
        wait_until_taken(&told);
    }
    for _ in 0..3 {
        told.backend.kill();
        told.backend.revive();
        goes_on("restarting", phase / 4);
    }
    told.backend.kill();
    goes_on("killed", dead);
    told.backend.revive();
    goes_on("well again", phase);
    on.store(false, Ordering::Relaxed);
    let came = crowd.join().unwrap();
    let wire = &mut told.server.connect();
    wire.wait_for_figure("fanfare_connections_open", 1);
    let events = told.backend.wait_until("the end of all", |events| {
        let ends = |kind: &str| of_kind(events, kind).len();
        ends("disconnect") >= came && ends("occupied") == ends("vacated")
    });
    told.wait_until_told();
    check_order(&events);
    let events = told.backend.distinct();
    for name in ["started", "occupied", "vacated", "joined", "left", "disconnect"] {
        assert_eq!(of_kind(&events, name).len() as u64, told.told(name), "{name}");
    }
    let heard = told.backend.heard();
    eprintln!("{came} pages, {} events, {} told again", events.len(), heard.len() - events.len());
    assert!(heard.len() > events.len(), "a lost answer is told again");
    assert_eq!(heard.iter().filter(|event| kind(event) == "lost").count(), 0);
    for reason in ["full", "expired", "stopped"] {
        let name = format!("fanfare_hook_dead_letters_total{{reason=\"{reason}\"}}");
        assert_eq!(told.figure(&name), 0, "{reason}");
    }
}

#[test]
fn what_a_dead_backend_will_never_hear_is_counted_and_told_when_it_is_back() {
    let settings = "events_grace = \"0s\"\nevents_batch_max = 5\nevents_retry_for = \"1s\"\n\
                    disconnects = false\nevents_bytes_max = \"64 KiB\"";
    let told = Told::start(settings);
    told.backend.wait_until("the start", |events| events.len() == 1);
    told.backend.kill();
    // More than there is room for.
    for number in 0..300 {
        drop(told.open(&format!("channel-{number}"), "x"));
    }
    let expired = "fanfare_hook_dead_letters_total{reason=\"expired\"}";
    let until = Instant::now() + Duration::from_secs(30);
    while told.figure(expired) < 10 {
        assert!(Instant::now() < until, "no batch was given up");
        thread::sleep(Duration::from_millis(50));
    }
    let answer = told.server.connect().post_chunked("other", "still there");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    told.server.line_with("events are given up");
    told.backend.revive();
    told.wait_until_told();
    let full = told.figure("fanfare_hook_dead_letters_total{reason=\"full\"}");
    let dead = full + told.figure(expired);
    assert!(full > 0, "there was room for all");
    let events = told.backend.distinct();
    let lost = of_kind(&events, "lost").into_iter().map(|event| event["count"].as_u64().unwrap());
    assert_eq!(lost.sum::<u64>(), dead);
    let first = events.iter().position(|event| kind(event) == "lost").unwrap();
    assert_eq!(first, 1, "the gap is told in its place: {events:?}");
    // From here on everything is told again.
    drop(told.open("after", "x"));
    told.backend.wait_until("what came after", |events| {
        events.iter().any(|event| event["channel"] == "after" && kind(event) == "occupied")
    });
}
