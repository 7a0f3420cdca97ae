//! `delivery`: one channel, or several, for everyone.

use anyhow::Result;

use super::fan_out::{self, Plan};
use crate::command::bench::audience::Shape;
use crate::command::bench::report::{Goal, Section};
use crate::command::bench::run::{Bench, Side};

/// What `delivery` takes.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Delivery {
    /// Channels of each connection, a list.
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "1")]
    pub(super) per_connection: Vec<usize>,
    /// Publications one at a time, in each round.
    #[arg(long, value_name = "N", default_value_t = 12)]
    singles: usize,
    /// Bursts in each round.
    #[arg(long, value_name = "N", default_value_t = 8)]
    bursts: usize,
    /// Publications in a burst.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    burst: u32,
}

/// Measures.
///
/// # Errors
/// As each measurement.
pub(crate) fn run(bench: &mut Bench, flags: &Delivery) -> Result<()> {
    let members = bench.flags.connections(5_000);
    let rounds = bench.flags.rounds(5);
    for transport in bench.flags.transports(&["sse", "v1", "raw"]) {
        for per_member in &flags.per_connection {
            let several = *per_member > 1;
            // A raw WebSocket has one channel.
            let fits = |side: &&_| most(side, &transport) >= *per_member;
            let sides: Vec<_> = bench.sides_with(&transport);
            let sides: Vec<_> = sides.iter().filter(fits).cloned().collect();
            if sides.iter().all(|side| side.is_floor()) {
                continue;
            }
            let shape = Shape::crowd(members, *per_member);
            let plan = Plan {
                transport: &transport,
                shape,
                singles: flags.singles.max(1),
                bursts: flags.bursts,
                burst: flags.burst,
            };
            let size = bench.flags.size;
            let lengths = bench.lengths(&transport, shape, size)?;
            let title = format!("{transport}, {per_member} channels a connection");
            let found = bench.rounds((rounds, &title), &sides, |bench, side| {
                fan_out::measure(bench, side, plan, lengths)
            })?;
            let mut goals = vec![
                ("CPU, accepting", Goal::Figure(25.0)),
                ("CPU, delivery, one at a time", Goal::Ratio(1.10)),
                ("CPU, delivery, bursts of 8", Goal::Ratio(1.25)),
                ("user memory", Goal::Figure(400.0)),
            ];
            goals.retain(|_| !several);
            let rows = fan_out::with_goals(fan_out::rows(&found, plan), &goals);
            let title = format!(
                "{title}; {members} connections, payloads of {size} bytes, {rounds} rounds of {} \
                 publications and {} bursts of {}",
                plan.singles, plan.bursts, plan.burst
            );
            bench.section(Section { title, rows, charts: Vec::new() });
        }
    }
    Ok(())
}

/// Channels that a connection of this side can have.
fn most(side: &Side, transport: &str) -> usize {
    side.description.transport(transport).map_or(0, |transport| transport.channels_max)
}
