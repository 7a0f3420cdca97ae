//! What can be measured: one file per scenario, each of which adds sections to the report.

pub(super) mod accept;
pub(super) mod audiences;
pub(super) mod curves;
pub(super) mod delivery;
pub(super) mod durable;
pub(super) mod fairness;
pub(super) mod fan_out;
pub(super) mod goals;
pub(super) mod idle;
pub(super) mod latency;
pub(super) mod open_loop;
pub(super) mod publish;
pub(super) mod reconnect;
pub(super) mod reopen;
pub(super) mod soak;
pub(super) mod stored;
pub(super) mod storm;
pub(super) mod throughput;

use anyhow::{Context, Result};

use super::audience::Audience;
use super::description::Transport;
use super::numbers::Numbers;
use super::publisher::Publisher;
use super::run::{Bench, Lengths, Side};

/// A side's transport of this name.
fn transport<'a>(side: &'a Side, name: &str) -> Result<&'a Transport> {
    let found = side.description.transport(name);
    found.with_context(|| format!("{} has no transport {name}", side.name()))
}

/// The payload that this side is given: the floor gets the whole frame that others make of it.
fn payload_bytes(bench: &Bench, side: &Side, lengths: Lengths) -> usize {
    if side.is_floor() { lengths.frame } else { bench.flags.size }
}

/// Publishes to a channel, and waits until everyone has it.
fn publish_one(
    audience: &mut Audience<'_>,
    (publisher, numbers): (&mut Publisher<'_>, &mut Numbers),
    channel: u32,
) -> Result<()> {
    audience.expect(channel);
    publisher.publish(&[numbers.next(channel)])?;
    audience.wait(0)
}
