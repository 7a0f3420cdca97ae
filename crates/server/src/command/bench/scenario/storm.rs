//! `storm`: everyone comes back at once for what only the disk has, and somebody reads a very long
//! history, beside a channel that is live.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

use super::fairness::{listen, p99, scrape};
use super::stored::{Filler, wait_until_ready};
use super::transport;
use crate::command::bench::audience::{Audience, Opening, Shape};
use crate::command::bench::folder::{Folder, Place};
use crate::command::bench::histogram::Latencies;
use crate::command::bench::ledger::Tally;
use crate::command::bench::progress::Progress;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::report::{FANFARE, Goal, Row, Section, Unit};
use crate::command::bench::run::{Bench, Side, pick};
use crate::command::bench::subject::Subject;
use crate::command::duration;

/// What `storm` takes; `--connections` are those that come back, each to a channel of its own.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Storm {
    /// Publications that each of them has missed.
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    missed: u32,
    /// Publications of the channel that one more client reads from its beginning.
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    history: u32,
    /// Publications a second to the live channel, which has two subscribers.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rate: u32,
    /// How long the live channel is measured by itself first.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    quiet: Duration,
    #[command(flatten)]
    place: Place,
}

/// A log that is filled, and where everybody stood before.
struct Filled {
    folder: Folder,
    cursors: Vec<String>,
}

struct Found {
    quiet: Latencies,
    storm: Latencies,
    /// The server's own p99 from publication to write for the live channel, in milliseconds.
    in_server: Option<f64>,
    /// Seconds until those that came back, and the one that reads, had everything.
    crowd: f64,
    reader: f64,
    /// MiB: before, and the most from then on.
    before: f64,
    peak: f64,
    /// CPU microseconds for each publication that was caught up with.
    cpu: f64,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Storm) -> Result<()> {
    let members = bench.flags.connections(1_000);
    let rounds = bench.flags.rounds(3);
    let sides: Vec<_> = bench.sides.iter().filter(|side| side.name() == FANFARE).cloned().collect();
    for name in bench.flags.transports(&["sse"]) {
        let mut filled = None;
        let title = format!("{name}, coming back to the disk");
        let found = bench.rounds((rounds, &title), &sides, |bench, side| {
            if filled.is_none() {
                filled = Some(fill(bench, side, (&name, members), flags)?);
            }
            let filled = filled.as_ref().context("nothing was stored")?;
            measure(bench, side, (&name, members), flags, filled)
        })?;
        let all = u64::from(flags.missed) * members as u64 + u64::from(flags.history);
        type Pick = fn(&Found) -> Option<f64>;
        let row = |name: &str, unit, figure: Pick| Row::new(name, unit, pick(&found, figure));
        let millis = Unit::Milliseconds;
        let mut rows = vec![
            row("live channel by itself, p50", millis, |one| Some(at(&one.quiet, 0.5))),
            row("live channel by itself, p99", millis, |one| Some(at(&one.quiet, 0.99))),
            row("live channel in the storm, p50", millis, |one| Some(at(&one.storm, 0.5))),
            row("live channel in the storm, p99", millis, |one| Some(at(&one.storm, 0.99)))
                .goal(Goal::Figure(10.0)),
            row("the greatest", millis, |one| Some(at(&one.storm, 1.0))),
            row("publish to write in the server, p99", millis, |one| one.in_server),
            row("until all have come back", Unit::Seconds, |one| Some(one.crowd)),
            row("until the history is read", Unit::Seconds, |one| Some(one.reader)),
            row("CPU, publication", Unit::Microseconds, |one| Some(one.cpu)),
            row("memory before", Unit::Mebibytes, |one| Some(one.before)),
            row("the most memory, resident", Unit::Mebibytes, |one| Some(one.peak))
                .goal(Goal::Figure(256.0)),
        ];
        rows.retain(|row| !row.figures.is_empty());
        let title = format!(
            "{title}; {members} connections come back, each {} publications behind, and one reads a \
             history of {}: {all} in all, payloads of {} bytes, after a restart; {} a second to the live \
             channel; {rounds} rounds",
            flags.missed, flags.history, bench.flags.size, flags.rate
        );
        bench.section(Section { title, rows, charts: Vec::new() });
    }
    Ok(())
}

/// Connects everybody once, publishes what they miss, and stops the server.
fn fill(
    bench: &mut Bench,
    side: &Side,
    (name, members): (&str, usize),
    flags: &Storm,
) -> Result<Filled> {
    let folder = flags.place.folder()?;
    let subject = start(bench, side, &folder)?;
    let size = bench.flags.size;
    let transport = transport(side, name)?;
    let audience = bench.open(&subject, transport, Shape::groups(members, members), (size, ""))?;
    let cursors = audience.cursors();
    drop(audience);
    let deep = u32::try_from(members)?;
    for (channels, each) in [(0..deep, flags.missed), (deep..deep + 1, flags.history)] {
        let from = (size, bench.clock);
        let count = u64::from(each) * channels.len() as u64;
        let mut filler = Filler::connect(&subject, &side.description, channels, from)?;
        let progress = &mut bench.progress;
        filler.fill(count, |sent| progress.tell(|| format!("{sent} of {count} stored")))?;
    }
    subject.stop(LEAVE_MAX)?;
    Ok(Filled { folder, cursors })
}

