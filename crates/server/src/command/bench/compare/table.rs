//! The report on a terminal, and the rows that the page has as well.

use super::cell::Cell;
use super::figures::Times;
use super::{Report, Settings};
use crate::command::bench::report::table::{begin, line};

/// A figure of each transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) unit: &'static str,
    pub(super) figures: Vec<String>,
}

/// The whole report.
pub(super) fn write(report: &Report) -> String {
    let mut out = begin(report.heading());
    for text in report.settings.told() {
        line(&mut out, &text);
    }
    for cells in routes(&report.cells) {
        line(&mut out, "");
        let names: Vec<_> = cells.iter().map(|cell| cell.transport.name().to_owned()).collect();
        let title = report.settings.route(cells);
        put(&mut out, &title, "", &names);
        for row in rows(cells) {
            put(&mut out, &format!("  {}", row.name), row.unit, &row.figures);
        }
    }
    line(&mut out, "");
    for note in &report.notes {
        line(&mut out, &format!("note: {note}"));
    }
    line(&mut out, &format!("{:.0} s", report.seconds));
    out
}

/// The cells of each route.
pub(super) fn routes(cells: &[Cell]) -> impl Iterator<Item = &[Cell]> {
    cells.chunk_by(|one, next| one.route == next.route)
}

/// The rows of a route.
pub(super) fn rows(cells: &[Cell]) -> Vec<Row> {
    let row = |name, unit, figure: &dyn Fn(&Cell) -> String| Row {
        name,
        unit,
        figures: cells.iter().map(figure).collect(),
    };
    let some = |figure: Option<f64>, told: fn(f64) -> String| figure.map_or("-".to_owned(), told);
    vec![
        row("C, to connect", "ms", &|cell| time(cell.steady.connect.median)),
        row("R, to transfer", "ms", &|cell| time(cell.steady.transfer.median)),
        row("P, push delay", "ms", &|cell| time(cell.steady.push.median)),
        row("C + R + P", "ms", &|cell| time(cell.steady.sum.sum)),
        row("T, the whole by a watch of its own", "ms", &|cell| time(cell.steady.total.median)),
        row("T less the sum (how much it may be)", "ms", &|cell| {
            let sum = cell.steady.sum;
            format!("{} ({})", time(sum.difference), time(sum.error))
        }),
        row("delivery to the crowd, p50", "ms", &|cell| time(cell.steady.delivery_p50)),
        row("delivery to the crowd, p99", "ms", &|cell| time(cell.steady.delivery_p99)),
        row("on the wire to the client, a message", "B", &|cell| bytes(cell.steady.bytes_down)),
        row("on the wire from the client, a message", "B", &|cell| bytes(cell.steady.bytes_up)),
        row("server CPU, a delivery", "us", &|cell| {
            some(cell.steady.cpu, |cpu| format!("{cpu:.1}"))
        }),
        row("user memory, a connection", "B", &|cell| some(cell.steady.memory, bytes)),
        row("cut by FIN, resumed (the last)", "ms", &|cell| both(&cell.resumed.fin)),
        row("cut by a reset, resumed (the last)", "ms", &|cell| both(&cell.resumed.reset)),
        row("cut by silence, resumed (the last)", "ms", &|cell| both(&cell.resumed.silence)),
        row("deliveries", "", &|cell| cell.steady.tally.delivered.to_string()),
        row("lost", "", &|cell| cell.steady.tally.lost.to_string()),
        row("come twice", "", &|cell| cell.steady.tally.doubled.to_string()),
        row("out of order, astray", "", &|cell| {
            (cell.steady.tally.reordered + cell.steady.tally.stray).to_string()
        }),
        row("gaps told", "", &|cell| cell.steady.gaps.to_string()),
    ]
}

impl Settings {
    /// What was asked for, in words.
    pub(super) fn told(&self) -> Vec<String> {
        vec![
            format!(
                "{} subscribers, payloads of {} bytes, {} publications a second for {} s; memory by {} \
                 idle connections;",
                self.subscribers, self.payload_bytes, self.rate, self.steady_seconds, self.idle
            ),
            format!(
                "C, R, P and T are medians of {} newcomers each; a heartbeat and a poll last {} s, and a \
                 client bears {} s of silence",
                self.newcomers, self.heartbeat_seconds, self.patience_seconds
            ),
        ]
    }

    /// What a route is called.
    pub(super) fn route(&self, cells: &[Cell]) -> String {
        let name = cells.first().map_or("", |cell| cell.route);
        if name != "proxy" {
            return name.to_owned();
        }
        let buffer = self.buffer_bytes;
        let held = buffer.map_or_else(String::new, |bytes| format!(", holds {bytes} B"));
        format!("{name}, {} ms each way{held}", self.delay_each_way)
    }
}

fn put(out: &mut String, name: &str, unit: &str, figures: &[String]) {
    let figures: String = figures.iter().map(|figure| format!("{figure:>19}")).collect();
    line(out, format!("{name:<42}{unit:<3}{figures}").trim_end());
}

/// Milliseconds.
fn time(milliseconds: f64) -> String {
    let digits = if milliseconds.abs() >= 99.95 {
        1
    } else if milliseconds.abs() >= 9.995 {
        2
    } else {
        3
    };
    format!("{milliseconds:.digits$}")
}

/// The median, and the greatest.
fn both(times: &Times) -> String {
    format!("{} ({})", time(times.median), time(times.greatest))
}

fn bytes(bytes: f64) -> String {
    format!("{bytes:.0}")
}

#[cfg(test)]
#[path = "table_test.rs"]
pub(super) mod tests;
