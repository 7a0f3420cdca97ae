//! `durable`: publications that are on the disk before they are acknowledged.

use std::time::Duration;

use anyhow::Result;

use crate::command::bench::crew::{Crew, Work};
use crate::command::bench::description::Description;
use crate::command::bench::disk;
use crate::command::bench::folder::Place;
use crate::command::bench::report::{FLOOR, Row, Section, Unit};
use crate::command::bench::run::{Bench, Side, pick};
use crate::command::bench::series::per;
use crate::command::bench::usage::own_thread_cpu;
use crate::command::duration;

/// What `durable` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Durable {
    /// Publishers at a time, a list; each has a connection and a channel of its own, and publishes
    /// again when it is answered.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,64,1000", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    publishers: Vec<u32>,
    /// How long each measurement takes.
    #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = duration)]
    time: Duration,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug)]
struct Found {
    work: Work,
    /// CPU microseconds of the server for a publication.
    cpu: Option<f64>,
    /// The share of the time in which this client was busy.
    client: f64,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Durable) -> Result<()> {
    let rounds = bench.flags.rounds(3);
    let size = bench.flags.size;
    let mut sides: Vec<_> = bench.sides.iter().filter(|side| !side.is_floor()).cloned().collect();
    // What the disk can do belongs to every figure.
    sides.push(Side { description: Description::floor()? });
    for publishers in &flags.publishers {
        let many = usize::try_from(*publishers)?;
        let title = format!("stored and synced, {many} publishers");
        let found = bench.rounds((rounds, &title), &sides, |bench, side| {
            if side.is_floor() {
                floor(bench, flags, many)
            } else {
                measure(bench, side, flags, many)
            }
        })?;
        let at = |share: f64| move |one: &Found| Some(one.work.latencies.at(share) as f64 / 1e6);
        let rate = |one: &Found| Some(one.work.count as f64 * 1e9 / one.work.nanos as f64);
        let mut rows = vec![
            Row::new("publications", Unit::EachSecond, pick(&found, rate)),
            Row::new("until it is acknowledged, p50", Unit::Milliseconds, pick(&found, at(0.5))),
            Row::new("until it is acknowledged, p99", Unit::Milliseconds, pick(&found, at(0.99))),
            Row::new("CPU, publication", Unit::Microseconds, pick(&found, |one| one.cpu)),
            Row::new(
                "the client's thread is busy",
                Unit::Percent,
                pick(&found, |one| Some(one.client * 100.0)),
            ),
        ];
        rows.retain(|row| !row.figures.is_empty());
        let title = format!(
            "{title}, each with one publication on its way; payloads of {size} bytes, {rounds} rounds of {} s; \
             the {FLOOR} writes {many} records of {} bytes at once and calls fdatasync",
            flags.time.as_secs(),
            size + RECORD_BYTES
        );
        bench.section(Section { title, rows, charts: Vec::new() });
    }
    Ok(())
}

fn measure(bench: &mut Bench, side: &Side, flags: &Durable, many: usize) -> Result<Found> {
    let folder = flags.place.folder()?;
    let subject = bench.start_storing(side, &folder, &[])?;
    let size = bench.flags.size;
    let mut crew = Crew::connect(&subject, &side.description, (many, size), bench.clock)?;
    bench.progress.tell(String::new);
    crew.work(WARM_UP)?;
    let (cpu, own) = (subject.cpu_now()?, own_thread_cpu()?);
    let work = crew.work(flags.time)?;
    let own = own_thread_cpu()? - own;
    let cpu = subject.cpu_now()?.zip(cpu).map(|(now, before)| now - before);
    bench.check_client(own, Duration::from_nanos(work.nanos))?;
    let client = own as f64 / work.nanos as f64;
    Ok(Found { cpu: cpu.map(|nanos| per(nanos, work.count) / 1_000.0), work, client })
}

fn floor(bench: &Bench, flags: &Durable, many: usize) -> Result<Found> {
    let folder = flags.place.folder()?;
    let bytes = bench.flags.size + RECORD_BYTES;
    disk::write_and_sync(&folder, (many, bytes), bench.clock, WARM_UP)?;
    let own = own_thread_cpu()?;
    let work = disk::write_and_sync(&folder, (many, bytes), bench.clock, flags.time)?;
    let own = own_thread_cpu()? - own;
    let client = own as f64 / work.nanos as f64;
    Ok(Found { cpu: Some(per(own, work.count) / 1_000.0), work, client })
}

/// What Fanfare stores of a publication beside its payload.
const RECORD_BYTES: usize = 80;

/// How long it goes on before anything is measured.
const WARM_UP: Duration = Duration::from_secs(1);
