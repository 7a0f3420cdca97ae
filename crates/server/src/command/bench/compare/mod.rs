//! `fanfare compare`: the same work over WebSocket, SSE, NDJSON and long-poll, direct and through a
//! proxy of its own, measured on the machine that it runs on. `docs/websocket-or-sse.md` says what is
//! measured and what follows.
//!
//! What it shares with `fanfare bench` (servers, publishers, marks, books) it takes from there.
//!
//! - `run`, `cuts`: the order of everything
//! - `crowd`, `newcomer`, `books`: who subscribes, and what is written down
//! - `line`, `reader`, `kind`: one connection of a subscriber
//! - `publishing`: who publishes
//! - `proxy`: what stands in between
//! - `figures`, `cell`, `table`, `page`: what is told

mod books;
mod cell;
mod crowd;
mod cuts;
mod figures;
mod flags;
mod kind;
mod line;
mod newcomer;
mod page;
mod proxy;
mod publishing;
mod reader;
mod run;
mod table;

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::command::bench::report::{Heading, Machine};
use crate::command::bench::subject::leave_on_signal;
use crate::command::output;
use crate::exit::Exit;
use cell::Cell;
pub(crate) use flags::Flags;
use kind::HEARTBEAT_SECONDS;
use line::PATIENCE;
use run::Run;

/// Everything that a run found.
#[derive(Debug, Clone, Serialize)]
struct Report {
    /// The command that repeats it.
    command: String,
    version: &'static str,
    machine: Machine,
    settings: Settings,
    cells: Vec<Cell>,
    /// What a reader has to know.
    notes: Vec<String>,
    seconds: f64,
}

/// What was asked for, and what stands fast.
#[derive(Debug, Clone, Serialize)]
struct Settings {
    subscribers: usize,
    payload_bytes: usize,
    /// Publications a second.
    rate: u32,
    /// Of the proxy, in milliseconds.
    delay_each_way: f64,
    /// Bytes that the proxy holds back, if it does.
    buffer_bytes: Option<usize>,
    /// Seconds while CPU and bytes were counted.
    steady_seconds: f64,
    /// Idle connections by whose memory that of one is told.
    idle: usize,
    /// Newcomers for each of C, R with P, and T.
    newcomers: usize,
    /// How often servers give a sign of life, and how long they keep a poll.
    heartbeat_seconds: u64,
    /// How long a client bears silence.
    patience_seconds: f64,
}

/// Compares, and tells what was found.
///
/// # Errors
///
/// A server that does not start or refuses, or a subscriber that does not come back.
pub(crate) fn run(flags: &Flags) -> Result<Exit> {
    let began = Instant::now();
    let machine = Machine::here();
    leave_on_signal()?;
    let mut run = Run::new(flags)?;
    let cells = run.cells();
    run.progress.clear();
    let words: Vec<_> = std::env::args().skip(1).collect();
    let mut report = Report {
        command: format!("fanfare {}", words.join(" ")),
        version: env!("CARGO_PKG_VERSION"),
        machine,
        settings: Settings::of(flags),
        cells: cells?,
        notes: run.notes,
        seconds: began.elapsed().as_secs_f64(),
    };
    report.look_back(flags);
    if let Some(path) = &flags.svg {
        fs::write(path, page::write(&report)).with_context(|| path.display().to_string())?;
    }
    if flags.json {
        output::line(&serde_json::to_string_pretty(&report)?)?;
    } else {
        output::data(table::write(&report).as_bytes())?;
    }
    let good = report.cells.iter().all(|cell| cell.is_clean() && cell.steady.sum.adds_up);
    Ok(if good { Exit::Success } else { Exit::Failure })
}

impl Settings {
    fn of(flags: &Flags) -> Self {
        let conditions = flags.conditions();
        Self {
            subscribers: flags.subscribers(),
            payload_bytes: flags.size,
            rate: flags.rate,
            delay_each_way: conditions.delay.as_secs_f64() * 1e3,
            buffer_bytes: conditions.hold.map(|hold| hold.bytes),
            steady_seconds: flags.time.as_secs_f64(),
            idle: flags.idle(),
            newcomers: flags.newcomers(),
            heartbeat_seconds: HEARTBEAT_SECONDS,
            patience_seconds: PATIENCE.as_secs_f64(),
        }
    }
}

impl Report {
    /// What stands at its top.
    fn heading(&self) -> Heading<'_> {
        let Self { command, version, machine, .. } = self;
        Heading { command, version, machine }
    }

    /// Adds what a reader has to know of the figures.
    fn look_back(&mut self, flags: &Flags) {
        if flags.url.is_some() && flags.pid.is_empty() {
            let note = "without --pid there is no CPU and no memory of the server";
            self.notes.push(note.to_owned());
        }
        for cell in &self.cells {
            let who = format!("{}, {}", cell.route, cell.transport.name());
            let sum = cell.steady.sum;
            if !sum.adds_up {
                self.notes.push(format!(
                    "{who}: T is {:.2} ms from C + R + P, and may be {:.2} ms: the machine was busy",
                    sum.difference, sum.error
                ));
            }
            if cell.steady.gaps > 0 {
                self.notes.push(format!("{who}: {} gaps were told", cell.steady.gaps));
            }
        }
    }
}
