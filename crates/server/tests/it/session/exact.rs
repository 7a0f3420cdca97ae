//! A thousand changes of a stream while publications flow as fast as they can: of each channel
//! comes exactly what was published after the place that its addition was answered with.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use fanfare_protocol::native::cursor::{parse_cursor, position_text};
use serde_json::{Value, json};

use super::live::{Changer, Form, Http, Live, Told, Way, hash, offset, offsets};
use crate::reader::{Incoming, Via};
use crate::server::Server;

/// Changes of each stream.
const CHANGES: u32 = 1_000;

/// Channels that are published to; each stream has one more for itself.
const CHANNELS: [&str; 8] = ["c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"];

/// Requests on their way before the first of them is answered.
const PIPELINED: usize = 16;

/// Longer than anything should take, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn each_channel_is_exact_from_its_since_through_a_thousand_changes() {
    let server =
        Server::dev(&[("FANFARE_HISTORY__COUNT", "1000000"), ("FANFARE_HISTORY__BYTES", "1 GiB")]);
    let publishing = Publishing::default();
    let begun = Instant::now();
    thread::scope(|scope| {
        for channels in CHANNELS.chunks(4) {
            let (publishing, address) = (&publishing, server.address());
            scope.spawn(move || publishing.run(address, channels));
        }
        let streams: Vec<_> = [Form::Sse, Form::Ndjson]
            .into_iter()
            .flat_map(|form| [Via::Shard, Via::Edge].map(|via| Way { form, via, http: Http::V11 }))
            .enumerate()
            .map(|(number, way)| {
                let (publishing, address) = (&publishing, server.address());
                scope.spawn(move || Course::run(address, publishing, way, number))
            })
            .collect();
        for stream in streams {
            let (way, courses) = stream.join().unwrap();
            println!("{way:?}: {courses}");
        }
    });
    println!("{} published in {:?}", publishing.published(), begun.elapsed());
}

/// What was published, and whether there will be more.
#[derive(Debug, Default)]
struct Publishing {
    heads: [AtomicU64; CHANNELS.len()],
    /// Streams that have made all their changes.
    done: AtomicU64,
    failed: AtomicBool,
}

/// What a stream has been told.
#[derive(Debug, Default)]
struct Log {
    told: Mutex<Record>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct Record {
    /// Channel, offset and whole id of each publication, in order.
    messages: Vec<(String, u64, String)>,
    /// The last offset of each channel.
    last: BTreeMap<String, u64>,
}

/// Where one addition of a channel began.
#[derive(Debug, Clone, Copy)]
struct Segment {
    start: u64,
}

/// The changes of one stream, and what they led to.
struct Course<'a> {
    address: &'a str,
    changer: Changer,
    control: String,
    session: String,
    log: &'a Log,
    dice: u64,
    marks: u64,
    read: BTreeSet<&'static str>,
    /// Where a channel that is not read stands, if that is known for sure.
    left_at: BTreeMap<&'static str, u64>,
    segments: BTreeMap<&'static str, Vec<Segment>>,
    carried: u64,
}

impl Publishing {
    /// Publishes to some channels in turn until all streams are done; each publication says its
    /// channel and offset.
    fn run(&self, address: &str, channels: &[&str]) {
        let mut wire = Incoming::connect(address);
        let mut sent = vec![0_u64; channels.len()];
        while self.done.load(Ordering::Relaxed) < 4 && !self.failed.load(Ordering::Relaxed) {
            let mut requests = String::new();
            let burst: Vec<usize> = (0..PIPELINED).map(|at| at % channels.len()).collect();
            for at in &burst {
                sent[*at] += 1;
                requests
                    .push_str(&post(channels[*at], &format!("{}|{}", channels[*at], sent[*at])));
            }
            wire.send(requests.as_bytes()).unwrap();
            for at in burst {
                let (head, body) = wire.answer().unwrap();
                assert!(head.starts_with("HTTP/1.1 200"), "{head}");
                let answer: Value = serde_json::from_slice(&body).unwrap();
                let place = CHANNELS.iter().position(|name| *name == channels[at]).unwrap();
                self.heads[place].store(answer["offset"].as_u64().unwrap(), Ordering::Relaxed);
            }
        }
        for (at, sent) in sent.into_iter().enumerate() {
            let place = CHANNELS.iter().position(|name| *name == channels[at]).unwrap();
            assert_eq!(self.heads[place].load(Ordering::Relaxed), sent, "offsets are dense");
        }
    }

