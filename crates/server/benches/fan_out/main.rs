//! What a connection and a delivery cost, beside a bare epoll loop in the same run.
//!
//! The real binary runs as a child with one shard; the floor is another child, in which one thread
//! does nothing but poll, read and send. This process is the client of both. Each round gives
//! Fanfare and the floor the same load one after the other, in an order that changes from round
//! to round, and asks the kernel for the CPU time that the child took. `docs/benchmarks.md` says
//! what each figure means.
//!
//! - `subject`: a child under measurement
//! - `floor`: what the floor's child does
//! - `audience`: the subscribers
//! - `publisher`: keep-alive connections that post
//! - `round`: one measurement of each kind
//! - `report`: the tables

mod audience;
mod floor;
mod publisher;
mod report;
mod round;
mod subject;

use std::time::Instant;

use anyhow::{Context, Result, bail};

use report::Report;
use round::{Fanned, Lengths, Posted};
use subject::Kind;

/// What is measured, as the flags say.
#[derive(Debug, Clone, Copy)]
struct Plan {
    /// Subscribers of the one channel.
    connections: usize,
    /// Measurements of each figure, of which the median is told.
    rounds: usize,
    /// Publications one at a time, in each measurement.
    singles: usize,
    /// Bursts in each measurement.
    bursts: usize,
    /// Requests in each measurement of posting.
    posts: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Self { connections: 10_000, rounds: 5, singles: 12, bursts: 8, posts: 20_000 }
    }
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let mut plan = Plan::default();
    while let Some(word) = words.next() {
        let mut number = || -> Result<usize> {
            let text = words.next().with_context(|| format!("{word} needs a number"))?;
            text.parse().with_context(|| format!("{word} {text}"))
        };
        match word.as_str() {
            "--floor" => return floor::run(number()?, number()?),
            "--connections" => plan.connections = number()?.clamp(1, CONNECTIONS_MAX),
            "--rounds" => plan.rounds = number()?.clamp(1, 15),
            "--singles" => plan.singles = number()?.clamp(1, 1_000),
            "--bursts" => plan.bursts = number()?.clamp(1, 1_000),
            "--posts" => plan.posts = number()?.clamp(1_000, 1_000_000),
            // Cargo says what kind of target it runs.
            "--bench" => {}
            _ => bail!("there is no flag {word}; see docs/benchmarks.md"),
        }
    }
    measure(plan)
}

fn measure(plan: Plan) -> Result<()> {
    let began = Instant::now();
    let report = Report::begin(plan);
    let mut lengths = Lengths::default();
    for language in audience::Language::ALL {
        let mut rounds = Vec::new();
        // The floor sends frames of the length that Fanfare's have, which has to be known first.
        let short = Plan { connections: 10, ..plan };
        lengths = round::fan_out(Kind::Fanfare, language, short, lengths)?.lengths;
        for number in 0..plan.rounds {
            let pair = order(number)
                .map(|kind| round::fan_out(kind, language, plan, lengths))
                .into_iter()
                .collect::<Result<Vec<Fanned>>>()?;
            rounds.push(pair);
        }
        report.fanned(language, &rounds)?;
    }
    let mut rounds = Vec::new();
    for number in 0..plan.rounds {
        let pair = order(number)
            .map(|kind| round::post(kind, plan, lengths))
            .into_iter()
            .collect::<Result<Vec<Posted>>>()?;
        rounds.push(pair);
    }
    report.posted(&rounds)?;
    report.end(began.elapsed());
    Ok(())
}

/// Who goes first changes, so that neither always has the machine as the other left it.
fn order(number: usize) -> [Kind; 2] {
    if number.is_multiple_of(2) {
        [Kind::Fanfare, Kind::Floor]
    } else {
        [Kind::Floor, Kind::Fanfare]
    }
}

/// What the client's own process can hold open on a limit of 20,000 files, with some to spare.
const CONNECTIONS_MAX: usize = 19_000;
