//! `curves`: how costs grow with connections, payloads, channels and rates.

use std::time::Duration;

use anyhow::Result;

use super::fan_out::{self, Plan};
use super::open_loop;
use crate::command::bench::audience::Shape;
use crate::command::bench::report::{Axis, Chart, Figure, Line, Row, Section, Unit};
use crate::command::bench::run::{Bench, pick};
use crate::command::duration;

/// What `curves` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Curves {
    /// Numbers of connections.
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "100,1000,5000,10000,19000"
    )]
    many: Vec<usize>,
    /// Bytes of payloads.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "32,128,1024,8192,65536", value_parser = clap::value_parser!(u32).range(28..=1_048_576))]
    sizes: Vec<u32>,
    /// Numbers of channels, among which the connections are divided.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,10,100,1000,10000")]
    channels: Vec<usize>,
    /// Publications in a second.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1,10,100,1000", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rates: Vec<u32>,
    /// How long each rate is kept.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration)]
    time: Duration,
    /// Connections where payloads and rates grow.
    #[arg(long, value_name = "N", default_value_t = 100)]
    few: usize,
}

/// One place of a curve.
struct Place {
    x: f64,
    row: Row,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Curves) -> Result<()> {
    for transport in bench.flags.transports(&["sse"]) {
        connections(bench, flags, &transport)?;
        sizes(bench, flags, &transport)?;
        channels(bench, flags, &transport)?;
        rates(bench, flags, &transport)?;
    }
    Ok(())
}

fn connections(bench: &mut Bench, flags: &Curves, transport: &str) -> Result<()> {
    let mut places = Vec::new();
    for count in &flags.many {
        // Few subscribers need more publications for a figure that holds.
        let singles = (DELIVERIES / count.max(&1)).clamp(5, 300);
        let plan = plan(transport, Shape::crowd(*count, 1), singles);
        places.push(place(bench, plan, (*count, &format!("{count} connections")))?);
    }
    section(bench, &format!("{transport}, connections"), "connections", places);
    Ok(())
}

fn sizes(bench: &mut Bench, flags: &Curves, transport: &str) -> Result<()> {
    let (mut places, before) = (Vec::new(), bench.flags.size);
    for bytes in &flags.sizes {
        let bytes = usize::try_from(*bytes)?;
        bench.flags.size = bytes;
        let plan =
            plan(transport, Shape::crowd(flags.few, 1), (DELIVERIES / flags.few.max(1)).min(300));
        let found = place(bench, plan, (bytes, &format!("payloads of {bytes} bytes")));
        bench.flags.size = before;
        places.push(found?);
    }
    section(
        bench,
        &format!("{transport}, payloads, {} connections", flags.few),
        "bytes of payload",
        places,
    );
    Ok(())
}

fn channels(bench: &mut Bench, flags: &Curves, transport: &str) -> Result<()> {
    let members = bench.flags.connections(10_000);
    let mut places = Vec::new();
    for count in flags.channels.iter().filter(|count| **count <= members) {
        let each = members / count.max(&1);
        let singles = (DELIVERIES / each.max(1)).clamp(5, 2_000);
        let plan = plan(transport, Shape::groups(members, *count), singles);
        places.push(place(bench, plan, (*count, &format!("{count} channels")))?);
    }
    section(
        bench,
        &format!("{transport}, channels of {members} connections in all"),
        "channels",
        places,
    );
    Ok(())
}

fn rates(bench: &mut Bench, flags: &Curves, transport: &str) -> Result<()> {
    let rounds = bench.flags.rounds(3);
    let shape = Shape::crowd(flags.few, 1);
    let lengths = bench.lengths(transport, shape, bench.flags.size)?;
    let sides = bench.sides_with(transport);
    let mut places: [Vec<Place>; 2] = [Vec::new(), Vec::new()];
    for rate in &flags.rates {
        let plan = open_loop::Plan { transport, shape, rate: *rate, time: flags.time };
        let title = format!("{transport}, {rate} a second");
        let found = bench.rounds((rounds, &title), &sides, |bench, side| {
            open_loop::measure(bench, side, plan, lengths)
        })?;
        for (places, (name, share)) in places.iter_mut().zip([("p50", 0.5), ("p99", 0.99)]) {
            let figures = pick(&found, |one| Some(one.latencies.at(share) as f64 / 1_000.0));
            let row = Row::new(format!("{rate} a second, {name}"), Unit::Microseconds, figures);
            places.push(Place { x: f64::from(*rate), row });
        }
    }
    for (places, name) in places.into_iter().zip(["p50", "p99"]) {
        let title = format!("{transport}, rates, {name} of latency, {} connections", flags.few);
        section(bench, &title, "publications a second", places);
    }
    Ok(())
}

fn plan(transport: &str, shape: Shape, singles: usize) -> Plan<'_> {
    Plan { transport, shape, singles, bursts: 0, burst: 1 }
}

fn place(bench: &mut Bench, plan: Plan<'_>, (x, name): (usize, &str)) -> Result<Place> {
    let rounds = bench.flags.rounds(3);
    let sides = bench.sides_with(plan.transport);
    let lengths = bench.lengths(plan.transport, plan.shape, bench.flags.size)?;
    let title = format!("{}, {name}", plan.transport);
    let found = bench.rounds((rounds, &title), &sides, |bench, side| {
        fan_out::measure(bench, side, plan, lengths)
    })?;
    // Where nobody knows the server's processes there is still the time that everything takes.
    let deliveries = |found: &fan_out::Found| found.single.deliveries.max(1) as f64;
    let cpu = pick(&found, |one| one.single.server_each());
    let wall = pick(&found, |one| Some(one.single.wall.as_secs_f64() * 1e6 / deliveries(one)));
    let row = Row::new(format!("CPU, delivery, {name}"), Unit::Microseconds, cpu);
    if row.figures.is_empty() {
        let row = Row::new(format!("time, delivery, {name}"), Unit::Microseconds, wall);
        return Ok(Place { x: x as f64, row });
    }
    Ok(Place { x: x as f64, row })
}

fn section(bench: &mut Bench, title: &str, label: &str, places: Vec<Place>) {
    let mut lines: Vec<Line> = Vec::new();
    for place in &places {
        for Figure { who, spread, .. } in &place.row.figures {
            let point = (place.x, spread.median);
            match lines.iter_mut().find(|line| line.name == *who) {
                Some(line) => line.points.push(point),
                None => lines.push(Line { name: who.clone(), points: vec![point] }),
            }
        }
    }
    let chart = Chart {
        title: title.to_owned(),
        x: Axis { label: label.to_owned(), logarithmic: true },
        y: Axis { label: "microseconds".to_owned(), logarithmic: true },
        lines,
    };
    let rows = places.into_iter().map(|place| place.row).collect();
    bench.section(Section { title: title.to_owned(), rows, charts: vec![chart] });
}

/// Deliveries that a figure is made of, about.
const DELIVERIES: usize = 30_000;
