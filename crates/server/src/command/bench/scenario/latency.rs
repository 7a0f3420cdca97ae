//! `latency`: how long a publication takes to everyone, at rates that are kept whatever happens.

use std::time::Duration;

use anyhow::Result;

use super::open_loop::{self, Found, Plan};
use crate::command::bench::audience::Shape;
use crate::command::bench::histogram::Latencies;
use crate::command::bench::report::{Axis, Chart, Line, Row, Section, Unit};
use crate::command::bench::run::{Bench, Rounds, pick};
use crate::command::duration;

/// What `latency` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Latency {
    /// Publications in a second, a list.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "10,100", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: Vec<u32>,
    /// How long each rate is kept.
    #[arg(long = "for", value_name = "TIME", default_value = "10s", value_parser = duration)]
    time: Duration,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Latency) -> Result<()> {
    let members = bench.flags.connections(1_000);
    let rounds = bench.flags.rounds(3);
    for transport in bench.flags.transports(&["sse", "v1"]) {
        let shape = Shape::crowd(members, 1);
        let lengths = bench.lengths(&transport, shape, bench.flags.size)?;
        let sides = bench.sides_with(&transport);
        for rate in &flags.rate {
            let plan = Plan { transport: &transport, shape, rate: *rate, time: flags.time };
            let title = format!("{transport}, {rate} publications a second");
            let found = bench.rounds((rounds, &title), &sides, |bench, side| {
                open_loop::measure(bench, side, plan, lengths)
            })?;
            let charts = vec![chart(&format!("{title} to {members} subscribers"), &found)?];
            let title = format!(
                "{title}, open loop; {members} connections, payloads of {} bytes, {rounds} rounds of {} s; \
                 from when a publication was due to when a subscriber had it",
                bench.flags.size,
                flags.time.as_secs()
            );
            bench.section(Section { title, rows: rows(&found), charts });
        }
    }
    Ok(())
}

/// The rows of latencies.
pub(super) fn rows(found: &Rounds<Found>) -> Vec<Row> {
    let milliseconds = |name: &str, share: f64| {
        let figure = |one: &Found| Some(one.latencies.at(share) as f64 / 1e6);
        Row::new(name, Unit::Milliseconds, pick(found, figure))
    };
    let mut rows = vec![
        milliseconds("latency, p50", 0.5),
        milliseconds("latency, p90", 0.9),
        milliseconds("latency, p99", 0.99),
        milliseconds("latency, p99.9", 0.999),
        milliseconds("latency, greatest", 1.0),
        Row::new("CPU, delivery", Unit::Microseconds, pick(found, |one| one.cost.server_each())),
        Row::new(
            "CPU of the server",
            Unit::Percent,
            pick(found, |one| {
                let share = one.cost.server? as f64 / one.cost.wall.as_nanos() as f64;
                Some(share * 100.0)
            }),
        ),
    ];
    rows.retain(|row| !row.figures.is_empty());
    rows
}

/// The curves, all rounds of each side taken together.
fn chart(title: &str, found: &Rounds<Found>) -> Result<Chart> {
    let mut lines: Vec<Line> = Vec::new();
    for (name, rounds) in found {
        let mut all = Latencies::new()?;
        for round in rounds {
            all.add(&round.latencies)?;
        }
        lines.push(all.curve(name));
    }
    Ok(Chart {
        title: title.to_owned(),
        x: Axis {
            label: "the slowest delivery in so many (10: p90, 100: p99)".to_owned(),
            logarithmic: true,
        },
        y: Axis { label: "microseconds".to_owned(), logarithmic: true },
        lines,
    })
}
