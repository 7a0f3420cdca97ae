//! The log with threads of its own on the system's files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_core::name::ChannelName;
use fanfare_core::position::{Epoch, Offset, Position};
use fanfare_core::publication::{Content, Data, End, Publication};
use fanfare_core::shard::{Append, Completion, EngineCommand};

use super::rig::{Setup, name, often};
use crate::engine::log::{
    Files, Left, Log, LogHandle, LogOptions, OpenError, Opened, Outlets, Running,
};

/// A directory that goes with the test.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("fanfare-log-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// A running log and what it completes.
struct Service {
    running: Running,
    handle: LogHandle,
    completions: Receiver<Vec<Completion>>,
}

fn options() -> LogOptions {
    let setup = Setup { segment_bytes: 8 << 20, bytes_max: 4 << 30, ..Setup::default() };
    let clock = crate::engine::log::Clock::System;
    let retention = fanfare_core::settings::Retention { count: 10_000, ..setup.retention };
    LogOptions { clock, ..Setup { retention, ..setup }.options() }
}

fn open(directory: &Path) -> (Log, Opened) {
    Log::open(options(), directory, Files::System).unwrap()
}

fn start(log: Log) -> Service {
    // More than any test has on its way.
    let (sender, completions): (SyncSender<Vec<Completion>>, _) = sync_channel(100_000);
    let running = log.start(Outlets {
        deliver: Box::new(move |_, told| sender.try_send(told).unwrap()),
        report: Box::new(|report| panic!("{report:?}")),
    });
    let running = running.unwrap();
    Service { handle: running.handle(), running, completions }
}

impl Service {
    fn wait(&self) -> Vec<Completion> {
        self.completions.recv_timeout(Duration::from_secs(30)).unwrap()
    }

    /// Waits until so many appends are answered.
    fn wait_for(&self, append: u64) {
        loop {
            let done = |told: &Completion| matches!(told, Completion::Committed { append: done, .. } if *done >= append);
            let told = self.wait();
            assert!(!told.iter().any(|told| matches!(told, Completion::Failed { .. })), "{told:?}");
            if told.iter().any(done) {
                return;
            }
        }
    }
}

fn append(number: u64, channel: &ChannelName, epoch: Epoch, prev: Offset, size: usize) -> Append {
    let offset = prev + 1;
    let content = Content::plain(Data::Binary(Bytes::from(vec![7; size])));
    let (position, channel) = (Some(Position::new(offset, epoch)), channel.clone());
    let time = u64::try_from(
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis(),
    );
    let publication = Publication {
        channel: channel.clone(),
        position,
        prev,
        time: time.unwrap(),
        expires_at: None,
        content,
    };
    let publication = Some(std::sync::Arc::new(publication));
    let after = Position::new(prev, epoch);
    Append { append: number, channel, publication, end: End::Open, after, key: None }
}

#[test]
fn a_log_on_the_systems_files_goes_on_after_a_stop() {
    let directory = Directory::new();
    let (log, opened) = open(directory.path());
    let epoch = opened.generation;
    let service = start(log);
    let channel = name("news");
    for number in 1..=500 {
        let append = append(number, &channel, epoch, number - 1, 1_000);
        service.handle.submit(&mut vec![(0, EngineCommand::Append(append))]);
    }
    service.wait_for(500);
    let after = Position::new(10, epoch);
    let read = EngineCommand::Read { read: 1, channel: channel.clone(), after, bytes: 64 << 10 };
    service.handle.ask(3, read);
    let told = service.wait();
    let Some(Completion::Page { page: Ok(page), .. }) = told.first() else { panic!("{told:?}") };
    assert_eq!((page[0].offset(), page[0].prev), (11, 10));
    let figures = service.handle.figures();
    assert_eq!((figures.appends, figures.publications, figures.channels), (500, 500, 1));
    assert!(figures.syncs >= 1 && figures.batches <= 500);
    service.running.stop().unwrap();
    let (mut log, opened) = open(directory.path());
    assert_eq!((opened.left, opened.generation, opened.publications), (Left::Clean, epoch, 500));
    let restored = log.restored(|channel| channel.as_str() == "news");
    assert_eq!((restored[0].head, restored[0].skipped), (500, 500));
}

#[test]
fn a_second_process_is_refused_by_the_lock() {
    let directory = Directory::new();
    let (log, _) = open(directory.path());
    let second = Log::open(options(), directory.path(), Files::System);
    let Err(OpenError::Locked { holder, .. }) = second else { panic!("{second:?}") };
    assert_eq!(holder, std::process::id().to_string());
    drop(log);
    let (_, opened) = open(directory.path());
    assert_eq!(opened.left, Left::Unclean);
}

