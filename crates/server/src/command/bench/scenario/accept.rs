//! `accept`: what it costs to take a subscription, and how many a second come about.

use std::time::Instant;

use anyhow::Result;

use super::{payload_bytes, transport};
use crate::command::bench::audience::Shape;
use crate::command::bench::report::{Goal, Row, Section, Unit};
use crate::command::bench::run::{Bench, Lengths, Side, pick};
use crate::command::bench::series::per;

/// What `accept` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Accept {}

#[derive(Debug, Clone, Copy)]
struct Found {
    cpu: Option<f64>,
    rate: f64,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, _flags: &Accept) -> Result<()> {
    let members = bench.flags.connections(19_000);
    let rounds = bench.flags.rounds(3);
    for name in bench.flags.transports(&["sse", "v1", "raw"]) {
        let shape = Shape::crowd(members, 1);
        let lengths = bench.lengths(&name, shape, bench.flags.size)?;
        let sides = bench.sides_with(&name);
        let title = format!("{name}, accepting");
        let found = bench.rounds((rounds, &title), &sides, |bench, side| {
            measure(bench, side, &name, shape, lengths)
        })?;
        let cpu = pick(&found, |one| one.cpu);
        let rate = pick(&found, |one| Some(one.rate));
        let rows = vec![
            Row::new("CPU, accepting a subscription", Unit::Microseconds, cpu)
                .goal(Goal::Figure(25.0)),
            Row::new("subscriptions", Unit::EachSecond, rate),
        ];
        let title = format!(
            "{title}; {members} connections, 256 on their way at a time, from the connection to what says \
             that the subscription stands, {rounds} rounds"
        );
        bench.section(Section { title, rows, charts: Vec::new() });
    }
    Ok(())
}

fn measure(
    bench: &mut Bench,
    side: &Side,
    name: &str,
    shape: Shape,
    lengths: Lengths,
) -> Result<Found> {
    let subject = bench.start(side, lengths)?;
    let transport = transport(side, name)?;
    let size = payload_bytes(bench, side, lengths);
    let query = bench.flags.query.clone();
    drop(bench.open(&subject, transport, Shape::crowd(10, 1), (size, &query))?);
    let (cpu, began) = (subject.cpu()?, Instant::now());
    let audience = bench.open(&subject, transport, shape, (size, &query))?;
    let wall = began.elapsed();
    let members = shape.members as u64;
    let cpu = subject.cpu()?.zip(cpu).map(|(now, before)| per(now - before, members) / 1_000.0);
    bench.tally(side, &audience.tally());
    Ok(Found { cpu, rate: members as f64 / wall.as_secs_f64() })
}
