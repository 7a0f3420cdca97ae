//! `publish`: publishing to channels that nobody reads.

use std::time::Instant;

use anyhow::{Result, bail};

use crate::command::bench::description::Way;
use crate::command::bench::mark::Mark;
use crate::command::bench::numbers::Numbers;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::report::{Goal, Row, Section, Unit};
use crate::command::bench::run::{Bench, Lengths, Side, pick};
use crate::command::bench::series::per;
use crate::command::bench::subject::Subject;

/// What `publish` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Publish {
    /// Connections that publish, each with one request at a time.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    publishers: u32,
    /// Publications in each measurement.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    count: u32,
    /// Publications in a batch.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: u32,
}

/// What publishing cost.
#[derive(Debug, Clone, Copy, Default)]
struct Found {
    post: Option<Cost>,
    alone: Option<Cost>,
    batch: Option<Cost>,
    raw: Option<Cost>,
    v1: Option<Cost>,
}

/// What one way cost.
#[derive(Debug, Clone, Copy)]
struct Cost {
    /// CPU microseconds of the server for a publication.
    cpu: Option<f64>,
    /// Publications in a second.
    rate: f64,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Publish) -> Result<()> {
    let rounds = bench.flags.rounds(5);
    let size = bench.flags.size;
    let lengths = bench.lengths(ANY, super::super::audience::Shape::crowd(1, 1), size)?;
    let sides = bench.sides.clone();
    let found = bench.rounds((rounds, "publishing"), &sides, |bench, side| {
        measure(bench, side, flags, lengths)
    })?;
    let row = |name: String, figure: fn(&Found) -> Option<Cost>| {
        let cpu = |found: &Found| figure(found).and_then(|cost| cost.cpu);
        Row::new(format!("CPU, {name}"), Unit::Microseconds, pick(&found, cpu))
    };
    // The goals are those of one shard: of two, a half of all publishes hops to the other.
    let alone = bench.flags.shards == 1;
    let most = |row: Row, ratio| if alone { row.goal(Goal::Ratio(ratio)) } else { row };
    let publishers = flags.publishers;
    let mut rows = vec![
        most(row(format!("POST, {publishers} connections"), |one| one.post), 2.0),
        row("POST, one connection".to_owned(), |one| one.alone),
        most(row(format!("item of a batch of {}", flags.batch), |one| one.batch), 1.0),
        most(row("frame, raw WebSocket, echoed".to_owned(), |one| one.raw), 1.5),
        most(row("frame, fanfare.v1".to_owned(), |one| one.v1), 1.5),
    ];
    type Pick = fn(&Found) -> Option<Cost>;
    let rates: [(&str, Pick); 4] = [
        ("POST", |one| one.post),
        ("in batches", |one| one.batch),
        ("raw WebSocket", |one| one.raw),
        ("fanfare.v1", |one| one.v1),
    ];
    for (name, figure) in rates {
        let rate = pick(&found, |one| figure(one).map(|cost| cost.rate));
        rows.push(Row::new(format!("publications, {name}"), Unit::EachSecond, rate));
    }
    rows.retain(|row| !row.figures.is_empty());
    let title = format!(
        "publishing without subscribers; {publishers} connections with one request at a time, payloads of \
         {size} bytes, {rounds} rounds of {} publications, {} shards",
        flags.count, bench.flags.shards
    );
    bench.section(Section { title, rows, charts: Vec::new() });
    Ok(())
}

fn measure(bench: &mut Bench, side: &Side, flags: &Publish, lengths: Lengths) -> Result<Found> {
    let subject = bench.start(side, lengths)?;
    let many = usize::try_from(flags.publishers)?;
    let ways = &side.description.ways;
    let mut cost = |way: &str, publishers, batch| {
        let Some(way) = ways.get(way) else {
            return Ok(None);
        };
        // One alone waits for each answer, so that a quarter is enough.
        let count = if publishers == 1 { flags.count.div_ceil(4) } else { flags.count };
        let plan = Plan { publishers, batch, count, size: bench.flags.size };
        publish(bench, &subject, way, plan).map(Some)
    };
    if side.is_floor() {
        // Its loop is what everything is compared with, whichever way it came.
        let post = cost("ask", many, 1)?;
        let alone = cost("ask", 1, 1)?;
        return Ok(Found { post, alone, batch: post, raw: post, v1: post });
    }
    Ok(Found {
        post: cost("post", many, 1)?,
        alone: cost("post", 1, 1)?,
        batch: cost("batch", many, flags.batch)?,
        raw: cost("raw", many, 1)?,
        v1: cost("v1", many, 1)?,
    })
}

#[derive(Debug, Clone, Copy)]
struct Plan {
    publishers: usize,
    batch: u32,
    count: u32,
    size: usize,
}

fn publish(bench: &mut Bench, subject: &Subject, way: &Way, plan: Plan) -> Result<Cost> {
    let mut publishers = Vec::new();
    for place in 0..plan.publishers {
        // A raw WebSocket publishes to the channel that it reads: each has one of its own.
        let channel = FIRST + u32::try_from(place)?;
        let publisher = Publisher::connect(subject, way, (place, channel), plan.size)?;
        publishers.push((channel, publisher));
    }
    let Some((channel, first)) = publishers.first_mut() else {
        bail!("nobody publishes");
    };
    let mut numbers = Numbers::new(bench.clock);
    for _ in 0..WARM_UP {
        first.publish(&[numbers.next(*channel)])?;
    }
    let turns = (plan.count / plan.batch).div_ceil(u32::try_from(plan.publishers)?).max(1);
    let marks: Vec<Vec<Mark>> =
        publishers.iter().map(|(channel, _)| numbers.several(*channel, plan.batch)).collect();
    let (cpu, began) = (subject.cpu()?, Instant::now());
    for turn in 0..turns {
        for ((_, publisher), marks) in publishers.iter_mut().zip(&marks) {
            publisher.send(marks)?;
        }
        for (_, publisher) in &mut publishers {
            publisher.read_answers()?;
        }
        bench.progress.tell(|| format!("{turn} of {turns} requests each"));
    }
    let wall = began.elapsed();
    let count = u64::from(turns) * plan.publishers as u64 * u64::from(plan.batch);
    let cpu = subject.cpu()?.zip(cpu).map(|(now, before)| per(now - before, count) / 1_000.0);
    Ok(Cost { cpu, rate: count as f64 / wall.as_secs_f64() })
}

/// The transport by which the length of an answer is found out.
const ANY: &str = "sse";

/// The first channel that is published to; nobody reads those.
const FIRST: u32 = 1_000;

/// Publications before anything is measured.
const WARM_UP: usize = 200;