    fn head(&self, channel: &str) -> u64 {
        let place = CHANNELS.iter().position(|name| *name == channel).unwrap();
        self.heads[place].load(Ordering::Relaxed)
    }

    fn published(&self) -> u64 {
        CHANNELS.iter().map(|channel| self.head(channel)).sum()
    }
}

impl Log {
    /// Reads the stream until its own channel says that this is all.
    fn read(&self, mut live: Live, control: &str) -> Live {
        loop {
            let (data, id) = match live.next() {
                Ok(Told::Message { data, id }) => (data, id),
                other => panic!("{control}: {other:?}"),
            };
            let (channel, number) = data.split_once('|').unwrap();
            let number: u64 = number.parse().unwrap();
            let mut told = self.told.lock().unwrap();
            told.last.insert(channel.to_owned(), number);
            told.messages.push((channel.to_owned(), number, id));
            self.moved.notify_all();
            if number == u64::MAX {
                return live;
            }
        }
    }

    /// Waits until the last offset of a channel is as wanted.
    fn wait(&self, channel: &str, wanted: impl Fn(u64) -> bool) {
        let told = self.told.lock().unwrap();
        let last = |told: &Record| told.last.get(channel).copied().unwrap_or(0);
        let waited = self.moved.wait_timeout_while(told, PATIENCE, |told| !wanted(last(told)));
        let (told, outcome) = waited.unwrap();
        assert!(!outcome.timed_out(), "{channel} stays at {}", last(&told));
    }

    fn last(&self, channel: &str) -> u64 {
        self.told.lock().unwrap().last.get(channel).copied().unwrap_or(0)
    }

    /// One of the newest ids.
    fn id(&self, back: usize) -> Option<String> {
        let told = self.told.lock().unwrap();
        let at = told.messages.len().checked_sub(back + 1)?;
        told.messages.get(at).map(|(_, _, id)| id.clone())
    }
}

impl<'a> Course<'a> {
    /// Changes a stream so many times, and holds everything against what it was told.
    fn run(address: &str, publishing: &Publishing, way: Way, number: usize) -> (Way, String) {
        let control = format!("control-{number}");
        let log = Log::default();
        // One channel, so that the ids become the stream's own while it is read.
        let live = Live::open(address, way, &format!("/c/{control}"), &[]);
        let mut course = Course {
            address,
            changer: Changer::new(address, &[]),
            control: control.clone(),
            session: live.session.clone(),
            log: &log,
            dice: 0x9e37_79b9 + number as u64,
            marks: 0,
            read: BTreeSet::new(),
            left_at: BTreeMap::new(),
            segments: BTreeMap::new(),
            carried: 0,
        };
        let words = thread::scope(|scope| {
            let failing = FailsOnPanic { publishing, address, control: &control };
            let reading = scope.spawn(|| log.read(live, &control));
            let begun = Instant::now();
            for _ in 0..CHANGES {
                course.change();
            }
            let took = begun.elapsed();
            publishing.done.fetch_add(1, Ordering::Relaxed);
            while publishing.done.load(Ordering::Relaxed) < 4 {
                assert!(!publishing.failed.load(Ordering::Relaxed), "another stream has failed");
                // The others have their own changes to make, and there is no event for that.
                thread::sleep(Duration::from_millis(5));
            }
            course.catch_up(publishing);
            drop(failing);
            drop(reading.join().unwrap());
            format!(
                "{CHANGES} changes in {took:?}, {} channels added from where they stood",
                course.carried
            )
        });
        let told = log.told.lock().unwrap();
        check(&told, &course.segments);
        course.come_back(way, publishing, &told);
        (way, format!("{words}, {} publications", told.messages.len()))
    }

