//! `reopen`: a log of many publications: what it takes, how long it takes to open, and whether it
//! stays within its bound.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::stored::{Filler, counted, wait_until_ready};
use crate::command::bench::folder::{Folder, Place};
use crate::command::bench::report::{Axis, Chart, FANFARE, Goal, Line, Row, Section, Unit};
use crate::command::bench::run::{Bench, Side, pick};
use crate::command::bench::subject::Subject;
use crate::command::duration;

/// What `reopen` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Reopen {
    /// Publications that are stored, and all kept.
    #[arg(long, value_name = "N", default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    publications: u64,
    /// Channels, to which they are published in turn.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    channels: u32,
    /// How long publishing goes on at the bound, for each of the two cases.
    #[arg(long = "for", value_name = "TIME", default_value = "30s", value_parser = duration)]
    time: Duration,
    /// The bound of the directory then.
    #[arg(long, value_name = "MIB", default_value_t = 512, value_parser = clap::value_parser!(u64).range(512..=1_000_000))]
    bound: u64,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug)]
struct Found {
    /// Publications stored in a second, in batches.
    rate: f64,
    memory: f64,
    disk: f64,
    each: f64,
    stop: f64,
    clean: Opened,
    killed: Opened,
}

/// A start.
#[derive(Debug)]
struct Opened {
    seconds: f64,
    /// MiB once it is ready, and the most that it had until then.
    memory: f64,
    peak: f64,
}

#[derive(Debug)]
struct Bounded {
    /// Seconds, and MiB of the directory.
    samples: Vec<(f64, f64)>,
    rate: f64,
    /// The rate in the last quarter as a percentage of that in the second.
    kept: f64,
    written: f64,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Reopen) -> Result<()> {
    let rounds = bench.flags.rounds(1);
    let size = bench.flags.size;
    let sides: Vec<_> = bench.sides.iter().filter(|side| side.name() == FANFARE).cloned().collect();
    let (publications, channels) = (flags.publications, flags.channels);
    let found = bench
        .rounds((rounds, "opening a log"), &sides, |bench, side| measure(bench, side, flags))?;
    type Pick = fn(&Found) -> f64;
    let row = |name: &str, unit, figure: Pick| {
        Row::new(name, unit, pick(&found, |one| Some(figure(one))))
    };
    let rows = vec![
        row("stored and synced, in batches", Unit::EachSecond, |one| one.rate),
        row("disk", Unit::Mebibytes, |one| one.disk),
        row("disk, publication", Unit::Bytes, |one| one.each),
        row("memory, when all are stored", Unit::Mebibytes, |one| one.memory),
        row("a clean stop", Unit::Seconds, |one| one.stop),
        row("open after a clean stop", Unit::Seconds, |one| one.clean.seconds),
        row("memory then", Unit::Mebibytes, |one| one.clean.memory),
        row("the most until then", Unit::Mebibytes, |one| one.clean.peak),
        row("open after kill -9", Unit::Seconds, |one| one.killed.seconds),
        row("memory then", Unit::Mebibytes, |one| one.killed.memory),
        row("the most until then", Unit::Mebibytes, |one| one.killed.peak),
    ];
    let title = format!(
        "opening a log; {publications} publications in {channels} channels, payloads of {size} bytes, \
         {rounds} rounds; from the start of the process to the first publication that is acknowledged, \
         with the files in the system's cache"
    );
    bench.section(Section { title, rows, charts: Vec::new() });
    for (channels, name) in [
        (flags.channels, "retention would keep all of it"),
        (flags.channels.div_ceil(100), "retention keeps 100 of each channel"),
    ] {
        endless(bench, flags, &sides, (channels, name))?;
    }
    Ok(())
}

fn measure(bench: &mut Bench, side: &Side, flags: &Reopen) -> Result<Found> {
    let folder = flags.place.folder()?;
    let each = flags.publications.div_ceil(flags.channels.into()).max(1);
    let count = each.to_string();
    // All are kept, whatever each channel's share.
    let settings = [("FANFARE_HISTORY__COUNT", count.as_str()), ("FANFARE_HISTORY__BYTES", "4GiB")];
    let subject = bench.start_storing(side, &folder, &settings)?;
    let from = (bench.flags.size, bench.clock);
    let mut filler = Filler::connect(&subject, &side.description, 0..flags.channels, from)?;
    let (progress, all) = (&mut bench.progress, flags.publications);
    let seconds = filler.fill(all, |sent| progress.tell(|| format!("{sent} of {all} stored")))?;
    drop(filler);
    let memory = private(&subject)?;
    kept(&subject, all)?;
    bench.progress.tell(|| "stopping".to_owned());
    let stop = subject.stop(LEAVE_MAX)?.as_secs_f64();
    let bytes = folder.bytes()? as f64;
    let (clean, subject) = open(bench, side, (&folder, &settings), all)?;
    subject.kill()?;
    let (killed, _subject) = open(bench, side, (&folder, &settings), all + 1)?;
    let rate = all as f64 / seconds;
    let (disk, each) = (bytes / MIB, bytes / all as f64);
    Ok(Found { rate, memory, disk, each, stop, clean, killed })
}

