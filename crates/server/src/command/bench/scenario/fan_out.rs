//! One audience from its opening to its last burst: what a connection, a subscription and a
//! delivery cost. Closed loop: nothing is published before everyone has what was.

use anyhow::Result;

use super::{payload_bytes, publish_one, transport};
use crate::command::bench::audience::{Audience, Shape};
use crate::command::bench::numbers::Numbers;
use crate::command::bench::progress::Progress;
use crate::command::bench::publisher::Publisher;
use crate::command::bench::report::{Goal, Row, Unit};
use crate::command::bench::run::{Bench, Cost, Lengths, Rounds, Side, pick};
use crate::command::bench::series::per;

/// What is measured.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) transport: &'a str,
    pub(super) shape: Shape,
    /// Publications one at a time.
    pub(super) singles: usize,
    /// Bursts, and publications in each.
    pub(super) bursts: usize,
    pub(super) burst: u32,
}

/// What it cost.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    /// Bytes of the server's own memory for an idle connection.
    pub(super) memory: Option<f64>,
    /// CPU microseconds for accepting a subscription.
    pub(super) opening: Option<f64>,
    pub(super) single: Cost,
    pub(super) burst: Option<Cost>,
    /// The same in bursts whose publications are sent each by itself; the floor's only.
    pub(super) apart: Option<Cost>,
    /// Bytes on the wire for a delivery.
    pub(super) frame: f64,
}

/// Opens an audience and publishes to it.
///
/// # Errors
/// If that does not work, or the client was the bottleneck.
pub(super) fn measure(
    bench: &mut Bench,
    side: &Side,
    plan: Plan<'_>,
    lengths: Lengths,
) -> Result<Found> {
    let subject = bench.start(side, lengths)?;
    let transport = transport(side, plan.transport)?;
    let size = payload_bytes(bench, side, lengths);
    let query = bench.flags.query.clone();
    // Buffers that every process needs once are not counted among those of its connections.
    let few = Shape { members: plan.shape.members.min(10), ..plan.shape };
    drop(bench.open(&subject, transport, few, (size, &query))?);
    let (cpu, memory) = (subject.cpu()?, subject.memory()?);
    let mut audience = bench.open(&subject, transport, plan.shape, (size, &query))?;
    let members = plan.shape.members as u64;
    let opening = subject.cpu()?.zip(cpu).map(|(now, before)| per(now - before, members) / 1_000.0);
    let memory = subject
        .memory()?
        .zip(memory)
        .map(|(now, before)| per(now.private.saturating_sub(before.private), members));

    let mut numbers = Numbers::new(bench.clock);
    let mut publisher = Publisher::connect(&subject, side.description.way("post")?, (0, 0), size)?;
    let mut channels = plan.shape.channels().cycle();
    let mut singles = |audience: &mut Audience<'_>, progress: &mut Progress, count| {
        for (sent, channel) in channels.by_ref().take(count).enumerate() {
            progress.tell(|| format!("{sent} of {count} publications"));
            publish_one(audience, (&mut publisher, &mut numbers), channel)?;
        }
        Ok(())
    };
    singles(&mut audience, &mut bench.progress, WARM_UP)?;
    let bytes = audience.bytes();
    let single = bench.stretch(&subject, &mut audience, |audience, progress| {
        singles(audience, progress, plan.singles)
    })?;
    let frame = per(audience.bytes() - bytes, single.deliveries);

    let mut burst = |bench: &mut Bench, audience: &mut Audience<'_>, way: &str, bursts| {
        let ways = &side.description.ways;
        let Some(way) = ways.get(way).or_else(|| ways.get("post").filter(|_| way == "batch"))
        else {
            return Ok(None);
        };
        let mut publisher = Publisher::connect(&subject, way, (1, 0), size)?;
        let cost = bench.stretch(&subject, audience, |audience, progress| {
            for (sent, channel) in plan.shape.channels().cycle().take(bursts).enumerate() {
                progress.tell(|| format!("{sent} of {bursts} bursts"));
                (0..plan.burst).for_each(|_| audience.expect(channel));
                publisher.publish(&numbers.several(channel, plan.burst))?;
                audience.wait(0)?;
            }
            Ok(())
        })?;
        Ok::<_, anyhow::Error>(Some(cost).filter(|_| bursts > 0))
    };
    let together = burst(bench, &mut audience, "batch", plan.bursts)?;
    let apart = burst(bench, &mut audience, "apart", plan.bursts.div_ceil(3))?;
    // Something that nobody waits for may still come, a second time for instance.
    audience.receive_for(SILENCE)?;
    bench.tally(side, &audience.tally());
    Ok(Found { memory, opening, single, burst: together, apart, frame })
}

/// The rows of what was found.
pub(super) fn rows(found: &Rounds<Found>, plan: Plan<'_>) -> Vec<Row> {
    let row = |name: &str, unit, figure: fn(&Found) -> Option<f64>| {
        Row::new(name, unit, pick(found, figure))
    };
    let singles = plan.singles.max(1) as f64;
    let whole = pick(found, |one| Some(one.single.wall.as_secs_f64() * 1_000.0 / singles));
    let mut rows = vec![
        row("user memory, idle connection", Unit::Bytes, |one| one.memory),
        row("CPU, accepting a subscription", Unit::Microseconds, |one| one.opening),
        row("CPU, delivery, one at a time", Unit::Microseconds, |one| one.single.server_each()),
        row(&format!("CPU, delivery, bursts of {}", plan.burst), Unit::Microseconds, |one| {
            one.burst.and_then(|cost| cost.server_each())
        }),
        row("the same, a send for each frame", Unit::Microseconds, |one| {
            one.apart.and_then(|cost| cost.server_each())
        }),
        Row::new("until everyone has one", Unit::Milliseconds, whole),
        row("on the wire, delivery", Unit::Bytes, |one| Some(one.frame)),
        row("the client's own CPU, delivery", Unit::Microseconds, |one| {
            Some(one.single.client_each())
        }),
    ];
    rows.retain(|row| !row.figures.is_empty());
    rows
}

/// Gives rows what Fanfare is to stay under, by the beginning of their names.
pub(super) fn with_goals(rows: Vec<Row>, goals: &[(&str, Goal)]) -> Vec<Row> {
    let goal = |row: Row| {
        let found = goals.iter().find(|(name, _)| row.name.starts_with(name));
        match found {
            Some((_, goal)) => row.goal(*goal),
            None => row,
        }
    };
    rows.into_iter().map(goal).collect()
}

/// Publications before anything is measured.
const WARM_UP: usize = 2;

/// How long is listened for what nobody waits for.
const SILENCE: std::time::Duration = std::time::Duration::from_millis(50);