#[test]
fn what_a_newer_version_made_is_left_alone() {
    let directory = Directory::new();
    drop(open(directory.path()));
    let path = directory.path().join("STORE");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 2;
    let checksum = crc32c::crc32c(&bytes[..60]);
    bytes[60..].copy_from_slice(&checksum.to_le_bytes());
    std::fs::write(&path, &bytes).unwrap();
    let refused = Log::open(options(), directory.path(), Files::System);
    let Err(error @ OpenError::Newer { version: 2, .. }) = refused else { panic!("{refused:?}") };
    assert!(error.to_string().contains("newer Fanfare"), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn bounds_that_cannot_be_kept_are_refused() {
    let directory = Directory::new();
    for options in [
        LogOptions { segment_bytes: 1_000, ..options() },
        LogOptions { segment_bytes: 1 << 40, ..options() },
        LogOptions { bytes_max: 9 << 20, ..options() },
    ] {
        let refused = Log::open(options, directory.path(), Files::System);
        assert!(matches!(refused, Err(OpenError::Options(_))), "{refused:?}");
    }
}

/// Publishes to many channels, so many at once; says how long it took.
fn fill(service: &Service, epoch: Epoch, channels: u64, each: u64, size: usize) -> Duration {
    let names: Vec<ChannelName> =
        (0..channels).map(|number| name(&format!("channel-{number}"))).collect();
    let begun = Instant::now();
    let mut number = 0;
    for round in 0..each {
        for channel in &names {
            number += 1;
            let append = append(number, channel, epoch, round, size);
            service.handle.submit(&mut vec![(0, EngineCommand::Append(append))]);
        }
        service.wait_for(number);
    }
    begun.elapsed()
}

#[test]
fn ten_thousand_channels_are_found_again_after_a_stop_and_after_a_crash() {
    let directory = Directory::new();
    let (log, opened) = open(directory.path());
    let service = start(log);
    fill(&service, opened.generation, 10_000, 2, 64);
    service.running.stop().unwrap();
    for left in [Left::Clean, Left::Unclean] {
        if left == Left::Unclean {
            std::fs::remove_file(directory.path().join("checkpoint")).unwrap();
        }
        let (mut log, opened) = open(directory.path());
        assert_eq!((opened.left, opened.channels, opened.publications), (left, 10_000, 20_000));
        // Whatever the number of shards is, each channel is given to one of them.
        let mut found = BTreeMap::new();
        for shard in 0..3 {
            for channel in log.restored(|channel| channel.hash48().value() % 3 == shard) {
                assert_eq!(channel.head, 2);
                assert!(found.insert(channel.name, shard).is_none());
            }
        }
        assert_eq!(found.len(), 10_000);
    }
}

/// Answers per second with so many appends on their way.
fn pace(
    service: &Service,
    epoch: Epoch,
    in_flight: u64,
    seconds: u64,
) -> (f64, Duration, Duration) {
    let channels: Vec<ChannelName> =
        (0..in_flight).map(|number| name(&format!("pace-{in_flight}-{number}"))).collect();
    let (mut heads, mut sent) = (vec![0; channels.len()], vec![Instant::now(); channels.len()]);
    let mut latencies = Vec::new();
    let places: BTreeMap<&str, usize> =
        channels.iter().enumerate().map(|(place, channel)| (channel.as_str(), place)).collect();
    let mut number = 0;
    let mut submit = |place: usize, heads: &mut Vec<u64>, sent: &mut Vec<Instant>| {
        number += 1;
        let append = append(number, &channels[place], epoch, heads[place], 128);
        (heads[place], sent[place]) = (heads[place] + 1, Instant::now());
        service.handle.submit(&mut vec![(0, EngineCommand::Append(append))]);
    };
    (0..channels.len()).for_each(|place| submit(place, &mut heads, &mut sent));
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(seconds) {
        for told in service.wait() {
            let Completion::Committed { channel, .. } = told else { panic!("{told:?}") };
            let place = places[channel.as_str()];
            latencies.push(sent[place].elapsed());
            submit(place, &mut heads, &mut sent);
        }
    }
    let took = begun.elapsed().as_secs_f64();
    let answered = latencies.len();
    let mut left = channels.len();
    while left > 0 {
        left -= service.wait().len();
    }
    latencies.sort();
    let at = |share: usize| latencies[(answered * share / 1_000).min(answered - 1)];
    (answered as f64 / took, at(500), at(990))
}

/// `FANFARE_LOG_BENCH=5 cargo test --release -p fanfare --bin fanfare engine::log::tests::system::figures
/// -- --nocapture` measures for five seconds each; without it, it only shows that it works. The
/// directory is made below `TMPDIR`.
#[test]
fn figures_of_a_log_on_this_machine() {
    let seconds = often("FANFARE_LOG_BENCH", 0) as u64;
    let directory = Directory::new();
    let (log, opened) = open(directory.path());
    let service = start(log);
    for in_flight in [1, 64, 1_000] {
        let before = service.handle.figures();
        let (pace, median, tail) = pace(&service, opened.generation, in_flight, seconds.max(1));
        let after = service.handle.figures();
        let syncs = after.syncs - before.syncs;
        let mean = (after.sync_time - before.sync_time) / u32::try_from(syncs.max(1)).unwrap();
        println!(
            "{in_flight} in flight: {pace:.0}/s, p50 {median:?}, p99 {tail:?}, {syncs} syncs of {mean:?}"
        );
    }
    service.running.stop().unwrap();
    let directory = Directory::new();
    let (log, opened) = open(directory.path());
    let (channels, each) = if seconds > 0 { (10_000, 100) } else { (100, 10) };
    let service = start(log);
    let took = fill(&service, opened.generation, channels, each, 128);
    println!("{} publications over {channels} channels in {took:?}", channels * each);
    let begun = Instant::now();
    service.running.stop().unwrap();
    println!("stopped in {:?}", begun.elapsed());
    for left in [Left::Clean, Left::Unclean] {
        if left == Left::Unclean {
            std::fs::remove_file(directory.path().join("checkpoint")).unwrap();
        }
        let begun = Instant::now();
        let (_, opened) = open(directory.path());
        assert_eq!((opened.left, opened.publications), (left, channels * each));
        println!("reopened ({left:?}) in {:?}", begun.elapsed());
    }
}
