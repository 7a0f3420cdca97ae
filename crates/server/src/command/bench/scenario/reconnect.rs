//! `reconnect`: everyone is cut at once and comes back to where it was.

use std::time::Instant;

use anyhow::{Context, Result};

use super::transport;
use crate::command::bench::audience::Shape;
use crate::command::bench::numbers::Numbers;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::report::{Goal, Row, Section, Unit};
use crate::command::bench::run::{Bench, Lengths, Side, pick};
use crate::command::bench::series::per;

/// What `reconnect` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Reconnect {
    /// Publications that everyone missed.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    missed: u32,
}

#[derive(Debug, Clone, Copy)]
struct Found {
    /// CPU seconds of the server for all of them.
    cpu: Option<f64>,
    /// CPU microseconds for each.
    each: Option<f64>,
    /// Seconds until everyone has everything.
    wall: f64,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Reconnect) -> Result<()> {
    let members = bench.flags.connections(19_000);
    let rounds = bench.flags.rounds(3);
    for name in bench.flags.transports(&["sse", "v1"]) {
        let can = |side: &Side| {
            side.description.transport(&name).is_some_and(|transport| transport.resume.is_some())
        };
        let sides: Vec<_> = bench.sides.iter().filter(|side| can(side)).cloned().collect();
        let title = format!("{name}, coming back");
        let found = bench.rounds((rounds, &title), &sides, |bench, side| {
            measure(bench, side, &name, (members, flags.missed))
        })?;
        // The goal is for 19,000 of them.
        let goal = 3.0 * members as f64 / 19_000.0;
        let rows = vec![
            Row::new("CPU, everyone", Unit::Seconds, pick(&found, |one| one.cpu))
                .goal(Goal::Figure(goal)),
            Row::new("CPU, each", Unit::Microseconds, pick(&found, |one| one.each)),
            Row::new(
                "until everyone has everything",
                Unit::Seconds,
                pick(&found, |one| Some(one.wall)),
            ),
        ];
        let title = format!(
            "{title}; {members} connections are cut, miss {} publications and come back with their \
             cursors, {rounds} rounds",
            flags.missed
        );
        bench.section(Section { title, rows, charts: Vec::new() });
    }
    Ok(())
}

fn measure(
    bench: &mut Bench,
    side: &Side,
    name: &str,
    (members, missed): (usize, u32),
) -> Result<Found> {
    let subject = bench.start(side, Lengths::default())?;
    let transport = transport(side, name)?;
    transport.resume.as_ref().context("nothing to come back with")?;
    let size = bench.flags.size;
    let query = bench.flags.query.clone();
    let mut audience = bench.open(&subject, transport, Shape::crowd(members, 1), (size, &query))?;
    audience.cut();
    let way = side.description.way("post")?;
    let mut publisher = Publisher::connect(&subject, way, (0, 0), size)?;
    let mut numbers = Numbers::new(bench.clock);
    for _ in 0..missed {
        audience.expect(0);
        publisher.publish(&[numbers.next(0)])?;
    }
    // Once it is at rest, the server has seen everyone leave.
    let (cpu, began) = (subject.cpu()?, Instant::now());
    audience.come_back(&mut bench.progress)?;
    audience.wait(0)?;
    let wall = began.elapsed().as_secs_f64();
    let cpu = subject.cpu()?.zip(cpu).map(|(now, before)| now - before);
    bench.tally(side, &audience.tally());
    Ok(Found {
        cpu: cpu.map(|nanos| nanos as f64 / 1e9),
        each: cpu.map(|nanos| per(nanos, members as u64) / 1_000.0),
        wall,
    })
}
