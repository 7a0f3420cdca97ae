//! `fanfare bench`: measures Fanfare, or any server that a small file describes, from one process.
//!
//! It is the client only: it knows of a server what stands in its description, what comes over its
//! sockets, and what the kernel counts of its processes. `docs/benchmarks.md` says how it measures.
//!
//! - `scenario`: what can be measured, one file each
//! - `run`: what all of them work with
//! - `description`, `template`: what is known of a server
//! - `subject`, `usage`, `floor`: a server that runs, what it uses, and the least there could be
//! - `audience`, `member`, `framing`, `mark`, `ledger`: the subscribers and their books
//! - `manner`: how they come where they do not come plainly, in TLS and with tokens
//! - `publisher`, `numbers`: who publishes
//! - `crew`, `exchange`: who has it stored; `folder`, `disk`: where, and the least that costs
//! - `histogram`, `series`, `report`, `progress`: what is told
//! - `compare`: `fanfare compare`, which works with these too

mod audience;
pub(super) mod compare;
mod connect;
mod crew;
mod description;
mod disk;
mod exchange;
mod flags;
mod floor;
mod folder;
mod framing;
mod histogram;
mod ledger;
mod manner;
mod mark;
mod member;
mod numbers;
mod progress;
mod publisher;
mod report;
mod run;
mod scenario;
mod series;
mod subject;
mod template;
mod usage;

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};

use super::output;
use crate::exit::Exit;
use report::{Machine, Report};
use run::Bench;
use scenario::{
    accept, audiences, curves, delivery, durable, fairness, goals, idle, latency, publish,
    reconnect, reopen, soak, storm, throughput,
};

/// What is measured.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Scenario {
    /// CPU per delivery and memory per connection: one channel, or several, for everyone.
    Delivery(With<delivery::Delivery>),
    /// The same where each of several channels has subscribers of its own.
    Audiences(With<audiences::Audiences>),
    /// Publishing to channels that nobody reads: requests, batches, WebSocket frames.
    Publish(With<publish::Publish>),
    /// Memory and CPU of connections on which nothing happens but heartbeats.
    Idle(With<idle::Idle>),
    /// Accepting subscriptions: CPU for each, and how many a second.
    Accept(With<accept::Accept>),
    /// Everyone is cut at once and comes back to where it was.
    Reconnect(With<reconnect::Reconnect>),
    /// Time from a publication to everyone who has it, at rates that are kept (open loop).
    Latency(With<latency::Latency>),
    /// As many deliveries as there can be (closed loop).
    Throughput(With<throughput::Throughput>),
    /// A channel with two subscribers beside one that is flooded.
    Fairness(With<fairness::Fairness>),
    /// A long time of publishing, coming and going; how memory grows.
    Soak(With<soak::Soak>),
    /// Publications that are on the disk before they are acknowledged: how many, and how soon.
    Durable(With<durable::Durable>),
    /// Subscribers that come back together for what only the disk has, beside live channels.
    Storm(With<storm::Storm>),
    /// A log of many publications: how long it takes to open, what it takes, and its bound.
    Reopen(With<reopen::Reopen>),
    /// How costs grow with connections, payloads, channels and rates.
    Curves(With<curves::Curves>),
    /// Everything that Fanfare has set itself, but for the soak and what is stored.
    Goals(With<goals::Goals>),
    /// The bare loop; started by the others.
    #[command(hide = true)]
    Floor(floor::Flags),
    /// Runs a server that ends with the bench; started by the others.
    #[command(hide = true)]
    Guard(Guard),
}

/// A scenario's own flags and those of all.
#[derive(Debug, clap::Args)]
pub(crate) struct With<T: clap::Args> {
    #[command(flatten)]
    own: T,
    #[command(flatten)]
    flags: flags::Flags,
}

/// A command with its arguments.
#[derive(Debug, clap::Args)]
pub(crate) struct Guard {
    #[arg(last = true)]
    command: Vec<String>,
}

/// Measures, and tells what was found.
///
/// # Errors
///
/// A description that is wrong, a server that does not start, or figures that would be those of
/// this client.
pub(crate) fn run(scenario: &Scenario) -> Result<Exit> {
    match scenario {
        Scenario::Delivery(with) => measure(with, delivery::run),
        Scenario::Audiences(with) => measure(with, audiences::run),
        Scenario::Publish(with) => measure(with, publish::run),
        Scenario::Idle(with) => measure(with, idle::run),
        Scenario::Accept(with) => measure(with, accept::run),
        Scenario::Reconnect(with) => measure(with, reconnect::run),
        Scenario::Latency(with) => measure(with, latency::run),
        Scenario::Throughput(with) => measure(with, throughput::run),
        Scenario::Fairness(with) => measure(with, fairness::run),
        Scenario::Soak(with) => measure(with, soak::run),
        Scenario::Durable(with) => measure(with, durable::run),
        Scenario::Storm(with) => measure(with, storm::run),
        Scenario::Reopen(with) => measure(with, reopen::run),
        Scenario::Curves(with) => measure(with, curves::run),
        Scenario::Goals(with) => measure(with, goals::run),
        Scenario::Floor(flags) => floor::run(flags).map(|()| Exit::Success),
        Scenario::Guard(guard) => subject::guard(&guard.command).map(|()| Exit::Success),
    }
}

fn measure<T: clap::Args>(
    with: &With<T>,
    scenario: fn(&mut Bench, &T) -> Result<()>,
) -> Result<Exit> {
    let began = Instant::now();
    let words: Vec<_> = std::env::args().skip(1).collect();
    let report = Report {
        command: format!("fanfare {}", words.join(" ")),
        version: env!("CARGO_PKG_VERSION"),
        machine: Machine::here(),
        sections: Vec::new(),
        tallies: Vec::new(),
        notes: Vec::new(),
        seconds: 0.0,
    };
    let mut bench = Bench::new(with.flags.clone(), report)?;
    subject::leave_on_signal()?;
    let outcome = scenario(&mut bench, &with.own);
    bench.progress.clear();
    outcome?;
    bench.report.seconds = began.elapsed().as_secs_f64();
    tell(&bench)
}

fn tell(bench: &Bench) -> Result<Exit> {
    let report = &bench.report;
    if let Some(path) = &bench.flags.svg {
        match report::svg::write(report) {
            Some(page) => fs::write(path, page).with_context(|| path.display().to_string())?,
            None => output::note("this scenario draws no chart, so there is no --svg"),
        }
    }
    if bench.flags.json {
        output::line(&serde_json::to_string_pretty(report)?)?;
    } else {
        output::data(report::table::write(report).as_bytes())?;
    }
    let clean = report.tallies.iter().all(|(_, tally)| tally.is_clean());
    Ok(if clean { Exit::Success } else { Exit::Failure })
}