fn start(bench: &Bench, side: &Side, folder: &Folder) -> Result<Subject> {
    let kept = [("FANFARE_HISTORY__COUNT", "1000000"), ("FANFARE_HISTORY__BYTES", "4GiB")];
    bench.start_storing(side, folder, &kept)
}

fn measure(
    bench: &mut Bench,
    side: &Side,
    (name, members): (&str, usize),
    flags: &Storm,
    filled: &Filled,
) -> Result<Found> {
    let subject = start(bench, side, &filled.folder)?;
    wait_until_ready(&subject)?;
    let (clock, patience, size) = (bench.clock, bench.flags.patience, bench.flags.size);
    let opening = |transport, shape, query| Opening {
        subject: &subject,
        transport,
        shape,
        payload_bytes: size,
        query,
        clock,
        patience,
        manner: None,
    };
    let way = side.description.way("post")?;
    let crowd = opening(transport(side, name)?, Shape::groups(members, members), "");
    let reader = opening(transport(side, name)?, alone(members, 1), "since=all");
    // Another transport than the crowd's, so that the server's own measure tells them apart.
    let live = |place| {
        opening(
            side.description.transports.get("ndjson").unwrap_or(crowd.transport),
            alone(members + place, 2),
            "",
        )
    };
    let publisher =
        |place| Publisher::connect(&subject, way, (place, u32::try_from(members + place)?), size);

    bench.progress.tell(|| "the live channel by itself".to_owned());
    let stop = AtomicBool::new(false);
    let (quiet, tally) = thread::scope(|scope| {
        let publisher = publisher(1)?;
        let thread = scope.spawn(|| listen(live(1), publisher, flags.rate, &stop));
        thread::sleep(flags.quiet);
        stop.store(true, Ordering::Release);
        joined(thread)
    })?;
    bench.tally(side, &tally);

    bench.progress.tell(|| "the storm".to_owned());
    let stop = AtomicBool::new(false);
    let before = subject.memory()?.context("no process")?.private;
    subject.memory_peak()?;
    let (scraped, cpu) = (scrape(side, &subject)?, subject.cpu()?);
    let (storm, (crowd, crowd_tally), (reader, reader_tally), tally) = thread::scope(|scope| {
        let publisher = publisher(2)?;
        let pair = scope.spawn(|| listen(live(2), publisher, flags.rate, &stop));
        // The first of them is live before anything else begins.
        thread::sleep(SETTLE);
        let crowd = scope.spawn(|| catch_up(crowd, Some(&filled.cursors), flags.missed));
        let reader = scope.spawn(|| catch_up(reader, None, flags.history));
        let (crowd, reader) = (joined(crowd), joined(reader));
        stop.store(true, Ordering::Release);
        let (storm, tally) = joined(pair)?;
        Ok::<_, anyhow::Error>((storm, crowd?, reader?, tally))
    })?;
    let cpu = subject.cpu()?.zip(cpu).map(|(now, before)| now - before);
    let peak = subject.memory_peak()?.context("no process")?;
    let scraped = scraped.zip(scrape(side, &subject)?);
    for tally in [&crowd_tally, &reader_tally, &tally] {
        bench.tally(side, tally);
    }
    let all = u64::from(flags.missed) * members as u64 + u64::from(flags.history);
    let mib = |bytes: u64| bytes as f64 / (1 << 20) as f64;
    Ok(Found {
        quiet,
        storm,
        in_server: scraped.and_then(|(before, after)| p99(&before, &after)),
        crowd,
        reader,
        before: mib(before),
        peak: mib(peak),
        cpu: cpu.context("no process")? as f64 / all as f64 / 1_000.0,
    })
}

/// Reads everything that was published before, and says how many seconds that took. For a thread of
/// its own, which gives way to the one that measures: these readers would not share its machine.
fn catch_up(
    opening: Opening<'_>,
    cursors: Option<&Vec<String>>,
    each: u32,
) -> Result<(f64, Tally)> {
    rustix::process::nice(GIVES_WAY)?;
    let (begun, progress) = (Instant::now(), &mut Progress::silent());
    let mut audience = match cursors {
        Some(cursors) => Audience::resume(opening, cursors.clone(), progress)?,
        None => Audience::open(opening, progress)?,
    };
    for channel in opening.shape.channels() {
        for _ in 0..each {
            audience.expect(channel);
        }
    }
    audience.wait(0)?;
    Ok((begun.elapsed().as_secs_f64(), audience.tally()))
}

/// Some who read one channel.
fn alone(channel: usize, members: usize) -> Shape {
    Shape { members, per_member: 1, groups: 1, first: channel }
}

fn at(latencies: &Latencies, share: f64) -> f64 {
    latencies.at(share) as f64 / 1e6
}

fn joined<T>(thread: thread::ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread.join().map_err(|_panic| anyhow!("a thread of the client panicked"))?
}

/// How long the live channel is live before the storm.
const SETTLE: Duration = Duration::from_millis(500);

/// How far threads that only read give way.
const GIVES_WAY: i32 = 10;

/// How long a clean stop may take.
const LEAVE_MAX: Duration = Duration::from_secs(120);
