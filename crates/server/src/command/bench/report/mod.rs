//! What a run found, for people, for machines and as a picture.
//!
//! - `table`: the terminal
//! - `svg`: charts

pub(super) mod svg;
pub(super) mod table;

use std::fs;
use std::thread;

use serde::Serialize;

use super::ledger::Tally;
use super::series::{Series, Spread};

/// Everything that a run found.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Report {
    /// The command that repeats it.
    pub(super) command: String,
    pub(super) version: &'static str,
    pub(super) machine: Machine,
    pub(super) sections: Vec<Section>,
    /// What became of publications, by who had to deliver them.
    pub(super) tallies: Vec<(String, Tally)>,
    /// What a reader has to know.
    pub(super) notes: Vec<String>,
    pub(super) seconds: f64,
}

/// Where it was measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Machine {
    pub(super) cores: usize,
    pub(super) processor: String,
    pub(super) kernel: String,
    /// The load of one, five and fifteen minutes when the run began.
    pub(super) load: String,
}

/// What stands at the top of a report, whatever is in it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heading<'a> {
    pub(super) command: &'a str,
    pub(super) version: &'a str,
    pub(super) machine: &'a Machine,
}

/// Rows and charts that belong together.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Section {
    pub(super) title: String,
    pub(super) rows: Vec<Row>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) charts: Vec<Chart>,
}

/// One figure, of everyone who was measured.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) figures: Vec<Figure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) goal: Option<Goal>,
}

/// What one of them needed, in each round.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Figure {
    pub(super) who: String,
    pub(super) rounds: Series,
    pub(super) spread: Spread,
    /// As a multiple of the floor's figure in the same round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ratio: Option<Spread>,
}

/// What Fanfare is to stay at or under.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    /// So many times the floor's.
    Ratio(f64),
    /// So much, in the row's unit.
    Figure(f64),
}

/// What a row's figures are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    Bytes,
    Kilobytes,
    Mebibytes,
    Microseconds,
    Milliseconds,
    Seconds,
    /// Microseconds of CPU in each second.
    MicrosecondsEachSecond,
    /// So many in each second.
    EachSecond,
    BytesEachMinute,
    Percent,
}

/// A picture.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Chart {
    pub(super) title: String,
    pub(super) x: Axis,
    pub(super) y: Axis,
    pub(super) lines: Vec<Line>,
}

/// What an axis shows.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Axis {
    pub(super) label: String,
    /// Whether equal distances are equal factors.
    pub(super) logarithmic: bool,
}

/// One line of a picture.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

impl<'a> Heading<'a> {
    /// That of a report.
    pub(super) fn of(report: &'a Report) -> Self {
        let Report { command, version, machine, .. } = report;
        Self { command, version, machine }
    }
}

impl Machine {
    /// This one.
    pub(super) fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let information = read("/proc/cpuinfo");
        let name = information.lines().find_map(|line| line.strip_prefix("model name"));
        let name = name.and_then(|rest| rest.split_once(':'));
        let load = read("/proc/loadavg");
        Self {
            cores: thread::available_parallelism().map_or(0, usize::from),
            processor: name.map_or("unknown processor", |(_, name)| name.trim()).to_owned(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            load: load.split_whitespace().take(3).collect::<Vec<_>>().join(" "),
        }
    }
}

impl Row {
    /// A row of what was measured; who has no figure in some round is left out. The floor's come
    /// last, if there are any, and the others are compared with them.
    pub(super) fn new(
        name: impl Into<String>,
        unit: Unit,
        measured: Vec<(String, Vec<Option<f64>>)>,
    ) -> Self {
        let whole: Vec<(String, Series)> = measured
            .into_iter()
            .filter_map(|(who, rounds)| {
                let rounds = rounds.into_iter().collect::<Option<Vec<_>>>()?;
                Some((who, Series(rounds)))
            })
            .collect();
        let floor = whole.iter().find(|(who, _)| who == FLOOR).map(|(_, series)| series.clone());
        let figure = |(who, rounds): (String, Series)| {
            let ratio = floor.as_ref().filter(|_| who != FLOOR);
            // A floor that needed next to nothing is nothing to be compared with.
            let some =
                |floor: &&Series| unit != Unit::Bytes || floor.0.iter().all(|one| *one >= 32.0);
            let ratio = ratio.filter(some).map(|floor| rounds.over(floor));
            let ratio = ratio.filter(|ratio| ratio.0.iter().all(|one| one.is_finite()));
            let ratio = ratio.and_then(|ratio| ratio.spread());
            let spread = rounds.spread()?;
            Some(Figure { who, spread, ratio, rounds })
        };
        let figures = whole.into_iter().filter_map(figure).collect();
        Self { name: name.into(), unit, figures, goal: None }
    }

    /// The same with what Fanfare is to stay under.
    pub(super) fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }
}

impl Goal {
    /// Whether a figure keeps to it; `None` if it cannot be compared, or the goal is not its.
    pub(super) fn is_met(self, figure: &Figure) -> Option<bool> {
        if figure.who != FANFARE {
            return None;
        }
        match self {
            // Goals are written with two places, and held to as they are written.
            Self::Ratio(most) => figure.ratio.map(|ratio| ratio.median < most + 0.005),
            Self::Figure(most) => Some(figure.spread.median <= most),
        }
    }
}

/// What reports call the floor.
pub(super) const FLOOR: &str = "floor";

/// What reports call Fanfare, for which alone there are goals.
pub(super) const FANFARE: &str = "Fanfare";
