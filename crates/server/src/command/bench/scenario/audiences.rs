//! `audiences`: several channels, each with subscribers of its own.

use anyhow::Result;

use super::fan_out::{self, Plan};
use crate::command::bench::audience::Shape;
use crate::command::bench::report::{Goal, Section};
use crate::command::bench::run::Bench;

/// What `audiences` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Audiences {
    /// Channels, among which the connections are divided.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..))]
    channels: u16,
    /// Publications to each channel, in each round, one at a time.
    #[arg(long, value_name = "N", default_value_t = 3)]
    singles: usize,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Audiences) -> Result<()> {
    let channels = usize::from(flags.channels);
    let members = bench.flags.connections(channels * 500).max(channels);
    let rounds = bench.flags.rounds(5);
    for transport in bench.flags.transports(&["sse", "v1", "raw"]) {
        let shape = Shape::groups(members, channels);
        let singles = flags.singles.max(1) * channels;
        let plan = Plan { transport: &transport, shape, singles, bursts: channels, burst: 8 };
        let lengths = bench.lengths(&transport, shape, bench.flags.size)?;
        let title = format!("{transport}, {channels} channels with an audience each");
        let sides = bench.sides_with(&transport);
        let found = bench.rounds((rounds, &title), &sides, |bench, side| {
            fan_out::measure(bench, side, plan, lengths)
        })?;
        let goals = [("CPU, delivery, one at a time", Goal::Ratio(1.15))];
        let rows = fan_out::with_goals(fan_out::rows(&found, plan), &goals);
        let title = format!(
            "{title}; {members} connections, payloads of {} bytes, {rounds} rounds of {} publications to \
             each channel in turn",
            bench.flags.size, flags.singles
        );
        bench.section(Section { title, rows, charts: Vec::new() });
    }
    Ok(())
}
