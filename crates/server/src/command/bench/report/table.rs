//! The report on a terminal.

use std::fmt::Write as _;

use super::{Goal, Heading, Report, Row, Section, Unit};
use crate::command::bench::ledger::Tally;
use crate::command::bench::series::Spread;

/// The whole report.
pub(crate) fn write(report: &Report) -> String {
    let mut out = begin(Heading::of(report));
    for section in &report.sections {
        line(&mut out, "");
        self::section(&mut out, section);
    }
    line(&mut out, "");
    for (who, tally) in &report.tallies {
        line(&mut out, &format!("{who}: {}", told(tally)));
    }
    for note in &report.notes {
        line(&mut out, &format!("note: {note}"));
    }
    line(&mut out, &format!("{:.0} s", report.seconds));
    out
}

/// Begins a report of any kind.
pub(crate) fn begin(heading: Heading<'_>) -> String {
    let Heading { command, version, machine } = heading;
    let mut out = String::new();
    line(&mut out, command);
    line(
        &mut out,
        &format!(
            "fanfare {version}; {} cores ({}), Linux {}, load when it began {}",
            machine.cores, machine.processor, machine.kernel, machine.load
        ),
    );
    out
}

fn section(out: &mut String, section: &Section) {
    line(out, &section.title);
    for row in &section.rows {
        self::row(out, row);
    }
}

fn row(out: &mut String, row: &Row) {
    let mut name = row.name.as_str();
    for figure in &row.figures {
        let spread = spread(figure.spread, |number| row.unit.told(number));
        let spread = format!("{spread} {}", row.unit.name());
        let ratio = figure.ratio.map_or_else(String::new, |ratio| {
            format!("{} x", self::spread(ratio, |number| format!("{number:.2}")))
        });
        let goal = row.goal.and_then(|goal| {
            let met = if goal.is_met(figure)? { "" } else { " MISSED" };
            Some(format!("{}{met}", goal.told(row.unit)))
        });
        let goal = goal.unwrap_or_default();
        let text = format!("  {name:<40} {:<9}{spread:>34}{ratio:>26}  {goal}", figure.who);
        line(out, text.trim_end());
        name = "";
    }
}

fn spread(spread: Spread, told: impl Fn(f64) -> String) -> String {
    let (median, least, greatest) =
        (told(spread.median), told(spread.least), told(spread.greatest));
    if least == greatest { median } else { format!("{median} ({least} to {greatest})") }
}

/// What became of publications, in words.
pub(crate) fn told(tally: &Tally) -> String {
    let Tally { expected, delivered, lost, doubled, reordered, stray, disconnected } = *tally;
    if tally.is_clean() {
        return format!("{delivered} deliveries, none lost, doubled or out of order");
    }
    format!(
        "{delivered} of {expected} deliveries; {lost} lost, {doubled} doubled, {reordered} out of \
         order, {stray} astray, {disconnected} connections ended"
    )
}

impl Goal {
    fn told(self, unit: Unit) -> String {
        match self {
            Self::Ratio(most) => format!("<= {most:.2} x"),
            Self::Figure(most) => format!("<= {} {}", (most * 100.0).round() / 100.0, unit.name()),
        }
    }
}

impl Unit {
    fn told(self, figure: f64) -> String {
        let magnitude = figure.abs();
        match self {
            Self::Bytes | Self::BytesEachMinute => format!("{figure:.0}"),
            _ if magnitude >= 1_000.0 => format!("{figure:.0}"),
            _ if magnitude >= 100.0 => format!("{figure:.1}"),
            _ => format!("{figure:.2}"),
        }
    }

    /// Its name, short.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bytes => "B",
            Self::Kilobytes => "kB",
            Self::Mebibytes => "MiB",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::MicrosecondsEachSecond => "us/s",
            Self::EachSecond => "/s",
            Self::BytesEachMinute => "B/min",
            Self::Percent => "%",
        }
    }
}

/// Adds a line.
pub(crate) fn line(out: &mut String, text: &str) {
    // A string takes whatever is written into it.
    let _written = writeln!(out, "{text}");
}