    /// Drops some channels, adds others.
    fn change(&mut self) {
        let mut picked = BTreeSet::new();
        for _ in 0..=self.roll(3) {
            picked.insert(CHANNELS[self.roll(CHANNELS.len())]);
        }
        let (dropped, added): (Vec<_>, Vec<_>) =
            picked.into_iter().partition(|channel| self.read.contains(channel));
        let mut items = Vec::new();
        let mut expected = Vec::new();
        for channel in &added {
            let (since, start) = self.since(channel);
            let mut item = json!({ "channel": channel });
            if let Some(since) = since {
                item["since"] = json!(since);
            }
            items.push(item);
            expected.push(start);
        }
        let body = json!({ "unsubscribe": dropped, "subscribe": items });
        let results = self.changer.change(&self.session, &body);
        assert_eq!(results.len(), dropped.len() + added.len());
        for (channel, result) in dropped.iter().zip(&results) {
            assert_eq!(*result, json!({ "channel": channel }));
            self.read.remove(channel);
        }
        for ((channel, start), result) in
            added.iter().zip(expected).zip(results.iter().skip(dropped.len()))
        {
            let cursor = result["cursor"].as_str().unwrap_or_else(|| panic!("{result}"));
            let given = offset(cursor, channel).unwrap();
            assert!(start.is_none_or(|start| start == given), "{channel} {start:?}: {result}");
            self.segments.entry(channel).or_default().push(Segment { start: given });
            self.read.insert(channel);
        }
        self.settle(&dropped);
    }

    /// Sees for sure where channels were left: what was dropped comes before what is published
    /// from now on.
    fn settle(&mut self, dropped: &[&'static str]) {
        for channel in dropped {
            self.left_at.remove(channel);
        }
        if dropped.is_empty() || self.roll(2) == 0 {
            return;
        }
        let id = self.mark();
        for channel in dropped {
            let left_at = offset(&id, channel).expect("its place is carried");
            self.left_at.insert(channel, left_at);
        }
    }

    /// Where to add a channel from: what to ask, and what has to be answered if that is known.
    fn since(&mut self, channel: &'static str) -> (Option<String>, Option<u64>) {
        let last = self.log.last(channel);
        match self.roll(10) {
            0 => (Some("now".to_owned()), None),
            1 => (Some(format!("last:{}", 1 + self.roll(20))), None),
            2 => (Some("10s".to_owned()), None),
            3 if last > 0 => {
                // A cursor of a moment ago has its entry, if it was known by then.
                let back = self.roll(50);
                match self.log.id(back).and_then(|id| Some((offset(&id, channel)?, id))) {
                    Some((start, id)) => (Some(id), Some(start)),
                    None => (Some("now".to_owned()), None),
                }
            }
            4 if last > 10 => {
                let id = self.log.id(0).unwrap();
                let mut position = parse_cursor(&id).unwrap().entries[0].position;
                position.offset = last - self.roll(10) as u64;
                (Some(position_text(position)), Some(position.offset))
            }
            _ => {
                let start = self.left_at.get(channel).copied();
                self.carried += u64::from(start.is_some());
                (None, start)
            }
        }
    }

    /// Publishes to the stream's own channel and waits until that has come; gives its id.
    fn mark(&mut self) -> String {
        self.marks += 1;
        let marks = self.marks;
        publish(self.address, &self.control, marks);
        self.log.wait(&self.control, |last| last == marks);
        let told = self.log.told.lock().unwrap();
        let own = told.messages.iter().rev().find(|(name, ..)| *name == self.control);
        own.unwrap().2.clone()
    }

    /// Nothing is published any more: what is read comes to its head, and then the stream is told
    /// that this is all.
    fn catch_up(&self, publishing: &Publishing) {
        for channel in &self.read {
            let segment = self.segments[channel].last().unwrap();
            let head = loop {
                let head = publishing.head(channel);
                // The publisher has seen that it is over when its head stays.
                thread::sleep(Duration::from_millis(50));
                if publishing.head(channel) == head {
                    break head;
                }
            };
            if segment.start < head {
                self.log.wait(channel, |last| last == head);
            }
        }
        publish(self.address, &self.control, u64::MAX);
        self.log.wait(&self.control, |last| last == u64::MAX);
    }

    /// The last id brings a new stream everything that this one has not had.
    fn come_back(&self, way: Way, publishing: &Publishing, told: &Record) {
        let (_, _, id) = told.messages.last().unwrap();
        let mut places: BTreeMap<&str, u64> = BTreeMap::new();
        for channel in self.segments.keys() {
            places.insert(channel, offset(id, channel).expect("every place is carried"));
        }
        let mut missing: u64 =
            places.iter().map(|(channel, place)| publishing.head(channel) - place).sum();
        let target = format!("/c/{}", self.segments.keys().copied().collect::<Vec<_>>().join(","));
        let header = format!("Last-Event-ID: {id}");
        let mut live = Live::open(self.address, way, &target, &[&header]);
        while missing > 0 {
            let (data, _) = live.message();
            let (channel, number) = data.split_once('|').unwrap();
            let place = places.get_mut(channel).unwrap();
            assert_eq!(number.parse(), Ok(*place + 1), "{channel} goes on after the last id");
            *place += 1;
            missing -= 1;
        }
    }

    fn roll(&mut self, sides: usize) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        usize::try_from(self.dice >> 33).unwrap() % sides
    }
}