/// Starts a server where so many publications are kept; ends with one more.
fn open(
    bench: &mut Bench,
    side: &Side,
    (folder, settings): (&Folder, &[(&str, &str)]),
    publications: u64,
) -> Result<(Opened, Subject)> {
    bench.progress.tell(|| "opening".to_owned());
    let begun = Instant::now();
    let subject = bench.start_storing(side, folder, settings)?;
    let from = (bench.flags.size, bench.clock);
    // A channel of its own, in which nothing goes because of it.
    let one = LAST..LAST + 1;
    let mut filler = Filler::connect(&subject, &side.description, one, from)?;
    filler.fill(1, |_| ())?;
    let seconds = begun.elapsed().as_secs_f64();
    wait_until_ready(&subject)?;
    let peak = subject.memory_peak()?.context("no process")? as f64 / MIB;
    let memory = private(&subject)?;
    kept(&subject, publications + 1)?;
    Ok((Opened { seconds, memory, peak }, subject))
}

/// Publishes without end where the log may not grow any more.
fn endless(
    bench: &mut Bench,
    flags: &Reopen,
    sides: &[Side],
    (channels, name): (u32, &str),
) -> Result<()> {
    let rounds = bench.flags.rounds(1);
    let title = format!("publishing at the bound, {name}");
    let found = bench
        .rounds((rounds, &title), sides, |bench, side| publish_on(bench, side, flags, channels))?;
    let most = |one: &Bounded| one.samples.iter().map(|(_, size)| *size).fold(0.0, f64::max);
    let rows = vec![
        Row::new("the directory, at most", Unit::Mebibytes, pick(&found, |one| Some(most(one))))
            .goal(Goal::Figure(flags.bound as f64)),
        Row::new("written", Unit::Mebibytes, pick(&found, |one| Some(one.written))),
        Row::new(
            "stored and synced, in batches",
            Unit::EachSecond,
            pick(&found, |one| Some(one.rate)),
        ),
        Row::new(
            "the last quarter of the time beside the second",
            Unit::Percent,
            pick(&found, |one| Some(one.kept)),
        ),
    ];
    let line = |(who, rounds): &(String, Vec<Bounded>)| Line {
        name: who.clone(),
        points: rounds.iter().flat_map(|one| one.samples.iter().copied()).collect(),
    };
    let chart = Chart {
        title: format!("the directory while publishing, {name}"),
        x: Axis { label: "seconds".to_owned(), logarithmic: false },
        y: Axis { label: "MiB".to_owned(), logarithmic: false },
        lines: found.iter().map(line).collect(),
    };
    let title = format!(
        "{title}; {channels} channels, `log.bytes_max` of {} MiB, {rounds} rounds of {} s, payloads of {} bytes",
        flags.bound,
        flags.time.as_secs(),
        bench.flags.size
    );
    bench.section(Section { title, rows, charts: vec![chart] });
    Ok(())
}

fn publish_on(bench: &mut Bench, side: &Side, flags: &Reopen, channels: u32) -> Result<Bounded> {
    let folder = flags.place.folder()?;
    let bound = format!("{}MiB", flags.bound);
    let subject = bench.start_storing(side, &folder, &[("FANFARE_LOG__BYTES_MAX", &bound)])?;
    let from = (bench.flags.size, bench.clock);
    let mut filler = Filler::connect(&subject, &side.description, 0..channels, from)?;
    let (begun, mut samples, mut sent) = (Instant::now(), Vec::new(), Vec::new());
    while begun.elapsed() < flags.time {
        filler.step(u64::MAX)?;
        let seconds = begun.elapsed().as_secs_f64();
        if samples.len() as f64 * SAMPLE.as_secs_f64() <= seconds {
            samples.push((seconds, folder.bytes()? as f64 / MIB));
            sent.push(filler.sent as f64);
            let left = flags.time.saturating_sub(begun.elapsed()).as_secs();
            bench.progress.tell(|| format!("{left} s to go"));
        }
    }
    filler.finish()?;
    let rate = filler.sent as f64 / begun.elapsed().as_secs_f64();
    let at = |quarter: usize| {
        let place = (sent.len() * quarter / 4).min(sent.len().saturating_sub(1));
        sent.get(place).copied().unwrap_or(0.0)
    };
    let kept = (at(4) - at(3)) / (at(2) - at(1)).max(1.0) * 100.0;
    let written = counted(&subject, "fanfare_log_written_bytes_total")? / MIB;
    if counted(&subject, "fanfare_log_appends_failed_total")? > 0.0 {
        bail!("appends were refused");
    }
    Ok(Bounded { samples, rate, kept, written })
}

/// Fails unless the log has exactly so many publications.
fn kept(subject: &Subject, expected: u64) -> Result<()> {
    let found = counted(subject, "fanfare_log_publications")?;
    if (found - expected as f64).abs() > 0.5 {
        bail!("{expected} publications were acknowledged, and the log has {found}");
    }
    Ok(())
}

fn private(subject: &Subject) -> Result<f64> {
    Ok(subject.memory()?.context("no process")?.private as f64 / MIB)
}

const MIB: f64 = (1 << 20) as f64;

/// A channel that none of the others is.
const LAST: u32 = 2_000_000;

/// How long a clean stop may take.
const LEAVE_MAX: Duration = Duration::from_secs(120);

/// Time between two looks at the directory.
const SAMPLE: Duration = Duration::from_millis(100);
