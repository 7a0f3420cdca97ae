//! The tables: the median of the rounds, and the least and the greatest of them.

use std::fs;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::Plan;
use crate::audience::Language;
use crate::publisher::PAYLOAD_BYTES;
use crate::round::{BATCH, BURST, Fanned, Posted};
use crate::subject::Kind;

/// What is printed, as it comes.
#[derive(Debug)]
pub(crate) struct Report {}

/// A figure of each round, in order.
#[derive(Debug)]
struct Series(Vec<f64>);

/// What a row's figures are in.
#[derive(Debug, Clone, Copy)]
enum Unit {
    Bytes,
    /// Given in nanoseconds, told in microseconds.
    Micros,
}

impl Report {
    /// Says what is measured on which machine.
    pub(crate) fn begin(plan: Plan) -> Self {
        let Plan { connections, rounds, singles, bursts, posts } = plan;
        let cores = thread::available_parallelism().map_or(0, usize::from);
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let load: Vec<_> = load.split_whitespace().take(3).collect();
        say(&format!(
            "{cores} cores ({}), Linux {}, load when it began {}",
            processor(),
            kernel.trim(),
            load.join(" ")
        ));
        say(&format!(
            "{connections} subscribers of one channel, one shard, loopback, {PAYLOAD_BYTES}-byte payloads; \
             {rounds} rounds of {singles} publications one at a time, {bursts} bursts of {BURST}, {posts} posts"
        ));
        say("median (least to greatest); a ratio is taken within each round\n");
        Self {}
    }

    /// Tells of one language.
    ///
    /// # Errors
    /// If a round is incomplete.
    pub(crate) fn fanned(&self, language: Language, rounds: &[Vec<Fanned>]) -> Result<()> {
        let of = |kind, figure: fn(&Fanned) -> f64| series(rounds, |one| one.kind == kind, figure);
        let frame = of(Kind::Fanfare, |one| one.lengths.frame as f64)?;
        header(&format!("{}, {:.0} bytes a frame", language.name(), frame.median()));
        let memory = of(Kind::Fanfare, |one| one.memory)?;
        row("user memory, idle connection", &memory, None, Unit::Bytes, "<= 400 B");
        type Figure = fn(&Fanned) -> f64;
        let rows: [(&str, Figure, &str); 3] = [
            ("CPU, accepting a subscription", |one| one.opening, "<= 25 us"),
            ("CPU, delivery, one at a time", |one| one.single, "<= 1.10 x"),
            ("CPU, delivery, bursts of 8", |one| one.burst, "<= 1.25 x"),
        ];
        for (name, figure, goal) in rows {
            let (ours, floor) = (of(Kind::Fanfare, figure)?, of(Kind::Floor, figure)?);
            row(name, &ours, Some(&floor), Unit::Micros, goal);
        }
        let one_by_one = of(Kind::Floor, |one| one.one_by_one.unwrap_or(f64::NAN))?;
        say(&format!(
            "  the floor's burst with a send for each frame: {} us a delivery",
            one_by_one.told(Unit::Micros)
        ));
        let client = of(Kind::Fanfare, |one| one.client)?;
        let floors = of(Kind::Floor, |one| one.client)?;
        say(&format!(
            "  the client's own CPU a delivery, one at a time: {} us with Fanfare, {} us with the floor\n",
            client.told(Unit::Micros),
            floors.told(Unit::Micros)
        ));
        Ok(())
    }

    /// Tells of posting.
    ///
    /// # Errors
    /// If a round is incomplete.
    pub(crate) fn posted(&self, rounds: &[Vec<Posted>]) -> Result<()> {
        let of = |kind, figure: fn(&Posted) -> f64| series(rounds, |one| one.kind == kind, figure);
        header("POST to a channel without subscribers, keep-alive");
        let together = of(Kind::Floor, |one| one.together)?;
        let ours = of(Kind::Fanfare, |one| one.together)?;
        row("CPU, request, 64 connections", &ours, Some(&together), Unit::Micros, "<= 2 x");
        let alone = of(Kind::Floor, |one| one.alone)?;
        let ours = of(Kind::Fanfare, |one| one.alone)?;
        row("CPU, request, one connection", &ours, Some(&alone), Unit::Micros, "<= 2 x");
        let batched = of(Kind::Fanfare, |one| one.batched.unwrap_or(f64::NAN))?;
        let name = format!("CPU, publication, batch of {BATCH}");
        row(&name, &batched, Some(&together), Unit::Micros, "<= 1 x");
        Ok(())
    }

    /// Ends the report.
    pub(crate) fn end(&self, took: Duration) {
        say(&format!("\nnothing was lost, doubled or out of order; {} s", took.as_secs()));
    }
}

impl Series {
    fn sorted(&self) -> Vec<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    fn median(&self) -> f64 {
        let sorted = self.sorted();
        sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
    }

    /// Each round's figure as a multiple of the other's.
    fn over(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(one, other)| one / other).collect())
    }

    fn told(&self, unit: Unit) -> String {
        let sorted = self.sorted();
        let at = |place: Option<&f64>| unit.told(place.copied().unwrap_or(f64::NAN));
        let median = unit.told(self.median());
        format!("{median} ({} to {})", at(sorted.first()), at(sorted.last()))
    }
}

impl Unit {
    fn told(self, figure: f64) -> String {
        match self {
            Self::Bytes => format!("{figure:.0}"),
            Self::Micros => format!("{:.2}", figure / 1_000.0),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Bytes => "B",
            Self::Micros => "us",
        }
    }
}

fn series<T>(
    rounds: &[Vec<T>],
    wanted: impl Fn(&T) -> bool,
    figure: impl Fn(&T) -> f64,
) -> Result<Series> {
    let one = |round: &Vec<T>| {
        round.iter().find(|one| wanted(one)).map(&figure).context("an incomplete round")
    };
    rounds.iter().map(one).collect::<Result<_>>().map(Series)
}

fn header(title: &str) {
    say(title);
    say(&format!("  {:<32}{:>26}{:>26}{:>24}  {}", "", "Fanfare", "floor", "ratio", "goal"));
}

fn row(name: &str, ours: &Series, floor: Option<&Series>, unit: Unit, goal: &str) {
    let told = |series: &Series| format!("{} {}", series.told(unit), unit.name());
    let ratio = floor.map_or_else(String::new, |floor| {
        let (ratio, sorted) = (ours.over(floor), ours.over(floor).sorted());
        let at = |place: Option<&f64>| place.copied().unwrap_or(f64::NAN);
        format!("{:.2} ({:.2} to {:.2})", ratio.median(), at(sorted.first()), at(sorted.last()))
    });
    let floor = floor.map_or_else(String::new, told);
    say(&format!("  {name:<32}{:>26}{floor:>26}{ratio:>24}  {goal}", told(ours)));
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

#[expect(clippy::print_stdout, reason = "the report is what the program is for")]
fn say(line: &str) {
    println!("{line}");
}