/// Each publication is the next one of its channel, or the first one after a place that an
/// addition was answered with; each id says where its reader stands in everything.
fn check(told: &Record, segments: &BTreeMap<&'static str, Vec<Segment>>) {
    let starts = |begun: &Vec<Segment>| begun.iter().map(|segment| segment.start).collect();
    let starts: BTreeMap<&str, HashSet<u64>> =
        segments.iter().map(|(channel, begun)| (*channel, starts(begun))).collect();
    let hashes: BTreeMap<&str, u64> =
        segments.keys().map(|channel| (*channel, hash(channel))).collect();
    let mut at: BTreeMap<&str, (u64, usize)> = BTreeMap::new();
    for (place, (channel, number, id)) in told.messages.iter().enumerate() {
        let Some(begun) = segments.get(channel.as_str()) else { continue };
        let next = match at.get(channel.as_str()) {
            Some((last, segment)) if *last + 1 == *number => *segment,
            before => {
                // A channel that was dropped again before anything came has left nothing behind.
                let from = before.map_or(0, |(_, segment)| segment + 1);
                let later = begun.iter().skip(from).position(|it| it.start + 1 == *number);
                from + later.unwrap_or_else(|| {
                    panic!("{channel} {number} after {before:?}, added from {begun:?}")
                })
            }
        };
        at.insert(channel, (*number, next));
        // Reading all of so many ids takes longer than everything else.
        if place % 4 > 0 {
            continue;
        }
        let entries = offsets(id);
        assert_eq!(entries.get(&hashes[channel.as_str()]), Some(number), "its own place: {id}");
        for (other, (last, _)) in &at {
            let entry = entries.get(&hashes[other]);
            let stands = |entry: &u64| entry == last || starts[other].contains(entry);
            assert!(entry.is_some_and(stands), "{other} at {last}, and {entry:?} in {id}");
        }
    }
}

/// Lets go of everybody who would wait for a stream whose changes have failed.
struct FailsOnPanic<'a> {
    publishing: &'a Publishing,
    address: &'a str,
    control: &'a str,
}

impl Drop for FailsOnPanic<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.publishing.failed.store(true, Ordering::Relaxed);
            publish(self.address, self.control, u64::MAX);
        }
    }
}

fn publish(address: &str, channel: &str, number: u64) {
    let mut wire = Incoming::connect(address);
    wire.send(post(channel, &format!("{channel}|{number}")).as_bytes()).unwrap();
    let (head, _) = wire.answer().unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
}

fn post(channel: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST /c/{channel} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}
