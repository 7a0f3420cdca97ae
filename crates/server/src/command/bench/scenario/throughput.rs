//! `throughput`: as many deliveries as there can be. Closed loop: so many publications are on their
//! way at a time, and the next one is sent when everyone has the first of them.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{payload_bytes, transport};
use crate::command::bench::audience::Shape;
use crate::command::bench::numbers::Numbers;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::report::{Row, Section, Unit};
use crate::command::bench::run::{Bench, Cost, Lengths, Side, pick};
use crate::command::duration;

/// What `throughput` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Throughput {
    /// Publications on their way at a time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    in_flight: u32,
    /// How long each measurement goes on.
    #[arg(long = "for", value_name = "TIME", default_value = "5s", value_parser = duration)]
    time: Duration,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Throughput) -> Result<()> {
    let members = bench.flags.connections(1_000);
    let rounds = bench.flags.rounds(3);
    for name in bench.flags.transports(&["sse", "v1", "raw"]) {
        let shape = Shape::crowd(members, 1);
        let lengths = bench.lengths(&name, shape, bench.flags.size)?;
        let sides = bench.sides_with(&name);
        let title = format!("{name}, as fast as it goes");
        let found = bench.rounds((rounds, &title), &sides, |bench, side| {
            measure(bench, side, (&name, shape, lengths), flags)
        })?;
        let rate = |cost: &Cost| Some(cost.deliveries as f64 / cost.wall.as_secs_f64());
        let mut rows = vec![
            Row::new("deliveries", Unit::EachSecond, pick(&found, rate)),
            Row::new(
                "publications",
                Unit::EachSecond,
                pick(&found, |cost| Some(rate(cost)? / members as f64)),
            ),
            Row::new("CPU, delivery", Unit::Microseconds, pick(&found, Cost::server_each)),
        ];
        rows.retain(|row| !row.figures.is_empty());
        let title = format!(
            "{title}; {members} connections, payloads of {} bytes, {} publications on their way at a time, \
             {rounds} rounds of {} s",
            bench.flags.size,
            flags.in_flight,
            flags.time.as_secs()
        );
        bench.section(Section { title, rows, charts: Vec::new() });
    }
    Ok(())
}

fn measure(
    bench: &mut Bench,
    side: &Side,
    (name, shape, lengths): (&str, Shape, Lengths),
    flags: &Throughput,
) -> Result<Cost> {
    let subject = bench.start(side, lengths)?;
    let transport = transport(side, name)?;
    let size = payload_bytes(bench, side, lengths);
    let query = bench.flags.query.clone();
    let mut audience = bench.open(&subject, transport, shape, (size, &query))?;
    let mut publisher = Publisher::connect(&subject, side.description.way("post")?, (0, 0), size)?;
    let mut numbers = Numbers::new(bench.clock);
    let others = u64::from(flags.in_flight - 1) * shape.members as u64;
    let cost = bench.stretch(&subject, &mut audience, |audience, progress| {
        let until = Instant::now() + flags.time;
        while Instant::now() < until {
            progress.tell(|| format!("{} deliveries", audience.delivered()));
            audience.expect(0);
            publisher.publish(&[numbers.next(0)])?;
            audience.wait(others)?;
        }
        audience.wait(0)
    })?;
    bench.tally(side, &audience.tally());
    Ok(cost)
}
